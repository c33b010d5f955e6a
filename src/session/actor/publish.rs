//! publishVideo and its end (signaling.md §6.2, §6.3).

use super::Actor;
use crate::ids::ConnectionId;
use crate::session::below::{Offer, Use};
use crate::session::command::PublishCall;
use crate::session::error::Denied;
use crate::session::holds::{Asker, Hold};
use crate::session::lifecycle::Timer;
use crate::session::notice::{EndReason, Notice};
use crate::session::rendition::Renditions;
use crate::session::role::Role;
use crate::session::snapshot::ConnectionKind;
use crate::session::stream::{self, Publishing, Source, Stream};
use crate::session::told;

impl Actor {
    /// Hands the offer to the engine and puts the caller on hold.
    pub(super) fn on_publish(&mut self, asker: &Asker, call: PublishCall) -> Result<(), Denied> {
        let id = &asker.connection;
        let connection = self.roster.get(id).ok_or_else(|| self.unknown(id))?;
        if !connection.role().is_some_and(Role::may_publish) {
            return Err(Denied::MayNotPublish);
        }
        let stale = self.lost_answer(id);
        if connection.active().is_none_or(|active| active.publishing != Publishing::No) && !stale {
            return Err(Denied::AlreadyPublishing { connection: id.clone(), session: self.id.clone() });
        }
        if call.has_video && stream::publish_codecs(&self.properties).is_empty() {
            return Err(Denied::NoCodec(format!("the video codec forced by session {} cannot be published here", self.id)));
        }
        if !call.has_audio && !call.has_video {
            return Err(no_answer(id));
        }
        let info = stream::of_client(id, &call);
        let loopback = call.loopback;
        let offer = self.offer(&connection.kind, call.offer, loopback);
        let tracks = self.below.add_tracks(call.has_audio, call.has_video)?;
        let codec = offer.codec();
        let peer = self.below.publish(id, tracks, offer).inspect_err(|_| self.below.remove_tracks(tracks))?;
        if stale {
            self.end_unheard(id);
        }
        if let Some(active) = self.roster.get_mut(id).and_then(|c| c.active_mut()) {
            let source = Source::Client { peer: Some(peer), loopback, unheard: Some(asker.socket) };
            active.publishing = Publishing::Offered(Box::new(Stream { info, tracks, source, codec, renditions: Renditions::default() }));
        }
        self.hold(peer, Hold::Publish(asker.clone()));
        Ok(())
    }

    /// Was the answer that made this client's stream live lost? It went over a socket that the client has left since, and neither media
    /// nor a word of the client shows that it knows. Who knows says so right after its `connect` (signaling.md §4.3, §6.8).
    pub(super) fn lost_answer(&self, id: &ConnectionId) -> bool {
        let unheard = self.roster.get(id).and_then(|connection| connection.active()?.publishing.unheard());
        unheard.is_some_and(|socket| !self.links.attached(id, socket))
    }

    /// Ends a stream that its publisher does not know of.
    pub(super) fn end_unheard(&mut self, id: &ConnectionId) {
        let active = self.roster.get_mut(id).and_then(|connection| connection.active_mut());
        let Some(stream) = active.and_then(|active| active.publishing.end()) else { return };
        tracing::info!(session = %self.id, connection = %id, "a stream ends whose publisher never heard that it was live");
        self.tell_others(id, Notice::ParticipantUnpublished { connection: id.clone(), reason: EndReason::NetworkDisconnect });
        self.end_stream(id, stream, EndReason::NetworkDisconnect);
    }

    /// What the engine is told of an offer to publish, the first one or another for the same stream.
    pub(super) fn offer(&self, kind: &ConnectionKind, sdp: String, loopback: bool) -> Offer {
        let video_codecs = stream::publish_codecs(&self.properties);
        Offer { sdp, video_codecs, max_video_kbps: self.max_video_kbps(kind), loopback }
    }

    /// Upper bound of a publisher's video in kbit/s: its own if it has one, else that of the box. Nothing or less is no bound.
    fn max_video_kbps(&self, kind: &ConnectionKind) -> Option<u32> {
        let own = match kind {
            ConnectionKind::Webrtc { kurento_options: Some(options), .. } => options.video_max_recv_bandwidth,
            _ => None,
        };
        let kbps = own.unwrap_or(i64::from(self.settings.max_recv_kbps));
        (kbps > 0).then(|| u32::try_from(kbps).unwrap_or(u32::MAX))
    }

    /// unpublishVideo
    pub(super) fn on_unpublish(&mut self, id: &ConnectionId) -> Result<(), Denied> {
        let not_publishing = || Denied::NotPublishing(id.clone());
        self.roster.get(id).and_then(|connection| connection.live()).ok_or_else(not_publishing)?;
        let active = self.roster.get_mut(id).and_then(|connection| connection.active_mut());
        let stream = active.and_then(|active| active.publishing.end()).ok_or_else(not_publishing)?;
        self.tell_others(id, Notice::ParticipantUnpublished { connection: id.clone(), reason: EndReason::Unpublish });
        self.end_stream(id, stream, EndReason::Unpublish);
        Ok(())
    }

    /// A stream is live: the world hears of it, and so does a recording.
    pub(super) fn went_live(&mut self, id: &ConnectionId) {
        let Some(live) = self.roster.get(id).and_then(|connection| connection.live()) else { return };
        self.chronicle.published(id, told::stream(live), live.info.created_at);
        self.film_joined(id);
    }

    /// Everything behind a stream that its publisher gave up ends: those who receive it, its transport or job, its tracks.
    pub(super) fn end_stream(&mut self, publisher: &ConnectionId, mut stream: Stream, reason: EndReason) {
        self.chronicle.unpublished(publisher, reason.as_str());
        self.film.left(&stream);
        let mut leaving = Vec::new();
        for (peer, what) in self.below.watching(publisher) {
            if self.holds.contains(peer) {
                let denied = Denied::NotStreaming { connection: publisher.clone(), session: self.id.clone() };
                self.give_up(peer, denied);
                continue;
            }
            self.below.remove_peer(peer);
            match what {
                Use::Subscription { by, .. } => self.drop_subscription(&by, publisher),
                Use::Viewer { viewer, .. } => leaving.extend(self.viewers.remove(&viewer).and_then(|viewer| viewer.connection)),
                Use::Publication { .. } => {}
            }
        }
        match &stream.source {
            Source::Client { peer, .. } => peer.iter().for_each(|peer| self.end_transport(*peer, Denied::NotPublishing(publisher.clone()))),
            Source::Camera(camera) => {
                camera.job().iter().for_each(|job| self.below.stop_job(*job));
                self.timers.clear(&Timer::Camera(publisher.clone()));
            }
        }
        for (codec, rendition) in stream.renditions.take_all() {
            self.end_rendition(publisher, codec, rendition);
        }
        self.below.remove_tracks(stream.tracks);
        // a WHEP viewer came for this stream alone
        for connection in leaving {
            self.depart(&connection, EndReason::Disconnect, None);
        }
    }
}

/// The original's text for an offer that no answer can be made for (signaling.md §5.4).
pub(super) fn no_answer(connection: &ConnectionId) -> Denied {
    Denied::BadOffer(format!("Error generating SDP response for publishing user {connection}"))
}
