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

#[cfg(test)]
mod tests {
    use super::*;
    use gstreamer::prelude::*;
    use gstreamer::{EventView, Pad, PadDirection};
    use gstreamer_video::UpstreamForceKeyUnitEvent;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn a_request_for_a_keyframe_passes_its_elements() {
        gstreamer::init().unwrap();
        let (heard, requests) = sync_channel(4);
        let camera = Pad::builder(PadDirection::Src)
            .event_function(move |_, _, event| {
                if let EventView::CustomUpstream(event) = event.view() {
                    let _ = heard.try_send(event.structure().map(|structure| structure.name().to_string()));
                }
                true
            })
            .build();
        camera.set_active(true).unwrap();
        let chain = gstreamer::parse::bin_from_description(chain(&Stream::H264).unwrap(), true).unwrap();
        camera.link(&chain.static_pad("sink").unwrap()).unwrap();
        chain.set_state(gstreamer::State::Playing).unwrap();
        chain.static_pad("src").unwrap().send_event(UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
        chain.set_state(gstreamer::State::Null).unwrap();
        assert_eq!(requests.try_recv().unwrap().as_deref(), Some("GstForceKeyUnit"));
    }
}
