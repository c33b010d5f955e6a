//! The WebRTC client itself: one str0m instance on one [`Link`], driven by [`Core::turn`].
//!
//! RTP mode: packets are counted and remembered as they come, feeds are written as they are. Whoever drives it must call `turn`
//! when the socket is readable and at [`Core::due`].

use super::feed::Feed;
use super::link::{Arrived, Link};
use super::record::{self, Received, Record, Report};
use super::{Loss, Wish};
use crate::material::Media;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite, Ssrc};
use str0m::{Event, IceConnectionState, Input, Output, Rtc, RtcConfig};

/// Turns without progress after which a drain gives up: a bug in the client, not in the server.
const MOST_SPINS: u32 = 10_000;
/// How often str0m reports NACKs.
const STATS: Duration = Duration::from_millis(500);

/// A client without a thread.
#[derive(Debug)]
pub struct Core {
    rtc: Rtc,
    link: Link,
    pending: Option<SdpPendingOffer>,
    lines: Vec<(Mid, MediaKind, Direction)>,
    clips: Vec<Media>,
    feeds: Vec<Feed>,
    loss: Loss,
    without_dtls: bool,
    /// RTP packets on the wire so far, those lost on purpose included.
    rtp: Loss,
    rtx_types: Vec<u8>,
    /// NACKs by line: (sent, received).
    nacks: HashMap<Mid, (u64, u64)>,
    video_ssrc: Option<Ssrc>,
    deadline: Instant,
    record: Arc<Mutex<Record>>,
}

impl Core {
    /// A client and its offer.
    pub fn new(wish: &Wish, now: Instant) -> io::Result<(Core, String)> {
        let link = Link::new(wish.access)?;
        let mut rtc = config(&wish.video).build(now);
        if let Some(candidate) = link.candidate() {
            rtc.add_local_candidate(candidate);
        }
        let mut sdp = rtc.sdp_api();
        let mut lines = vec![];
        for (kind, direction) in &wish.lines {
            lines.push((sdp.add_media(*kind, *direction, Some("viduct-testkit".into()), None, None), *kind, *direction));
        }
        let (offer, pending) = sdp.apply().ok_or_else(|| io::Error::other("an offer without lines"))?;
        let core = Core {
            rtc,
            link,
            pending: Some(pending),
            lines,
            clips: wish.clips.clone(),
            feeds: vec![],
            loss: Loss::default(),
            without_dtls: false,
            rtp: Loss::default(),
            rtx_types: vec![],
            nacks: HashMap::new(),
            video_ssrc: None,
            deadline: now + Duration::from_secs(3600),
            record: Arc::default(),
        };
        Ok((core, offer.to_sdp_string()))
    }

    /// Where everything seen is written.
    pub fn record(&self) -> Arc<Mutex<Record>> {
        self.record.clone()
    }

    /// When the next turn is due at the latest.
    pub fn due(&self) -> Instant {
        self.feeds.iter().map(Feed::due).fold(self.deadline, Instant::min)
    }

    /// Takes the answer. Panics when it does not fit the offer.
    pub fn answer(&mut self, sdp: &str, now: Instant) {
        let pending = self.pending.take().expect("one answer to one offer");
        let answer = SdpAnswer::from_sdp_string(sdp).unwrap_or_else(|e| panic!("the answer is no SDP ({e}):\n{sdp}"));
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap_or_else(|e| panic!("the answer does not fit ({e}):\n{sdp}"));
        if let Some(candidate) = self.link.connect(sdp) {
            self.rtc.add_local_candidate(candidate);
        }
        self.rtx_types = self.rtc.codec_config().params().iter().filter_map(|params| params.resend()).map(|pt| *pt).collect();
        self.tick(now);
    }

    /// Loses packets from now on.
    pub fn lose(&mut self, loss: Loss) {
        self.loss = loss;
    }

    /// Goes on from another socket at `ip`; the other side is told nothing.
    pub fn move_to(&mut self, ip: IpAddr) {
        self.link.move_to(ip).expect("a local socket");
    }

    /// Answers checks and never begins a DTLS handshake.
    pub fn without_dtls(&mut self) {
        self.without_dtls = true;
    }

    /// Keeps the last packets in the record (the default), or only counts them.
    pub fn remember(&mut self, on: bool) {
        self.seen().forget = !on;
    }

