//! Callers on hold: those whose offer the engine works on. Each is answered exactly once: with the engine's word, when the deadline
//! (`Timer::Hold`) passes, when what they asked for vanishes, or when the session closes. Written by the session's actor alone.

use super::command::{Answer, RequestId, SocketId, ViewerId, Watching};
use crate::ids::{ConnectionId, PeerId};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// How long an answer of the engine may take. It needs milliseconds; the clients give up after 10 s (signaling.md §12).
pub(super) const HOLD: Duration = Duration::from_secs(10);

/// A request of a joined client: whom to answer, and over which socket (a later one does not know the request).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Asker {
    pub connection: ConnectionId,
    pub socket: SocketId,
    pub request: RequestId,
}

/// Who waits, and for what.
#[derive(Debug)]
pub(super) enum Hold {
    /// publishVideo
    Publish(Asker),
    /// reconnectStream of a publisher
    Reconnect(Asker),
    /// receiveVideoFrom
    Subscribe { asker: Asker, publisher: ConnectionId },
    /// A WHEP viewer. `enters` is the connection whose token it spent.
    Watch { viewer: ViewerId, enters: Option<Entering>, answer: Answer<Watching> },
}

/// Who becomes active when a WHEP offer is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entering {
    pub connection: ConnectionId,
    pub ip: IpAddr,
    pub platform: String,
}

impl Hold {
    /// The connection that waits; none for an anonymous viewer.
    pub fn connection(&self) -> Option<&ConnectionId> {
        match self {
            Hold::Publish(asker) | Hold::Reconnect(asker) | Hold::Subscribe { asker, .. } => Some(&asker.connection),
            Hold::Watch { enters, .. } => enters.as_ref().map(|e| &e.connection),
        }
    }
}

/// All who wait, by the peer their offer is for.
#[derive(Default, Debug)]
pub(super) struct Holds(BTreeMap<PeerId, Hold>);

impl Holds {
    /// Puts a caller on hold.
    pub fn insert(&mut self, peer: PeerId, hold: Hold) {
        let before = self.0.insert(peer, hold);
        debug_assert!(before.is_none(), "peer ids are never used twice");
    }

    /// Takes a caller off hold, to be answered.
    pub fn take(&mut self, peer: PeerId) -> Option<Hold> {
        self.0.remove(&peer)
    }

    /// Is the answer for `peer` still out?
    pub fn contains(&self, peer: PeerId) -> bool {
        self.0.contains_key(&peer)
    }

    /// The peers whose answer `connection` waits for.
    pub fn of(&self, connection: &ConnectionId) -> Vec<PeerId> {
        self.0.iter().filter(|(_, hold)| hold.connection() == Some(connection)).map(|(peer, _)| *peer).collect()
    }

    /// All peers whose answer is out.
    pub fn all(&self) -> Vec<PeerId> {
        self.0.keys().copied().collect()
    }
}
