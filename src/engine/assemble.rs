//! The packets of one epoch of a track made whole access units, in order, for a worker that decodes or stores them. Pure.
//!
//! Viewers repair their own losses; a worker cannot. So a packet that is missing is waited for, and when it does not come its
//! frame is dropped whole and video begins again at a key frame: a decoder that goes on shows pictures that never were. Sound
//! simply has a gap.
//!
//! ```text
//!  packet ──> early (by number) ──in order, or given up──> building (one timestamp) ──marker, next timestamp──> unit
//! ```

use crate::rtp::{Kind, Packet};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Packets that may wait for a missing one; a key frame of 1080p has some 300.
const EARLY: usize = 2048;

/// The packets of one timestamp, whole and in order; of sound, one packet.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Of its earliest packet: a repaired one may be dated by its arrival.
    pub captured: Instant,
    /// A decoder can start here.
    pub key: bool,
    pub packets: Vec<Packet>,
}

#[derive(Debug)]
struct Building {
    timestamp: u32,
    /// Packets before its first one are missing, and may have been its own.
    headless: bool,
    key: bool,
    packets: Vec<Packet>,
}

#[derive(Debug)]
struct Early {
    arrived: Instant,
    packet: Packet,
}

/// One epoch of a track on its way to a worker.
#[derive(Debug)]
pub struct Assembler {
    kind: Kind,
    /// How long a missing packet is waited for.
    patience: Duration,
    /// The packet that comes next; later ones wait in `early`.
    next: Option<u64>,
    early: BTreeMap<u64, Early>,
    building: Option<Building>,
    /// Timestamp of a frame that lost a packet: what else comes of it is dropped.
    damaged: Option<u32>,
    /// The packet before the next one is missing.
    after_hole: bool,
    /// Video waits for a key frame.
    waiting: bool,
    /// Packets that nothing could be made of: of a frame with a hole, late, or before a key frame.
    pub unusable: u64,
}

impl Assembler {
    /// An epoch that begins. `patience` is zero for a source that repairs nothing.
    pub fn new(kind: Kind, patience: Duration) -> Assembler {
        Assembler {
            kind,
            patience,
            next: None,
            early: BTreeMap::new(),
            building: None,
            damaged: None,
            after_hole: false,
            waiting: kind == Kind::Video,
            unusable: 0,
        }
    }

    /// Takes a packet that `arrived` at that moment, not later than `now`. Units that are complete go to `done`.
    pub fn push(&mut self, packet: Packet, arrived: Instant, now: Instant, done: &mut Vec<Unit>) {
        let next = *self.next.get_or_insert(packet.sequence);
        if packet.sequence < next {
            self.unusable += 1;
            return;
        }
        self.early.entry(packet.sequence).or_insert(Early { arrived, packet });
        self.expire(now, done);
    }

    /// Releases what is in order, and gives up on what did not come in time.
    pub fn expire(&mut self, now: Instant, done: &mut Vec<Unit>) {
        while let Some((number, _)) = self.early.first_key_value() {
            if self.next != Some(*number) {
                let waits = self.deadline().is_some_and(|at| now < at);
                if waits && self.early.len() <= EARLY {
                    return;
                }
                self.hole();
            }
            let Some((number, early)) = self.early.pop_first() else { return };
            self.next = Some(number + 1);
            self.accept(early.packet, done);
        }
    }

    /// When [`Assembler::expire`] has something to give up; `None` when nothing is missing.
    pub fn deadline(&self) -> Option<Instant> {
        // the first that came behind the hole made it known; it need not be the one with the lowest number
        self.early.values().map(|early| early.arrived).min().map(|first| first + self.patience)
    }

    /// Must somebody ask for a key frame? Not while one is on its way.
    pub fn wants_key(&self) -> bool {
        self.waiting && self.building.as_ref().is_none_or(|b| !b.key) && self.early.values().all(|early| !early.packet.key)
    }

    /// What was handed out got lost behind this room: video begins again at a key frame.
    pub fn wait_for_key(&mut self) {
        self.waiting = self.kind == Kind::Video;
    }

