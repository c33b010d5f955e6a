//! A worker's camera: H.264 access units as messages of a media socket, 25 pictures a second; 50 sounds, where it has any.

use crate::engine::capture::Moment;
use crate::ids::JobId;
use crate::rtp::{Codec, Format, Header};
use crate::wire::media::{encode_format, encode_packets};
use std::time::{Duration, Instant};

/// 25 pictures a second.
pub const FRAME: Duration = Duration::from_millis(40);
/// Packets of a key frame: parameter sets and three fragments; of another one: two.
pub const KEY_PACKETS: usize = 5;

pub struct Camera {
    pub job: JobId,
    keyframe_every: u32,
    next: Instant,
    sequence: u16,
    frame: u32,
    started: bool,
    pub format: Format,
    /// Sends nothing while false.
    pub on: bool,
    /// What it hears with, on slot 1; the sound was captured 30 ms before it comes.
    pub sound: Option<Codec>,
    next_sound: Instant,
    sounds: u32,
}

impl Camera {
    pub fn new(job: JobId, now: Instant, keyframe_every: u32) -> Camera {
        let format = Format { codec: Codec::H264, profile_level_id: Some(0x64_0028) };
        Camera {
            job,
            keyframe_every,
            next: now,
            sequence: 65_530,
            frame: 0,
            started: false,
            format,
            on: true,
            sound: None,
            next_sound: now,
            sounds: 0,
        }
    }

    /// The worker is restarted: other numbers, other times, a new format message.
    pub fn restart(&mut self) {
        (self.sequence, self.frame, self.started) = (77, 0, false);
    }

    /// The messages due now. The picture was captured 10 ms ago.
    pub fn shoot(&mut self, moment: Moment) -> Vec<Vec<u8>> {
        let mut messages = vec![];
        while self.next <= moment.now {
            self.next += FRAME;
            if !self.on {
                continue;
            }
            if !self.started {
                let mut format = Vec::new();
                encode_format(&mut format, 0, &self.format);
                messages.push(format);
                self.started = true;
            }
            let packets: Vec<Vec<u8>> = self.picture();
            let captured = moment.monotonic_ns - 10_000_000;
            messages.extend(encode_packets(0, captured, packets.iter().map(Vec::as_slice)).unwrap());
            self.frame += 1;
        }
        while let (Some(codec), true) = (self.sound, self.next_sound <= moment.now) {
            self.next_sound += FRAME / 2;
            messages.extend(self.hear(codec, moment));
        }
        messages
    }

    fn hear(&mut self, codec: Codec, moment: Moment) -> Vec<Vec<u8>> {
        let mut messages = vec![];
        if self.sounds == 0 {
            let mut format = Vec::new();
            encode_format(&mut format, 1, &Format { codec, profile_level_id: None });
            messages.push(format);
        }
        let timestamp = self.sounds * codec.clock_rate() / 50;
        let header = Header { marker: false, payload_type: 97, sequence: self.sounds as u16, timestamp, ssrc: 2 };
        let packet = header.packet(&[0xfc; 80]);
        messages.extend(encode_packets(1, moment.monotonic_ns - 30_000_000, [&packet[..]]).unwrap());
        self.sounds += 1;
        messages
    }

    fn picture(&mut self) -> Vec<Vec<u8>> {
        let sps = vec![0x67, 0x64, 0x00, 0x28, 0xac];
        let pps = vec![0x68, 0xee, 0x3c, 0x80];
        let fragment = |nal: u8, flags: u8, len: usize| [vec![0x7c, flags | nal], vec![self.frame as u8; len]].concat();
        let key = self.frame.is_multiple_of(self.keyframe_every);
        let payloads = match (self.format.codec, key) {
            (Codec::H264, true) => {
                vec![sps, pps, fragment(5, 0x80, 1000), fragment(5, 0, 1000), fragment(5, 0x40, 300)]
            }
            (Codec::H264, false) => vec![fragment(1, 0x80, 1000), fragment(1, 0x40, 200)],
            _ => vec![vec![0x10, u8::from(!key), 0, 0]],
        };
        let last = payloads.len() - 1;
        let timestamp = (3600 * self.frame).wrapping_add(4_294_900_000);
        let mut packets = vec![];
        for (n, payload) in payloads.iter().enumerate() {
            let header = Header { marker: n == last, payload_type: 96, sequence: self.sequence, timestamp, ssrc: 1 };
            packets.push(header.packet(payload));
            self.sequence = self.sequence.wrapping_add(1);
        }
        packets
    }
}
