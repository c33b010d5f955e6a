//! receiveVideoFrom, unsubscribeFromVideo, onIceCandidate (signaling.md §6.4, §6.6, §6.7).

use super::Actor;
use crate::ids::{ConnectionId, StreamId};
use crate::session::below::Use;
use crate::session::connection::Subscription;
use crate::session::error::Denied;
use crate::session::holds::{Asker, Hold};
use crate::session::notice::EndReason;
use crate::session::stream;

impl Actor {
    /// Hands the offer to the engine and puts the caller on hold. Asking again replaces what was.
    pub(super) fn on_subscribe(&mut self, asker: &Asker, stream: &StreamId, offer: String) -> Result<(), Denied> {
        let id = &asker.connection;
        let publisher = match self.roster.publisher(stream).map(|c| c.id.clone()) {
            Some(publisher) if publisher == *id => return Err(Denied::OwnStream),
            Some(found) => found,
            None => return Err(self.no_stream(id, stream)),
        };
        self.receive(asker, stream, publisher, offer, None)
    }

    /// Receives a stream over a new transport, which replaces the one there was; `created_at` if the client received it before.
    pub(super) fn receive(
        &mut self,
        asker: &Asker,
        stream: &StreamId,
        publisher: ConnectionId,
        offer: String,
        created_at: Option<u64>,
    ) -> Result<(), Denied> {
        let id = &asker.connection;
        let (tracks, view) = self.tracks_for(&publisher, &offer)?;
        self.end_subscription(id, &publisher);
        let what = Use::Subscription { by: id.clone(), to: publisher.clone() };
        let peer = self.below.subscribe(what, tracks, view, offer)?;
        if let Some(active) = self.roster.get_mut(id).and_then(|c| c.active_mut()) {
            active.subscriptions.insert(publisher.clone(), Subscription { stream: stream.clone(), peer, created_at });
        }
        self.hold(peer, Hold::Subscribe { asker: asker.clone(), publisher });
        Ok(())
    }

    /// Why a stream that nobody publishes cannot be received: its id tells whose it would be.
    fn no_stream(&self, id: &ConnectionId, stream: &StreamId) -> Denied {
        let owner = stream::owner_in(stream);
        if owner == *id {
            Denied::OwnStream
        } else if self.roster.active().any(|connection| connection.id == owner) {
            Denied::NotStreaming { connection: owner, session: self.id.clone() }
        } else {
            self.unknown(&owner)
        }
    }

    /// unsubscribeFromVideo; one that does not receive it is no error.
    pub(super) fn on_unsubscribe(&mut self, id: &ConnectionId, sender: &ConnectionId) -> Result<(), Denied> {
        if self.roster.get(sender).and_then(|connection| connection.active()).is_none() {
            return Err(self.unknown(sender));
        }
        self.chronicle.unsubscribed(id, sender, EndReason::Unsubscribe.as_str());
        self.end_subscription(id, sender);
        Ok(())
    }

    /// Ends what a client receives from `publisher`, whether or not the engine has answered.
    pub(super) fn end_subscription(&mut self, id: &ConnectionId, publisher: &ConnectionId) {
        let active = self.roster.get(id).and_then(|connection| connection.active());
        let Some(peer) = active.and_then(|active| active.subscriptions.get(publisher)).map(|s| s.peer) else { return };
        if self.holds.contains(peer) {
            self.give_up(peer, Denied::BadOffer("the offer was taken back or replaced by a later one".into()));
        } else {
            self.below.remove_peer(peer);
            self.drop_subscription(id, publisher);
            self.review_camera(publisher);
        }
    }

    /// Notes that a client does not receive `publisher` any more.
    pub(super) fn drop_subscription(&mut self, id: &ConnectionId, publisher: &ConnectionId) {
        if let Some(active) = self.roster.get_mut(id).and_then(|connection| connection.active_mut()) {
            active.subscriptions.remove(publisher);
        }
    }

    /// onIceCandidate: for one's own publication, or for what one receives from `endpoint`. Others are ignored.
    pub(super) fn on_candidate(&self, id: &ConnectionId, endpoint: &ConnectionId, candidate: String) {
        let Some(active) = self.roster.get(id).and_then(|connection| connection.active()) else { return };
        let peer = if endpoint == id {
            active.publishing.peer()
        } else {
            active.subscriptions.get(endpoint).map(|subscription| subscription.peer)
        };
        if let Some(peer) = peer {
            self.below.candidate(peer, candidate);
        }
    }
}
