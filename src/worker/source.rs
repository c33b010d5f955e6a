//! What a decoder is fed by: whole access units, given to an `appsrc` in front of it.

use super::inlet::Unit;
use crate::rtp::{Codec, vp8};
use gstreamer::{Buffer, BufferFlags, Caps, ClockTime};
use gstreamer_app::AppSrc;

/// Bytes that may wait for their decoder: the longest GOP the daemon keeps, and as much again.
const WAITING: u64 = 16 * 1024 * 1024;

/// The decoder has no room for more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// An `appsrc` of this name for units of `codec`, as `gst-launch` reads it. It says that it keeps units as long as need be: else a
/// mixer may not wait for it as long as the decoder takes. Nobody listens to its signals.
pub fn description(name: &str, codec: Codec) -> String {
    format!(
        "appsrc name={name} emit-signals=false is-live=true format=time max-bytes=0 min-latency=0 max-latency=10000000000 caps={}",
        caps(codec)
    )
}

/// What a unit is. Opus in RTP always has two channels (RFC 7587 section 4.1).
fn caps(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "video/x-h264,stream-format=byte-stream,alignment=au",
        Codec::Vp8 => "video/x-vp8",
        Codec::Opus => "audio/x-opus,channel-mapping-family=0,channels=2,rate=48000",
        Codec::Pcmu => "audio/x-mulaw,rate=8000,channels=1",
        Codec::Pcma => "audio/x-alaw,rate=8000,channels=1",
    }
}

/// Gives a unit of time `pts`, in ns, to the decoder. Never one of several buffers at once: an `appsrc` that is stopped with a list
/// in hand complains.
pub fn push(source: &AppSrc, codec: Codec, unit: Unit, pts: u64) -> Result<(), Full> {
    if source.current_level_bytes() > WAITING {
        return Err(Full);
    }
    let key = unit.key;
    if codec == Codec::Vp8 && key {
        tell_size(source, &unit.bytes);
    }
    let mut buffer = Buffer::from_mut_slice(unit.bytes);
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(ClockTime::from_nseconds(pts));
        if !key {
            buffer.set_flags(BufferFlags::DELTA_UNIT);
        }
    }
    // elements that failed say so on the bus
    let _ = source.push_buffer(buffer);
    Ok(())
}

/// The size of VP8 in the caps: drivers of boards do not look for it in the frame.
fn tell_size(source: &AppSrc, frame: &[u8]) {
    let Some((width, height)) = vp8::size(frame) else { return };
    let caps = Caps::builder("video/x-vp8").field("width", i32::from(width)).field("height", i32::from(height)).build();
    if source.caps().is_none_or(|told| told != caps) {
        source.set_caps(Some(&caps));
    }
}
