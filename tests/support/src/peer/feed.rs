//! Sends a clip, over and over, in real time: random first timestamp and sequence number, as every publisher has them.

use crate::material::{Clip, ClipPacket, Media};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};
use str0m::media::{Mid, Pt};

/// A clip under way.
#[derive(Debug)]
pub struct Feed {
    pub mid: Mid,
    pub pt: Pt,
    pub nackable: bool,
    clip: Clip,
    begin: Instant,
    /// Which packet of which round is next.
    next: usize,
    round: u32,
    first_ts: u32,
    seq: u64,
}

/// A packet whose time has come.
#[derive(Debug)]
pub struct Due<'a> {
    pub packet: &'a ClipPacket,
    pub seq: u64,
    pub ts: u32,
    /// Its capture time.
    pub at: Instant,
}

impl Feed {
    /// Starts `media` now.
    pub fn new(media: Media, mid: Mid, pt: Pt, nackable: bool, begin: Instant) -> Feed {
        let random = RandomState::new().build_hasher().finish();
        // SRTP wants a first sequence number below 2^16
        let seq = (random >> 32) % 60_000 + 1;
        Feed { mid, pt, nackable, clip: Clip::load(media), begin, next: 0, round: 0, first_ts: random as u32, seq }
    }

    /// When its next packet must go.
    pub fn due(&self) -> Instant {
        let ticks = u64::from(self.round) * u64::from(self.clip.ticks()) + u64::from(self.clip.packets[self.next].ts);
        self.begin + Duration::from_nanos(ticks * 1_000_000_000 / u64::from(self.clip.media.clock_rate()))
    }

    /// The next packet if its time has come.
    pub fn take(&mut self, now: Instant) -> Option<Due<'_>> {
        let at = self.due();
        if at > now {
            return None;
        }
        let (index, round, seq) = (self.next, self.round, self.seq);
        self.seq += 1;
        self.next = (index + 1) % self.clip.packets.len();
        self.round += u32::from(self.next == 0);
        let packet = &self.clip.packets[index];
        let ts = self.first_ts.wrapping_add(round.wrapping_mul(self.clip.ticks())).wrapping_add(packet.ts);
        Some(Due { packet, seq, ts, at })
    }
}
