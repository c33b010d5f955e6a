//! Offers: who may come in, the answer, and the new peer's place in all tables.

use super::Core;
use crate::engine::api::{Event, Publish, Refusal, Subscribe};
use crate::engine::incoming::{Incoming, Line};
use crate::engine::negotiate::{self, Prepared, Role};
use crate::engine::outgoing::Outgoing;
use crate::engine::peer::Peer;
use crate::ids::{PeerId, TrackId};
use crate::rtp::{Codec, Kind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;
use str0m::Rtc;
use str0m::change::SdpOffer;

/// Most transports; far above what one thread carries.
const PEERS: usize = 4096;
/// Most transports whose handshake is not done; each ends by itself when it is not done in time.
const HANDSHAKES: usize = 512;

/// The tracks an offer is about.
#[derive(Clone, Copy)]
struct Tracks {
    audio: Option<TrackId>,
    video: Option<TrackId>,
}

impl Tracks {
    fn of(&self, kind: Kind) -> Option<TrackId> {
        match kind {
            Kind::Audio => self.audio,
            Kind::Video => self.video,
        }
    }
}

impl Core {
    /// A browser offers to publish.
    pub fn publish(&mut self, publish: Publish, now: Instant) {
        let id = publish.peer;
        let answered = self.answer_publisher(&publish, now);
        self.conclude(id, &publish.offer, answered, now);
    }

    /// A viewer offers to receive.
    pub fn subscribe(&mut self, subscribe: Subscribe, now: Instant) {
        let id = subscribe.peer;
        let answered = self.answer_viewer(&subscribe, now);
        self.conclude(id, &subscribe.offer, answered, now);
    }

    fn answer_publisher(&mut self, publish: &Publish, now: Instant) -> Result<(Peer, Prepared, String), Refusal> {
        let tracks = self.existing(publish.audio, publish.video);
        let accepted = negotiate::accepts(&publish.offer);
        let codec = publish.video_codecs.iter().copied().find(|c| accepted.contains(c));
        if tracks.video.is_some() && codec.is_none() && negotiate::offers(&publish.offer, Kind::Video) {
            return Err(Refusal::NoCodec(publish.video_codecs.clone()));
        }
        let codec = codec.filter(|_| tracks.video.is_some());
        let role = Role::Publisher { loopback: publish.loopback };
        let (peer, prepared, mut answer) = self.guarded(|core| {
            core.accept(&publish.offer, role, tracks, core.environment.publisher(codec, now), publish.max_video_kbps, now)
        })?;
        if let Some(kbps) = publish.max_video_kbps {
            answer = negotiate::limit_video(&answer, kbps);
        }
        Ok((peer, prepared, answer))
    }

    fn answer_viewer(&mut self, subscribe: &Subscribe, now: Instant) -> Result<(Peer, Prepared, String), Refusal> {
        let tracks = self.existing(subscribe.audio, subscribe.video);
        let takes_video = negotiate::accepts(&subscribe.offer).iter().any(|c| c.kind() == Kind::Video);
        if tracks.video.is_some() && !takes_video && negotiate::offers(&subscribe.offer, Kind::Video) {
            return Err(Refusal::NoCodec(vec![Codec::H264, Codec::Vp8]));
        }
        self.guarded(|core| core.accept(&subscribe.offer, Role::Viewer, tracks, core.environment.viewer(now), None, now))
    }

    /// A panic of the SDP code is this offer's, not the thread's.
    fn guarded<T>(&mut self, accept: impl FnOnce(&Core) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let handshakes = || self.peers.values().filter(|peer| !peer.connected()).count();
        if self.peers.len() >= PEERS || self.peers.len() >= HANDSHAKES && handshakes() >= HANDSHAKES {
            return Err(Refusal::Busy);
        }
        catch_unwind(AssertUnwindSafe(|| accept(self))).unwrap_or_else(|_| {
            self.panics += 1;
            Err(Refusal::BadOffer("it cannot be negotiated".into()))
        })
    }

    fn accept(
        &self,
        offer: &str,
        role: Role,
        tracks: Tracks,
        mut rtc: Rtc,
        max_video_kbps: Option<u32>,
        now: Instant,
    ) -> Result<(Peer, Prepared, String), Refusal> {
        let bad = |error: &dyn std::fmt::Display| Refusal::BadOffer(error.to_string());
        let prepared = negotiate::prepare(offer, role, tracks.audio.is_some(), tracks.video.is_some()).map_err(|e| bad(&e))?;
        let offer = SdpOffer::from_sdp_string(&prepared.sdp).map_err(|e| bad(&e))?;
        let answer = rtc.sdp_api().accept_offer(offer).map_err(|e| bad(&e))?.to_sdp_string();
        negotiate::check_lines(&prepared.sdp, &answer).map_err(|e| bad(&e))?;
        let (mut lines, mut outgoing) = (Vec::new(), Vec::new());
        for (mid, kind) in &prepared.lines {
            let (mid, Some(track)) = (mid.as_str().into(), tracks.of(*kind)) else { continue };
            let Some(direction) = rtc.media(mid).filter(|media| !media.disabled()).map(|media| media.direction()) else { continue };
            if direction.is_receiving() {
                lines.push(Line { mid, kind: *kind, track });
            }
            if direction.is_sending() {
                outgoing.extend(Outgoing::new(&mut rtc, mid, *kind, track));
            }
        }
        let incoming = Incoming::new(lines, max_video_kbps);
        if incoming.is_empty() && outgoing.is_empty() {
            return Err(Refusal::BadOffer("no line that can be used".into()));
        }
        Ok((Peer::new(rtc, incoming, outgoing, now), prepared, answer))
    }

    /// Enters a new peer and tells floor 4 its answer; or why there is none.
    fn conclude(&mut self, id: PeerId, offer: &str, answered: Result<(Peer, Prepared, String), Refusal>, now: Instant) {
        let (mut peer, prepared, sdp) = match answered {
            Ok(answered) => answered,
            Err(refusal) => {
                self.early.take(id);
                self.outbox.push(Event::Refused { peer: id, refusal });
                return;
            }
        };
        // an id that is used again replaces its peer
        self.end(id, true, now);
        self.demux.insert(id, peer.ufrag.clone());
        for out in &peer.outgoing {
            if let Some(track) = self.tracks.get_mut(&out.track) {
                track.consumers.push(id);
            }
        }
        peer.notes.negotiated(offer, &sdp);
        self.timers.schedule(id, &mut peer);
        self.peers.insert(id, peer);
        self.outbox.push(Event::Answered { peer: id, sdp });
        let early = self.early.take(id);
        for candidate in prepared.candidates.into_iter().chain(early) {
            self.candidate(id, candidate, now);
        }
    }

    /// Those tracks that exist, each of its kind.
    fn existing(&self, audio: Option<TrackId>, video: Option<TrackId>) -> Tracks {
        let is = |kind| move |id: &TrackId| self.tracks.get(id).is_some_and(|track| track.kind == kind);
        Tracks { audio: audio.filter(is(Kind::Audio)), video: video.filter(is(Kind::Video)) }
    }
}
