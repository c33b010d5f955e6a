//! What one viewer gets of one track: sequence numbers and timestamps of its own, without a seam when the source changes.
//!
//! Pure. Only its peer writes here. Numbers follow the source's, gaps included: the viewer asks for what is missing until the
//! repaired packet comes, late and in its place. What is left out on purpose (until a key frame) leaves no gap.
//!
//! ```text
//!            enter(epoch)             first packet (video: key frame)
//! (nothing) ────────────> Waiting ─────────────────────────────────> Running ──┐
//!                            ^                                          │      │ packets
//!                            └───────────── wait_for_key, enter ────────┘ <────┘
//! ```

use super::capture::span_to_ticks;
use crate::rtp::Packet;
use std::time::Instant;

/// Where a packet stands in the viewer's own stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Extended; the first one ever is below 65536, because SRTP counts its wraps from 0.
    pub sequence: u64,
    pub timestamp: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing passes; a key frame (`true`) or any packet ends it.
    Waiting { for_key: bool },
    /// The source's number `from` is the viewer's number `to`. What is older than `from` is not for this viewer.
    Running { from: u64, to: u64 },
}

#[derive(Clone, Copy, Debug)]
struct Last {
    placed: Placed,
    captured: Instant,
}

/// The place of one viewer in one track.
#[derive(Debug)]
pub struct Consumer {
    epoch: Option<u32>,
    state: State,
    /// Added to the source's timestamps; `None` until the first packet of the epoch.
    shift: Option<u32>,
    /// Hz.
    rate: u32,
    last: Option<Last>,
    first_sequence: u16,
    /// Packets left out on purpose.
    pub dropped: u64,
}

impl Consumer {
    /// A viewer that has seen nothing; its numbers begin with `first_sequence`.
    pub fn new(first_sequence: u16) -> Consumer {
        Consumer { epoch: None, state: State::Waiting { for_key: false }, shift: None, rate: 1, last: None, first_sequence, dropped: 0 }
    }

    /// The epoch this viewer is in.
    pub fn epoch(&self) -> Option<u32> {
        self.epoch
    }

    /// A new source: its numbers and times have nothing to do with those before. `rate` in Hz; `video` waits for a key frame.
    pub fn enter(&mut self, epoch: u32, rate: u32, video: bool) {
        self.epoch = Some(epoch);
        self.rate = rate;
        self.shift = None;
        self.state = State::Waiting { for_key: video };
    }

    /// The track is another one: its epochs are counted anew, and nothing passes before the next is entered.
    pub fn leave(&mut self) {
        self.epoch = None;
    }

    /// Lets nothing pass before the next key frame.
    pub fn wait_for_key(&mut self) {
        self.state = State::Waiting { for_key: true };
    }

    /// Is a key frame missing before anything can be shown?
    pub fn waits_for_key(&self) -> bool {
        matches!(self.state, State::Waiting { for_key: true })
    }

    /// The place of a packet of the current epoch; `None` when it is not for this viewer.
    pub fn place(&mut self, packet: &Packet) -> Option<Placed> {
        if self.epoch != Some(packet.epoch) {
            self.dropped += 1;
            return None;
        }
        let (from, to) = match self.state {
            State::Waiting { for_key: true } if !packet.key => {
                self.dropped += 1;
                return None;
            }
            State::Waiting { .. } => {
                let to = self.last.map_or(u64::from(self.first_sequence), |last| last.placed.sequence + 1);
                self.state = State::Running { from: packet.sequence, to };
                (packet.sequence, to)
            }
            State::Running { from, to } => (from, to),
        };
        let Some(distance) = packet.sequence.checked_sub(from) else {
            self.dropped += 1;
            return None;
        };
        let shift = *self.shift.get_or_insert_with(|| shift(packet, self.last, self.rate));
        let placed = Placed { sequence: to + distance, timestamp: packet.timestamp.wrapping_add(shift) };
        if self.last.is_none_or(|last| placed.sequence > last.placed.sequence) {
            self.last = Some(Last { placed, captured: packet.captured });
        }
        Some(placed)
    }
}

