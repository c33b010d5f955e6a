//! reconnectStream: the media of a client broke, and it offers a new transport for a stream it publishes or receives (signaling.md
//! §6.8). Whoever watches a publisher keeps its own transport and hears nothing: the stream, its id and its tracks go on.

use super::Actor;
use crate::ids::StreamId;
use crate::session::error::Denied;
use crate::session::holds::{Asker, Hold};
use crate::session::notice::Reply;
use crate::session::stream::Source;

impl Actor {
    /// Hands the offer to the engine and puts the caller on hold. What the client had for this stream is over by its own account.
    pub(super) fn on_reconnect(&mut self, asker: &Asker, stream: &StreamId, offer: String) -> Result<(), Denied> {
        let unknown = || Denied::UnknownStream { stream: stream.clone(), session: self.id.clone() };
        let publisher = self.roster.publisher(stream).map(|connection| connection.id.clone()).ok_or_else(unknown)?;
        let id = &asker.connection;
        if publisher == *id {
            return self.reconnect_publisher(asker, offer);
        }
        // one the server never completed, or lost already, is as good as a new one
        let received = self.roster.get(id).and_then(|c| c.active()?.subscriptions.get(&publisher)?.created_at);
        self.receive(asker, stream, publisher, offer, received)
    }

    fn reconnect_publisher(&mut self, asker: &Asker, offer: String) -> Result<(), Denied> {
        let id = &asker.connection;
        let connection = self.roster.get(id).ok_or_else(|| self.unknown(id))?;
        let stream = connection.live().ok_or_else(|| Denied::NotPublishing(id.clone()))?;
        let Source::Client { peer: before, loopback, .. } = stream.source else { return Err(Denied::NotPublishing(id.clone())) };
        let (tracks, offer) = (stream.tracks, self.offer(&connection.kind, offer, loopback));
        let peer = self.below.publish(id, tracks, offer)?;
        // after the new one is taken: a busy engine leaves all as it was
        if let Some(before) = before {
            self.end_transport(before, Denied::BadOffer("the offer was replaced by a later one".into()));
        }
        let active = self.roster.get_mut(id).and_then(|connection| connection.active_mut());
        if let Some(stream) = active.and_then(|active| active.publishing.live_mut()) {
            stream.source = Source::Client { peer: Some(peer), loopback, unheard: None };
        }
        self.hold(peer, Hold::Reconnect(asker.clone()));
        Ok(())
    }

    /// The engine answered a publisher's new offer.
    pub(super) fn reconnected(&mut self, asker: Asker, answer: String) {
        let live = self.roster.get(&asker.connection).and_then(|connection| connection.live());
        let Some((stream, created_at)) = live.map(|live| (live.info.stream.clone(), live.info.created_at)) else { return };
        tracing::info!(session = %self.id, connection = %asker.connection, "a publisher is back on another transport");
        self.reply(asker, Ok(Reply::Published { stream, created_at, answer }));
    }
}
