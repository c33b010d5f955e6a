//! What a joiner still has to get of the cached pictures, released at about ten times real time.
//!
//! The cached key frame goes out at once, so that the first picture stands; the rest at a pace that a real link takes (megabytes
//! at once overflow even the loopback's socket buffer). Timestamps stay as they are: the viewer's player runs fast forward until
//! it is live, without lasting delay. While anything waits here, what is new queues behind it. Pure; written by its peer.

use crate::rtp::Packet;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Seconds of media in each second.
const SPEED: u32 = 10;
/// Most packets that wait: more than the largest cache of a track. Beyond it the viewer starts anew with the next key frame.
const PACKETS: usize = 16_384;

/// Packets that wait for their turn, in order.
#[derive(Default, Debug)]
pub struct Backlog {
    packets: VecDeque<Packet>,
    /// Media up to this capture time has been released.
    released: Option<Instant>,
}

impl Backlog {
    /// Begins with a track's cache; returns what shall go out at once: its first frame.
    pub fn begin(&mut self, mut cached: Vec<Packet>) -> Vec<Packet> {
        let Some(first) = cached.first() else { return cached };
        self.released = Some(first.captured);
        let frame = cached.iter().take_while(|p| p.timestamp == first.timestamp && p.epoch == first.epoch).count();
        self.packets = cached.split_off(frame).into();
        cached
    }

    /// True when nothing waits: what is new may go out directly.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Queues what is new behind what waits. False when there is too much of it: everything is forgotten.
    #[must_use]
    pub fn push(&mut self, fresh: &[Packet]) -> bool {
        if self.packets.len() + fresh.len() > PACKETS {
            self.clear();
            return false;
        }
        self.packets.extend(fresh.iter().cloned());
        true
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.packets = VecDeque::new();
        self.released = None;
    }

    /// Moves to `out` what is due `elapsed` after the last call.
    pub fn release(&mut self, elapsed: Duration, out: &mut Vec<Packet>) {
        let Some(front) = self.packets.front().map(|p| p.captured) else { return };
        let due = self.released.unwrap_or(front) + elapsed * SPEED;
        // a source that paused leaves nothing to wait for
        let due = if front > due + elapsed * SPEED { front } else { due };
        self.released = Some(due);
        let count = self.packets.iter().take_while(|p| p.captured <= due).count();
        out.extend(self.packets.drain(..count));
        if self.packets.is_empty() {
            self.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const MS: Duration = Duration::from_millis(1);

    /// Two packets a frame, 40 ms a frame.
    fn frames(start: Instant, frames: std::ops::Range<u32>) -> Vec<Packet> {
        frames
            .flat_map(|frame| (0..2).map(move |n| (frame, n)))
            .map(|(frame, n)| Packet {
                sequence: u64::from(frame * 2 + n),
                timestamp: frame * 3600,
                marker: n == 1,
                payload: [0][..].into(),
                captured: start + 40 * MS * frame,
                key: frame == 0,
                discardable: false,
                extensions: Default::default(),
                epoch: 1,
            })
            .collect()
    }

    #[test]
    fn the_key_frame_goes_at_once_and_the_rest_at_ten_times_real_time() {
        let start = Clock::System.now();
        let cached = frames(start, 0..100);
        let mut backlog = Backlog::default();
        assert_eq!(backlog.begin(cached).len(), 2);
        let mut out = vec![];
        // 4 s of pictures; 5 ms of pacing are 50 ms of media
        for turn in 1..=79 {
            backlog.release(5 * MS, &mut out);
            assert_eq!(out.len() as u32, 2 * (turn * 50 / 40).min(99), "turn {turn}");
        }
        backlog.release(5 * MS, &mut out);
        assert!(backlog.is_empty());
        assert!(out.iter().map(|p| p.sequence).eq(2..200));
    }

    #[test]
    fn new_packets_queue_behind_and_a_pause_is_jumped_over() {
        let start = Clock::System.now();
        let mut backlog = Backlog::default();
        backlog.begin(frames(start, 0..2));
        assert!(backlog.push(&frames(start, 1000..1001)));
        let mut out = vec![];
        for _ in 0..3 {
            backlog.release(5 * MS, &mut out);
        }
        assert!(backlog.is_empty());
        assert_eq!(out.iter().map(|p| p.sequence).collect::<Vec<_>>(), [2, 3, 2000, 2001]);
    }

    #[test]
    fn too_much_is_nothing() {
        let start = Clock::System.now();
        let mut backlog = Backlog::default();
        backlog.begin(frames(start, 0..8000));
        assert!(backlog.push(&frames(start, 8000..8100)));
        assert!(!backlog.push(&frames(start, 8100..8200)));
        assert!(backlog.is_empty());
    }
}
