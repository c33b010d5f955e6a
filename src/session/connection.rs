//! A connection: `Pending → (Entering →) Active → gone`. Each state owns what is valid in it. Written by the session's actor alone.
//!
//! Where a client is reached is no part of it (`links.rs`): a client between two sockets is as active as any other.

use super::camera::Camera;
use super::notice::Member;
use super::role::Role;
use super::snapshot::{ActiveSnapshot, ConnectionKind, ConnectionSnapshot, SubscriberSnapshot};
use super::stream::{Publishing, Source, Stream};
use crate::ids::{ConnectionId, PeerId, SessionId, StreamId};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A connection of a session.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Connection {
    pub id: ConnectionId,
    /// ms since 1970.
    pub created_at: u64,
    pub kind: ConnectionKind,
    /// May individual recordings hold what it publishes?
    pub record: bool,
    pub server_data: String,
    pub state: State,
}

/// How far it is.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum State {
    /// Waits for its client; its token is good.
    Pending,
    /// Its token is spent, and the WHEP offer it came with is with the engine. Others do not know of it.
    Entering,
    /// In the session.
    Active(Box<Active>),
}

/// What only a connection that joined has.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Active {
    /// ms since 1970.
    pub at: u64,
    pub ip: Option<IpAddr>,
    pub platform: String,
    /// `None` for a camera.
    pub client_data: Option<String>,
    pub publishing: Publishing,
    /// What it receives, by publisher.
    pub subscriptions: BTreeMap<ConnectionId, Subscription>,
}

/// A stream that is received, or shall be when its offer is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Subscription {
    pub stream: StreamId,
    pub peer: PeerId,
    /// When the offer was answered, in ms since 1970; `None` before.
    pub created_at: Option<u64>,
}

impl Active {
    /// One that has just joined.
    pub fn new(at: u64, ip: Option<IpAddr>, platform: String, client_data: Option<String>) -> Active {
        Active { at, ip, platform, client_data, publishing: Publishing::No, subscriptions: BTreeMap::new() }
    }
}

impl Connection {
    /// The token, as long as it is good.
    pub fn token(&self) -> Option<&str> {
        match (&self.state, &self.kind) {
            (State::Pending, ConnectionKind::Webrtc { token, .. }) => Some(token),
            _ => None,
        }
    }

    /// What it may do; a camera has no role.
    pub fn role(&self) -> Option<Role> {
        match &self.kind {
            ConnectionKind::Webrtc { role, .. } => Some(*role),
            ConnectionKind::Camera(_) => None,
        }
    }

    /// Its active state, if it has joined.
    pub fn active(&self) -> Option<&Active> {
        match &self.state {
            State::Active(active) => Some(active),
            State::Pending | State::Entering => None,
        }
    }

    /// The same, to change it.
    pub fn active_mut(&mut self) -> Option<&mut Active> {
        match &mut self.state {
            State::Active(active) => Some(active),
            State::Pending | State::Entering => None,
        }
    }

    /// The stream it publishes.
    pub fn live(&self) -> Option<&Stream> {
        self.active()?.publishing.live()
    }

    /// The camera behind the stream it publishes.
    pub fn camera(&self) -> Option<&Camera> {
        match &self.live()?.source {
            Source::Camera(camera) => Some(camera),
            Source::Client { .. } => None,
        }
    }

    /// As the others see it; `None` before it joined.
    pub fn member(&self) -> Option<Member> {
        let active = self.active()?;
        Some(Member {
            connection: self.id.clone(),
            created_at: active.at,
            metadata: combined(active.client_data.as_deref().unwrap_or(""), &self.server_data),
            stream: active.publishing.live().map(|stream| stream.info.clone()),
        })
    }

    /// As readers see it.
    pub fn snapshot(&self, session: &SessionId) -> ConnectionSnapshot {
        ConnectionSnapshot {
            id: self.id.clone(),
            session: session.clone(),
            created_at: self.created_at,
            active: self.active().map(|active| ActiveSnapshot {
                at: active.at,
                ip: active.ip,
                platform: active.platform.clone(),
                client_data: active.client_data.clone(),
                publisher: active.publishing.live().map(|stream| stream.info.clone()),
                publisher_peer: active.publishing.live().and(active.publishing.peer()),
                subscribers: active.subscriptions.values().filter_map(subscriber).collect(),
                camera: self.camera().map(Camera::snapshot),
            }),
            kind: self.kind.clone(),
            record: self.record,
            server_data: self.server_data.clone(),
        }
    }
}

fn subscriber(subscription: &Subscription) -> Option<SubscriberSnapshot> {
    Some(SubscriberSnapshot { stream: subscription.stream.clone(), peer: subscription.peer, created_at: subscription.created_at? })
}

/// Client and server data as everybody sees them (signaling.md §6.1.1).
fn combined(client: &str, server: &str) -> String {
    match (client, server) {
        (client, "") => client.into(),
        ("", server) => server.into(),
        (client, server) => format!("{client}%/%{server}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_both_sides() {
        for (client, server, both) in [("", "", ""), ("a", "", "a"), ("", "b", "b"), ("a", "b", "a%/%b")] {
            assert_eq!(combined(client, server), both);
        }
    }

    #[test]
    fn only_a_pending_connection_has_a_good_token() {
        let kind = ConnectionKind::Webrtc { token: "tok_1".into(), role: Role::Publisher, kurento_options: None };
        let (id, server_data) = (ConnectionId::random(), String::new());
        let mut connection = Connection { id, created_at: 1, kind, record: true, server_data, state: State::Pending };
        assert_eq!(connection.token(), Some("tok_1"));
        assert!(connection.member().is_none());
        connection.state = State::Entering;
        assert_eq!(connection.token(), None);
        assert!(connection.snapshot(&"s".into()).active.is_none());
        connection.state = State::Active(Box::new(Active::new(2, None, "Test".into(), Some("me".into()))));
        assert_eq!(connection.token(), None);
        assert_eq!(connection.member().map(|m| m.metadata).as_deref(), Some("me"));
    }
}
