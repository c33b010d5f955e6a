//! What moderators and the application do to others: evict, unpublish, change what they may (signaling.md §6.14, §7.9; rest.md §5.4, §7).

use super::Actor;
use crate::ids::{ConnectionId, StreamId};
use crate::session::command::Answer;
use crate::session::error::Denied;
use crate::session::holds::Asker;
use crate::session::links::Delivery;
use crate::session::notice::{EndReason, Notice, Reply};
use crate::session::properties::ConnectionChange;
use crate::session::role::Role;
use crate::session::snapshot::{ConnectionKind, ConnectionSnapshot};
use std::sync::Arc;

impl Actor {
    /// forceDisconnect: the others hear of it, the moderator is answered, the evicted one hears it last. A moderator may evict itself.
    pub(super) fn on_force_disconnect(&mut self, asker: &Asker, target: &ConnectionId) -> Result<(), Denied> {
        self.must_moderate(&asker.connection)?;
        if self.roster.get(target).and_then(|connection| connection.active()).is_none() {
            return Err(self.unknown(target));
        }
        self.evict(target, EndReason::ForceDisconnectByUser, Some(done(asker)));
        Ok(())
    }

    /// forceUnpublish: the moderator is answered, then everybody hears of it, publisher and moderator included.
    pub(super) fn on_force_unpublish(&mut self, asker: &Asker, stream: &StreamId) -> Result<(), Denied> {
        self.must_moderate(&asker.connection)?;
        let publisher = self.unpublishable(stream)?;
        self.deliveries.push(done(asker));
        self.unpublish_by_force(&publisher, EndReason::ForceUnpublishByUser);
        Ok(())
    }

    /// REST ends a stream: everybody hears of it.
    pub(super) fn on_end_stream(&mut self, stream: &StreamId, answer: Answer<()>) {
        let result = self.unpublishable(stream);
        let result = result.map(|publisher| self.unpublish_by_force(&publisher, EndReason::ForceUnpublishByServer));
        self.answer(answer, result);
    }

    /// REST changes what a connection may do; if it is active, its client alone hears of it. What it publishes goes on.
    pub(super) fn on_change_connection(&mut self, id: &ConnectionId, change: ConnectionChange, answer: Answer<Arc<ConnectionSnapshot>>) {
        for (property, value) in self.change_connection(id, change) {
            self.tell(id, Notice::ConnectionPropertyChanged { property, value });
        }
        let result = self.roster.snapshot(id).ok_or_else(|| self.unknown(id));
        self.answer(answer, result);
    }

    /// Applies a change, and returns what is different then as it goes on the wire.
    fn change_connection(&mut self, id: &ConnectionId, change: ConnectionChange) -> Vec<(&'static str, String)> {
        let Some(connection) = self.roster.get_mut(id) else { return Vec::new() };
        let mut changed = Vec::new();
        if let (Some(wanted), ConnectionKind::Webrtc { role, .. }) = (change.role, &mut connection.kind)
            && std::mem::replace(role, wanted) != wanted
        {
            changed.push(("role", wanted.as_str().to_owned()));
        }
        if let Some(wanted) = change.record
            && std::mem::replace(&mut connection.record, wanted) != wanted
        {
            changed.push(("record", wanted.to_string()));
        }
        changed
    }

    fn must_moderate(&self, id: &ConnectionId) -> Result<(), Denied> {
        match self.roster.get(id).and_then(|connection| connection.role()) {
            Some(Role::Moderator) => Ok(()),
            _ => Err(Denied::NotModerator),
        }
    }

    /// Who publishes `stream`, unless it is a camera. Errors: [`Denied::UnknownStream`], [`Denied::CameraStream`].
    fn unpublishable(&self, stream: &StreamId) -> Result<ConnectionId, Denied> {
        let unknown = || Denied::UnknownStream { stream: stream.clone(), session: self.id.clone() };
        let publisher = self.roster.publisher(stream).ok_or_else(unknown)?;
        match publisher.kind {
            ConnectionKind::Webrtc { .. } => Ok(publisher.id.clone()),
            ConnectionKind::Camera(_) => Err(Denied::CameraStream(stream.clone())),
        }
    }

    fn unpublish_by_force(&mut self, publisher: &ConnectionId, reason: EndReason) {
        let active = self.roster.get_mut(publisher).and_then(|connection| connection.active_mut());
        let Some(stream) = active.and_then(|active| active.publishing.end()) else { return };
        let notice = Notice::ParticipantUnpublished { connection: publisher.clone(), reason };
        self.tell(publisher, notice.clone());
        self.tell_others(publisher, notice);
        self.end_stream(publisher, stream, reason);
    }
}

fn done(asker: &Asker) -> Delivery {
    Delivery::Reply { asker: asker.clone(), result: Ok(Reply::Done) }
}
