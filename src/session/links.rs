//! Where clients are reached: one link per joined client, attached to a socket's outbox, or away and collecting what it misses.
//!
//! Everything a session says goes out here as a [`Delivery`], in the order it was decided and after readers can see its effect. A
//! client has no link before its own join reply, so nothing overtakes that. Cameras and WHEP viewers have none: they hear nothing.
//! Written by the session's actor alone.
//!
//! Notices are kept until the client has received them for certain: a network that breaks swallows what was written to the socket
//! long before anybody notices. Over its next socket a client hears all it may have missed, in order, and in the worst case the
//! last of what it knows once more.
//!
//! A link that is dropped drops its outbox: the door sends what is queued, then closes the socket.

use super::command::{RequestId, SocketId};
use super::error::Denied;
use super::holds::Asker;
use super::notice::{Notice, Reply};
use super::outbox::{Outbox, Outgoing, Refused};
use super::token;
use super::untold::Untold;
use crate::ids::{ConnectionId, SessionKey};
use std::collections::BTreeMap;
use std::fmt;

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
    /// Its socket is gone. It is away now.
    Lost(ConnectionId),
    /// It is away, or does not read, and missed more than can be kept.
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
    Attached(Attachment),
    Away { missed: Untold },
}

struct Attachment {
    socket: SocketId,
    outbox: Outbox,
    /// Messages written so far.
    written: u64,
    /// Notices among them that the client may not have received. Of more than can be kept the oldest count as received.
    unsure: Untold,
}

impl Links {
    /// None yet.
    pub fn new(key: SessionKey) -> Links {
        Links { key, of: BTreeMap::new() }
    }

    /// Is the client attached to this very socket?
    pub fn attached(&self, connection: &ConnectionId, socket: SocketId) -> bool {
        matches!(self.of.get(connection), Some(Link { place: Place::Attached(at), .. }) if at.socket == socket)
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
            link.leave_socket();
        }
        attached
    }

    /// Sends one delivery out, and adds what went wrong with whom to `troubles`.
    pub fn deliver(&mut self, delivery: Delivery, troubles: &mut Vec<Trouble>) {
        match delivery {
            Delivery::Join { asker, outbox, secret, reply } => {
                let place = Place::Attached(Attachment::new(asker.socket, outbox));
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
            troubles.extend(link.reply(&connection, request, result));
        }
    }

    fn rejoin(&mut self, asker: Asker, outbox: Outbox, troubles: &mut Vec<Trouble>) {
        let Some(link) = self.of.get_mut(&asker.connection) else { return };
        let missed = link.take_missed();
        link.place = Place::Attached(Attachment::new(asker.socket, outbox));
        let rpc = token::rpc_id(self.key, &link.secret);
        let connection = asker.connection;
        let result = Ok(Reply::Rejoined { connection: connection.clone(), rpc });
        troubles.extend(link.reply(&connection, asker.request, result));
        for notice in missed {
            troubles.extend(link.notify(&connection, notice));
        }
    }
}

impl Link {
    /// Sends a notice, or keeps it for a client that is away.
    fn notify(&mut self, connection: &ConnectionId, notice: Notice) -> Option<Trouble> {
        match &mut self.place {
            Place::Attached(at) => {
                let taken = at.notify(notice);
                self.trouble_unless(taken, connection)
            }
            Place::Away { missed } => (!missed.push(0, notice)).then(|| Trouble::Overflow(connection.clone())),
        }
    }

    /// Answers over the socket that the client is attached to.
    fn reply(&mut self, connection: &ConnectionId, request: RequestId, result: Result<Reply, Denied>) -> Option<Trouble> {
        let Place::Attached(at) = &mut self.place else { return None };
        let taken = at.push(Outgoing::Reply { request, result });
        self.trouble_unless(taken, connection)
    }

    /// A socket that does not take a message is lost. In one that is full more waits than is kept for a client that is away.
    fn trouble_unless(&mut self, taken: Result<(), Refused>, connection: &ConnectionId) -> Option<Trouble> {
        let refused = taken.err()?;
        self.leave_socket();
        Some(match refused {
            Refused::Closed => Trouble::Lost(connection.clone()),
            Refused::Full => Trouble::Overflow(connection.clone()),
        })
    }

    /// The client is away from now on, and has what it missed coming.
    fn leave_socket(&mut self) {
        self.place = Place::Away { missed: self.take_missed() };
    }

    /// What the client may have missed. Whoever takes it gives the client its next place.
    fn take_missed(&mut self) -> Untold {
        match std::mem::replace(&mut self.place, Place::Away { missed: Untold::default() }) {
            Place::Attached(at) => at.retire(),
            Place::Away { missed } => missed,
        }
    }
}

