//! The worker's end of the media socket. Sending waits a moment at most; what is full is the caller's to drop.

use crate::wire::media::MAX_MESSAGE;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// How long one message may wait for room, in ms: about a frame, so that a short stall of the daemon costs nothing.
const ROOM: u8 = 20;

/// The media socket; shared by the streaming threads of a job.
#[derive(Debug)]
pub struct MediaSocket {
    socket: OwnedFd,
}

impl AsFd for MediaSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    Yes,
    /// No room in time.
    Full,
    /// The daemon closed its end: the job is about to be stopped.
    Gone,
}

impl MediaSocket {
    pub fn new(socket: OwnedFd) -> MediaSocket {
        MediaSocket { socket }
    }

    /// Sends one message, whole or not at all.
    pub fn send(&self, message: &[u8]) -> Sent {
        let mut waited = false;
        loop {
            match send(self.socket.as_raw_fd(), message, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => return Sent::Yes,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if waited => return Sent::Full,
                Err(Errno::EAGAIN | Errno::ENOBUFS) => {
                    waited = true;
                    // woken early or not at all, the next try decides
                    let _ = poll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT)], PollTimeout::from(ROOM));
                }
                Err(_) => return Sent::Gone,
            }
        }
    }

    /// Takes what the daemon said since the last call, each message to `hear`. Never waits.
    pub fn drain(&self, mut hear: impl FnMut(&[u8])) {
        let mut buffer = [0; MAX_MESSAGE];
        while let Ok(length @ 1..) = recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            hear(&buffer[..length]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::media::{end, pair};

    #[test]
    fn a_full_socket_says_so_and_recovers() {
        let (daemon, worker) = pair().unwrap();
        let socket = MediaSocket::new(worker);
        let message = vec![0x80; 10_000];
        let sent = (0..10_000).take_while(|_| socket.send(&message) == Sent::Yes).count();
        assert!((10..10_000).contains(&sent), "{sent} messages before it was full");
        let mut buffer = vec![0; MAX_MESSAGE];
        for _ in 0..sent {
            assert_eq!(recv(daemon.as_raw_fd(), &mut buffer, MsgFlags::empty()), Ok(message.len()));
        }
        assert_eq!(socket.send(&message), Sent::Yes);
    }

    #[test]
    fn the_daemons_messages_are_drained_and_its_end_is_noticed() {
        let (daemon, worker) = pair().unwrap();
        let socket = MediaSocket::new(worker);
        for message in [[1, 2], [3, 4]] {
            send(daemon.as_raw_fd(), &message, MsgFlags::empty()).unwrap();
        }
        let mut heard = Vec::new();
        socket.drain(|message| heard.push(message.to_vec()));
        assert_eq!(heard, [[1, 2], [3, 4]]);
        end(daemon);
        assert_eq!(socket.send(&[1, 2]), Sent::Gone);
        socket.drain(|message| panic!("{message:?}"));
    }
}
