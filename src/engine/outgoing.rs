//! One track on its way out through one transport: which payload type it gets there, and its packets written to str0m.
//!
//! Written by its peer. The payload type is chosen when the track's format is known, and again with each epoch: a viewer dictates
//! its own numbers, and a camera may come back as another codec. The str0m stream is declared with the first packet: before
//! that it would send sender reports of time 0.

use super::backlog::Backlog;
use super::consumer::Consumer;
use super::transport::codec_of;
use crate::ids::TrackId;
use crate::rtp::h264::same_profile;
use crate::rtp::{Codec, Extensions, Format, Kind, Packet};
use std::time::{Duration, Instant};
use str0m::Rtc;
use str0m::format::PayloadParams;
use str0m::media::{MediaTime, Mid, Pt};
use str0m::rtp::{ExtensionValues, RtpWrite, Ssrc, StreamTx};

/// A viewer that asks for a key frame this soon after it began to speak has seen none yet.
const BEGINNING: Duration = Duration::from_secs(3);
/// How often it may begin again, and how long after the last time.
const AGAIN: u8 = 5;
const PAUSE: Duration = Duration::from_millis(150);

/// `profile-level-id` of constrained baseline, which every H.264 decoder plays.
const CONSTRAINED_BASELINE: u32 = 0x42_e01f;

/// What an outgoing stream must know of its track.
#[derive(Clone, Copy, Debug)]
pub struct TrackView {
    pub epoch: u32,
    pub format: Option<Format>,
    /// The source is a camera: the viewer's player shall not wait for a smoother picture.
    pub camera: bool,
}

/// What helps a viewer that asks for a key frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// What the track's cache holds, again.
    Beginning,
    /// That is on its way.
    Patience,
    /// One of the source.
    KeyFrame,
}

/// How the current format is sent to this viewer.
#[derive(Clone, Copy, Debug)]
struct Choice {
    pt: Pt,
    /// The viewer can ask for a packet again (RTX).
    repairs: bool,
}

/// One line of a viewer.
pub struct Outgoing {
    pub mid: Mid,
    pub track: TrackId,
    kind: Kind,
    ssrc: Ssrc,
    rtx: Option<Ssrc>,
    declared: bool,
    choice: Option<Choice>,
    consumer: Consumer,
    backlog: Backlog,
    /// When it was first given a cache.
    begun: Option<Instant>,
    /// How often it began again, and when it did last.
    again: (u8, Option<Instant>),
}

