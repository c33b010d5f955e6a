//! One slot's packets on their way to its decoder: put in order, made whole access units, held back until a keyframe. Pure.
//!
//! The mixers wait half a second anyway, so a packet that is missing is waited for. After a hole video starts again at a
//! keyframe: a decoder that goes on shows pictures that never were. Decoders get each unit in one piece; depayloaders of GStreamer
//! would cost a buffer for each packet.

use crate::rtp::packet::{depacketize, inspect};
use crate::rtp::sequence::Extender;
use crate::rtp::{Codec, Header, Kind};
use std::collections::BTreeMap;

/// How long a missing packet is waited for, in ns. Well below the mixers' latency, above a retransmission.
const PATIENCE: u64 = 200_000_000;
/// Packets that may wait for a missing one; a keyframe of 1080p has some 300.
const EARLY: usize = 2048;
/// Pause between two requests for a keyframe, in ns.
const REQUEST_PAUSE: u64 = 1_000_000_000;

/// One access unit, whole, as a decoder takes it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Unit {
    /// CLOCK_MONOTONIC in ns, of its first packet.
    pub captured_ns: u64,
    /// A decoder can start here; each unit of sound is such.
    pub key: bool,
    pub bytes: Vec<u8>,
}

/// One epoch of a slot.
#[derive(Debug)]
pub struct Inlet {
    codec: Codec,
    extender: Extender,
    /// The packet that comes next; what is later waits in `early`.
    next: Option<u64>,
    early: BTreeMap<u64, Early>,
    building: Option<Building>,
    /// Timestamp of a unit that lost a packet; its other packets are dropped as well.
    damaged: Option<u32>,
    /// Video waits for a keyframe.
    waiting: bool,
    /// A unit was held back for want of a keyframe.
    wanted: bool,
    requested_at: Option<u64>,
    holes: u64,
}

#[derive(Debug)]
struct Early {
    arrived: u64,
    captured_ns: u64,
    packet: Vec<u8>,
}

#[derive(Debug)]
struct Building {
    unit: Unit,
    timestamp: u32,
}

impl Inlet {
    pub fn new(codec: Codec) -> Inlet {
        Inlet {
            codec,
            extender: Extender::default(),
            next: None,
            early: BTreeMap::new(),
            building: None,
            damaged: None,
            waiting: codec.kind() == Kind::Video,
            wanted: false,
            requested_at: None,
            holes: 0,
        }
    }

    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Takes a packet that arrived `now`; `done` sees each unit that is complete by it. What is no RTP packet is ignored. Times
    /// are CLOCK_MONOTONIC in ns.
    pub fn push(&mut self, now: u64, captured_ns: u64, packet: &[u8], done: &mut impl FnMut(Unit)) {
        let Ok((header, _)) = Header::parse(packet) else { return };
        let number = self.extender.extend(header.sequence);
        let next = *self.next.get_or_insert(number);
        if number < next {
            return;
        }
        self.early.entry(number).or_insert_with(|| Early { arrived: now, captured_ns, packet: packet.to_vec() });
        self.release(now, done);
    }

    /// Gives up on packets that did not come in time. Call it a few times per [`PATIENCE`].
    pub fn tick(&mut self, now: u64, done: &mut impl FnMut(Unit)) {
        self.release(now, done);
    }

    /// Should the source be asked for a keyframe now? Says so once a second while one is wanted.
    pub fn wants_keyframe(&mut self, now: u64) -> bool {
        let due = self.wanted && self.requested_at.is_none_or(|at| now.saturating_sub(at) >= REQUEST_PAUSE);
        if due {
            self.requested_at = Some(now);
        }
        due
    }

    /// What was handed out got lost behind this room: video starts again at a keyframe.
    pub fn start_again(&mut self) {
        self.waiting = self.codec.kind() == Kind::Video;
        self.wanted = self.waiting;
    }

    /// Holes in the sequence since the last call.
    pub fn take_holes(&mut self) -> u64 {
        std::mem::take(&mut self.holes)
    }

