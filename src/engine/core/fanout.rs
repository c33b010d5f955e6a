//! Packets on their way: from publishers and workers into tracks, from tracks to all their consumers; and key frame requests on
//! the way back. All packets that one batch of input brought go to a viewer together: one timeout, one drain, one run. Workers
//! that are given tracks come last.

use super::Core;
use crate::engine::api::Event;
use crate::engine::capture::Moment;
use crate::engine::feed::Heard;
use crate::engine::outgoing::Wanted;
use crate::engine::track::Source;
use crate::ids::{JobId, PeerId, TrackId};
use crate::rtp::{Format, Kind, Packet};
use crate::wire::media::is_request;
use std::time::Instant;

impl Core {
    /// A message came on a worker's media socket.
    pub fn message(&mut self, job: JobId, message: &[u8], moment: Moment) {
        // of a job that is both, the sink hears what is asked for and the feed what is given
        let feeds = self.feeds.contains_key(&job) && !is_request(message);
        if let Some(sink) = self.sinks.get_mut(&job).filter(|_| !feeds) {
            if let Some(track) = sink.hear(message) {
                self.want_keyframe(track, moment.now);
            }
            return;
        }
        let Some(mut feed) = self.feeds.remove(&job) else { return };
        feed.hear(message, moment, |heard| match heard {
            Heard::Begins { slot, track, format } => {
                if let Some(track) = self.tracks.get_mut(&track).filter(|t| t.kind == format.codec.kind()) {
                    track.begin(Source::Feed { job, slot }, format);
                }
            }
            Heard::Packet { track, packet } => self.fresh_packet(track, packet, moment.now),
        });
        self.feeds.insert(job, feed);
    }

    /// A publisher's packet. A stream of another source begins a new epoch of the track, once the old one is gone or silent.
    pub(super) fn packet(&mut self, id: TrackId, source: Source, format: Format, packet: Packet, now: Instant) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if track.kind != format.codec.kind() || !track.admits(source, now) {
            return;
        }
        if track.source != source || track.format != Some(format) {
            track.begin(source, format);
        }
        self.fresh_packet(id, packet, now);
    }

    fn fresh_packet(&mut self, id: TrackId, packet: Packet, now: Instant) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if !self.fresh.contains(&id) {
            self.fresh.push(id);
        }
        if let Some(format) = track.push(packet, now) {
            self.outbox.push(Event::TrackLive { track: id, format });
        }
    }

    /// Gives all fresh packets to all consumers. To be called after each batch of input.
    pub fn forward(&mut self, now: Instant) {
        while let Some(id) = self.fresh.pop() {
            self.forward_track(id, now);
        }
        self.react(now);
    }

    fn forward_track(&mut self, id: TrackId, now: Instant) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let (packets, view) = (track.take_fresh(), track.view());
        let consumers = std::mem::take(&mut track.consumers);
        let mut waits = false;
        for consumer in &consumers {
            self.turn(*consumer, now, |peer| {
                if !peer.connected() {
                    return Ok(false);
                }
                waits |= peer.forward(id, &packets, view, now);
                peer.tick(now).map(|()| true)
            });
        }
        waits |= self.forward_to_sinks(id, &packets, now);
        if let Some(track) = self.tracks.get_mut(&id) {
            track.consumers = consumers;
            track.settle(packets);
            if waits {
                track.keyframes.want();
            }
        }
        self.ask_source(id, now);
    }

    /// A viewer asks for a key frame. A camera makes one when it likes, so a beginner gets the last one again; a browser makes one at once.
    pub(super) fn picture_wanted(&mut self, id: PeerId, track_id: TrackId, now: Instant) {
        let repeats = self.tracks.get(&track_id).is_some_and(|track| track.view().camera && !track.cached().is_empty());
        let peer = self.peers.get_mut(&id).filter(|_| repeats);
        match peer.and_then(|peer| peer.ask_for_picture(track_id, now)) {
            Some((index, Wanted::Beginning)) => self.join_line(id, index, track_id, now),
            Some((_, Wanted::Patience)) => {}
            Some((_, Wanted::KeyFrame)) | None => self.want_keyframe(track_id, now),
        }
    }

    /// A consumer of this track needs a key frame.
    pub(super) fn want_keyframe(&mut self, id: TrackId, now: Instant) {
        if let Some(track) = self.tracks.get_mut(&id).filter(|t| t.kind == Kind::Video) {
            track.keyframes.want();
            self.ask_source(id, now);
        }
    }

    /// Asks a track's source for a key frame, if one is wanted and the last request is long enough ago.
    fn ask_source(&mut self, id: TrackId, now: Instant) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if track.source == Source::None || !track.keyframes.due(now) {
            return;
        }
        match track.source {
            Source::Peer { peer, ssrc } => self.turn(peer, now, |p| {
                p.request_keyframe(ssrc);
                p.tick(now).map(|()| true)
            }),
            Source::Feed { job, slot } => self.requests.push((job, slot)),
            Source::None => {}
        }
    }

    /// A viewer's transport is up: it gets what the caches hold, its key frames in this very turn.
    pub(super) fn join(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.peers.get(&id) else { return };
        let tracks: Vec<TrackId> = peer.outgoing.iter().map(|out| out.track).collect();
        tracks.into_iter().enumerate().for_each(|(index, track)| self.join_line(id, index, track, now));
    }

    /// The same for one line of the viewer.
    fn join_line(&mut self, id: PeerId, index: usize, track_id: TrackId, now: Instant) {
        let Some(track) = self.tracks.get(&track_id).filter(|t| t.kind == Kind::Video) else { return };
        let (cached, view) = (track.cached().to_vec(), track.view());
        let mut waits = false;
        self.turn(id, now, |peer| {
            waits = peer.join(index, cached, view, now);
            peer.tick(now).map(|()| true)
        });
        if waits {
            self.want_keyframe(track_id, now);
        }
        if self.peers.get(&id).is_some_and(|peer| peer.outgoing.iter().any(|out| out.paced())) {
            self.timers.pace(id, now);
        }
    }

    /// A viewer's line of the track `from` carries `to` from now on, beginning with what that one's cache holds.
    pub fn retune(&mut self, id: PeerId, from: TrackId, to: TrackId, now: Instant) {
        let kind = |track| self.tracks.get(track).map(|track| track.kind);
        if kind(&to).is_none() || kind(&from) != kind(&to) {
            return;
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(index) = peer.outgoing.iter().position(|out| out.track == from) else { return };
        peer.outgoing[index].retune(to);
        let connected = peer.connected();
        if let Some(track) = self.tracks.get_mut(&from) {
            track.consumers.retain(|consumer| *consumer != id);
        }
        if let Some(track) = self.tracks.get_mut(&to) {
            track.consumers.push(id);
        }
        if connected {
            self.join_line(id, index, to, now);
            self.react(now);
        }
    }
}