impl Attachment {
    fn new(socket: SocketId, outbox: Outbox) -> Attachment {
        Attachment { socket, outbox, written: 0, unsure: Untold::default() }
    }

    /// Writes a notice, and keeps it until it was received.
    fn notify(&mut self, notice: Notice) -> Result<(), Refused> {
        self.unsure.forget(self.outbox.received());
        self.unsure.push_for_oldest(self.written + 1, notice.clone());
        self.push(Outgoing::Notice(notice))
    }

    fn push(&mut self, message: Outgoing) -> Result<(), Refused> {
        self.written += 1;
        self.outbox.push(message)
    }

    /// Gives the socket up; what the client may not have received.
    fn retire(mut self) -> Untold {
        self.unsure.forget(self.outbox.received());
        self.outbox.retire();
        self.unsure
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
    use crate::session::outbox::{self, Inbox};

    /// Notices that are kept for a client that is away.
    const AWAY: usize = outbox::CAPACITY - 32;

    fn asker(connection: &str, socket: u64, request: i64) -> Asker {
        Asker { connection: connection.into(), socket: SocketId(socket), request: RequestId(request) }
    }

    fn joined(links: &mut Links, who: &str, socket: u64) -> Inbox {
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
        assert!(old.try_recv().is_err(), "nothing more goes to a socket that is gone");
        assert!(links.attached(&"a".into(), SocketId(2)) && !links.attached(&"a".into(), SocketId(1)));
    }

    #[test]
    fn one_whose_socket_is_gone_is_lost_and_one_who_does_not_read_or_stays_away_overflows() {
        let mut links = Links::new(SessionKey(3));
        let deaf = joined(&mut links, "a", 1);
        let _b = joined(&mut links, "b", 2);
        let others = || Delivery::Others { but: "b".into(), notice: left("x") };
        for _ in 1..outbox::CAPACITY {
            assert_eq!(deliver(&mut links, others()), []);
        }
        assert_eq!(deliver(&mut links, others()), [Trouble::Overflow("a".into())]);
        assert!(deaf.is_closed() && links.away(&"a".into()));

        let (outbox, fresh) = Outbox::channel();
        deliver(&mut links, Delivery::Unlink { connection: "a".into() });
        let delivery = Delivery::Join { asker: asker("a", 3, 0), outbox, secret: "secret-a".into(), reply: Reply::Done };
        assert_eq!(deliver(&mut links, delivery), []);
        drop(fresh);
        assert_eq!(deliver(&mut links, others()), [Trouble::Lost("a".into())], "this notice is kept");
        for _ in 1..AWAY {
            assert_eq!(deliver(&mut links, others()), []);
        }
        assert_eq!(deliver(&mut links, others()), [Trouble::Overflow("a".into())]);
        assert_eq!(deliver(&mut links, Delivery::Unlink { connection: "a".into() }), []);
        assert_eq!(deliver(&mut links, others()), []);
    }

    #[test]
    fn what_a_broken_network_swallowed_is_told_again_and_what_was_received_is_not() {
        let mut links = Links::new(SessionKey(3));
        let mut old = joined(&mut links, "a", 1);
        let tell = |links: &mut Links, who: &str| deliver(links, Delivery::To { connection: "a".into(), notice: left(who) });
        for who in ["received", "swallowed"] {
            assert_eq!(tell(&mut links, who), []);
        }
        // the join reply, then both; the client confirms up to the first
        while old.try_recv().is_ok() {}
        old.confirm(2);
        assert_eq!(tell(&mut links, "in the queue"), []);
        // it comes back before its old socket is known to be dead, and once more
        for socket in 2..4 {
            let (outbox, mut new) = Outbox::channel();
            deliver(&mut links, Delivery::Rejoin { asker: asker("a", socket, 5), outbox });
            assert!(old.try_recv().is_err(), "the old queue is silent");
            assert!(matches!(new.try_recv(), Ok(Outgoing::Reply { .. })));
            for who in ["swallowed", "in the queue"] {
                assert_eq!(new.try_recv(), Ok(Outgoing::Notice(left(who))), "socket {socket}");
            }
            assert!(new.try_recv().is_err());
            old = new;
        }
        old.confirm(old.taken());
        assert!(links.detach(&"a".into(), SocketId(3)));
        assert_eq!(tell(&mut links, "later"), []);
        let (outbox, mut new) = Outbox::channel();
        deliver(&mut links, Delivery::Rejoin { asker: asker("a", 4, 5), outbox });
        assert!(matches!(new.try_recv(), Ok(Outgoing::Reply { .. })));
        assert_eq!(new.try_recv(), Ok(Outgoing::Notice(left("later"))));
        assert!(new.try_recv().is_err());
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
