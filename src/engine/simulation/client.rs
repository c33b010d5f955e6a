//! A browser, as far as the engine can tell: a str0m transport in RTP mode at an address of its own.

use crate::engine::stun::is_success;
use crate::ids::PeerId;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, RtpPacket, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

pub struct Client {
    pub peer: PeerId,
    pub rtc: Rtc,
    pub address: SocketAddr,
    lines: Vec<(MediaKind, Direction)>,
    pending: Option<SdpPendingOffer>,
    pub answer: String,
    /// Mids, in the order of the lines.
    pub mids: Vec<Mid>,
    pub connected: Option<Instant>,
    /// All packets, with their arrival.
    pub got: Vec<(Instant, RtpPacket)>,
    /// Key frame requests heard.
    pub plis: Vec<Instant>,
    /// Sizes of the datagrams that came.
    pub sizes: Vec<usize>,
    sequences: HashMap<usize, u64>,
    out: Vec<(SocketAddr, Vec<u8>)>,
    /// Hangs: takes nothing and sends nothing.
    pub stalled: bool,
    /// What a router makes of its address.
    pub seen_as: SocketAddr,
}

impl Client {
    /// A client with these lines; `config` chooses codecs and extensions.
    pub fn new(peer: PeerId, now: Instant, lines: &[(MediaKind, Direction)], config: RtcConfig) -> Client {
        let number: u16 = format!("{peer:?}").rsplit('.').next().unwrap().parse().unwrap();
        Client::at(([198, 51, 100, 1], 1000 + number).into(), peer, now, lines, config)
    }

    /// The same at an address.
    pub fn at(address: SocketAddr, peer: PeerId, now: Instant, lines: &[(MediaKind, Direction)], config: RtcConfig) -> Client {
        let mut rtc = config.set_rtp_mode(true).build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        Client {
            peer,
            rtc,
            address,
            lines: lines.to_vec(),
            pending: None,
            answer: String::new(),
            mids: vec![],
            connected: None,
            got: vec![],
            plis: vec![],
            sizes: vec![],
            sequences: HashMap::new(),
            out: vec![],
            stalled: false,
            seen_as: address,
        }
    }

    /// What a browser knows.
    pub fn codecs() -> RtcConfig {
        let mut config = RtcConfig::new()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_pcmu(true, false)
            .enable_pcma(true, false)
            .enable_vp8(true)
            .enable_h264(true)
            .set_extension(5, Extension::PlayoutDelay);
        // as often as Chromium checks a connection that works
        config.set_max_stun_rto(Duration::from_millis(2500));
        config
    }

    /// Wants sound and picture.
    pub fn viewer(peer: PeerId, now: Instant) -> Client {
        let lines = [(MediaKind::Audio, Direction::RecvOnly), (MediaKind::Video, Direction::RecvOnly)];
        Client::new(peer, now, &lines, Client::codecs())
    }

    /// Sends sound and picture.
    pub fn publisher(peer: PeerId, now: Instant) -> Client {
        let lines = [(MediaKind::Audio, Direction::SendOnly), (MediaKind::Video, Direction::SendOnly)];
        Client::new(peer, now, &lines, Client::codecs())
    }

    pub fn offer(&mut self) -> String {
        let mut api = self.rtc.sdp_api();
        self.mids = self.lines.iter().map(|(kind, direction)| api.add_media(*kind, *direction, None, None, None)).collect();
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    pub fn answered(&mut self, sdp: &str) {
        self.answer = sdp.to_owned();
        let answer = SdpAnswer::from_sdp_string(sdp).expect("an answer that can be parsed");
        self.rtc.sdp_api().accept_answer(self.pending.take().unwrap(), answer).expect("an answer that fits the offer");
    }

    pub fn receive(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        if self.stalled {
            return;
        }
        self.sizes.push(bytes.len());
        let receive = match Receive::new(Protocol::Udp, from, self.address, bytes) {
            Ok(receive) => receive,
            // somebody asked for an address in this client's name
            Err(_) if is_success(bytes) => return,
            Err(error) => panic!("no datagram that a client understands: {error}"),
        };
        self.rtc.handle_input(Input::Receive(now, receive)).unwrap();
        self.drain(now);
    }

    /// Lets time pass; what it sends.
    pub fn poll(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        if self.stalled {
            return vec![];
        }
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        self.drain(now);
        std::mem::take(&mut self.out)
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) if at <= now => self.rtc.handle_input(Input::Timeout(now)).unwrap(),
                Output::Timeout(_) => return,
                Output::Transmit(t) => self.out.push((t.destination, t.contents.to_vec())),
                Output::Event(Event::Connected) => self.connected = Some(now),
                Output::Event(Event::RtpPacket(packet)) => self.got.push((now, packet)),
                Output::Event(Event::KeyframeRequest(_)) => self.plis.push(now),
                Output::Event(_) => {}
            }
        }
    }

    /// Packets of the line `line`, in order of arrival.
    pub fn packets(&mut self, line: usize) -> Vec<(Instant, &RtpPacket)> {
        let mid = self.mids[line];
        let mut api = self.rtc.direct_api();
        let ours: Vec<bool> = self.got.iter().map(|(_, p)| api.stream_rx(&p.header.ssrc).is_some_and(|s| s.mid() == mid)).collect();
        self.got.iter().zip(ours).filter(|(_, ours)| *ours).map(|((at, p), _)| (*at, p)).collect()
    }

    /// The codec a packet says it is, by the numbers this client offered.
    pub fn codec(&self, packet: &RtpPacket) -> Option<Codec> {
        let params = self.rtc.codec_config().params();
        params.iter().find(|p| p.pt() == packet.header.payload_type).map(|p| p.spec().codec)
    }

    /// Asks for a key frame.
    pub fn pli(&mut self, line: usize) {
        let mid = self.mids[line];
        self.rtc.direct_api().stream_rx_by_mid(mid, None).unwrap().request_keyframe(KeyframeRequestKind::Pli);
    }

    /// Writes a packet on the line `line`, with the first payload type that line may use.
    pub fn write(&mut self, line: usize, timestamp: u32, wallclock: Instant, payload: &[u8]) {
        self.write_part(line, timestamp, wallclock, payload, true);
    }

    /// The same; `last` of its picture or not.
    pub fn write_part(&mut self, line: usize, timestamp: u32, wallclock: Instant, payload: &[u8], last: bool) {
        let mid = self.mids[line];
        let pt: Pt = self.rtc.media(mid).unwrap().remote_pts()[0];
        let sequence = self.sequences.entry(line).or_insert(5);
        *sequence += 1;
        let write = RtpWrite::new(pt, (*sequence).into(), timestamp, wallclock, payload).marker(last).nackable(true);
        self.rtc.direct_api().stream_tx_by_mid(mid, None).unwrap().write_rtp(write);
    }

    /// Closes as a browser does.
    pub fn close(&mut self) {
        self.rtc.close().unwrap();
    }
}
