//! The start up to the wiring: configuration, log, certificate, secret, runtime. Every failure here is a message for the operator.

use super::args::{self, Asked, Options};
use super::{addresses, log, run, state, tls};
use crate::clock::Clock;
use crate::config::load::Wrong;
use crate::config::{Config, Problem, Secret, Sources, load};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

/// Read when `--config` is not given, if it exists.
const DEFAULT_FILE: &str = "/etc/viduct/viduct.toml";
/// Threads of the doors and the sessions; media has its own.
const THREADS: usize = 2;

/// Why the daemon did not start.
#[derive(Debug, Error)]
pub enum Refused {
    #[error("{0}")]
    Config(#[from] Wrong),
    #[error("{0}")]
    Property(#[from] Problem),
    #[error("the configuration file {path} (--config) cannot be read: {error}")]
    File { path: String, error: io::Error },
    #[error("{what} cannot be started: {error}")]
    System { what: &'static str, error: io::Error },
}

/// All that the wiring needs, checked.
#[derive(Debug)]
pub struct Ready {
    pub config: Config,
    pub secret: Secret,
    pub tls: Tls,
    /// Addresses of the local network.
    pub lan: Vec<IpAddr>,
    pub clock: Clock,
}

/// Certificate and key, ready to accept connections.
#[derive(Clone)]
pub struct Tls(pub TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

/// The program: `args` are the arguments after its name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match args::parse(args) {
        Ok(Asked::Worker) => crate::worker::run(),
        Ok(Asked::Help) => say(args::HELP),
        Ok(Asked::Version) => say(concat!("viduct ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Asked::Daemon(options)) => match daemon(&options) {
            Ok(run::Ended::Asked) => ExitCode::SUCCESS,
            Ok(run::Ended::Broken) => ExitCode::FAILURE,
            Err(refused) => {
                eprintln!("viduct cannot start:\n{refused}");
                ExitCode::FAILURE
            }
        },
        Err(line) => {
            eprintln!("viduct: {line}\n\n{}", args::HELP);
            ExitCode::from(2)
        }
    }
}

/// Prints to the console; a console that is gone is no reason to fail.
pub fn say(text: &str) -> ExitCode {
    let mut console = io::stdout().lock();
    let _ = console.write_all(text.as_bytes()).and_then(|()| console.flush());
    ExitCode::SUCCESS
}

fn daemon(options: &Options) -> Result<run::Ended, Refused> {
    let ready = prepare(options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(|error| Refused::System { what: "the runtime", error })?;
    let ended = runtime.block_on(run::run(ready));
    // whatever is still under way has had its time
    runtime.shutdown_background();
    ended
}

fn prepare(options: &Options) -> Result<Ready, Refused> {
    let (env, file) = (environment(), read_file(options.config.as_deref())?);
    let lan = addresses::lan();
    let loaded = load(&Sources { env: &env, file: file.as_deref(), demo: options.demo, lan: lan.first().copied() })?;
    let config = loaded.config;
    log::start(&config.log)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let state = state::State::open(&config)?;
    let (secret, generated) = state::secret(&config, &state)?;
    if generated {
        announce(&secret, &config);
    }
    let tls = Tls(tls::acceptor(&config, &state, &lan)?);
    Ok(Ready { config, secret, tls, lan, clock: Clock::System })
}

/// Shows a generated secret this once; where the console is the journal, which keeps everything, only where to find it.
fn announce(secret: &Secret, config: &Config) {
    let kept = config.state_path.join("secret");
    let shown = if log::stderr_is_the_journal() { "" } else { secret.reveal() };
    say(&format!("No OPENVIDU_SECRET is configured; one was generated and is kept in {}: {shown}\n", kept.display()));
}

/// The environment as text; what is not UTF-8 is no value of ours.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

fn read_file(path: Option<&Path>) -> Result<Option<String>, Refused> {
    let (path, must) = path.map_or((Path::new(DEFAULT_FILE), false), |path| (path, true));
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if !must && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Refused::File { path: path.display().to_string(), error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_must_be_readable() {
        let refused = read_file(Some(Path::new("/no/such/file.toml"))).unwrap_err().to_string();
        assert!(refused.starts_with("the configuration file /no/such/file.toml (--config) cannot be read"), "{refused}");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "HTTPS_PORT = 1\n").unwrap();
        assert_eq!(read_file(Some(file.path())).unwrap().as_deref(), Some("HTTPS_PORT = 1\n"));
    }
}
