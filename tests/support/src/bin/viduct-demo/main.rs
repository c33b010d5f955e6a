//! The demo: a camera, the daemon and a page, started together and ended together.
//!
//! Starts the synthetic camera and `viduct --demo`, waits until the daemon answers, creates one session with that camera over
//! REST, serves the page of `tests/support/demo`, and gives each visitor a token of their own. The secret stays here. Nothing of
//! the product lives here: this is an application that uses it, as any other would.

mod children;
mod page;
mod rest;

use children::Child;
use rest::Rest;
use serde_json::json;
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const SESSION: &str = "demo";
const HELP: &str = "\
viduct-demo: a synthetic camera, the daemon and a page to watch it (make demo)

  --port PORT     port of the page, 0 for any                       [8080]
  --host ADDRESS  what browsers call this machine; anything else than localhost
                  also opens the page to the network                [localhost]
  --page DIR      the folder with the page                          [tests/support/demo]

HTTPS_PORT [4443] and OPENVIDU_SECRET [MY_SECRET] of the environment are used and passed on to the daemon.";

/// How long the daemon may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Pause between two questions whether it does.
const POLL: Duration = Duration::from_millis(100);

struct Options {
    port: u16,
    host: String,
    page: PathBuf,
}

fn options() -> Result<Options> {
    let mut options = Options { port: 8080, host: "localhost".into(), page: "tests/support/demo".into() };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--help" {
            println!("{HELP}");
            std::process::exit(0);
        }
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value, see --help"))?;
        match name.as_str() {
            "--port" => options.port = value.parse().map_err(|_| format!("--port {value} is no port"))?,
            "--host" => options.host = value,
            "--page" => options.page = value.into(),
            _ => return Err(format!("{name} is unknown, see --help").into()),
        }
    }
    Ok(options)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let ended = match options() {
        Ok(options) => run(options).await,
        Err(problem) => Err(problem),
    };
    if let Err(problem) = ended {
        eprintln!("viduct-demo: {problem}");
        std::process::exit(1);
    }
}

/// Until a signal asks for the end, or something it needs has ended by itself.
async fn run(options: Options) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;

    let listener = listen(&options).await?;
    let mut started = Started::default();
    let ended = tokio::select! {
        ended = serve(&options, listener, &mut started) => ended,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        _ = hangup.recv() => Ok(()),
    };
    println!("\nStopping the daemon and the camera …");
    started.stop().await;
    println!("Stopped.");
    ended
}

/// Opens the page's port first: a taken port is the commonest reason to give up.
async fn listen(options: &Options) -> Result<TcpListener> {
    page::check(&options.page)?;
    let address = if options.host == "localhost" { [127, 0, 0, 1] } else { [0, 0, 0, 0] };
    let port = options.port;
    TcpListener::bind(SocketAddr::from((address, port)))
        .await
        .map_err(|cause| format!("the page's port {port}: {cause}; another one: make demo DEMO_FLAGS=\"--port 0\"").into())
}

/// What has been started so far; whatever interrupts the start, `stop` ends it.
#[derive(Default)]
struct Started {
    camera: Option<Child>,
    daemon: Option<Child>,
}

impl Started {
    /// The daemon first: it is the camera's only customer.
    async fn stop(self) {
        for child in [self.daemon, self.camera].into_iter().flatten() {
            child.stop().await;
        }
    }
}

async fn serve(options: &Options, listener: TcpListener, started: &mut Started) -> Result<()> {
    let programs = programs()?;
    // `target/release/viduct-demo`: the state and the log belong into `target`.
    let target = programs.parent().unwrap_or(&programs).to_path_buf();
    let log = target.join("viduct-demo.log");
    std::fs::write(&log, "")?;
    let https_port = variable("HTTPS_PORT", "4443");
    let secret = variable("OPENVIDU_SECRET", "MY_SECRET");

    let mut camera_command = Command::new(programs.join("viduct-test-camera"));
    camera_command.args(["--port", "0", "--path", "/cam"]);
    let (camera, camera_url) = Child::start_for_line("the test camera", camera_command, &log).await?;
    let camera = started.camera.insert(camera);

    let mut daemon_command = Command::new(programs.join("viduct"));
    daemon_command.arg("--demo");
    daemon_command.env("HTTPS_PORT", &https_port).env("OPENVIDU_SECRET", &secret);
    daemon_command.env("DOMAIN_OR_PUBLIC_IP", &options.host);
    // Kept from run to run, so that its certificate has to be accepted only once.
    daemon_command.env("VIDUCT_STATE_PATH", variable("VIDUCT_STATE_PATH", &target.join("demo-state").to_string_lossy()));
    // The session is made anew each time, with a camera on another port.
    daemon_command.env("VIDUCT_RESTORE_CAMERAS", "false");
    // The page plays recordings straight from the box; a visitor of the demo has no credentials.
    daemon_command.env("OPENVIDU_RECORDING", "true").env("OPENVIDU_RECORDING_PUBLIC_ACCESS", "true");
    let recordings = target.join("demo-recordings");
    daemon_command.env("OPENVIDU_RECORDING_PATH", variable("OPENVIDU_RECORDING_PATH", &recordings.to_string_lossy()));
    let daemon = started.daemon.insert(Child::start("the daemon", daemon_command, &log)?);

    let port = https_port.parse().map_err(|_| format!("HTTPS_PORT: {https_port} is no port"))?;
    let rest = Arc::new(Rest::new(port, &secret));
    tokio::select! {
        ready = healthy(&rest) => ready?,
        how = daemon.ended() => return Err(how.into()),
    }
    create_session(&rest, &camera_url).await?;

    let host = &options.host;
    println!("\n  Viduct is running. Open  http://{host}:{}\n", listener.local_addr()?.port());
    println!("  REST      https://{host}:{https_port}/openvidu/api  (user OPENVIDUAPP, secret {secret})");
    println!("  Camera    {camera_url}");
    println!("  Log       {}\n\n  Ctrl-C stops everything.", shown(&log));

    let about = json!({ "certificate": format!("https://{host}:{https_port}/openvidu/accept-certificate") });
    tokio::select! {
        never = page::serve(listener, &options.page, about, rest) => never,
        how = daemon.ended() => Err(how.into()),
        how = camera.ended() => Err(how.into()),
    }
}

/// The folder of this program: the others were built into it, too.
fn programs() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().ok_or("this program has no folder")?.to_path_buf())
}

/// A path as a person would type it here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_string())
}

/// Asks until the daemon says that it is up.
async fn healthy(rest: &Rest) -> Result<()> {
    let mut ticks = tokio::time::interval(POLL);
    let answers = async {
        loop {
            ticks.tick().await;
            match rest.status("health").await {
                Ok(200) => return Ok(()),
                Ok(401) => return Err("another daemon has this HTTPS_PORT: its secret is not ours".into()),
                Ok(_) | Err(_) => {}
            }
        }
    };
    tokio::time::timeout(START_LIMIT, answers).await.map_err(|_| format!("the daemon did not answer within {START_LIMIT:?}"))?
}

/// One session with the camera in it, running whether or not somebody watches, so that a visitor sees it at once.
async fn create_session(rest: &Rest, camera: &str) -> Result<()> {
    rest.post("sessions", &json!({ "customSessionId": SESSION })).await?;
    let camera = json!({ "type": "IPCAM", "rtspUri": camera, "data": "Test camera", "onlyPlayWithSubscribers": false });
    rest.post(&format!("sessions/{SESSION}/connection"), &camera).await?;
    Ok(())
}