    /// The next packet does not follow the one before.
    fn hole(&mut self) {
        if let Some(building) = self.building.take() {
            self.damaged = Some(building.timestamp);
            self.unusable += building.packets.len() as u64;
        }
        self.after_hole = true;
        self.wait_for_key();
    }

    fn accept(&mut self, packet: Packet, done: &mut Vec<Unit>) {
        // padding alone carries nothing and ends nothing
        if packet.payload.is_empty() {
            return;
        }
        let headless = std::mem::take(&mut self.after_hole);
        if self.kind == Kind::Audio {
            done.push(Unit { captured: packet.captured, key: false, packets: vec![packet] });
            return;
        }
        if self.damaged == Some(packet.timestamp) {
            self.unusable += 1;
            return;
        }
        self.damaged = None;
        if self.building.as_ref().is_some_and(|b| b.timestamp != packet.timestamp) {
            self.finish(done);
        }
        let (timestamp, marker) = (packet.timestamp, packet.marker);
        let building = self.building.get_or_insert_with(|| Building { timestamp, headless, key: false, packets: Vec::new() });
        building.key |= packet.key;
        building.packets.push(packet);
        if marker {
            self.finish(done);
        }
    }

    fn finish(&mut self, done: &mut Vec<Unit>) {
        let Some(Building { headless, key, packets, .. }) = self.building.take() else { return };
        let Some(captured) = packets.iter().map(|packet| packet.captured).min() else { return };
        // one that follows a hole has its parameter sets only when it begins with them
        let starts = key && (!headless || packets[0].key);
        if self.waiting && !starts {
            self.unusable += packets.len() as u64;
            return;
        }
        self.waiting = false;
        done.push(Unit { captured, key, packets });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);
    const PATIENCE: Duration = Duration::from_millis(300);

    /// Packets `(ms of arrival, number, timestamp, marker, key)`; gives the numbers of each unit.
    struct Run {
        start: Instant,
        assembler: Assembler,
        done: Vec<Unit>,
    }

    impl Run {
        fn new(kind: Kind) -> Run {
            Run { start: Clock::System.now(), assembler: Assembler::new(kind, PATIENCE), done: vec![] }
        }

        fn push(&mut self, ms: u32, sequence: u64, timestamp: u32, marker: bool, key: bool) -> &mut Run {
            let now = self.start + ms * MS;
            let packet = Packet {
                sequence,
                timestamp,
                marker,
                payload: [1][..].into(),
                captured: now,
                key,
                discardable: false,
                extensions: Default::default(),
                epoch: 1,
            };
            self.assembler.push(packet, now, now, &mut self.done);
            self
        }

        fn expire(&mut self, ms: u32) -> &mut Run {
            self.assembler.expire(self.start + ms * MS, &mut self.done);
            self
        }

        fn units(&self) -> Vec<Vec<u64>> {
            self.done.iter().map(|unit| unit.packets.iter().map(|p| p.sequence).collect()).collect()
        }
    }

    #[test]
    fn packets_of_a_timestamp_become_a_unit_in_order() {
        let mut run = Run::new(Kind::Video);
        run.push(0, 10, 1, false, true).push(5, 12, 1, true, false);
        assert!(run.units().is_empty() && run.assembler.deadline() == Some(run.start + 305 * MS));
        run.push(40, 11, 1, false, false).push(40, 11, 1, false, false);
        assert_eq!(run.units(), [[10, 11, 12]]);
        assert!(run.done[0].key && run.done[0].captured == run.start && run.assembler.deadline().is_none());
        // no marker: the next timestamp ends the unit
        run.push(80, 13, 2, false, false).push(120, 14, 3, true, false);
        assert_eq!(run.units(), [vec![10, 11, 12], vec![13], vec![14]]);
    }

