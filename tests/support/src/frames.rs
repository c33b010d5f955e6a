//! Which received packets make whole frames that a decoder could show. Pure; H.264 (RFC 6184) and VP8 (RFC 7741).
//!
//! Packets may come late (repaired) and are put in order; a gap that stays is given up after 256 packets, and from then
//! on nothing counts until the next whole keyframe.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// Packets that may be held behind a gap.
const PATIENCE: usize = 256;

/// A video codec.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Video {
    H264,
    Vp8,
}

/// Counts frames of one video stream.
#[derive(Clone, Debug)]
pub struct Frames {
    codec: Video,
    next: Option<u64>,
    held: BTreeMap<u64, Held>,
    frame: Frame,
    parameter_sets: (bool, bool),
    decodable: bool,
    /// Whole frames that a decoder could show.
    pub whole: u64,
    /// Frames that were complete or not, but could not be shown.
    pub useless: u64,
    /// Whole keyframes.
    pub keyframes: u64,
    /// Gaps that were never repaired.
    pub gaps: u64,
    /// When the first showable frame was complete.
    pub first: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Held {
    ts: u32,
    marker: bool,
    payload: Arc<[u8]>,
    at: Instant,
}

#[derive(Clone, Debug, Default)]
struct Frame {
    ts: Option<u32>,
    /// From its first packet on.
    begun: bool,
    key: bool,
}

impl Frames {
    /// A counter for one codec.
    pub fn new(codec: Video) -> Frames {
        Frames {
            codec,
            next: None,
            held: BTreeMap::new(),
            frame: Frame::default(),
            parameter_sets: (false, false),
            decodable: false,
            whole: 0,
            useless: 0,
            keyframes: 0,
            gaps: 0,
            first: None,
        }
    }

    /// Takes a packet: extended sequence number, RTP timestamp, marker bit, payload.
    pub fn push(&mut self, seq: u64, ts: u32, marker: bool, payload: Arc<[u8]>, at: Instant) {
        let next = *self.next.get_or_insert(seq);
        if seq < next || payload.is_empty() {
            return;
        }
        self.held.insert(seq, Held { ts, marker, payload, at });
        if self.held.len() > PATIENCE {
            self.gaps += 1;
            self.decodable = false;
            self.frame = Frame::default();
            self.next = self.held.keys().next().copied();
        }
        while let Some(packet) = self.next.and_then(|next| self.held.remove(&next)) {
            self.next = self.next.map(|next| next + 1);
            self.in_order(packet);
        }
    }

    fn in_order(&mut self, packet: Held) {
        if self.frame.ts != Some(packet.ts) {
            if self.frame.ts.is_some() {
                // the marker was missing: a frame ends where the next one begins
                self.finish(packet.at);
            }
            self.frame = Frame { ts: Some(packet.ts), begun: self.starts_frame(&packet.payload), key: false };
        }
        self.frame.key |= self.look(&packet.payload);
        if packet.marker {
            self.finish(packet.at);
            self.frame = Frame::default();
        }
    }

    fn finish(&mut self, at: Instant) {
        let sets = self.codec == Video::Vp8 || self.parameter_sets == (true, true);
        if self.frame.begun && self.frame.key && sets {
            self.decodable = true;
            self.keyframes += 1;
        }
        if self.frame.begun && self.decodable {
            self.whole += 1;
            self.first.get_or_insert(at);
        } else {
            self.useless += 1;
        }
    }

    fn starts_frame(&self, payload: &[u8]) -> bool {
        match self.codec {
            Video::Vp8 => vp8(payload).is_some_and(|(start, _)| start),
            // a fragment without the start bit is the rest of something
            Video::H264 => payload[0] & 0x1f != 28 || payload.get(1).is_some_and(|header| header & 0x80 != 0),
        }
    }

