//! The one bounded queue of a client: replies and notices leave in the order the actor wrote them.

use super::command::RequestId;
use super::error::Denied;
use super::notice::{Notice, Reply};
use tokio::sync::mpsc;

/// Messages that may wait for a slow client. One that is full means the client does not read: its socket is closed.
pub(super) const CAPACITY: usize = 512;

/// What leaves through a client's socket.
#[derive(Clone, PartialEq, Debug)]
pub enum Outgoing {
    Reply { request: RequestId, result: Result<Reply, Denied> },
    Notice(Notice),
}

/// The writing end, held by the actor. When all of them are dropped the door sends what is queued and closes the socket.
#[derive(Clone, Debug)]
pub struct Outbox(mpsc::Sender<Outgoing>);

impl Outbox {
    /// The two ends of a client's queue.
    pub fn channel() -> (Outbox, mpsc::Receiver<Outgoing>) {
        let (tx, rx) = mpsc::channel(CAPACITY);
        (Outbox(tx), rx)
    }

    /// Queues a message. False when the client is gone or does not read: the caller drops its outbox, which closes the socket.
    pub fn push(&self, message: Outgoing) -> bool {
        self.0.try_send(message).is_ok()
    }
}
