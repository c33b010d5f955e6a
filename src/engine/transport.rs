//! How a str0m transport is set up: codecs, header extensions, candidates, the one certificate of the process.
//!
//! A publisher's transport takes one video codec and Opus, and gives transport-wide feedback (the browser's bandwidth estimate
//! needs it). A viewer's keeps every codec the box can forward, because a camera's format may still be unknown, and leaves
//! transport-cc and abs-send-time out: without bandwidth estimation their reports only cost.
//!
//! Video orientation (3GPP TS 26.114 §7.4.5) is never negotiated: a phone that is turned then turns its pictures before it encodes them,
//! and they stand upright for everybody: viewers of any kind, transcoders, recordings.

use super::settings::Settings;
use crate::rtp::Codec;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use str0m::config::DtlsCert;
use str0m::media::Pt;
use str0m::net::TcpType;
use str0m::rtp::Extension;
use str0m::{Candidate, Rtc, RtcConfig};

/// First retransmission of an ICE check; the default of 250 ms is what a join would wait for a lost one.
const STUN_RTO: Duration = Duration::from_millis(100);
/// Sender reports of sound; the default of 5 s is too late for lip sync.
const AUDIO_REPORTS: Duration = Duration::from_secs(1);

/// H.264 in the order of preference: constrained baseline, which everything decodes, first. (PT, RTX PT, profile-level-id);
/// str0m renumbers to what the peer offers. Packetization-mode 1 only.
const H264: [(u8, u8, u32); 5] =
    [(108, 109, 0x42_e01f), (127, 121, 0x42_001f), (123, 119, 0x4d_001f), (114, 115, 0x64_0c1f), (112, 113, 0x64_001f)];

/// What all transports share.
#[derive(Debug)]
pub struct Environment {
    cert: DtlsCert,
    /// What every answer announces.
    candidates: Vec<Candidate>,
    /// Addresses of a router in front of this box.
    public: Vec<IpAddr>,
    port: u16,
    retransmit_packets: usize,
}

/// str0m's crypto backend made no certificate.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no DTLS certificate could be made")]
pub struct NoCertificate;

impl Environment {
    /// Makes the certificate of the process and the candidates of its port.
    pub fn new(settings: &Settings, port: u16) -> Result<Environment, NoCertificate> {
        let crypto = str0m::crypto::from_feature_flags();
        let cert = crypto.dtls_provider.generate_certificate().ok_or(NoCertificate)?;
        crypto.install_process_default();
        let candidates = candidates(&settings.candidates, &settings.public, port);
        Ok(Environment { cert, candidates, public: settings.public.clone(), port, retransmit_packets: settings.retransmit_packets })
    }

    /// The addresses of this box are these now.
    pub fn set_addresses(&mut self, own: &[IpAddr]) {
        self.candidates = candidates(own, &self.public, self.port);
    }

    /// The transport of a publisher; `video` is the codec it may use.
    pub fn publisher(&self, video: Option<Codec>, now: Instant) -> Rtc {
        let config = with_video(self.base(), video);
        let config = config
            .set_extension(1, Extension::AudioLevel)
            .set_extension(2, Extension::AbsoluteSendTime)
            .set_extension(3, Extension::TransportSequenceNumber)
            .set_extension(4, Extension::RtpMid);
        self.build(config, now)
    }

    /// The transport of a viewer.
    pub fn viewer(&self, now: Instant) -> Rtc {
        let config = self.base().enable_pcmu(true, false).enable_pcma(true, false);
        let mut config = with_video(with_video(config, Some(Codec::H264)), Some(Codec::Vp8))
            .set_extension(1, Extension::AudioLevel)
            .set_extension(4, Extension::RtpMid)
            .set_extension(5, Extension::PlayoutDelay);
        for params in config.codec_config().iter_mut() {
            params.set_fb_transport_cc(false);
            params.set_fb_remb(false);
        }
        self.build(config, now)
    }

    fn base(&self) -> RtcConfig {
        RtcConfig::new()
            .set_rtp_mode(true)
            .set_dtls_cert(self.cert.clone())
            .set_send_buffer_video(self.retransmit_packets)
            .set_rtcp_report_interval_audio(AUDIO_REPORTS)
            .clear_extension_map()
            .clear_codecs()
            .enable_opus(true, false)
    }

    fn build(&self, mut config: RtcConfig, now: Instant) -> Rtc {
        config.set_initial_stun_rto(STUN_RTO);
        let mut rtc = config.build(now);
        for candidate in &self.candidates {
            rtc.add_local_candidate(candidate.clone());
        }
        rtc
    }
}

fn with_video(mut config: RtcConfig, codec: Option<Codec>) -> RtcConfig {
    match codec {
        Some(Codec::H264) => {
            for (pt, rtx, profile_level_id) in H264 {
                config.codec_config().add_h264(Pt::new_with_value(pt), Some(Pt::new_with_value(rtx)), true, profile_level_id);
            }
            config
        }
        Some(Codec::Vp8) => config.enable_vp8(true),
        _ => config,
    }
}

/// The codec of ours that str0m's stands for.
pub fn codec_of(codec: str0m::format::Codec) -> Option<Codec> {
    match codec {
        str0m::format::Codec::H264 => Some(Codec::H264),
        str0m::format::Codec::Vp8 => Some(Codec::Vp8),
        str0m::format::Codec::Opus => Some(Codec::Opus),
        str0m::format::Codec::PCMU => Some(Codec::Pcmu),
        str0m::format::Codec::PCMA => Some(Codec::Pcma),
        _ => None,
    }
}

/// Host candidates of the box's own addresses, reflexive ones of those that a router forwards to it; each over UDP and, for
/// networks that bar it, over TCP, where the client connects (RFC 6544).
fn candidates(own: &[IpAddr], public: &[IpAddr], port: u16) -> Vec<Candidate> {
    let at = |ip: IpAddr| SocketAddr::new(ip, port);
    let mut candidates = Vec::new();
    for ip in own {
        candidates.extend(Candidate::host(at(*ip), "udp"));
        candidates.extend(Candidate::builder().tcp().host(at(*ip)).tcptype(TcpType::Passive).build());
    }
    for ip in public.iter().filter(|ip| !own.contains(ip)) {
        let base = own.iter().find(|own| own.is_ipv4() == ip.is_ipv4() && !own.is_loopback()).unwrap_or(ip);
        candidates.extend(Candidate::server_reflexive(at(*ip), at(*base), "udp"));
        candidates.extend(Candidate::builder().tcp().server_reflexive(at(*ip), at(*base)).tcptype(TcpType::Passive).build());
    }
    candidates
}