/// What makes the timestamps of a new source go on where the old one stopped, the time between them having passed.
fn shift(packet: &Packet, last: Option<Last>, rate: u32) -> u32 {
    let Some(last) = last else { return 0 };
    let passed = span_to_ticks(packet.captured.saturating_duration_since(last.captured), rate).max(1);
    last.placed.timestamp.wrapping_add(passed).wrapping_sub(packet.timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use proptest::prelude::*;
    use std::time::Duration;

    fn packet(start: Instant, epoch: u32, sequence: u64, timestamp: u32, ms: u64, key: bool) -> Packet {
        Packet {
            sequence,
            timestamp,
            marker: false,
            payload: [0][..].into(),
            captured: start + Duration::from_millis(ms),
            key,
            discardable: false,
            extensions: Default::default(),
            epoch,
        }
    }

    fn at(sequence: u64, timestamp: u32) -> Option<Placed> {
        Some(Placed { sequence, timestamp })
    }

    #[test]
    fn numbers_begin_low_and_keep_the_gaps_of_the_source() {
        let start = Clock::System.now();
        let mut viewer = Consumer::new(100);
        viewer.enter(1, 90_000, true);
        assert_eq!(viewer.place(&packet(start, 1, 1 << 33, 5, 0, false)), None);
        assert_eq!(viewer.place(&packet(start, 1, (1 << 33) + 4, 3005, 33, true)), at(100, 3005));
        assert_eq!(viewer.place(&packet(start, 1, (1 << 33) + 6, 3005, 33, false)), at(102, 3005));
        assert_eq!(viewer.place(&packet(start, 1, (1 << 33) + 5, 3005, 33, false)), at(101, 3005));
        // from before its time
        assert_eq!(viewer.place(&packet(start, 1, (1 << 33) + 3, 5, 0, false)), None);
        assert_eq!(viewer.dropped, 2);
    }

    #[test]
    fn a_new_source_goes_on_with_the_next_number_and_the_time_that_passed() {
        let start = Clock::System.now();
        let mut viewer = Consumer::new(1);
        viewer.enter(1, 90_000, true);
        viewer.place(&packet(start, 1, 500, 1000, 0, true));
        viewer.enter(2, 90_000, true);
        assert!(viewer.waits_for_key());
        assert_eq!(viewer.place(&packet(start, 2, 70, 4_000_000_000, 480, false)), None);
        assert_eq!(viewer.place(&packet(start, 2, 71, 4_000_000_000, 500, true)), at(2, 1000 + 45_000));
        assert_eq!(viewer.place(&packet(start, 2, 72, 4_000_003_000, 533, false)), at(3, 1000 + 48_000));
        // the tail of the old source is over
        assert_eq!(viewer.place(&packet(start, 1, 501, 1000, 0, true)), None);
    }

    #[test]
    fn what_is_left_out_on_purpose_leaves_no_gap_and_late_packets_do_not_collide() {
        let start = Clock::System.now();
        let mut viewer = Consumer::new(1);
        viewer.enter(1, 90_000, true);
        for sequence in [10, 11, 13] {
            viewer.place(&packet(start, 1, sequence, 0, 0, true));
        }
        viewer.wait_for_key();
        for sequence in [12, 14, 15] {
            assert_eq!(viewer.place(&packet(start, 1, sequence, 9000, 100, false)), None);
        }
        assert_eq!(viewer.place(&packet(start, 1, 16, 18_000, 200, true)), at(5, 18_000));
        assert_eq!(viewer.place(&packet(start, 1, 12, 0, 0, false)), None);
        assert_eq!(viewer.place(&packet(start, 1, 17, 18_000, 200, false)), at(6, 18_000));
    }

    #[test]
    fn sound_waits_for_nothing() {
        let start = Clock::System.now();
        let mut viewer = Consumer::new(1);
        viewer.enter(1, 48_000, false);
        assert_eq!(viewer.place(&packet(start, 1, 9, 960, 20, false)), at(1, 960));
    }

    proptest! {
        /// Whatever happens, no two packets of a viewer get the same number, and a gap is never wider than the source's.
        #[test]
        fn no_number_is_used_twice(steps in proptest::collection::vec((0u8..10, 0u64..4, any::<bool>()), 1..300)) {
            let start = Clock::System.now();
            let mut viewer = Consumer::new(7);
            viewer.enter(0, 90_000, true);
            let (mut epoch, mut sequence, mut sent) = (0, 1000u64, std::collections::HashSet::new());
            let mut seen = std::collections::HashSet::new();
            for (n, (action, step, key)) in steps.into_iter().enumerate() {
                match action {
                    0 => { epoch += 1; sequence = 1000; seen.clear(); viewer.enter(epoch, 90_000, true) }
                    1 => viewer.wait_for_key(),
                    _ => {}
                }
                let number = if step == 0 { sequence.saturating_sub(3) } else { sequence += step; sequence };
                // str0m and the feeds let no duplicate through
                if !seen.insert(number) { continue }
                if let Some(placed) = viewer.place(&packet(start, epoch, number, n as u32 * 3000, n as u64 * 33, key)) {
                    prop_assert!(sent.insert(placed.sequence), "{} twice", placed.sequence);
                }
            }
            prop_assert!(sent.iter().all(|s| *s < 65_536));
        }
    }
}
