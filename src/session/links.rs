//! Where clients are reached: one link per joined client, attached to a socket's outbox, or away and collecting what it misses.
//!
//! Everything a session says goes out here as a [`Delivery`], in the order it was decided and after readers can see its effect. A
//! client has no link before its own join reply, so nothing overtakes that. Cameras and WHEP viewers have none: they hear nothing.
//! Written by the session's actor alone.
//!
//! A link that is dropped drops its outbox: the door sends what is queued, then closes the socket.

use super::command::{RequestId, SocketId};
use super::error::Denied;
use super::holds::Asker;
use super::notice::{Notice, Reply};
use super::outbox::{self, Outbox, Outgoing};
use super::token;
use crate::ids::{ConnectionId, SessionKey};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// Notices kept for a client that is away. They must fit into a fresh outbox together with the reply and what the door itself says.
const AWAY: usize = outbox::CAPACITY - 32;

/// Something that leaves the session.
pub(super) enum Delivery {
    /// The first message to a client that joined: from here on it is reached.
    Join { asker: Asker, outbox: Outbox, secret: String, reply: Reply },
    /// A client is back on another socket.
    Rejoin { asker: Asker, outbox: Outbox },
    /// The answer to a request, if the client is still on the socket it came from.
    Reply { asker: Asker, result: Result<Reply, Denied> },
    /// A refusal for somebody who is no member.
    Refuse { outbox: Outbox, request: RequestId, denied: Denied },
    /// A notice for one.
    To { connection: ConnectionId, notice: Notice },
    /// A notice for all but one.
    Others { but: ConnectionId, notice: Notice },
    /// A client left: its outbox is dropped.
    Unlink { connection: ConnectionId },
    /// The answer to a door.
    Answer(Box<dyn FnOnce() + Send>),
}

/// What went wrong with a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    /// Its outbox is full or closed. It is away now.
    Lost(ConnectionId),
    /// It is away and missed more than can be kept.
    Overflow(ConnectionId),
}

/// All links of a session.
pub(super) struct Links {
    key: SessionKey,
    of: BTreeMap<ConnectionId, Link>,
}

struct Link {
    /// What the client must show to come back.
    secret: String,
    place: Place,
}

enum Place {
    Attached { socket: SocketId, outbox: Outbox },
    Away { missed: VecDeque<Notice> },
}

impl Links {
    /// None yet.
    pub fn new(key: SessionKey) -> Links {
        Links { key, of: BTreeMap::new() }
    }

    /// Is the client attached to this very socket?
    pub fn attached(&self, connection: &ConnectionId, socket: SocketId) -> bool {
        matches!(self.of.get(connection), Some(Link { place: Place::Attached { socket: at, .. }, .. }) if *at == socket)
    }

    /// Is the client between two sockets?
    pub fn away(&self, connection: &ConnectionId) -> bool {
        matches!(self.of.get(connection), Some(Link { place: Place::Away { .. }, .. }))
    }

    /// The client whose reconnection id has this secret part.
    pub fn by_secret(&self, secret: &str) -> Option<ConnectionId> {
        token::find(secret, self.of.iter().map(|(id, link)| (link.secret.as_str(), id))).cloned()
    }

    /// The socket of a client closed: it is away. False, and nothing changes, unless it was attached to that socket.
    pub fn detach(&mut self, connection: &ConnectionId, socket: SocketId) -> bool {
        let attached = self.attached(connection, socket);
        if attached && let Some(link) = self.of.get_mut(connection) {
            link.place = Place::Away { missed: VecDeque::new() };
        }
        attached
    }

    /// Sends one delivery out, and adds what went wrong with whom to `troubles`.
    pub fn deliver(&mut self, delivery: Delivery, troubles: &mut Vec<Trouble>) {
        match delivery {
            Delivery::Join { asker, outbox, secret, reply } => {
                let place = Place::Attached { socket: asker.socket, outbox };
                self.of.insert(asker.connection.clone(), Link { secret, place });
                self.reply(asker, Ok(reply), troubles);
            }
            Delivery::Rejoin { asker, outbox } => self.rejoin(asker, outbox, troubles),
            Delivery::Reply { asker, result } => self.reply(asker, result, troubles),
            Delivery::Refuse { outbox, request, denied } => {
                // somebody who hung up needs no refusal
                let _ = outbox.push(Outgoing::Reply { request, result: Err(denied) });
            }
            Delivery::To { connection, notice } => {
                if let Some(link) = self.of.get_mut(&connection) {
                    troubles.extend(link.notify(&connection, notice));
                }
            }
            Delivery::Others { but, notice } => {
                for (connection, link) in self.of.iter_mut().filter(|(connection, _)| **connection != but) {
                    troubles.extend(link.notify(connection, notice.clone()));
                }
            }
            Delivery::Unlink { connection } => {
                self.of.remove(&connection);
            }
            Delivery::Answer(send) => send(),
        }
    }

    fn reply(&mut self, asker: Asker, result: Result<Reply, Denied>, troubles: &mut Vec<Trouble>) {
        let Asker { connection, socket, request } = asker;
        if self.attached(&connection, socket)
            && let Some(link) = self.of.get_mut(&connection)
        {
            troubles.extend(link.push(&connection, Outgoing::Reply { request, result }));
        }
    }

