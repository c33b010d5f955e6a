//! A track: one encoded stream, its source, its cache and who consumes it. Knows no transport.
//!
//! Written by the core alone. A track outlives its sources: when another one takes over, a new **epoch** begins, the consumers
//! stay. Packets of a turn gather in `fresh`; after they went to the consumers they [`settle`](Track::settle) into the cache.

use super::gop::Gop;
use super::keyframes::KeyframeRequests;
use super::outgoing::TrackView;
use crate::ids::{JobId, PeerId};
use crate::rtp::{Format, Kind, Packet};
use std::time::{Duration, Instant};

/// Packets that may wait for the fan-out of one turn; a bound that only a broken source reaches.
const FRESH: usize = 65_536;
/// A source that still sends is not replaced by another SSRC of the same line before it has been silent this long.
const SILENCE: Duration = Duration::from_millis(200);

/// Where a track's packets come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// None yet, or gone.
    None,
    /// A browser's stream.
    Peer { peer: PeerId, ssrc: u32 },
    /// A slot of a worker's media socket.
    Feed { job: JobId, slot: u8 },
}

/// One encoded stream.
#[derive(Debug)]
pub struct Track {
    pub kind: Kind,
    pub source: Source,
    /// Of the current epoch.
    pub format: Option<Format>,
    pub epoch: u32,
    pub consumers: Vec<PeerId>,
    /// Slots of workers that are given this track.
    pub sinks: Vec<(JobId, u8)>,
    pub keyframes: KeyframeRequests,
    gop: Gop,
    fresh: Vec<Packet>,
    announced: bool,
    last: Option<Instant>,
}

impl Track {
    /// A track without a source.
    pub fn new(kind: Kind) -> Track {
        Track {
            kind,
            source: Source::None,
            format: None,
            epoch: 0,
            consumers: Vec::new(),
            sinks: Vec::new(),
            keyframes: KeyframeRequests::default(),
            gop: Gop::default(),
            fresh: Vec::new(),
            announced: false,
            last: None,
        }
    }

    /// May this stream of a peer feed the track? Another one may take over when the present one is gone or silent.
    pub fn admits(&self, source: Source, now: Instant) -> bool {
        self.source == source || self.source == Source::None || self.last.is_none_or(|last| now.saturating_duration_since(last) >= SILENCE)
    }

    /// A new epoch begins: another source, or another format of the same one.
    pub fn begin(&mut self, source: Source, format: Format) {
        self.source = source;
        self.format = Some(format);
        self.epoch += 1;
        self.gop.clear();
        self.announced = false;
        self.keyframes.restart();
    }

    /// Takes a packet of the current epoch. Returns the format when it is the epoch's first.
    pub fn push(&mut self, mut packet: Packet, now: Instant) -> Option<Format> {
        if self.fresh.len() >= FRESH {
            return None;
        }
        packet.epoch = self.epoch;
        self.last = Some(now);
        if packet.key {
            self.keyframes.arrived();
        }
        self.fresh.push(packet);
        let first = !std::mem::replace(&mut self.announced, true);
        self.format.filter(|_| first)
    }

    /// The packets that no consumer has seen; give them back with [`Track::settle`].
    pub fn take_fresh(&mut self) -> Vec<Packet> {
        std::mem::take(&mut self.fresh)
    }

    /// The consumers have seen these: they go to the cache. Keeps the memory of the list.
    pub fn settle(&mut self, mut seen: Vec<Packet>) {
        for packet in seen.drain(..) {
            if self.kind == Kind::Video && packet.epoch == self.epoch {
                self.gop.push(packet);
            }
        }
        if self.fresh.is_empty() {
            self.fresh = seen;
        }
    }

    /// What its consumers must know.
    pub fn view(&self) -> TrackView {
        TrackView { epoch: self.epoch, format: self.format, camera: matches!(self.source, Source::Feed { .. }) }
    }

    /// What a joiner can begin with.
    pub fn cached(&self) -> &[Packet] {
        self.gop.packets()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::ids::SessionKey;
    use crate::rtp::Codec;

    const FORMAT: Format = Format { codec: Codec::Vp8, profile_level_id: None };

    fn packet(now: Instant, sequence: u64, key: bool) -> Packet {
        Packet {
            sequence,
            timestamp: sequence as u32 * 3000,
            marker: true,
            payload: [0][..].into(),
            captured: now,
            key,
            discardable: false,
            extensions: Default::default(),
            epoch: 0,
        }
    }

    #[test]
    fn an_epoch_is_announced_once_and_its_cache_begins_empty() {
        let now = Clock::System.now();
        let job = JobId::new(SessionKey(1), 1);
        let mut track = Track::new(Kind::Video);
        track.begin(Source::Feed { job, slot: 0 }, FORMAT);
        assert_eq!(track.push(packet(now, 1, true), now), Some(FORMAT));
        assert_eq!(track.push(packet(now, 2, false), now), None);
        let seen = track.take_fresh();
        assert!(track.cached().is_empty(), "the consumers come first");
        track.settle(seen);
        assert_eq!(track.cached().len(), 2);
        // packets of the old epoch that settle after the new one began are not cached
        track.push(packet(now, 3, true), now);
        let seen = track.take_fresh();
        track.begin(Source::Feed { job, slot: 0 }, FORMAT);
        track.settle(seen);
        assert!(track.cached().is_empty());
        assert_eq!(track.push(packet(now, 1, true), now), Some(FORMAT));
    }

    #[test]
    fn a_second_stream_takes_over_only_from_a_silent_one() {
        let now = Clock::System.now();
        let peer = PeerId::new(SessionKey(1), 1);
        let (first, second) = (Source::Peer { peer, ssrc: 1 }, Source::Peer { peer, ssrc: 2 });
        let mut track = Track::new(Kind::Video);
        assert!(track.admits(first, now));
        track.begin(first, FORMAT);
        track.push(packet(now, 1, true), now);
        assert!(track.admits(first, now) && !track.admits(second, now));
        assert!(track.admits(second, now + SILENCE));
        track.source = Source::None;
        assert!(track.admits(second, now));
    }
}
