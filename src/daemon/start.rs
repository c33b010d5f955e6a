//! The start up to the wiring: configuration, log, certificate, secret, runtime. Every failure here is a message for the operator.

use super::args::{self, Asked, Options};
use super::origin::Origin;
use super::run::Ended;
use super::{addresses, key, life, log, restart, run, state, tls};
use crate::clock::Clock;
use crate::config::load::Wrong;
use crate::config::{Config, Problem, Secret, document};
use crate::ids::MediaNodeId;
use crate::rest::status::Life;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

/// Threads of the doors and the sessions; media has its own.
const THREADS: usize = 2;
/// Files that may be open at a time, where the system allows them.
const OPEN_FILES: libc::rlim_t = 65_536;

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
    /// Where it came from, and comes from again.
    pub origin: Origin,
    /// Text of the file, to be kept once it has proved good; `None` when there is none, or an older one is used.
    pub text: Option<String>,
    pub state: state::State,
    pub secret: Secret,
    /// This box as a media node.
    pub node: MediaNodeId,
    pub tls: Tls,
    pub clock: Clock,
    pub life: Life,
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
        Ok(Asked::Sample) => say(&document::sample()),
        Ok(Asked::Reference) => say(&document::reference()),
        Ok(Asked::Check(options)) => match check(&options) {
            Ok(lines) => say(&lines),
            Err(refused) => {
                eprintln!("viduct would not start:\n{refused}");
                ExitCode::FAILURE
            }
        },
        Ok(Asked::KeyHelp) => say(args::KEY_HELP),
        Ok(Asked::Key(options, order)) => match key::run(&options, order) {
            Ok(told) => {
                eprint!("{}", told.aside);
                say(&told.out)
            }
            Err(failed) => {
                eprintln!("viduct key: {failed}");
                ExitCode::FAILURE
            }
        },
        Ok(Asked::Daemon(options)) => verdict(daemon(&options)),
        Err(line) => {
            eprintln!("viduct: {line}\n\n{}", args::HELP);
            ExitCode::from(2)
        }
    }
}

/// What the process says of its end: only one that was told to stop is no failure.
pub(super) fn verdict(ended: Result<Ended, Refused>) -> ExitCode {
    match ended {
        Ok(Ended::Stopped) => ExitCode::SUCCESS,
        Ok(Ended::Broken) => ExitCode::FAILURE,
        Ok(Ended::Restarting) => {
            eprintln!("viduct cannot begin anew: {}", restart::again(life::of(Clock::System)));
            ExitCode::FAILURE
        }
        Err(refused) => {
            eprintln!("viduct cannot start:\n{refused}");
            ExitCode::FAILURE
        }
    }
}

/// Prints to the console; a console that is gone is no reason to fail.
pub fn say(text: &str) -> ExitCode {
    let mut console = io::stdout().lock();
    let _ = console.write_all(text.as_bytes()).and_then(|()| console.flush());
    ExitCode::SUCCESS
}

/// Runs the daemon; when the configuration file is wrong, with what the file was when it was last right: a box that cannot be reached
/// cannot be mended.
fn daemon(options: &Options) -> Result<Ended, Refused> {
    let origin = Origin::new(options, addresses::lan());
    let present = origin.text();
    let (text, refused) = match present {
        Ok(text) => match attempt(&origin, text.clone(), None) {
            Err(refused) => (text, refused),
            ended => return ended,
        },
        Err(refused) => (Some(String::new()), refused),
    };
    match origin.last_good().filter(|good| text.is_some_and(|text| text != *good)) {
        // what is wrong with the file is what has to be mended
        Some(good) => attempt(&origin, Some(good), Some(&refused)).map_err(|_| refused),
        None => Err(refused),
    }
}

/// Starts and runs until the end. Errors: it did not start, and nothing of it is left. `instead_of`: why `text` is an older one.
fn attempt(origin: &Origin, text: Option<String>, instead_of: Option<&Refused>) -> Result<Ended, Refused> {
    let ready = prepare(origin, text, instead_of)?;
    allow_open_files();
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

/// Takes as many open files as the system lets it: each WebSocket and each viewer over TCP is one, and the usual limit of 1024 is
/// meant for programs that use select(2).
fn allow_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, soft.max(hard.min(OPEN_FILES)), hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

pub(super) fn prepare(origin: &Origin, text: Option<String>, instead_of: Option<&Refused>) -> Result<Ready, Refused> {
    let loaded = origin.load(text.as_deref())?;
    let config = loaded.config;
    log::start(&config.log)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    if let Some(refused) = instead_of {
        let wrong = refused.to_string().replace('\n', "; ");
        tracing::error!("THE CONFIGURATION {} IS WRONG; the last good one is used instead of it: {wrong}", origin.path.display());
    }
    let state = state::State::open(&config)?;
    let (secret, generated) = state::secret(&config, &state)?;
    if generated {
        announce(&secret, &config);
    }
    let cluster = state::cluster_id(&config, &state)?;
    let node = state::media_node_id(&state)?;
    let tls = Tls(tls::acceptor(&config, &state, &origin.lan)?);
    let text = text.filter(|_| instead_of.is_none());
    Ok(Ready {
        config: config.with_cluster_id(cluster),
        origin: origin.clone(),
        text,
        state,
        secret,
        node,
        tls,
        clock: Clock::System,
        life: life::of(Clock::System),
    })
}

/// Judges the configuration as a start would, without making anything or opening a port; gives what is to be said about it.
fn check(options: &Options) -> Result<String, Refused> {
    let origin = Origin::new(options, addresses::lan());
    let text = origin.text()?;
    let loaded = origin.load(text.as_deref())?;
    log::filter(&loaded.config.log)?;
    tls::check(&loaded.config)?;
    let warnings: String = loaded.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    let file = match text {
        Some(_) => format!("{} is right", origin.path.display()),
        None => format!("there is no {}; what the environment says is right", origin.path.display()),
    };
    Ok(format!("{warnings}{file}\n"))
}

/// Shows a generated secret this once; where the console is the journal, which keeps everything, only where to find it.
fn announce(secret: &Secret, config: &Config) {
    let kept = config.state_path.join("secret");
    let shown = if log::stderr_is_the_journal() { "" } else { secret.reveal() };
    say(&format!("No OPENVIDU_SECRET is configured; one was generated and is kept in {}: {shown}\n", kept.display()));
}