    fn release(&mut self, now: u64, done: &mut impl FnMut(Unit)) {
        while let Some(first) = self.early.first_entry() {
            let number = *first.key();
            if self.next != Some(number) {
                let given_up = now.saturating_sub(first.get().arrived) >= PATIENCE;
                if !given_up && self.early.len() <= EARLY {
                    return;
                }
                self.hole();
            }
            let Some((_, early)) = self.early.pop_first() else { return };
            self.next = Some(number + 1);
            self.accept(early, done);
        }
    }

    fn hole(&mut self) {
        self.holes += 1;
        if self.codec.kind() == Kind::Video {
            if let Some(building) = self.building.take() {
                self.damaged = Some(building.timestamp);
            }
            self.start_again();
        }
    }

    fn accept(&mut self, early: Early, done: &mut impl FnMut(Unit)) {
        let Early { captured_ns, packet, .. } = early;
        let Ok((header, payload)) = Header::parse(&packet) else { return };
        // a packet of padding alone carries nothing and ends nothing
        if payload.is_empty() || self.damaged == Some(header.timestamp) {
            return;
        }
        if self.codec.kind() == Kind::Audio {
            return done(Unit { captured_ns, key: true, bytes: payload.to_vec() });
        }
        if self.building.as_ref().is_some_and(|building| building.timestamp != header.timestamp) {
            self.finish(done);
        }
        self.damaged = None;
        let begin = || Building { unit: Unit { captured_ns, ..Unit::default() }, timestamp: header.timestamp };
        let Building { unit, .. } = self.building.get_or_insert_with(begin);
        unit.key |= inspect(self.codec, payload).0;
        depacketize(self.codec, payload, &mut unit.bytes);
        if header.marker {
            self.finish(done);
        }
    }

