//! The decoders of video. A row takes whole access units (H.264 with start codes) and gives raw pictures in the memory of the
//! processor.

use super::Made;
use crate::rtp::Codec;

/// One way to decode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decoder {
    pub codec: Codec,
    /// As `gst-launch` reads it.
    pub description: &'static str,
    elements: &'static [&'static str],
    hardware: bool,
}

impl Made for Decoder {
    fn elements(&self) -> &'static [&'static str] {
        self.elements
    }

    fn hardware(&self) -> bool {
        self.hardware
    }
}

const fn hardware(codec: Codec, description: &'static str, elements: &'static [&'static str]) -> Decoder {
    Decoder { codec, description, elements, hardware: true }
}

const fn software(codec: Codec, description: &'static str, elements: &'static [&'static str]) -> Decoder {
    Decoder { codec, description, elements, hardware: false }
}

/// Stateless drivers of newer kernels first, then stateful ones, then the vendors' own. In software one thread: more cost
/// pictures of delay.
const DECODERS: &[Decoder] = &[
    hardware(Codec::H264, "h264parse ! v4l2slh264dec", &["v4l2slh264dec", "h264parse"]),
    hardware(Codec::H264, "h264parse ! v4l2h264dec", &["v4l2h264dec", "h264parse"]),
    hardware(Codec::H264, "h264parse ! mppvideodec", &["mppvideodec", "h264parse"]),
    hardware(Codec::H264, "h264parse ! nvv4l2decoder ! nvvidconv ! video/x-raw", &["nvv4l2decoder", "nvvidconv", "h264parse"]),
    hardware(Codec::H264, "h264parse ! vah264dec", &["vah264dec", "h264parse"]),
    software(Codec::H264, "avdec_h264 max-threads=1", &["avdec_h264"]),
    software(Codec::H264, "h264parse ! openh264dec", &["openh264dec", "h264parse"]),
    hardware(Codec::Vp8, "v4l2slvp8dec", &["v4l2slvp8dec"]),
    hardware(Codec::Vp8, "v4l2vp8dec", &["v4l2vp8dec"]),
    hardware(Codec::Vp8, "mppvideodec", &["mppvideodec"]),
    software(Codec::Vp8, "vp8dec threads=1", &["vp8dec"]),
    software(Codec::Vp8, "avdec_vp8 max-threads=1", &["avdec_vp8"]),
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Decoder> {
    DECODERS.iter()
}

/// The decoders of a codec, the best first.
pub fn of(codec: Codec) -> impl Iterator<Item = &'static Decoder> {
    DECODERS.iter().filter(move |decoder| decoder.codec == codec)
}
