//! The GOP cache of a track: everything since the last key frame began, so that a new viewer's first frame decodes at once.
//!
//! Written by its track alone, after the packets went to the consumers: a joiner gets the cache and then what comes next,
//! without a seam. Payloads are shared with the consumers. A source that sends no key frame for longer than the bounds has no
//! cache until its next one (joiners then ask for it).

use crate::rtp::Packet;
use std::time::Duration;

/// Longest cache in time.
const SPAN: Duration = Duration::from_secs(15);
/// Largest cache in payload bytes.
const BYTES: usize = 8 << 20;

/// Packets since the last key frame, in order of sequence.
#[derive(Default, Debug)]
pub struct Gop {
    packets: Vec<Packet>,
    bytes: usize,
}

impl Gop {
    /// Takes a packet in: a key frame begins a new cache, a repaired packet finds its place, a duplicate is left out.
    pub fn push(&mut self, packet: Packet) {
        // parameter sets and slices of a key frame share a timestamp: only the first of them opens
        let opens = match self.packets.first() {
            None => packet.key,
            Some(first) => packet.key && packet.timestamp != first.timestamp && packet.sequence > first.sequence,
        };
        if opens {
            self.clear();
            self.insert(0, packet);
            return;
        }
        match self.packets.iter().rposition(|cached| cached.sequence <= packet.sequence) {
            Some(at) if self.packets[at].sequence == packet.sequence => {}
            Some(at) => self.insert(at + 1, packet),
            None => {}
        }
        if self.bytes > BYTES || self.span() > SPAN {
            self.clear();
        }
    }

    /// Forgets everything: a new epoch begins.
    pub fn clear(&mut self) {
        self.packets.clear();
        self.bytes = 0;
    }

    /// The cached packets, key frame first; empty when there is none to begin with.
    pub fn packets(&self) -> &[Packet] {
        &self.packets
    }

    fn insert(&mut self, at: usize, packet: Packet) {
        self.bytes += packet.payload.len();
        self.packets.insert(at, packet);
    }

    fn span(&self) -> Duration {
        match (self.packets.first(), self.packets.last()) {
            (Some(first), Some(last)) => last.captured.saturating_duration_since(first.captured),
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::time::Instant;

    fn packet(start: Instant, sequence: u64, ms: u64, key: bool, len: usize) -> Packet {
        Packet {
            sequence,
            timestamp: (ms * 90) as u32,
            marker: true,
            payload: vec![0; len].into(),
            captured: start + Duration::from_millis(ms),
            key,
            discardable: false,
            extensions: Default::default(),
            epoch: 1,
        }
    }

    fn sequences(gop: &Gop) -> Vec<u64> {
        gop.packets().iter().map(|p| p.sequence).collect()
    }

    #[test]
    fn it_begins_with_the_first_packet_of_the_last_key_frame() {
        let start = Clock::System.now();
        let mut gop = Gop::default();
        for (sequence, ms, key) in
            [(1, 0, false), (2, 40, true), (3, 40, true), (4, 80, false), (5, 120, true), (6, 120, true), (7, 160, false)]
        {
            gop.push(packet(start, sequence, ms, key, 10));
        }
        assert_eq!(sequences(&gop), [5, 6, 7]);
    }

    #[test]
    fn a_repaired_packet_finds_its_place_once_and_a_late_key_frame_reopens_nothing() {
        let start = Clock::System.now();
        let mut gop = Gop::default();
        for (sequence, ms, key) in [(10, 40, true), (11, 40, false), (13, 80, false), (12, 40, false), (12, 40, false), (9, 0, true)] {
            gop.push(packet(start, sequence, ms, key, 10));
        }
        assert_eq!(sequences(&gop), [10, 11, 12, 13]);
    }

    #[test]
    fn beyond_its_bounds_there_is_no_cache_until_the_next_key_frame() {
        let start = Clock::System.now();
        for (step_ms, len) in [(1000, 10), (1, 1 << 20)] {
            let mut gop = Gop::default();
            gop.push(packet(start, 0, 0, true, len));
            for n in 1..=16 {
                gop.push(packet(start, n, n * step_ms, false, len));
            }
            assert!(sequences(&gop).is_empty(), "steps of {step_ms} ms, {len} bytes");
            gop.push(packet(start, 17, 17 * step_ms, false, len));
            assert!(sequences(&gop).is_empty());
            gop.push(packet(start, 18, 18 * step_ms, true, len));
            assert_eq!((sequences(&gop), gop.bytes), (vec![18], len));
        }
    }
}
