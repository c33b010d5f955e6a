//! What a publisher sends: which of its streams fill which tracks, and its packets made ours.
//!
//! Written by its peer. A stream is known by its SSRC and found by str0m through its line; what comes on a line without a track
//! (the surplus lines of old clients, probes) is nobody's.

use super::capture::{Anchor, Report};
use super::peer::Happening;
use super::transport::codec_of;
use crate::ids::TrackId;
use crate::rtp::packet::inspect;
use crate::rtp::sequence::BASE;
use crate::rtp::{Extensions, Format, Kind, Packet};
use str0m::Rtc;
use str0m::bwe::Bitrate;
use str0m::media::Mid;
use str0m::rtp::{ExtensionValues, RtpPacket, Ssrc};

/// Streams of one peer that are told apart; more only a hostile one has.
const STREAMS: usize = 16;

/// A line on which a publisher fills a track.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub mid: Mid,
    pub kind: Kind,
    pub track: TrackId,
}

/// The receiving side of a transport.
#[derive(Debug)]
pub struct Incoming {
    lines: Vec<Line>,
    /// SSRCs seen and the tracks they fill; `None` = a line that fills none.
    streams: Vec<(Ssrc, Option<TrackId>)>,
    /// One for all tracks of the publisher.
    anchor: Anchor,
    max_video_kbps: Option<u32>,
}

impl Incoming {
    /// Receives on these lines; `max_video_kbps` bounds what the publisher sends as video, in kbit/s.
    pub fn new(lines: Vec<Line>, max_video_kbps: Option<u32>) -> Incoming {
        Incoming { lines, streams: Vec::new(), anchor: Anchor::default(), max_video_kbps }
    }

    /// True when nothing is received.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// A packet of str0m's as ours; `None` when it fills no track.
    pub fn packet(&mut self, rtc: &mut Rtc, packet: RtpPacket) -> Option<Happening> {
        let ssrc = packet.header.ssrc;
        let track = self.track_of(rtc, ssrc)?;
        let params = rtc.codec_config().params().iter().find(|p| p.pt() == packet.header.payload_type)?;
        let codec = codec_of(params.spec().codec)?;
        let format = Format { codec, profile_level_id: params.spec().format.profile_level_id };
        let report = packet.last_sender_info.as_ref().map(|i| Report { wall: i.ntp_time, timestamp: i.rtp_time.numer() as u32 });
        let captured = self.anchor.captured(report, codec.clock_rate(), packet.header.timestamp, packet.timestamp);
        let (key, discardable) = inspect(codec, &packet.payload);
        let packet = Packet {
            sequence: BASE + *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            captured,
            key,
            discardable,
            extensions: extensions(&packet.header.ext_vals),
            epoch: 0,
            payload: packet.payload,
        };
        Some(Happening::Packet { track, ssrc: *ssrc, format, packet })
    }

    fn track_of(&mut self, rtc: &mut Rtc, ssrc: Ssrc) -> Option<TrackId> {
        if let Some((_, track)) = self.streams.iter().find(|(known, _)| *known == ssrc) {
            return *track;
        }
        if self.streams.len() >= STREAMS {
            self.streams.remove(0);
        }
        let mut api = rtc.direct_api();
        let stream = api.stream_rx(&ssrc)?;
        let line = self.lines.iter().find(|line| line.mid == stream.mid());
        if let (Some(Line { kind: Kind::Video, .. }), Some(kbps)) = (line, self.max_video_kbps) {
            stream.request_remb(Bitrate::kbps(kbps.into()));
        }
        let track = line.map(|line| line.track);
        self.streams.push((ssrc, track));
        track
    }
}

fn extensions(values: &ExtensionValues) -> Extensions {
    Extensions { audio_level: values.audio_level, voice: values.voice_activity }
}
