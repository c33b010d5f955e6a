//! The codecs the box can forward, and the format of a track.

use serde::{Deserialize, Serialize};

/// Audio or video.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Audio,
    Video,
}

/// A codec that is forwarded without decoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Codec {
    H264,
    Vp8,
    Opus,
    Pcmu,
    Pcma,
}

impl Codec {
    /// Audio or video.
    pub fn kind(self) -> Kind {
        match self {
            Codec::H264 | Codec::Vp8 => Kind::Video,
            Codec::Opus | Codec::Pcmu | Codec::Pcma => Kind::Audio,
        }
    }

    /// RTP clock rate in Hz.
    pub fn clock_rate(self) -> u32 {
        match self {
            Codec::H264 | Codec::Vp8 => 90_000,
            Codec::Opus => 48_000,
            Codec::Pcmu | Codec::Pcma => 8_000,
        }
    }

    /// Name in `a=rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Codec::H264 => "H264",
            Codec::Vp8 => "VP8",
            Codec::Opus => "opus",
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }
}

/// What a track carries from one epoch to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Format {
    pub codec: Codec,
    /// H.264: profile_idc, constraint flags and level_idc of the SPS (RFC 6184 `profile-level-id`), when known.
    pub profile_level_id: Option<u32>,
}
