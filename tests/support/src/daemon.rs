//! The real daemon as a test runs it: own state directory, free ports, plain HTTP, its output captured.
//!
//! Dropping a [`Daemon`] kills it; when the test is failing, its log is printed first.

use crate::holdings::Holdings;
use crate::rest::Client;
/// Signals, for whoever sends them.
pub use nix::sys::signal as nix_signal;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A process id for [`nix_signal::kill`].
pub fn nix_pid(pid: i32) -> Pid {
    Pid::from_raw(pid)
}

/// The secret every test daemon is started with.
pub const SECRET: &str = "MY_SECRET";
/// How long a start may take.
const START: Duration = Duration::from_secs(10);

/// How a daemon is started.
#[derive(Debug)]
pub struct Options {
    binary: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    state: Option<PathBuf>,
}

impl Options {
    /// The daemon in `binary` (in tests `env!("CARGO_BIN_EXE_viduct")`), plain HTTP, loopback allowed for media and cameras.
    pub fn new(binary: impl AsRef<Path>) -> Options {
        Options { binary: binary.as_ref().to_owned(), args: vec![], env: vec![], state: None }
    }

    /// Sets a property in the environment; wins over what the kit sets.
    pub fn env(mut self, name: &str, value: impl ToString) -> Options {
        self.env.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<String>) -> Options {
        self.args.push(arg.into());
        self
    }

    /// Uses a state directory that outlives the daemon.
    pub fn state(mut self, path: impl AsRef<Path>) -> Options {
        self.state = Some(path.as_ref().to_owned());
        self
    }

    /// Starts the process without waiting for it to be ready.
    pub fn spawn(self) -> Daemon {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let ports = Ports::free();
        let state = self.state.unwrap_or_else(|| dir.path().join("state"));
        let mut command = Command::new(&self.binary);
        command.args(&self.args).current_dir(dir.path());
        for (name, _) in std::env::vars().filter(|(name, _)| is_property(name)) {
            command.env_remove(name);
        }
        command
            .env("OPENVIDU_SECRET", SECRET)
            .env("DOMAIN_OR_PUBLIC_IP", "127.0.0.1")
            .env("HTTP_PORT", ports.http.to_string())
            .env("HTTPS_PORT", ports.https.to_string())
            .env("VIDUCT_MEDIA_PORT", ports.media.to_string())
            .env("VIDUCT_STATE_PATH", state)
            .env("VIDUCT_PLAIN_HTTP", "true")
            .env("VIDUCT_LOOPBACK_CANDIDATES", "true")
            .env("VIDUCT_CAMERA_ALLOW_LOOPBACK", "true")
            .envs(self.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{} does not start: {e}", self.binary.display()));
        let log = Log::default();
        log.follow(child.stdout.take().expect("stdout is piped"));
        log.follow(child.stderr.take().expect("stderr is piped"));
        Daemon { child, ports, log, _dir: dir }
    }

    /// Starts the daemon and waits until GET health says UP. Panics with its log when it does not within 10 s.
    pub async fn start(self) -> Daemon {
        let mut daemon = self.spawn();
        let rest = daemon.rest();
        let deadline = Instant::now() + START;
        loop {
            if let Some(status) = daemon.child.try_wait().expect("the child can be waited for") {
                panic!("the daemon ended at its start: {status}\n{}", daemon.log.text());
            }
            if rest.try_get("/openvidu/api/health").await.is_ok_and(|response| response.status == 200) {
                return daemon;
            }
            assert!(Instant::now() < deadline, "the daemon is not ready within {START:?}\n{}", daemon.log.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Would the daemon read this variable as a property?
fn is_property(name: &str) -> bool {
    ["OPENVIDU_", "VIDUCT_"].iter().any(|prefix| name.starts_with(prefix))
        || ["HTTPS_PORT", "HTTP_PORT", "DOMAIN_OR_PUBLIC_IP"].contains(&name)
}

/// The ports of one daemon.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub http: u16,
    pub https: u16,
    /// UDP and TCP.
    pub media: u16,
}

impl Ports {
    /// Ports that are free at this moment, and that no outgoing connection of anybody gets meanwhile.
    pub fn free() -> Ports {
        // held until all are chosen, so that no two are the same
        let sockets: Vec<(TcpListener, UdpSocket)> = std::iter::repeat_with(port_on_both).flatten().take(3).collect();
        let port = |n: usize| sockets[n].0.local_addr().expect("a bound socket has an address").port();
        Ports { http: port(0), https: port(1), media: port(2) }
    }
}

/// Below the range from which the kernel takes the ports of outgoing connections (`ip_local_port_range`): hundreds of these come and go
/// while tests run, and one that came between the choice of a port and the daemon's start would take it away.
const QUIET_PORTS: std::ops::Range<u16> = 20_100..32_700;

fn port_on_both() -> Option<(TcpListener, UdpSocket)> {
    let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, rand::random_range(QUIET_PORTS))).ok()?;
    let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, tcp.local_addr().ok()?.port())).ok()?;
    Some((tcp, udp))
}

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    /// Where it listens.
    pub ports: Ports,
    /// What it wrote.
    pub log: Log,
    _dir: tempfile::TempDir,
}

impl Daemon {
    /// A client with the API secret, over plain HTTP.
    pub fn rest(&self) -> Client {
        Client::new(self.ports.http).basic("OPENVIDUAPP", SECRET)
    }

    /// The WebSocket of the signaling door over plain HTTP.
    pub fn signaling_url(&self, session: &str) -> String {
        format!("ws://127.0.0.1:{}/openvidu?sessionId={session}", self.ports.http)
    }

    /// The WebSocket of the live feed of events over plain HTTP.
    pub fn feed_url(&self) -> String {
        format!("ws://127.0.0.1:{}/openvidu/info", self.ports.http)
    }

    /// Process id.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Processes whose parent is the daemon: its workers.
    pub fn workers(&self) -> Vec<i32> {
        self.holdings().children
    }

    /// What it has of the system at this moment.
    pub fn holdings(&self) -> Holdings {
        Holdings::of(self.pid())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("the daemon is alive");
    }

    /// Ends it with SIGTERM; gives its status and how long it took. Panics when it takes longer than 10 s.
    pub async fn stop(&mut self) -> (ExitStatus, Duration) {
        self.signal(Signal::SIGTERM);
        let begin = Instant::now();
        let status = self.wait(Duration::from_secs(10)).await;
        (status, begin.elapsed())
    }

    /// Waits for its end. Panics with the log when it does not end within `span`.
    pub async fn wait(&mut self, span: Duration) -> ExitStatus {
        let deadline = Instant::now() + span;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "the daemon does not end within {span:?}\n{}", self.log.text());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        // an error means it is gone already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- log of the daemon ----\n{}---- end of the log ----", self.log.text());
        }
    }
}

/// The captured output, line by line.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn follow(&self, from: impl Read + Send + 'static) {
        let lines = self.0.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                lines.lock().expect("no writer panics").push(line);
            }
        });
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.lines().iter().map(|line| format!("{line}\n")).collect()
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no writer panics").clone()
    }

    /// Waits for a line that `wanted` takes and gives it. Panics with the log after `span`.
    pub async fn wait_for(&self, what: &str, span: Duration, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + span;
        loop {
            if let Some(line) = self.lines().into_iter().find(|line| wanted(line)) {
                return line;
            }
            assert!(Instant::now() < deadline, "no log line within {span:?}: {what}\n{}", self.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
