//! One worker process: started with its two sockets in a group of its own, and ended for sure.
//!
//! Its command line is `viduct worker`, always: nothing of a configuration or of a request stands on it, nor in its environment.

use crate::config::PROPERTIES;
use crate::wire::control::{BadLine, FromWorker, Lines, ToWorker, encode_line};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long a process may take to end when it is asked to, before its group is killed. Who removes a camera sees it gone within
/// a second.
pub const POLITE: Duration = Duration::from_millis(700);
/// The same for one with a file to finish: 2 s for what is under way, and the writing of the file's index.
pub const POLITE_RECORDER: Duration = Duration::from_secs(5);

/// A running worker. Dropped without [`Process::end`], it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    control: Option<UnixStream>,
    lines: Lines,
}

/// The control socket is of no more use.
#[derive(Debug, Error)]
pub enum Broken {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Line(#[from] BadLine),
}

impl Process {
    /// Starts `program worker`; `media` is duplicated. The second value is what the process prints.
    ///
    /// Its sockets are its standard input and output, and nothing runs between fork and exec: so the standard library can have the
    /// system make the process without a copy of the daemon's memory, which would stop all of its threads again and again.
    pub async fn spawn(program: &Path, media: &OwnedFd) -> io::Result<(Process, Option<ChildStderr>)> {
        let (control, its_control) = StdUnixStream::pair()?;
        control.set_nonblocking(true)?;
        let mut command = Command::new(program);
        command.arg("worker").stdin(OwnedFd::from(its_control)).stdout(media.try_clone()?).stderr(Stdio::piped());
        // its own group: Ctrl-C is for the daemon, and a kill reaches what the worker started
        command.process_group(0).kill_on_drop(true);
        // a worker is told what it needs by its socket; passwords of the daemon are none of its business
        for name in passwords_may_be_in() {
            command.env_remove(name);
        }
        // who asks for a process waits until it has become another program
        let mut child = spawn_blocking(move || command.spawn()).await.map_err(io::Error::other)??;
        let stderr = child.stderr.take();
        Ok((Process { child, control: Some(UnixStream::from_std(control)?), lines: Lines::default() }, stderr))
    }

    /// Its number; `None` once it was reaped.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends a line; the first one is its job. One that was cancelled may have been sent in part: the process is of no more use.
    pub async fn tell(&mut self, message: &ToWorker) -> io::Result<()> {
        match &mut self.control {
            Some(control) => control.write_all(&encode_line(message)).await,
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The next line, or `None` when the process closed its end. May be cancelled without losing anything.
    pub async fn next(&mut self) -> Result<Option<FromWorker>, Broken> {
        let mut chunk = [0; 1024];
        loop {
            if let Some(line) = self.lines.next_line()? {
                return Ok(Some(line));
            }
            let Some(control) = &mut self.control else { return Ok(None) };
            match control.read(&mut chunk).await? {
                0 => return Ok(None),
                length => self.lines.push(&chunk[..length]),
            }
        }
    }

    /// Ends it: the control socket closes, `polite` later the group is killed. Always reaps the process.
    pub async fn end(mut self, polite: Duration) -> io::Result<ExitStatus> {
        self.control = None;
        let group = self.child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        match timeout(polite, self.child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                // not reaped yet, so the number is still this group's
                if let Some(group) = group {
                    let _ = killpg(group, Signal::SIGKILL);
                }
                self.child.wait().await
            }
        }
    }
}

/// The variables of this daemon's environment that are its configuration, misspelled ones included.
fn passwords_may_be_in() -> impl Iterator<Item = OsString> {
    let ours = |name: &OsString| {
        let name = name.to_string_lossy();
        ["OPENVIDU_", "VIDUCT_"].iter().any(|prefix| name.starts_with(prefix)) || PROPERTIES.iter().any(|property| property.name == name)
    };
    std::env::vars_os().map(|(name, _)| name).filter(ours)
}
