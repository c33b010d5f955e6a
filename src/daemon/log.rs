//! Where log lines go: to the journal when systemd started the daemon, else to stderr.

use crate::config::Problem;
use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::layer::Layered;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// How the filter of the running log is changed.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// What tells passwords below this level, whatever the filter says: the ICE agent names those of each peer.
const SECRETIVE: &str = "is::agent=info";

/// The filter that `text` is. Errors: it is none.
pub fn filter(text: &str) -> Result<EnvFilter, Problem> {
    let bad = |why: String| Problem::new("VIDUCT_LOG", text, format!("must be a level or a list like info,viduct::engine=debug ({why})"));
    let filter = EnvFilter::builder().parse(text).map_err(|error| bad(error.to_string()))?;
    Ok(filter.add_directive(SECRETIVE.parse::<Directive>().map_err(|error| bad(error.to_string()))?))
}

/// Changes the filter of the running log. Errors: `text` is none.
pub fn change(text: &str) -> Result<(), Problem> {
    let parsed = filter(text)?;
    if let Some(handle) = FILTER.get() {
        // an error means that there is no log any more
        let _ = handle.reload(parsed);
    }
    Ok(())
}

/// Starts the log, or changes the filter of the one that runs. Errors: `text` is no filter.
pub fn start(text: &str) -> Result<(), Problem> {
    let (filtering, handle) = reload::Layer::new(filter(text)?);
    if FILTER.set(handle).is_err() {
        return change(text);
    }
    let registry: Layered<_, Registry> = tracing_subscriber::registry().with(filtering);
    // an error means that somebody else (a test) has started one
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
    fn no_filter_lets_the_ice_agent_tell_passwords() {
        for text in ["trace", "is=trace", "is::agent=trace", "viduct=debug"] {
            let shown = filter(text).unwrap().to_string();
            assert!(shown.contains(SECRETIVE) && !shown.contains("is::agent=trace"), "{shown}");
        }
    }

    #[test]
    fn a_wrong_filter_names_the_property() {
        let problem = start("viduct=loud=er").unwrap_err().to_string();
        assert!(problem.starts_with("Property VIDUCT_LOG=viduct=loud=er: must be"), "{problem}");
    }
}