    fn rejoin(&mut self, asker: Asker, outbox: Outbox, troubles: &mut Vec<Trouble>) {
        let Some(link) = self.of.get_mut(&asker.connection) else { return };
        let before = std::mem::replace(&mut link.place, Place::Attached { socket: asker.socket, outbox });
        let rpc = token::rpc_id(self.key, &link.secret);
        let (connection, request) = (asker.connection.clone(), asker.request);
        let result = Ok(Reply::Rejoined { connection: asker.connection.clone(), rpc });
        troubles.extend(link.push(&connection, Outgoing::Reply { request, result }));
        if let Place::Away { missed } = before {
            for notice in missed {
                troubles.extend(link.notify(&connection, notice));
            }
        }
    }
}

impl Link {
    /// Sends a notice, or keeps it for a client that is away.
    fn notify(&mut self, connection: &ConnectionId, notice: Notice) -> Option<Trouble> {
        match &mut self.place {
            Place::Attached { .. } => self.push(connection, Outgoing::Notice(notice)),
            Place::Away { missed } if missed.len() < AWAY => {
                missed.push_back(notice);
                None
            }
            Place::Away { .. } => Some(Trouble::Overflow(connection.clone())),
        }
    }

    /// Sends to the socket. What does not fit is lost, and so is the socket.
    fn push(&mut self, connection: &ConnectionId, message: Outgoing) -> Option<Trouble> {
        let Place::Attached { outbox, .. } = &self.place else { return None };
        if outbox.push(message) {
            return None;
        }
        self.place = Place::Away { missed: VecDeque::new() };
        Some(Trouble::Lost(connection.clone()))
    }
}

impl fmt::Debug for Links {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.of.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::notice::EndReason;
    use tokio::sync::mpsc::Receiver;

    fn asker(connection: &str, socket: u64, request: i64) -> Asker {
        Asker { connection: connection.into(), socket: SocketId(socket), request: RequestId(request) }
    }

    fn joined(links: &mut Links, who: &str, socket: u64) -> Receiver<Outgoing> {
        let (outbox, received) = Outbox::channel();
        let delivery = Delivery::Join { asker: asker(who, socket, 0), outbox, secret: format!("secret-{who}"), reply: Reply::Done };
        assert_eq!(deliver(links, delivery), []);
        received
    }

    fn deliver(links: &mut Links, delivery: Delivery) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        links.deliver(delivery, &mut troubles);
        troubles
    }

    fn left(who: &str) -> Notice {
        Notice::ParticipantLeft { connection: who.into(), reason: EndReason::Disconnect }
    }

    #[test]
    fn who_is_away_hears_the_rest_when_back() {
        let mut links = Links::new(SessionKey(3));
        let mut old = joined(&mut links, "a", 1);
        assert!(!links.detach(&"a".into(), SocketId(9)), "not its socket");
        assert!(links.detach(&"a".into(), SocketId(1)));
        assert!(!links.detach(&"a".into(), SocketId(1)), "already away");
        assert_eq!(deliver(&mut links, Delivery::To { connection: "a".into(), notice: left("x") }), []);
        assert_eq!(deliver(&mut links, Delivery::Reply { asker: asker("a", 1, 7), result: Ok(Reply::Done) }), []);
        let (outbox, mut new) = Outbox::channel();
        assert_eq!(links.by_secret("secret-a"), Some("a".into()));
        assert_eq!(links.by_secret("secret-b"), None);
        assert_eq!(deliver(&mut links, Delivery::Rejoin { asker: asker("a", 2, 5), outbox }), []);
        let rejoined = Reply::Rejoined { connection: "a".into(), rpc: "3.secret-a".into() };
        assert_eq!(new.try_recv().unwrap(), Outgoing::Reply { request: RequestId(5), result: Ok(rejoined) });
        assert_eq!(new.try_recv().unwrap(), Outgoing::Notice(left("x")));
        assert!(new.try_recv().is_err());
        assert!(old.try_recv().is_ok_and(|m| matches!(m, Outgoing::Reply { .. })));
        assert!(old.try_recv().is_err());
        assert!(links.attached(&"a".into(), SocketId(2)) && !links.attached(&"a".into(), SocketId(1)));
    }

    #[test]
    fn one_who_does_not_read_is_lost_and_one_who_stays_away_too_long_overflows() {
        let mut links = Links::new(SessionKey(3));
        let _a = joined(&mut links, "a", 1);
        let _b = joined(&mut links, "b", 2);
        let others = || Delivery::Others { but: "b".into(), notice: left("x") };
        for _ in 1..outbox::CAPACITY {
            assert_eq!(deliver(&mut links, others()), []);
        }
        assert_eq!(deliver(&mut links, others()), [Trouble::Lost("a".into())]);
        for _ in 0..AWAY {
            assert_eq!(deliver(&mut links, others()), []);
        }
        assert_eq!(deliver(&mut links, others()), [Trouble::Overflow("a".into())]);
        assert_eq!(deliver(&mut links, Delivery::Unlink { connection: "a".into() }), []);
        assert_eq!(deliver(&mut links, others()), []);
    }

    #[test]
    fn all_that_was_missed_fits_into_a_fresh_outbox() {
        let mut links = Links::new(SessionKey(3));
        let _old = joined(&mut links, "a", 1);
        links.detach(&"a".into(), SocketId(1));
        for _ in 0..AWAY {
            deliver(&mut links, Delivery::To { connection: "a".into(), notice: left("x") });
        }
        let (outbox, _new) = Outbox::channel();
        assert_eq!(deliver(&mut links, Delivery::Rejoin { asker: asker("a", 2, 5), outbox }), []);
    }
}
