//! The one bounded queue of a client: replies and notices leave in the order the actor wrote them.
//!
//! Messages are counted from 1. The door says which ones the client has received for certain, so that the session can tell the
//! rest again over the next socket; and it stops writing when a next socket has taken over.

use super::command::RequestId;
use super::error::Denied;
use super::notice::{Notice, Reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};

/// Messages that may wait for a slow client. One that is full means the client does not read: its socket is closed.
pub(super) const CAPACITY: usize = 512;
/// Bytes that may wait, about; a single message may have any size.
pub(super) const BYTES: usize = 8 << 20;

/// What leaves through a client's socket.
#[derive(Clone, PartialEq, Debug)]
pub enum Outgoing {
    Reply { request: RequestId, result: Result<Reply, Denied> },
    Notice(Notice),
}

impl Outgoing {
    /// Bytes it takes, about.
    fn size(&self) -> usize {
        match self {
            Outgoing::Reply { result: Ok(reply), .. } => reply.size(),
            Outgoing::Reply { result: Err(_), .. } => 256,
            Outgoing::Notice(notice) => notice.size(),
        }
    }
}

/// Why a message was not queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The client does not read.
    Full,
    /// The socket is gone.
    Closed,
}

/// What both ends know.
#[derive(Default, Debug)]
struct Shared {
    received: AtomicU64,
    /// Of what waits.
    bytes: AtomicUsize,
    retired: AtomicBool,
}

/// The writing end, held by the actor. When it is dropped the door sends what is queued and closes the socket.
#[derive(Debug)]
pub struct Outbox {
    queue: mpsc::Sender<Outgoing>,
    shared: Arc<Shared>,
}

/// The reading end, held by the door.
#[derive(Debug)]
pub struct Inbox {
    queue: mpsc::Receiver<Outgoing>,
    shared: Arc<Shared>,
    taken: u64,
}

impl Outbox {
    /// The two ends of a client's queue.
    pub fn channel() -> (Outbox, Inbox) {
        let (writer, reader) = mpsc::channel(CAPACITY);
        let shared = Arc::<Shared>::default();
        (Outbox { queue: writer, shared: shared.clone() }, Inbox { queue: reader, shared, taken: 0 })
    }

    /// Queues a message. When it is refused the caller gives the outbox up, which closes the socket.
    pub fn push(&self, message: Outgoing) -> Result<(), Refused> {
        let size = message.size();
        let before = self.shared.bytes.fetch_add(size, Ordering::AcqRel);
        let sent = match before > 0 && before + size > BYTES {
            true => Err(Refused::Full),
            false => self.queue.try_send(message).map_err(|error| match error {
                TrySendError::Full(_) => Refused::Full,
                TrySendError::Closed(_) => Refused::Closed,
            }),
        };
        if sent.is_err() {
            self.shared.bytes.fetch_sub(size, Ordering::AcqRel);
        }
        sent
    }

    /// The number of the last message that the client has received for certain, and all before it.
    pub(super) fn received(&self) -> u64 {
        self.shared.received.load(Ordering::Acquire)
    }

    /// Gives the queue up for another one: what waits in it is not sent any more, and the socket is closed.
    pub(super) fn retire(self) {
        self.shared.retired.store(true, Ordering::Release);
    }
}

impl Inbox {
    /// The next message; `None` when there will be none. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Outgoing> {
        let message = self.queue.recv().await?;
        self.count(message)
    }

    /// The next message, if one waits.
    pub fn try_recv(&mut self) -> Result<Outgoing, TryRecvError> {
        let message = self.queue.try_recv()?;
        self.count(message).ok_or(TryRecvError::Disconnected)
    }

    fn count(&mut self, message: Outgoing) -> Option<Outgoing> {
        self.taken += 1;
        self.shared.bytes.fetch_sub(message.size(), Ordering::AcqRel);
        (!self.shared.retired.load(Ordering::Acquire)).then_some(message)
    }

    /// The number of the message that was taken last.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Notes that the client has received all messages up to that number.
    pub fn confirm(&self, number: u64) {
        self.shared.received.fetch_max(number.min(self.taken), Ordering::AcqRel);
    }

    /// Will nothing be added?
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(n: i64) -> Outgoing {
        Outgoing::Reply { request: RequestId(n), result: Ok(Reply::Done) }
    }

    #[test]
    fn only_what_was_taken_can_have_been_received() {
        let (outbox, mut inbox) = Outbox::channel();
        for n in 1..=3 {
            assert_eq!(outbox.push(reply(n)), Ok(()));
        }
        assert_eq!((inbox.try_recv(), inbox.try_recv(), inbox.taken()), (Ok(reply(1)), Ok(reply(2)), 2));
        assert_eq!(outbox.received(), 0);
        inbox.confirm(9);
        assert_eq!(outbox.received(), 2);
        inbox.confirm(1);
        assert_eq!(outbox.received(), 2, "it does not go back");
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_too() {
        let (outbox, mut inbox) = Outbox::channel();
        let signal = |bytes: usize| Outgoing::Notice(Notice::Signal { from: None, kind: None, data: Some("x".repeat(bytes)) });
        assert_eq!(outbox.push(signal(2 * BYTES)), Ok(()), "a single one may have any size");
        assert_eq!(outbox.push(signal(1)), Err(Refused::Full));
        inbox.try_recv().unwrap();
        let taken = (0..100).take_while(|_| outbox.push(signal(1 << 20)).is_ok()).count();
        assert_eq!(taken, (BYTES >> 20) - 1);
        while inbox.try_recv().is_ok() {}
        assert_eq!(inbox.shared.bytes.load(Ordering::Acquire), 0);
    }

    #[test]
    fn a_retired_queue_says_nothing_more_and_one_that_is_dropped_says_the_rest() {
        let (outbox, mut inbox) = Outbox::channel();
        outbox.push(reply(1)).unwrap();
        drop(outbox);
        assert_eq!((inbox.try_recv(), inbox.try_recv()), (Ok(reply(1)), Err(TryRecvError::Disconnected)));
        let (outbox, mut inbox) = Outbox::channel();
        outbox.push(reply(1)).unwrap();
        outbox.retire();
        assert_eq!(inbox.try_recv(), Err(TryRecvError::Disconnected));
    }
}
