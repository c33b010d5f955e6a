//! The elements behind a camera's audio stream.

use super::stream::Stream;
use gstreamer::ElementFactory;

/// Decoders of AAC, the lightest first: libav takes tens of megabytes, FAAD a few.
const AAC: [&str; 3] = ["faad", "fdkaacdec", "avdec_aac"];

/// Complexity 5 sounds the same at this rate and costs half of the default on a small board.
const TO_OPUS: &str = "audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=[1,2] \
                       ! opusenc bitrate=64000 frame-size=20 complexity=5 ! rtpopuspay pt=111 mtu=1200";

/// AAC becomes Opus, once per stream: no browser takes AAC. What WebRTC knows is only paid again. The payload type means nothing
/// behind this room.
pub fn chain(stream: &Stream) -> Option<String> {
    match stream {
        Stream::AacGeneric => Some(format!("rtpmp4gdepay ! aacparse ! {} ! {TO_OPUS}", aac_decoder())),
        Stream::AacLatm => Some(format!("rtpmp4adepay ! aacparse ! {} ! {TO_OPUS}", aac_decoder())),
        Stream::Opus => Some("rtpopusdepay ! opusparse ! rtpopuspay pt=111 mtu=1200".into()),
        Stream::Pcmu => Some("rtppcmudepay ! rtppcmupay max-ptime=20000000 min-ptime=20000000 mtu=1200".into()),
        Stream::Pcma => Some("rtppcmadepay ! rtppcmapay max-ptime=20000000 min-ptime=20000000 mtu=1200".into()),
        _ => None,
    }
}

/// The lightest that is installed; without any the last one is named in the failure.
fn aac_decoder() -> &'static str {
    AAC.into_iter().find(|name| ElementFactory::find(name).is_some()).unwrap_or(AAC[AAC.len() - 1])
}
