//! One RTP packet on its way from a source to its consumers. Made once; cloning shares the payload.

use super::codec::Codec;
use super::{h264, vp8};
use std::sync::Arc;
use std::time::Instant;

/// A packet of a track. Payload type, SSRC and sequence number are chosen anew for each viewer.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Extended sequence number of the source; gaps are what the network lost.
    pub sequence: u64,
    /// In units of the codec's clock rate.
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Arc<[u8]>,
    /// When the content was captured, on our clock; never in the future. Sender reports are made from it.
    pub captured: Instant,
    /// A decoder can start with this packet.
    pub key: bool,
    /// No other frame refers to this one.
    pub discardable: bool,
    pub extensions: Extensions,
    /// Counts the sources of a track: sequence numbers and timestamps of two epochs have nothing to do with each other.
    pub epoch: u32,
}

/// The header extensions that belong to the content. Those of a transport (mid, rid, transport-cc, abs-send-time) are never
/// carried from one to another.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Extensions {
    /// In -dBov, 0 is loudest (RFC 6464).
    pub audio_level: Option<i8>,
    /// The encoder hears a voice (RFC 6464).
    pub voice: Option<bool>,
}

/// What the payload alone says of a packet: (a decoder can start here, no other frame needs it).
pub fn inspect(codec: Codec, payload: &[u8]) -> (bool, bool) {
    match codec {
        Codec::H264 => (h264::starts_key(payload), h264::discardable(payload)),
        Codec::Vp8 => (vp8::starts_key(payload), vp8::discardable(payload)),
        Codec::Opus | Codec::Pcmu | Codec::Pcma => (false, false),
    }
}

/// Appends what a payload holds of its access unit, as a decoder takes it: H.264 with start codes, a frame of VP8, a frame of sound.
pub fn depacketize(codec: Codec, payload: &[u8], out: &mut Vec<u8>) {
    match codec {
        Codec::H264 => h264::depacketize(payload, out),
        Codec::Vp8 => out.extend_from_slice(vp8::content(payload)),
        Codec::Opus | Codec::Pcmu | Codec::Pcma => out.extend_from_slice(payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codec_decides_how_a_payload_is_read() {
        let idr = [0x65, 0x88];
        assert_eq!(inspect(Codec::H264, &idr), (true, false));
        assert_eq!(inspect(Codec::Opus, &idr), (false, false));
        assert_eq!(inspect(Codec::Vp8, &[0x10, 0x00]), (true, false));
        for (codec, unit) in [(Codec::H264, &[0, 0, 0, 1, 0x65, 0x88][..]), (Codec::Vp8, &[0x88]), (Codec::Pcmu, &idr)] {
            let mut out = Vec::new();
            depacketize(codec, &idr, &mut out);
            assert_eq!(out, unit, "{codec:?}");
        }
    }
}