    /// Sends a PLI for the video that comes in.
    pub fn request_keyframe(&mut self, now: Instant) {
        if let Some(ssrc) = self.video_ssrc
            && let Some(stream) = self.rtc.direct_api().stream_rx(&ssrc)
        {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
        self.tick(now);
    }

    /// Reads everything, sends what is due.
    pub fn turn(&mut self, now: Instant) {
        while let Some(arrived) = self.link.receive() {
            self.take(&arrived, Instant::now());
        }
        if self.send_feeds(now) || self.deadline <= now {
            self.tick(now);
        }
    }

    /// Says goodbye.
    pub fn close(mut self) {
        // what cannot be sent any more needs no goodbye
        let _ = self.rtc.close();
        while let Ok(Output::Transmit(t)) = self.rtc.poll_output() {
            self.link.send(t.proto, t.destination, &t.contents);
        }
    }

    // ------------------------------------------------------------ in

    fn take(&mut self, arrived: &Arrived, now: Instant) {
        let datagram = &arrived.datagram[..];
        if let Some(payload_type) = rtp_payload_type(datagram) {
            self.rtp.incoming += 1;
            let mut record = self.seen();
            if self.loss.incoming > 0 && self.rtp.incoming.is_multiple_of(self.loss.incoming) {
                record.dropped_in += 1;
                return;
            }
            record.rtx_in += u64::from(self.rtx_types.contains(&payload_type));
        }
        let Ok(received) = Receive::new(arrived.protocol, arrived.from, arrived.to, datagram) else { return };
        if self.rtc.handle_input(Input::Receive(now, received)).is_err() {
            self.seen().closed.get_or_insert(now);
        }
        self.drain(now);
    }

    fn tick(&mut self, now: Instant) {
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            self.seen().closed.get_or_insert(now);
        }
        self.drain(now);
    }

    fn packet(&mut self, packet: RtpPacket) {
        let params = self.rtc.codec_config().params();
        let Some(spec) = params.iter().find(|params| params.pt() == packet.header.payload_type).map(|params| params.spec()) else { return };
        let kind = if spec.codec.is_audio() { MediaKind::Audio } else { MediaKind::Video };
        if kind == MediaKind::Video {
            self.video_ssrc = Some(packet.header.ssrc);
        }
        let ts = packet.header.timestamp;
        let received = Received { kind, seq: *packet.seq_no, ts, payload: packet.payload.clone(), at: packet.timestamp };
        let mut record = self.seen();
        let codec = match spec.codec {
            Codec::Opus => "opus",
            Codec::PCMU => "PCMU",
            Codec::PCMA => "PCMA",
            Codec::Vp8 => "VP8",
            Codec::H264 => "H264",
            _ => "other",
        };
        record.take(received, codec, *packet.header.payload_type, *packet.header.ssrc, packet.header.marker);
        if let Some(sender) = packet.last_sender_info {
            let report = Report { ntp: sender.ntp_time, rtp: sender.rtp_time.numer() as u32, rate: spec.clock_rate.get() };
            match kind {
                MediaKind::Audio => record.audio.report = Some(report),
                MediaKind::Video => record.video.report = Some(report),
            }
        }
    }

    // ------------------------------------------------------------ out

    /// Writes the packets whose time has come; was there one?
    fn send_feeds(&mut self, now: Instant) -> bool {
        let mut sent = 0;
        for feed in &mut self.feeds {
            let (mid, pt, nackable) = (feed.mid, feed.pt, feed.nackable);
            while let Some(due) = feed.take(now) {
                let mut api = self.rtc.direct_api();
                let Some(stream) = api.stream_tx_by_mid(mid, None) else { break };
                let write = RtpWrite::new(pt, due.seq.into(), due.ts, due.at, due.packet.payload.clone());
                stream.write_rtp(write.marker(due.packet.marker).nackable(nackable));
                sent += 1;
            }
        }
        self.seen().sent += sent;
        sent > 0
    }

