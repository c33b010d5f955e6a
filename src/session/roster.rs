//! Everybody in a session, in the order of their creation, with what readers see of them kept ready. Written by the session's actor alone.

use super::connection::{Connection, State};
use super::notice::Member;
use super::snapshot::ConnectionSnapshot;
use super::token;
use crate::ids::{ConnectionId, SessionId, StreamId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The connections of a session.
#[derive(Debug)]
pub(super) struct Roster {
    session: SessionId,
    next: u64,
    places: HashMap<ConnectionId, u64>,
    entries: BTreeMap<u64, Entry>,
    changed: bool,
}

#[derive(Debug)]
struct Entry {
    connection: Connection,
    /// Absent since the connection was last touched.
    seen: Option<Arc<ConnectionSnapshot>>,
}

impl Roster {
    /// Of a session in which nobody is.
    pub fn new(session: SessionId) -> Roster {
        let (places, entries) = Default::default();
        Roster { session, next: 0, places, entries, changed: false }
    }

    /// Adds a connection; its id is new.
    pub fn insert(&mut self, connection: Connection) {
        debug_assert!(!self.contains(&connection.id), "connection ids are made here and checked");
        self.places.insert(connection.id.clone(), self.next);
        self.entries.insert(self.next, Entry { connection, seen: None });
        self.next += 1;
        self.changed = true;
    }

    /// Readers shall look again, though no connection changed.
    pub fn touch(&mut self) {
        self.changed = true;
    }

    /// Takes a connection out.
    pub fn remove(&mut self, id: &ConnectionId) -> Option<Connection> {
        let entry = self.entries.remove(&self.places.remove(id)?)?;
        self.changed = true;
        Some(entry.connection)
    }

    /// Takes everybody out.
    pub fn clear(&mut self) {
        self.changed |= !self.entries.is_empty();
        self.places.clear();
        self.entries.clear();
    }

    /// Is there a connection of that id, in whatever state?
    pub fn contains(&self, id: &ConnectionId) -> bool {
        self.places.contains_key(id)
    }

    /// A connection to look at.
    pub fn get(&self, id: &ConnectionId) -> Option<&Connection> {
        Some(&self.entries.get(self.places.get(id)?)?.connection)
    }

    /// A connection to change.
    pub fn get_mut(&mut self, id: &ConnectionId) -> Option<&mut Connection> {
        let entry = self.entries.get_mut(self.places.get(id)?)?;
        entry.seen = None;
        self.changed = true;
        Some(&mut entry.connection)
    }

    /// Everybody, in the order of creation.
    pub fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.entries.values().map(|entry| &entry.connection)
    }

    /// The participants: those who joined, cameras included.
    pub fn active(&self) -> impl Iterator<Item = &Connection> {
        self.iter().filter(|connection| matches!(connection.state, State::Active(_)))
    }

    /// The participants but `but`, as it sees them.
    pub fn members_but(&self, but: &ConnectionId) -> Vec<Member> {
        self.active().filter(|connection| connection.id != *but).filter_map(Connection::member).collect()
    }

    /// The pending connection that `token` lets in.
    pub fn by_token(&self, token: &str) -> Option<ConnectionId> {
        token::find(token, self.iter().filter_map(|c| Some((c.token()?, &c.id)))).cloned()
    }

    /// The connection that publishes `stream`.
    pub fn publisher(&self, stream: &StreamId) -> Option<&Connection> {
        self.active().find(|connection| connection.live().is_some_and(|live| live.info.stream == *stream))
    }

    /// What readers see of one connection.
    pub fn snapshot(&mut self, id: &ConnectionId) -> Option<Arc<ConnectionSnapshot>> {
        let entry = self.entries.get_mut(self.places.get(id)?)?;
        Some(entry.snapshot(&self.session))
    }

    /// What readers see, if it changed since this was last called.
    pub fn take_changed(&mut self) -> Option<Vec<Arc<ConnectionSnapshot>>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let session = &self.session;
        Some(self.entries.values_mut().map(|entry| entry.snapshot(session)).collect())
    }
}

impl Entry {
    fn snapshot(&mut self, session: &SessionId) -> Arc<ConnectionSnapshot> {
        let connection = &self.connection;
        self.seen.get_or_insert_with(|| Arc::new(connection.snapshot(session))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::role::Role;
    use crate::session::snapshot::ConnectionKind;

    fn pending(token: &str) -> Connection {
        let kind = ConnectionKind::Webrtc { token: token.into(), role: Role::Publisher, kurento_options: None };
        Connection { id: ConnectionId::random(), created_at: 1, kind, record: true, server_data: String::new(), state: State::Pending }
    }

    #[test]
    fn readers_see_changes_once_and_unchanged_connections_are_not_made_again() {
        let mut roster = Roster::new("s".into());
        assert_eq!(roster.take_changed(), None);
        let (a, b) = (pending("tok_a"), pending("tok_b"));
        let (a_id, b_id) = (a.id.clone(), b.id.clone());
        roster.insert(a);
        roster.insert(b);
        let first = roster.take_changed().unwrap();
        assert_eq!(first.iter().map(|c| c.id.clone()).collect::<Vec<_>>(), [a_id.clone(), b_id.clone()]);
        assert_eq!(roster.take_changed(), None);
        roster.get_mut(&b_id).unwrap().server_data = "x".into();
        let second = roster.take_changed().unwrap();
        assert!(Arc::ptr_eq(&first[0], &second[0]));
        assert_eq!(second[1].server_data, "x");
        assert_eq!(roster.by_token("tok_b"), Some(b_id.clone()));
        roster.remove(&b_id);
        assert_eq!(roster.by_token("tok_b"), None);
        assert!(!roster.contains(&b_id));
        assert_eq!(roster.take_changed().unwrap().len(), 1);
    }
}
