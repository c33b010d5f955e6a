//! An RTSP camera in a process of its own (`viduct-test-camera`), so that it can be killed and stopped like a real one.
//!
//! The camera loops material that is encoded once ([`material`]) and never encodes while it serves. Its picture moves, shows a
//! running clock, and in the upper left corner flashes for the first 0.1 s of each second while its sound beeps
//! ([`picture`], [`sound`]).

pub mod crooked;
pub mod encode;
pub mod material;
pub mod options;
pub mod picture;
pub mod server;
pub mod sound;

pub use options::{Audio, Options, Resize, Transports, Video, VideoCodec};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running camera. Dropped, it is killed; it also ends with the process that started it.
#[derive(Debug)]
pub struct TestCamera {
    /// Address without credentials: `rtsp://127.0.0.1:port/path`.
    pub url: String,
    child: Child,
}

impl TestCamera {
    /// Starts the program and waits until it listens; the first start with new material waits for the encoder.
    pub fn start(options: &Options) -> io::Result<TestCamera> {
        let program = program()?;
        let mut child = Command::new(&program).args(options.to_args()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let camera = TestCamera { url: line.trim().to_owned(), child };
        match camera.url.is_empty() {
            false => Ok(camera),
            true => Err(io::Error::other(format!("{} did not start, see its error output", program.display()))),
        }
    }

    /// The address with credentials in it.
    pub fn url_with(&self, user: &str, password: &str) -> String {
        self.url.replacen("rtsp://", &format!("rtsp://{user}:{password}@"), 1)
    }

    /// The TCP port it listens on.
    pub fn port(&self) -> u16 {
        let authority = self.url.split('/').nth(2).unwrap_or_default();
        authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("the program prints an address with its port")
    }

    /// Pulls the plug.
    pub fn kill(mut self) {
        self.end();
    }

    /// Stops the process: its connections stay open and nothing comes any more.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Goes on after [`TestCamera::pause`].
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("process numbers are positive and small");
        kill(Pid::from_raw(id), signal).expect("the camera is not reaped before it is dropped");
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for TestCamera {
    fn drop(&mut self) {
        self.end();
    }
}

/// The program, beside or above the running one (a test is in `target/<profile>/deps`), or where `VIDUCT_TEST_CAMERA` says.
fn program() -> io::Result<PathBuf> {
    if let Some(path) = std::env::var_os("VIDUCT_TEST_CAMERA") {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join("viduct-test-camera")).find(|path| path.is_file());
    found.ok_or_else(|| io::Error::other("viduct-test-camera is not built: run cargo build --workspace"))
}
