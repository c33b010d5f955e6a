//! The elements behind a camera's video stream.

use super::stream::Stream;

/// Depay, parse and pay again: cameras send packets too long for WebRTC (1400 bytes and more), parameter sets in the SDP alone,
/// odd aggregations. Afterwards: 1200 bytes, fragments of equal size but the last, SPS and PPS before each IDR. Paid once per
/// camera, not per viewer.
pub fn chain(stream: &Stream) -> Option<&'static str> {
    match stream {
        Stream::H264 => Some(
            "rtph264depay ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au \
             ! rtph264pay mtu=1200 aggregate-mode=zero-latency config-interval=-1 pt=96",
        ),
        _ => None,
    }
}
