//! Which elements decode and encode: the place where hardware codecs are chosen.
//!
//! Everything is a description as `gst-launch` reads it. Decoders take whole access units and give raw media; encoders take I420 or
//! 48 kHz stereo and give what a file holds.

use crate::rtp::Codec;
use crate::wire::compose::{ComposedAudio, ComposedVideo};

/// Name of the decoder in its description.
pub const DECODER: &str = "decoder";

/// Access units to raw media. Decoders have one thread each: more of them cost pictures of delay, and there are as many decoders as
/// sources. Named elements, because the one with the highest rank may be three times as slow: libav's
/// decoder of Opus takes 60 % of the time of libopus.
pub fn decoder(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "avdec_h264 name=decoder max-threads=1",
        Codec::Vp8 => "vp8dec name=decoder threads=1",
        Codec::Opus => "avdec_opus name=decoder",
        Codec::Pcmu => "mulawdec name=decoder",
        Codec::Pcma => "alawdec name=decoder",
    }
}

/// Raw pictures to H.264 with parameter sets out of band. No B-frames: pictures are written in the order they are shown. A
/// keyframe each 2 s, for seeking. No parser behind it: x264enc gives what a file holds, and h264parse loses the time of a
/// picture now and then.
pub fn video_encoder(video: &ComposedVideo) -> String {
    format!(
        "x264enc speed-preset=veryfast tune=zerolatency bframes=0 threads=2 bitrate={} key-int-max={} \
         ! video/x-h264,stream-format=avc,alignment=au",
        video.kbps,
        2 * video.frame_rate
    )
}

/// Samples by which the AAC encoder is late; its first frame holds nothing else.
pub const AAC_PRIMING: u32 = 1024;

/// Raw sound to AAC with its configuration out of band.
pub fn audio_encoder(audio: &ComposedAudio) -> String {
    format!("avenc_aac bitrate={} ! audio/mpeg,mpegversion=4,stream-format=raw", u64::from(audio.kbps) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::source;
    use gstreamer::prelude::*;

    #[test]
    fn every_description_can_be_built() {
        gstreamer::init().unwrap();
        for codec in [Codec::H264, Codec::Vp8, Codec::Opus, Codec::Pcmu, Codec::Pcma] {
            let description = format!("{} ! {}", source::description("units", codec), decoder(codec));
            let bin = gstreamer::parse::bin_from_description(&description, true).unwrap();
            assert!(bin.by_name(DECODER).is_some(), "{codec:?}");
        }
        let video = ComposedVideo { width: 1280, height: 720, frame_rate: 25, kbps: 2000 };
        for encoder in [video_encoder(&video), audio_encoder(&ComposedAudio { kbps: 128 })] {
            gstreamer::parse::bin_from_description(&format!("{encoder} ! fakesink"), true).unwrap();
        }
    }
}
