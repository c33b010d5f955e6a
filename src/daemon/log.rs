//! Where log lines go: to the journal when systemd started the daemon, else to stderr.

use crate::config::Problem;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log. Errors: `filter` is none.
pub fn start(filter: &str) -> Result<(), Problem> {
    let bad = |why: String| Problem::new("VIDUCT_LOG", filter, format!("must be a level or a list like info,viduct::engine=debug ({why})"));
    let parsed = EnvFilter::builder().parse(filter).map_err(|error| bad(error.to_string()))?;
    let registry = tracing_subscriber::registry().with(parsed);
    // a second start in the same process (tests) keeps the first log
    let _kept = match tracing_journald::layer() {
        Ok(journal) if stderr_is_the_journal() => registry.with(journal).try_init(),
        _ => {
            let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
            registry.with(lines).try_init()
        }
    };
    Ok(())
}

/// systemd names device and inode of the stream it gave us (systemd.exec(5), `JOURNAL_STREAM`); a redirected stderr differs.
pub fn stderr_is_the_journal() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else { return false };
    nix::sys::stat::fstat(std::io::stderr()).is_ok_and(|stat| stream.to_str() == Some(&format!("{}:{}", stat.st_dev, stat.st_ino)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_names_the_property() {
        let problem = start("viduct=loud=er").unwrap_err().to_string();
        assert!(problem.starts_with("Property VIDUCT_LOG=viduct=loud=er: must be"), "{problem}");
    }
}
