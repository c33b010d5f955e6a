//! Getting in: tokens, joins, and clients that lost their socket and come back (signaling.md §4.3, §6.1, §11.2, §11.4).

use super::Actor;
use crate::ids::{ConnectionId, random_token};
use crate::session::command::{Answer, Join, RequestId, SocketId};
use crate::session::connection::{Active, Connection, State};
use crate::session::error::Denied;
use crate::session::holds::Asker;
use crate::session::lifecycle::Timer;
use crate::session::links::Delivery;
use crate::session::notice::{Joined, Notice, Reply};
use crate::session::outbox::Outbox;
use crate::session::properties::WebrtcProperties;
use crate::session::role::Role;
use crate::session::snapshot::{ConnectionKind, ConnectionSnapshot};
use crate::session::{token, told};
use std::sync::Arc;

impl Actor {
    /// A token is made.
    pub(super) fn on_add_webrtc(&mut self, properties: WebrtcProperties, answer: Answer<Arc<ConnectionSnapshot>>) {
        let id = self.add_pending(properties);
        let result = self.roster.snapshot(&id).ok_or_else(|| self.unknown(&id));
        self.answer(answer, result);
    }

    fn add_pending(&mut self, properties: WebrtcProperties) -> ConnectionId {
        let WebrtcProperties { role, record, data, kurento_options } = properties;
        let id = self.fresh_id(ConnectionId::random);
        let kind = ConnectionKind::Webrtc { token: random_token(), role, kurento_options };
        let created_at = self.clock.unix_ms();
        self.roster.insert(Connection { id: id.clone(), created_at, kind, record, server_data: data, state: State::Pending });
        id
    }

    /// An id of `make` that nobody in the session has.
    pub(super) fn fresh_id(&self, make: impl Fn() -> ConnectionId) -> ConnectionId {
        loop {
            let id = make();
            if !self.roster.contains(&id) {
                return id;
            }
        }
    }

    /// joinRoom. The token is spent by the attempt; who shows the server's secret needs none and becomes a moderator.
    pub(super) fn on_join(&mut self, join: Join) {
        let moderator = || WebrtcProperties { role: Role::Moderator, ..WebrtcProperties::default() };
        let found = if join.by_secret { Some(self.add_pending(moderator())) } else { self.roster.by_token(&join.token) };
        let Some(connection) = found else {
            return self.refuse(join.outbox, join.request, Denied::BadToken(self.id.clone()));
        };
        if let Err(denied) = self.settle_down() {
            return self.refuse(join.outbox, join.request, denied);
        }
        self.enter(&connection, Active::new(self.clock.unix_ms(), Some(join.ip), join.platform, Some(join.metadata)));
        let secret = token::fresh_secret();
        let Some(joined) = self.joined(&connection, &secret) else { return };
        let asker = Asker { connection, socket: join.socket, request: join.request };
        let reply = Reply::Joined(Box::new(joined));
        self.deliveries.push(Delivery::Join { asker, outbox: join.outbox, secret, reply });
    }

    /// A connection becomes active, and the others hear of it.
    pub(super) fn enter(&mut self, id: &ConnectionId, active: Active) {
        let Some(connection) = self.roster.get_mut(id) else { return };
        connection.state = State::Active(Box::new(active));
        let (Some(member), Some(participant)) = (connection.member(), told::participant(connection)) else { return };
        self.life.joined();
        self.chronicle.joined(participant, member.created_at);
        tracing::info!(session = %self.id, connection = %id, "joined");
        let (connection, created_at, metadata) = (member.connection, member.created_at, member.metadata);
        self.tell_others(id, Notice::ParticipantJoined { connection, created_at, metadata });
    }

    /// Finds the session a media node, if it has none yet: before its first participant joins. Errors: [`Denied::NoMediaNode`].
    pub(super) fn settle_down(&mut self) -> Result<(), Denied> {
        if self.placement.is_none() {
            let place = self.settings.cluster.place(self.properties.media_node.as_ref());
            self.placement = Some(place.ok_or_else(|| Denied::NoMediaNode(self.id.clone()))?);
        }
        Ok(())
    }

    fn joined(&self, id: &ConnectionId, secret: &str) -> Option<Joined> {
        let connection = self.roster.get(id)?;
        let member = connection.member()?;
        let role = connection.role()?;
        Some(Joined {
            connection: member.connection,
            session: self.id.clone(),
            created_at: member.created_at,
            metadata: member.metadata,
            role,
            record: connection.record,
            rpc: token::rpc_id(self.key, secret),
            others: self.roster.members_but(id),
            recording: self.film_for(role),
        })
    }

    /// `connect`: a client is back on a new socket, whether or not the end of the old one was noticed.
    pub(super) fn on_rejoin(&mut self, rpc: &str, socket: SocketId, outbox: Outbox, request: RequestId) {
        let known = token::split_rpc_id(rpc).filter(|(key, _)| *key == self.key);
        let Some(connection) = known.and_then(|(_, secret)| self.links.by_secret(secret)) else {
            return self.refuse(outbox, request, Denied::UnknownClient);
        };
        self.give_up_offers(&connection, &Denied::UnknownClient);
        self.timers.clear(&Timer::Grace(connection.clone()));
        self.deliveries.push(Delivery::Rejoin { asker: Asker { connection, socket, request }, outbox });
    }

    /// The socket of a client closed. Late news of an old one change nothing.
    pub(super) fn on_detached(&mut self, connection: &ConnectionId, socket: SocketId) {
        if self.links.detach(connection, socket) {
            self.away(connection);
        }
    }

    /// A client has no socket any more: it may come back for a while. It does not wait for answers when it does (signaling.md §4.3).
    pub(super) fn away(&mut self, connection: &ConnectionId) {
        self.give_up_offers(connection, &Denied::UnknownClient);
        self.timers.set(Timer::Grace(connection.clone()), self.now() + self.settings.grace);
    }
}