    fn finish(&mut self, done: &mut impl FnMut(Unit)) {
        let Some(Building { unit, .. }) = self.building.take().filter(|building| !building.unit.bytes.is_empty()) else { return };
        if self.waiting && !unit.key {
            self.wanted = true;
            return;
        }
        self.waiting = false;
        self.wanted = false;
        self.requested_at = None;
        done(unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;
    const KEY: &[u8] = &[0x65, 1];
    const DELTA: &[u8] = &[0x41, 1];

    fn packet(sequence: u16, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
        Header { marker, payload_type: 100, sequence, timestamp, ssrc: 5 }.packet(payload)
    }

    /// Runs packets that arrive at the given ms; returns (capture time in ms, number of NAL units or bytes of sound) of each unit.
    struct Run {
        inlet: Inlet,
        units: Vec<Unit>,
    }

    impl Run {
        fn new(codec: Codec) -> Run {
            Run { inlet: Inlet::new(codec), units: Vec::new() }
        }

        fn push(&mut self, ms: u64, packet: &[u8]) -> &mut Run {
            self.inlet.push(ms * MS, ms * MS, packet, &mut |unit| self.units.push(unit));
            self
        }

        fn tick(&mut self, ms: u64) -> &mut Run {
            self.inlet.tick(ms * MS, &mut |unit| self.units.push(unit));
            self
        }

        fn shape(&self) -> Vec<(u64, usize)> {
            let pieces = |unit: &Unit| match self.inlet.codec().kind() {
                Kind::Video => unit.bytes.windows(4).filter(|bytes| *bytes == [0, 0, 0, 1]).count(),
                Kind::Audio => unit.bytes.len(),
            };
            self.units.iter().map(|unit| (unit.captured_ns / MS, pieces(unit))).collect()
        }
    }

    #[test]
    fn units_are_whole_and_in_order() {
        let mut run = Run::new(Codec::H264);
        run.push(1, &packet(65_534, 10, false, KEY)).push(2, &packet(0, 10, true, KEY)).push(3, &packet(65_535, 10, false, KEY));
        assert_eq!(run.shape(), [(1, 3)]);
        run.push(4, &packet(1, 20, false, DELTA)).push(5, &packet(2, 30, true, DELTA)).push(6, &packet(2, 30, true, DELTA));
        assert_eq!(run.shape(), [(1, 3), (4, 1), (5, 1)]);
        assert_eq!(
            run.units[0].bytes,
            [[0, 0, 0, 1], [0x65, 1, 0, 0], [0, 1, 0x65, 1], [0, 0, 0, 1]].concat().into_iter().chain([0x65, 1]).collect::<Vec<u8>>()
        );
        assert_eq!(run.units.iter().map(|unit| unit.key).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn video_begins_at_a_keyframe_and_asks_for_one_each_second() {
        let mut run = Run::new(Codec::H264);
        assert!(!run.inlet.wants_keyframe(0));
        run.push(0, &packet(1, 1, true, DELTA));
        assert!(run.inlet.wants_keyframe(0));
        assert!(!run.inlet.wants_keyframe(999 * MS));
        assert!(run.inlet.wants_keyframe(1000 * MS));
        run.push(1, &packet(2, 2, true, KEY));
        assert!(!run.inlet.wants_keyframe(5000 * MS));
        assert_eq!(run.shape(), [(1, 1)]);
    }

    #[test]
    fn a_missing_packet_is_waited_for_and_then_a_keyframe() {
        let mut run = Run::new(Codec::H264);
        run.push(0, &packet(1, 1, true, KEY)).push(40, &packet(3, 3, true, DELTA)).tick(239);
        assert_eq!(run.shape(), [(0, 1)]);
        run.tick(240).push(280, &packet(4, 4, true, DELTA)).push(320, &packet(5, 5, true, KEY)).push(360, &packet(6, 6, true, DELTA));
        assert_eq!(run.shape(), [(0, 1), (320, 1), (360, 1)]);
        assert_eq!(run.inlet.take_holes(), 1);
        // comes after all, nobody waits for it any more
        run.push(400, &packet(2, 2, true, DELTA));
        assert_eq!(run.units.len(), 3);
    }

    #[test]
    fn a_keyframe_with_a_hole_in_it_is_none() {
        let mut run = Run::new(Codec::H264);
        run.push(0, &packet(1, 1, false, KEY)).push(0, &packet(3, 1, false, KEY)).push(0, &packet(4, 1, true, KEY)).tick(300);
        assert!(run.units.is_empty());
        run.push(301, &packet(5, 2, true, KEY));
        assert_eq!(run.shape(), [(301, 1)]);
    }

    #[test]
    fn sound_goes_on_behind_a_hole_and_padding_is_nothing() {
        let mut run = Run::new(Codec::Opus);
        run.push(0, &packet(1, 1, false, &[1])).push(20, &packet(3, 3, false, &[1])).push(30, &packet(4, 3, false, &[])).tick(500);
        assert_eq!(run.shape(), [(0, 1), (20, 1)]);
        assert!(!run.inlet.wants_keyframe(0));
    }

    #[test]
    fn a_flood_behind_a_hole_is_not_kept_for_ever() {
        let mut run = Run::new(Codec::Opus);
        run.push(0, &packet(0, 0, false, &[1]));
        for sequence in 2..3000u16 {
            run.push(0, &packet(sequence, sequence.into(), false, &[1]));
            assert!(run.inlet.early.len() <= EARLY);
        }
        assert_eq!(run.units.len(), 2999);
    }

    proptest! {
        #[test]
        fn shuffled_within_patience_nothing_is_lost(start: u16, count in 1u16..60, swaps in proptest::collection::vec((0usize..60, 0usize..60), 0..40)) {
            let mut order: Vec<u16> = (0..count).collect();
            // the first stays first: what is before it is too old
            for (a, b) in swaps {
                let (a, b) = (1 + a % order.len(), 1 + b % order.len());
                if a < order.len() && b < order.len() {
                    order.swap(a, b);
                }
            }
            let mut run = Run::new(Codec::Vp8);
            for number in order {
                let [high, low] = number.to_be_bytes();
                run.push(0, &packet(start.wrapping_add(number), number.into(), true, &[0x10, 0, high, low]));
            }
            prop_assert_eq!(run.units.len(), usize::from(count));
            prop_assert!(run.units.is_sorted_by_key(|unit| unit.bytes.clone()));
        }

        #[test]
        fn no_packets_make_it_panic(packets in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..40), 0u64..1000), 0..60)) {
            let mut run = Run::new(Codec::H264);
            for (mut packet, ms) in packets {
                if let Some(first) = packet.first_mut() {
                    *first = *first & 0x3f | 0x80;
                }
                run.push(ms, &packet);
            }
            run.tick(10_000);
            prop_assert!(run.inlet.early.is_empty());
        }
    }
}
