//! What a peer has seen: written by its core, read by tests.

use crate::frames::{Frames, Video};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use str0m::media::MediaKind;

/// Packets that are remembered with their payload.
const REMEMBERED: usize = 20_000;

/// The record, also when a test panicked while it held it: its numbers are good at every moment.
pub(super) fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What came in and what was asked.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub offered: Option<Instant>,
    pub connected: Option<Instant>,
    /// The other side closed, or the transport broke.
    pub closed: Option<Instant>,
    pub audio: Incoming,
    pub video: Incoming,
    /// Video frames, once the codec is known.
    pub frames: Option<Frames>,
    /// RTX packets that came in and went out.
    pub rtx_in: u64,
    pub rtx_out: u64,
    /// RTP packets that were lost on purpose.
    pub dropped_in: u64,
    pub dropped_out: u64,
    /// NACKs sent (for lost packets) and received, as of the last half second.
    pub nacks_sent: u64,
    pub nacks_received: u64,
    /// PLIs and FIRs received from the other side.
    pub keyframe_requests: u64,
    /// Packets that its feeds have sent.
    pub sent: u64,
    /// The last packets received, in the order of arrival.
    pub packets: VecDeque<Received>,
    /// Only count packets, do not keep them.
    pub(super) forget: bool,
}

/// One kind of media, as received.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    pub packets: u64,
    pub bytes: u64,
    /// Name in `a=rtpmap`.
    pub codec: Option<String>,
    pub payload_type: Option<u8>,
    /// Lowest and highest extended sequence number.
    pub range: Option<(u64, u64)>,
    /// SSRCs in the order they appeared.
    pub ssrcs: Vec<u32>,
    /// RTP time and wall time of the last sender report.
    pub report: Option<Report>,
}

/// A sender report.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Report {
    pub ntp: SystemTime,
    /// RTP timestamp of that moment.
    pub rtp: u32,
    /// Ticks a second.
    pub rate: u32,
}

/// A packet.
#[derive(Clone, Debug)]
pub struct Received {
    pub kind: MediaKind,
    pub seq: u64,
    pub ts: u32,
    pub payload: Arc<[u8]>,
    pub at: Instant,
}

impl Report {
    /// When the sender captured what carries the timestamp `ts`, on the sender's clock.
    pub fn captured(&self, ts: u32) -> SystemTime {
        let apart = f64::from(ts.wrapping_sub(self.rtp) as i32) / f64::from(self.rate);
        let span = Duration::from_secs_f64(apart.abs());
        if apart < 0.0 { self.ntp - span } else { self.ntp + span }
    }
}

impl Incoming {
    /// Packets that never came, repaired ones not counted.
    pub fn lost(&self) -> u64 {
        self.range.map_or(0, |(low, high)| (high - low + 1).saturating_sub(self.packets))
    }

    fn take(&mut self, codec: &str, payload_type: u8, ssrc: u32, seq: u64, len: usize) {
        self.packets += 1;
        self.bytes += len as u64;
        self.codec = Some(codec.to_owned());
        self.payload_type = Some(payload_type);
        let (low, high) = self.range.unwrap_or((seq, seq));
        self.range = Some((low.min(seq), high.max(seq)));
        if !self.ssrcs.contains(&ssrc) {
            self.ssrcs.push(ssrc);
        }
    }
}

impl Record {
    /// Of that kind.
    pub fn of(&self, kind: MediaKind) -> &Incoming {
        match kind {
            MediaKind::Audio => &self.audio,
            MediaKind::Video => &self.video,
        }
    }

    /// Whole, decodable video frames so far.
    pub fn whole_frames(&self) -> u64 {
        self.frames.as_ref().map_or(0, |frames| frames.whole)
    }

    /// From the offer to the first whole, decodable frame.
    pub fn join_time(&self) -> Option<Duration> {
        Some(self.frames.as_ref()?.first?.duration_since(self.offered?))
    }

    /// The counters on one line.
    pub fn summary(&self) -> String {
        format!(
            "connected {}, closed {}, audio {} packets, video {} packets ({:?}, {} lost), {} whole frames, {} RTX in, {} out, {} NACKs sent, \
             {} received, {} keyframe requests, {} sent",
            self.connected.is_some(),
            self.closed.is_some(),
            self.audio.packets,
            self.video.packets,
            self.video.codec,
            self.video.lost(),
            self.whole_frames(),
            self.rtx_in,
            self.rtx_out,
            self.nacks_sent,
            self.nacks_received,
            self.keyframe_requests,
            self.sent,
        )
    }

    /// Takes a packet; `codec` as in `a=rtpmap`.
    pub(super) fn take(&mut self, packet: Received, codec: &str, payload_type: u8, ssrc: u32, marker: bool) {
        let incoming = match packet.kind {
            MediaKind::Audio => &mut self.audio,
            MediaKind::Video => &mut self.video,
        };
        incoming.take(codec, payload_type, ssrc, packet.seq, packet.payload.len());
        let video = match codec {
            "H264" => Some(Video::H264),
            "VP8" => Some(Video::Vp8),
            _ => None,
        };
        if let Some(video) = video {
            let frames = self.frames.get_or_insert_with(|| Frames::new(video));
            frames.push(packet.seq, packet.ts, marker, packet.payload.clone(), packet.at);
        }
        if self.forget {
            return;
        }
        if self.packets.len() == REMEMBERED {
            self.packets.pop_front();
        }
        self.packets.push_back(packet);
    }
}
