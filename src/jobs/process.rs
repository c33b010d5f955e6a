//! One worker process: started with its two sockets in a group of its own, and ended for sure.
//!
//! Its command line is `viduct worker`, always: nothing of a configuration or of a request stands on it, nor in its environment.

use crate::config::PROPERTIES;
use crate::wire::control::{BadLine, FromWorker, Lines, ToWorker, encode_line};
use crate::wire::{CONTROL_FD, MEDIA_FD};
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

/// How long a process may take to end when it is asked to, before its group is killed. Who removes a camera sees it gone within
/// a second.
pub const POLITE: Duration = Duration::from_millis(700);
/// The same for one with a file to finish: 2 s for what is under way, and the writing of the file's index.
pub const POLITE_RECORDER: Duration = Duration::from_secs(5);

/// Keeps descriptors 3 and 4 of the daemon taken. Between fork and exec the standard library holds a pipe of its own in the
/// child, on the lowest free number; were that 3 or 4, giving the worker its sockets would close it.
#[derive(Debug)]
pub struct LowDescriptors {
    _held: Vec<File>,
}

impl LowDescriptors {
    pub fn reserve() -> io::Result<LowDescriptors> {
        let mut held = Vec::new();
        loop {
            let file = File::open("/dev/null")?;
            if file.as_raw_fd() > CONTROL_FD.max(MEDIA_FD) {
                return Ok(LowDescriptors { _held: held });
            }
            held.push(file);
        }
    }
}

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
    pub fn spawn(program: &Path, media: &OwnedFd) -> io::Result<(Process, Option<ChildStderr>)> {
        let (control, its_control) = StdUnixStream::pair()?;
        control.set_nonblocking(true)?;
        let its_control = above_the_low(&its_control)?;
        let its_media = above_the_low(media)?;
        let (from_control, from_media) = (its_control.as_raw_fd(), its_media.as_raw_fd());

        let mut command = Command::new(program);
        command.arg("worker").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // its own group: Ctrl-C is for the daemon, and a kill reaches what the worker started
        command.process_group(0).kill_on_drop(true);
        // a worker is told what it needs by its socket; passwords of the daemon are none of its business
        for name in passwords_may_be_in() {
            command.env_remove(name);
        }
        // SAFETY: between fork and exec only dup2 is called, which is async-signal-safe; both sources are above 4, so neither
        // call overwrites the other's source.
        unsafe { command.pre_exec(move || place(from_control, CONTROL_FD).and_then(|()| place(from_media, MEDIA_FD))) };
        let mut child = command.spawn()?;
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

/// A duplicate on a number that is neither 3 nor 4 and closes on exec.
fn above_the_low(fd: &impl AsFd) -> io::Result<OwnedFd> {
    let number = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(CONTROL_FD.max(MEDIA_FD) + 1))?;
    // SAFETY: the call has just made this descriptor, nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// dup2; the copy does not close on exec.
fn place(from: RawFd, to: RawFd) -> io::Result<()> {
    // SAFETY: two numbers go in; `to` is 3 or 4, which in the child belong to nobody who lives on after exec.
    match unsafe { libc::dup2(from, to) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