    #[test]
    fn a_frame_that_stays_damaged_is_dropped_whole_and_video_waits_for_a_key_frame() {
        let mut run = Run::new(Kind::Video);
        run.push(0, 1, 1, true, true).push(40, 2, 2, false, false).push(40, 4, 2, true, false).push(80, 5, 3, true, false);
        run.expire(339);
        assert!(run.units() == [[1]] && !run.assembler.wants_key(), "still waited for");
        run.expire(340);
        assert!(run.units() == [[1]] && run.assembler.wants_key());
        run.push(341, 3, 2, false, false).push(360, 6, 4, false, true);
        assert!(!run.assembler.wants_key(), "one is on its way");
        run.push(361, 7, 4, true, false).push(400, 8, 5, true, false);
        assert_eq!(run.units(), [vec![1], vec![6, 7], vec![8]]);
        assert_eq!(run.assembler.unusable, 4, "2, 4, 5 and the late 3");
    }

    #[test]
    fn a_key_frame_that_lost_its_head_is_none() {
        let mut run = Run::new(Kind::Video);
        run.push(0, 1, 1, true, true);
        // 2 were the parameter sets of the key frame that 3 goes on with
        run.push(40, 3, 2, false, false).push(40, 4, 2, true, true).expire(340);
        assert!(run.units() == [[1]] && run.assembler.wants_key());
        run.push(380, 6, 4, false, true).push(380, 7, 4, true, false).expire(680);
        assert_eq!(run.units(), [vec![1], vec![6, 7]]);
    }

    #[test]
    fn the_first_packet_of_all_may_be_something_before_the_key() {
        let mut run = Run::new(Kind::Video);
        run.push(0, 1, 1, false, false).push(0, 2, 1, true, true);
        assert_eq!(run.units(), [[1, 2]]);
    }

    #[test]
    fn sound_goes_on_behind_a_gap() {
        let mut run = Run::new(Kind::Audio);
        run.push(0, 1, 1, false, false).push(20, 3, 3, false, false).push(40, 2, 2, false, false).push(60, 5, 5, false, false);
        assert_eq!(run.units(), [[1], [2], [3]]);
        run.expire(360);
        assert_eq!(run.units(), [[1], [2], [3], [5]]);
        assert!(!run.assembler.wants_key());
    }

    #[test]
    fn without_patience_a_hole_is_final() {
        let mut run = Run::new(Kind::Video);
        run.assembler.patience = Duration::ZERO;
        run.push(0, 1, 1, true, true).push(40, 3, 3, true, false).push(80, 4, 4, true, true);
        assert_eq!(run.units(), [[1], [4]]);
    }

    #[test]
    fn a_flood_behind_a_hole_is_not_kept_for_ever() {
        let mut run = Run::new(Kind::Video);
        run.push(0, 0, 0, true, true);
        for sequence in 2..5000 {
            run.push(0, sequence, sequence as u32, true, sequence == 2);
            assert!(run.assembler.early.len() <= EARLY);
        }
        assert_eq!(run.done.len(), 4999);
    }

    proptest! {
        /// Whatever is lost and whatever order the rest comes in, units are whole, in order, and behind a hole begin with a key.
        #[test]
        fn units_are_whole(lost in proptest::collection::btree_set(0u64..90, 0..12), swaps in proptest::collection::vec((0usize..90, 0usize..90), 0..20)) {
            // frames of three packets, each tenth a key frame
            let mut order: Vec<u64> = (0..90).filter(|n| !lost.contains(n)).collect();
            for (a, b) in swaps {
                let len = order.len();
                order.swap(a % len, b % len);
            }
            let mut run = Run::new(Kind::Video);
            for number in order {
                run.push(0, number, (number / 3) as u32, number % 3 == 2, number % 30 == 0);
            }
            run.expire(300);
            let mut before = None;
            for unit in run.units() {
                let frame = unit[0] / 3;
                prop_assert_eq!(&unit, &vec![frame * 3, frame * 3 + 1, frame * 3 + 2]);
                let follows = before.is_some_and(|before| frame == before + 1);
                prop_assert!(follows || frame % 10 == 0, "{frame} behind {before:?}");
                prop_assert!(before < Some(frame));
                before = Some(frame);
            }
            prop_assert!(run.assembler.early.is_empty());
        }
    }
}
