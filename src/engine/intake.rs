//! The daemon's ends of the workers' media sockets: whole messages in, key frame requests out. Never blocks, knows no tracks.
//! What a sink sends goes through an outlet that shares the socket.

use crate::ids::JobId;
use crate::wire::media::{MAX_MESSAGE, encode_keyframe_request};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// Messages read from one socket before others have their turn.
const TURN: usize = 64;

/// One socket: its number in the poll set, and the descriptor.
struct Line {
    token: u64,
    socket: Rc<OwnedFd>,
}

/// All media sockets.
pub struct Intake {
    lines: HashMap<JobId, Line>,
    jobs: HashMap<u64, JobId>,
    next: u64,
    buffer: Vec<u8>,
    /// Key frame requests that a worker's full socket did not take.
    pub refused: u64,
}

/// What reading a socket came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// Nothing more now.
    Empty,
    /// More may be there.
    More,
    /// The other end is closed for good; nothing will ever come.
    Closed,
}

impl Intake {
    /// No sockets; their tokens begin with `first`.
    pub fn new(first: u64) -> Intake {
        Intake { lines: HashMap::new(), jobs: HashMap::new(), next: first, buffer: vec![0; MAX_MESSAGE], refused: 0 }
    }

    /// Takes a job's socket; returns its token.
    pub fn attach(&mut self, job: JobId, socket: Rc<OwnedFd>) -> u64 {
        let token = self.next;
        self.next += 1;
        self.jobs.insert(token, job);
        self.lines.insert(job, Line { token, socket });
        token
    }

    /// Gives a job's socket up; closes when dropped by all.
    pub fn detach(&mut self, job: JobId) -> Option<Rc<OwnedFd>> {
        let line = self.lines.remove(&job)?;
        self.jobs.remove(&line.token);
        Some(line.socket)
    }

    /// The job of a token.
    pub fn job(&self, token: u64) -> Option<JobId> {
        self.jobs.get(&token).copied()
    }

    /// The socket of a job.
    pub fn socket(&self, job: JobId) -> Option<BorrowedFd<'_>> {
        self.lines.get(&job).map(|line| line.socket.as_fd())
    }

    /// Reads a job's messages, some at most; each is given to `take`.
    pub fn read(&mut self, job: JobId, mut take: impl FnMut(&[u8])) -> Read {
        let Some(line) = self.lines.get(&job) else { return Read::Closed };
        for _ in 0..TURN {
            match recv(line.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
                // no message is empty: this is the end
                Ok(0) => return Read::Closed,
                Ok(length) => take(&self.buffer[..length]),
                Err(Errno::EAGAIN) => return Read::Empty,
                Err(Errno::EINTR) => {}
                Err(_) => return Read::Closed,
            }
        }
        Read::More
    }

    /// Asks a job's worker for a key frame.
    pub fn request_keyframe(&mut self, job: JobId, slot: u8) {
        let Some(line) = self.lines.get(&job) else { return };
        let mut message = Vec::new();
        encode_keyframe_request(&mut message, slot);
        if send(line.socket.as_raw_fd(), &message, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL).is_err() {
            self.refused += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionKey;
    use crate::wire::media::{Message, end, pair};

    #[test]
    fn messages_come_whole_and_requests_go_back() {
        let job = JobId::new(SessionKey(1), 1);
        let (ours, theirs) = pair().unwrap();
        let mut intake = Intake::new(10);
        let token = intake.attach(job, ours.into());
        assert_eq!(intake.job(token), Some(job));
        for n in 0..TURN + 1 {
            send(theirs.as_raw_fd(), &vec![n as u8; n + 1], MsgFlags::empty()).unwrap();
        }
        let mut lengths = vec![];
        assert_eq!(intake.read(job, |m| lengths.push(m.len())), Read::More);
        assert_eq!(intake.read(job, |m| lengths.push(m.len())), Read::Empty);
        assert!(lengths.iter().copied().eq(1..=TURN + 1));

        intake.request_keyframe(job, 3);
        let mut buffer = [0; 100];
        let length = recv(theirs.as_raw_fd(), &mut buffer, MsgFlags::empty()).unwrap();
        assert_eq!(Message::parse(&buffer[..length]), Ok(Message::KeyframeRequest { slot: 3 }));

        end(theirs);
        assert_eq!(intake.read(job, |_| {}), Read::Closed);
        intake.request_keyframe(job, 3);
        assert_eq!(intake.refused, 1);
        assert!(intake.detach(job).is_some() && intake.job(token).is_none() && intake.detach(job).is_none());
    }
}