    fn drain(&mut self, now: Instant) {
        for _ in 0..MOST_SPINS {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) if at > now => {
                    self.deadline = at;
                    return;
                }
                Ok(Output::Timeout(_)) => {
                    if self.rtc.handle_input(Input::Timeout(now)).is_err() {
                        break;
                    }
                }
                Ok(Output::Transmit(t)) => self.transmit(t.proto, &t.contents, t.destination),
                Ok(Output::Event(event)) => self.event(event, now),
                Err(_) => break,
            }
        }
        self.seen().closed.get_or_insert(now);
        self.deadline = now + Duration::from_secs(3600);
    }

    fn transmit(&mut self, protocol: Protocol, datagram: &[u8], to: SocketAddr) {
        // RFC 7983
        if self.without_dtls && matches!(datagram.first(), Some(20..=63)) {
            return;
        }
        if let Some(payload_type) = rtp_payload_type(datagram) {
            self.rtp.outgoing += 1;
            let mut record = self.seen();
            record.rtx_out += u64::from(self.rtx_types.contains(&payload_type));
            if self.loss.outgoing > 0 && self.rtp.outgoing.is_multiple_of(self.loss.outgoing) {
                record.dropped_out += 1;
                return;
            }
        }
        self.link.send(protocol, to, datagram);
    }

    fn event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Connected => {
                self.seen().connected = Some(now);
                self.start_feeds(now);
            }
            Event::RtpPacket(packet) => self.packet(packet),
            Event::KeyframeRequest(_) => self.seen().keyframe_requests += 1,
            Event::MediaIngressStats(stats) => {
                self.nacks.entry(stats.mid).or_default().0 = stats.nacks;
                self.sum_nacks();
            }
            Event::MediaEgressStats(stats) => {
                self.nacks.entry(stats.mid).or_default().1 = stats.nacks;
                self.sum_nacks();
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => {
                self.seen().closed.get_or_insert(now);
            }
            _ => {}
        }
    }

    fn sum_nacks(&self) {
        let (sent, received) = self.nacks.values().fold((0, 0), |sum, line| (sum.0 + line.0, sum.1 + line.1));
        let mut record = self.seen();
        (record.nacks_sent, record.nacks_received) = (sent, received);
    }

    /// Each clip goes out on the first sending line of its kind.
    fn start_feeds(&mut self, now: Instant) {
        for media in self.clips.clone() {
            let line = self.lines.iter().find(|(_, kind, direction)| *kind == super::kind(media) && direction.is_sending());
            let Some((pt, nackable)) = line.and_then(|(mid, ..)| self.payload_type(*mid, media)) else { continue };
            let mid = line.expect("found above").0;
            self.feeds.push(Feed::new(media, mid, pt, nackable, now));
        }
    }

    /// The payload type agreed for `media` on a line, and whether lost packets may be asked for.
    fn payload_type(&self, mid: Mid, media: Media) -> Option<(Pt, bool)> {
        let codec = match media {
            Media::Vp8 => Codec::Vp8,
            Media::H264 => Codec::H264,
            Media::Opus => Codec::Opus,
        };
        let agreed = self.rtc.media(mid)?.remote_pts();
        let params = self.rtc.codec_config().params().iter();
        let fits = params.filter(|params| agreed.contains(&params.pt()) && params.spec().codec == codec);
        let mode_1 = |params: &&str0m::format::PayloadParams| codec != Codec::H264 || params.spec().format.packetization_mode == Some(1);
        fits.filter(mode_1).map(|params| (params.pt(), params.resend().is_some())).next()
    }

    fn seen(&self) -> MutexGuard<'_, Record> {
        record::lock(&self.record)
    }
}

impl AsRawFd for Core {
    fn as_raw_fd(&self) -> RawFd {
        self.link.as_raw_fd()
    }
}

fn config(video: &[Media]) -> RtcConfig {
    let mut config = RtcConfig::new()
        .set_rtp_mode(true)
        .set_stats_interval(Some(STATS))
        .set_rtcp_report_interval_audio(Duration::from_secs(1))
        .clear_codecs()
        .enable_opus(true, false)
        .enable_pcmu(true, false)
        .enable_pcma(true, false);
    config.set_initial_stun_rto(Duration::from_millis(100));
    // as often as Chromium checks a connection that works
    config.set_max_stun_rto(Duration::from_millis(2500));
    video.iter().fold(config, |config, media| match media {
        Media::Vp8 => config.enable_vp8(true),
        Media::H264 => config.enable_h264(true),
        Media::Opus => config,
    })
}

/// The payload type of an SRTP packet; nothing for RTCP, STUN and DTLS (RFC 7983, RFC 5761).
fn rtp_payload_type(datagram: &[u8]) -> Option<u8> {
    match datagram {
        [128..=191, second, ..] if !(192..=223).contains(second) => Some(second & 0x7f),
        _ => None,
    }
}
