//! The way out to a worker: one whole message at a time, never waiting. The core sees the trait; the socket behind it is the
//! shell's, which reads the same one.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// It will be read whole.
    Taken,
    /// There is no room for it now; nothing of it was sent.
    Full,
    /// The other end is closed for good.
    Gone,
}

/// Takes messages for one job.
pub trait Outlet {
    /// Sends one message.
    fn send(&mut self, message: &[u8]) -> Sent;

    /// Has the reader caught up, so that more than the next message fits?
    fn has_room(&self) -> bool;
}

/// A job's media socket.
pub struct SocketOutlet(pub Rc<OwnedFd>);

impl Outlet for SocketOutlet {
    fn send(&mut self, message: &[u8]) -> Sent {
        loop {
            return match send(self.0.as_raw_fd(), message, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => Sent::Taken,
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM) => Sent::Full,
                Err(_) => Sent::Gone,
            };
        }
    }

    /// A Unix socket counts as writable when three quarters of its buffer are free.
    fn has_room(&self) -> bool {
        let mut wish = [PollFd::new(self.0.as_fd(), PollFlags::POLLOUT)];
        matches!(poll(&mut wish, PollTimeout::ZERO), Ok(1)) && wish[0].revents().is_some_and(|got| got.contains(PollFlags::POLLOUT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::media::{MAX_MESSAGE, end, pair};
    use nix::sys::socket::recv;

    #[test]
    fn a_full_socket_says_so_and_has_room_when_most_of_it_was_read() {
        let (ours, theirs) = pair().unwrap();
        let mut outlet = SocketOutlet(Rc::new(ours));
        let message = vec![7; 30_000];
        let mut taken = 0;
        while outlet.send(&message) == Sent::Taken {
            taken += 1;
        }
        assert!(taken > 10 && outlet.send(&message) == Sent::Full && !outlet.has_room());
        let mut buffer = vec![0; MAX_MESSAGE];
        let mut read = || recv(theirs.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT).unwrap();
        assert_eq!(read(), message.len());
        assert!(!outlet.has_room(), "room for one message is no room for a GOP");
        (1..taken).for_each(|_| assert_eq!(read(), message.len()));
        assert!(outlet.has_room() && outlet.send(&message) == Sent::Taken);
        end(theirs);
        assert_eq!(outlet.send(&message), Sent::Gone);
    }
}