impl Outgoing {
    /// The sending line `mid` of an answered transport; `None` when it does not send.
    pub fn new(rtc: &mut Rtc, mid: Mid, kind: Kind, track: TrackId) -> Option<Outgoing> {
        let mut api = rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, None)?;
        let (ssrc, rtx) = (stream.ssrc(), stream.rtx());
        api.remove_stream_tx(ssrc);
        // below 2^15, so that even reordering around the first packet cannot look like a wrap (RFC 3711 §3.3.1)
        let first = rand::random_range(1..1 << 15);
        let (consumer, backlog) = (Consumer::new(first), Backlog::default());
        let (begun, again) = Default::default();
        Some(Outgoing { mid, track, kind, ssrc, rtx, declared: false, choice: None, consumer, backlog, begun, again })
    }

    /// Does nothing go out before a key frame has come?
    pub fn waits_for_key(&self) -> bool {
        self.choice.is_some() && self.consumer.waits_for_key()
    }

    /// Lets nothing pass before the next key frame; sound goes on.
    pub fn skip_to_key(&mut self) {
        if self.kind == Kind::Video {
            self.backlog.clear();
            self.consumer.wait_for_key();
        }
    }

    /// Packets this viewer was not given.
    pub fn dropped(&self) -> u64 {
        self.consumer.dropped
    }

    /// Does something wait to be paced out?
    pub fn paced(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Sends fresh packets, behind what still waits.
    pub fn forward(&mut self, rtc: &mut Rtc, packets: &[Packet], view: TrackView, now: Instant) {
        if self.backlog.is_empty() {
            self.write(rtc, packets, view, now);
        } else if self.consumer.epoch() != Some(view.epoch) {
            // pictures of a source that is gone are not worth waiting for
            self.backlog.clear();
            self.write(rtc, packets, view, now);
        } else if !self.backlog.push(packets) {
            self.consumer.wait_for_key();
        }
    }

    /// Begins with a track's cache: its key frame at once, the rest paced. Without a cache the viewer waits for a key frame.
    pub fn join(&mut self, rtc: &mut Rtc, cached: Vec<Packet>, view: TrackView, now: Instant) {
        self.enter(rtc, view);
        if !cached.is_empty() {
            self.begun.get_or_insert(now);
        }
        let first_frame = self.backlog.begin(cached);
        self.write(rtc, &first_frame, view, now);
    }

    /// What a viewer that asks for a key frame shall get: the beginning again, when it has just begun. What it was given may be lost
    /// without a trace: before the last flight of the DTLS handshake has reached it, it cannot read anything, and a loss in front of
    /// the first packet it gets is none that it knows of. Waiting for the source's next key frame may take a whole GOP. `spoke`: when
    /// its first RTCP came, the first sign that it can read.
    pub fn ask(&mut self, spoke: Option<Instant>, now: Instant) -> Wanted {
        let (times, last) = self.again;
        let young = self.begun.is_some_and(|begun| now.saturating_duration_since(spoke.map_or(now, |spoke| spoke.max(begun))) < BEGINNING);
        if self.kind != Kind::Video || !young || times >= AGAIN {
            return Wanted::KeyFrame;
        }
        if last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            return Wanted::Patience;
        }
        self.again = (times + 1, Some(now));
        self.skip_to_key();
        Wanted::Beginning
    }

    /// Sends another track from now on: a source like any that takes over.
    pub fn retune(&mut self, track: TrackId) {
        self.track = track;
        self.backlog.clear();
        self.choice = None;
        self.consumer.leave();
        (self.begun, self.again) = Default::default();
    }

    /// Sends what is due of the backlog `elapsed` after the last time.
    pub fn release(&mut self, rtc: &mut Rtc, elapsed: Duration, view: TrackView, now: Instant) {
        let mut due = Vec::new();
        self.backlog.release(elapsed, &mut due);
        self.write(rtc, &due, view, now);
    }

    /// Makes ready for the track's epoch, if its format is known.
    fn enter(&mut self, rtc: &Rtc, view: TrackView) {
        let Some(format) = view.format.filter(|_| self.consumer.epoch() != Some(view.epoch)) else { return };
        self.choice = choose(rtc, self.mid, format);
        self.consumer.enter(view.epoch, format.codec.clock_rate(), self.kind == Kind::Video);
    }

    /// Queues packets; the caller feeds time and drains afterwards, once for all of them.
    fn write(&mut self, rtc: &mut Rtc, packets: &[Packet], view: TrackView, now: Instant) {
        if packets.is_empty() {
            return;
        }
        self.enter(rtc, view);
        let Some(choice) = self.choice else {
            self.consumer.dropped += packets.len() as u64;
            return;
        };
        let mut api = rtc.direct_api();
        for packet in packets {
            let Some(placed) = self.consumer.place(packet) else { continue };
            if !self.declared {
                api.declare_stream_tx(self.ssrc, self.rtx, self.mid, None);
                self.declared = true;
            }
            let Some(stream) = api.stream_tx(&self.ssrc) else { continue };
            // a capture time in the future would make sender reports of time 0
            let captured = packet.captured.min(now);
            let write = RtpWrite::new(choice.pt, placed.sequence.into(), placed.timestamp, captured, packet.payload.clone())
                .marker(packet.marker)
                .nackable(choice.repairs)
                .ext_vals(extensions(&packet.extensions, view.camera && packet.key));
            StreamTx::write_rtp(stream, write);
        }
    }
}

/// The payload type for a format on this line, among those the viewer offers, in its order. H.264 of the same profile first, then
/// constrained baseline, then any: decoders take more than they declare. str0m's parameters carry the viewer's numbers.
fn choose(rtc: &Rtc, mid: Mid, format: Format) -> Option<Choice> {
    let params = rtc.codec_config().params();
    let usable: Vec<&PayloadParams> = rtc
        .media(mid)?
        .remote_pts()
        .iter()
        .filter_map(|pt| params.iter().find(|p| p.pt() == *pt))
        .filter(|p| codec_of(p.spec().codec) == Some(format.codec))
        .filter(|p| format.codec != Codec::H264 || p.spec().format.packetization_mode == Some(1))
        .collect();
    let of_profile =
        |wanted: u32| usable.iter().find(move |p| p.spec().format.profile_level_id.is_some_and(|offered| same_profile(offered, wanted)));
    let same = format.profile_level_id.and_then(of_profile);
    let chosen = same.or_else(|| of_profile(CONSTRAINED_BASELINE)).or(usable.first())?;
    Some(Choice { pt: chosen.pt(), repairs: chosen.resend().is_some() })
}

/// The extensions of the content; those of the transport str0m writes itself. `no_delay` asks the player to show pictures as
/// they come; one packet of each key frame is enough, because players keep it.
fn extensions(of: &Extensions, no_delay: bool) -> ExtensionValues {
    let delay = no_delay.then_some(MediaTime::ZERO);
    ExtensionValues {
        audio_level: of.audio_level,
        voice_activity: of.voice,
        play_delay_min: delay,
        play_delay_max: delay,
        ..Default::default()
    }
}