    /// Notes parameter sets; is it the first packet of a key picture?
    fn look(&mut self, payload: &[u8]) -> bool {
        match self.codec {
            Video::Vp8 => vp8(payload).is_some_and(|(start, key)| start && key),
            Video::H264 => {
                let mut key = false;
                for kind in nal_kinds(payload) {
                    self.parameter_sets.0 |= kind == 7;
                    self.parameter_sets.1 |= kind == 8;
                    key |= kind == 5;
                }
                key
            }
        }
    }
}

/// (begins a frame, is of a keyframe) of a VP8 payload.
fn vp8(payload: &[u8]) -> Option<(bool, bool)> {
    let first = *payload.first()?;
    let mut at = 1;
    if first & 0x80 != 0 {
        let extended = *payload.get(at)?;
        at += 1;
        if extended & 0x80 != 0 {
            at += if payload.get(at)? & 0x80 != 0 { 2 } else { 1 };
        }
        at += usize::from(extended & 0x40 != 0) + usize::from(extended & 0x30 != 0);
    }
    let start = first & 0x10 != 0 && first & 0x07 == 0;
    Some((start, payload.get(at)? & 1 == 0))
}

/// Types of the NAL units that begin in an H.264 payload.
fn nal_kinds(payload: &[u8]) -> Vec<u8> {
    match payload[0] & 0x1f {
        24 => {
            let (mut kinds, mut rest) = (vec![], &payload[1..]);
            while rest.len() > 2 {
                let len = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                kinds.push(rest[2] & 0x1f);
                rest = rest.get(2 + len..).unwrap_or_default();
            }
            kinds
        }
        28 => payload.get(1).filter(|header| **header & 0x80 != 0).map(|header| header & 0x1f).into_iter().collect(),
        kind => vec![kind],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(frames: &mut Frames, packets: &[(u64, u32, bool, &[u8])]) {
        for (seq, ts, marker, payload) in packets {
            frames.push(*seq, *ts, *marker, (*payload).into(), Instant::now());
        }
    }

    const KEY: &[u8] = &[0x10, 0x00];
    const DELTA: &[u8] = &[0x10, 0x01];
    const REST: &[u8] = &[0x00, 0x55];

    #[test]
    fn vp8_counts_from_the_first_whole_keyframe() {
        let mut frames = Frames::new(Video::Vp8);
        feed(&mut frames, &[(7, 0, true, DELTA), (8, 1, false, KEY), (9, 1, true, REST), (10, 2, true, DELTA)]);
        assert_eq!((frames.whole, frames.useless, frames.keyframes), (2, 1, 1));
    }

    #[test]
    fn a_repaired_packet_makes_the_frame_whole() {
        let mut frames = Frames::new(Video::Vp8);
        feed(&mut frames, &[(1, 1, false, KEY), (3, 2, true, DELTA), (2, 1, true, REST)]);
        assert_eq!((frames.whole, frames.gaps), (2, 0));
    }

    #[test]
    fn a_gap_that_stays_costs_everything_to_the_next_keyframe() {
        let mut frames = Frames::new(Video::Vp8);
        feed(&mut frames, &[(1, 1, true, KEY)]);
        for seq in 3..400 {
            let payload = if seq == 350 { KEY } else { DELTA };
            feed(&mut frames, &[(seq, seq as u32, true, payload)]);
        }
        assert_eq!((frames.gaps, frames.keyframes, frames.whole), (1, 2, 1 + 50));
    }

    #[test]
    fn h264_needs_its_parameter_sets() {
        let (sps, pps, idr): (&[u8], &[u8], &[u8]) = (&[0x67, 1], &[0x68, 1], &[0x65, 1]);
        let mut frames = Frames::new(Video::H264);
        feed(&mut frames, &[(1, 1, true, idr), (2, 2, false, sps), (3, 2, false, pps), (4, 2, true, idr), (5, 3, true, &[0x41, 1])]);
        assert_eq!((frames.whole, frames.useless), (2, 1));
        let aggregate: &[u8] = &[24, 0, 2, 0x67, 1, 0, 2, 0x68, 1];
        let mut frames = Frames::new(Video::H264);
        feed(&mut frames, &[(1, 1, false, aggregate), (2, 1, false, &[28, 0x85, 1]), (3, 1, true, &[28, 0x45, 1])]);
        assert_eq!((frames.whole, frames.keyframes), (1, 1));
    }
}
