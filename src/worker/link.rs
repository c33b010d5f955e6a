//! The worker's end of the control socket: reads the job, says how it goes, and makes sure that the process ends with it.

use super::socket::MediaSocket;
use super::{Turn, Turns};
use crate::wire::control::{BadLine, FromWorker, Lines, encode_line};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::SockType;
use nix::sys::socket::{self, MsgFlags, getsockopt, recv};
use nix::unistd::{dup2_stdin, dup2_stdout};
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use thiserror::Error;

/// How long a job may take to end by itself after the control socket closed.
const END: Duration = Duration::from_millis(1900);

/// How long a job waits that has nothing left to wait for.
const CLOSED: Duration = Duration::from_millis(5);

/// The control socket and the media socket, which are the standard input and output that the daemon gave; `None` when these are
/// something else. From then on there is nothing to read, and what a library prints goes where errors go. Call once, first thing.
pub fn take() -> Option<(UnixStream, OwnedFd)> {
    let claim = |end: BorrowedFd<'_>, kind| {
        let fits = getsockopt(&end, SockType) == Ok(kind);
        fits.then(|| end.try_clone_to_owned().ok()).flatten()
    };
    let control = claim(io::stdin().as_fd(), socket::SockType::Stream)?;
    let media = claim(io::stdout().as_fd(), socket::SockType::SeqPacket)?;
    dup2_stdin(File::open("/dev/null").ok()?).ok()?;
    dup2_stdout(io::stderr()).ok()?;
    Some((control.into(), media))
}

/// What the job says to the daemon. Blocking: lines are few and short.
#[derive(Debug)]
pub struct Link {
    socket: UnixStream,
    lines: Lines,
    /// [`Link::try_read`] has seen the end.
    closed: bool,
}

/// The daemon cannot be understood.
#[derive(Debug, Error)]
pub enum LinkError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Line(#[from] BadLine),
}

impl Link {
    pub fn new(socket: UnixStream) -> Link {
        Link { socket, lines: Lines::default(), closed: false }
    }

    /// Waits for the next line; `None` when the socket closed.
    pub fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, LinkError> {
        let mut chunk = [0; 2048];
        loop {
            if let Some(message) = self.lines.next_line()? {
                return Ok(Some(message));
            }
            match self.socket.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(length) => self.lines.push(&chunk[..length]),
                // closed by a daemon that had not read all this process said: it is killed, as a rule
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next line if it is there; never waits. `None` when the socket closed, too: [`guard`] tells that.
    pub fn try_read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, LinkError> {
        let mut chunk = [0; 2048];
        loop {
            if let Some(message) = self.lines.next_line()? {
                return Ok(Some(message));
            }
            match recv(self.socket.as_raw_fd(), &mut chunk, MsgFlags::MSG_DONTWAIT) {
                Ok(0) | Err(Errno::ECONNRESET) => self.closed = true,
                Ok(length) => {
                    self.lines.push(&chunk[..length]);
                    continue;
                }
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            return Ok(None);
        }
    }

    /// Waits until there is something to read here, `limit` ms at most. Once it has closed the job is about to hear so from [`guard`]
    /// and to end: then only for a moment.
    pub fn wait(&self, limit: u8) {
        if self.closed {
            std::thread::sleep(CLOSED);
        } else {
            let _ = poll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)], PollTimeout::from(limit));
        }
    }

    /// Waits until there is something to read here or on the media socket, `limit` ms at most. What has closed is not waited for.
    pub fn wait_with(&self, media: &MediaSocket, limit: u8) {
        let mut both = [PollFd::new(media.as_fd(), PollFlags::POLLIN), PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        let open = if self.closed { 1 } else { 2 };
        let _ = poll(&mut both[..open], PollTimeout::from(limit));
        if both[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)) {
            std::thread::sleep(Duration::from_millis(limit.into()));
        }
    }

    /// Sends a line. A daemon that is gone does not hear it, and its going ends the job anyway.
    pub fn say(&mut self, message: &FromWorker) {
        let _ = self.socket.write_all(&encode_line(message));
    }
}

/// Watches the control socket from a thread of its own: when it closes, the job hears [`Turn::Stop`], and [`END`] later the
/// process ends whatever hangs in it.
pub fn guard(link: &Link, turns: Turns) -> io::Result<()> {
    let socket = link.socket.try_clone()?;
    std::thread::Builder::new().name("guard".into()).spawn(move || {
        wait_for_hangup(&socket);
        turns.send(Turn::Stop);
        std::thread::sleep(END);
        // SAFETY: ends the process at once, which is the point: destructors and exit handlers may be what hangs.
        unsafe { libc::_exit(1) }
    })?;
    Ok(())
}

/// No events are asked for: a hang-up is always reported, and lines are the job's to read.
fn wait_for_hangup(socket: &UnixStream) {
    loop {
        match poll(&mut [PollFd::new(socket.as_fd(), PollFlags::empty())], PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::control::FailureKind;

    #[test]
    fn lines_are_read_until_the_socket_closes() {
        let (mut daemon, worker) = UnixStream::pair().unwrap();
        let mut link = Link::new(worker);
        daemon.write_all(b"{\"say\":\"ready\"}\n\"noPackets\"\nnonsense\n").unwrap();
        drop(daemon);
        assert_eq!(link.read().unwrap(), Some(FromWorker::Ready));
        assert_eq!(link.read().unwrap(), Some(FailureKind::NoPackets));
        assert!(matches!(link.read::<FromWorker>(), Err(LinkError::Line(_))));
        assert!(link.read::<FromWorker>().unwrap().is_none());
        link.say(&FromWorker::Finished);
    }

    #[test]
    fn a_daemon_that_dies_without_having_heard_all_has_closed_the_socket() {
        for tries in [true, false] {
            let (daemon, worker) = UnixStream::pair().unwrap();
            let mut link = Link::new(worker);
            link.say(&FromWorker::Ready);
            drop(daemon);
            let read = if tries { link.try_read::<FromWorker>() } else { link.read() };
            assert!(matches!(read, Ok(None)), "{read:?}");
        }
    }

    #[test]
    fn only_the_hangup_ends_the_wait() {
        let (mut daemon, worker) = UnixStream::pair().unwrap();
        daemon.write_all(b"a line that nobody reads\n").unwrap();
        let waiter = std::thread::spawn(move || wait_for_hangup(&worker));
        assert!(!waiter.is_finished());
        drop(daemon);
        waiter.join().unwrap();
    }
}
