//! The source of a camera job: `rtspsrc`, and what is linked to each of its streams.
//!
//! Closures hold the pipeline by weak reference: one that held it strongly would keep it, its threads and its sockets alive.

use super::super::pipeline::Pipeline;
use super::super::{Turn, Turns};
use super::output::{Shared, sink};
use super::redirect::{Guard, Question, Verdict};
use super::stream::{Choice, Selection, Stream, classify};
use super::{audio, video};
use crate::rtp::Kind;
use crate::wire::camera::{CameraSpec, Transport};
use crate::wire::control::{Failure, FailureKind};
use gstreamer::glib::translate::from_glib_none;
use gstreamer::prelude::*;
use gstreamer::{Caps, Element, ElementFactory, Pad, PadProbeData, PadProbeReturn, PadProbeType};
use gstreamer_rtsp::{ffi, rtsp_message::RTSPMessage};
use std::sync::{Arc, Mutex};

/// What `rtspsrc` waits for the camera's answers at most, in µs. Longer than the job's watchdog, which is the one to end a hung
/// camera: it says so by its own kind of failure.
const TCP_TIMEOUT: u64 = 10_000_000;
/// After so many µs without a packet over UDP, `rtspsrc` fails, and the job asks for TCP. Shorter than what its watchdog waits for
/// the first packet.
const UDP_TIMEOUT: u64 = 2_000_000;

/// What is learnt of a camera before its media flows.
#[derive(Default, Debug)]
pub struct Findings {
    pub selection: Selection,
    /// Where it sends us.
    pub redirect: Option<String>,
}

impl Findings {
    /// Does the camera not send in the way that was asked for? Before any packet it has said so, or none came.
    pub fn transport_refused(&self, failure: &Failure) -> bool {
        self.selection.settled() && matches!(failure.kind, FailureKind::Ended | FailureKind::Pipeline | FailureKind::Unsupported)
    }

    /// Has a camera that described itself a moment ago not even done so? It may still be busy with the end of that connection.
    pub fn hung_up_on(&self, failure: &Failure) -> bool {
        !self.selection.settled() && failure.kind == FailureKind::Ended
    }
}

type Shelf = Arc<Mutex<Findings>>;

/// Puts the source into the pipeline. The findings fill as the camera answers.
pub fn build(pipeline: &Pipeline, spec: &CameraSpec, shared: &Arc<Shared>, turns: &Turns) -> Result<Shelf, Failure> {
    let source = source(spec).map_err(|error| Failure { kind: FailureKind::Pipeline, text: error.to_string() })?;
    let findings = Shelf::default();
    guard_redirects(&source, &spec.url, findings.clone(), turns.clone());
    select_streams(&source, findings.clone(), turns.clone());
    link_streams(pipeline, &source, shared.clone(), turns.clone());
    note_arrivals(pipeline, shared.clone());
    pipeline.gst().add(&source).map_err(|error| Failure { kind: FailureKind::Pipeline, text: error.to_string() })?;
    Ok(findings)
}

/// One transport at a time: the job takes the other when this one is refused or silent, and the daemon remembers it.
fn source(spec: &CameraSpec) -> Result<Element, gstreamer::glib::BoolError> {
    let place = spec.endpoint().map(|(host, port)| format!("{host}:{port}")).unwrap_or_default();
    let source = ElementFactory::make("rtspsrc")
        .name(&place)
        .property("location", &spec.url)
        .property_from_str("protocols", if spec.transport == Transport::Udp { "udp" } else { "tcp" })
        .property("timeout", UDP_TIMEOUT)
        .property_from_str("tls-validation-flags", "0")
        .property("latency", spec.latency_ms)
        .property("tcp-timeout", TCP_TIMEOUT)
        .build()?;
    if !spec.user.is_empty() {
        source.set_property("user-id", &spec.user);
        source.set_property("user-pw", &spec.password);
    }
    Ok(source)
}

/// Refuses each request that a redirection would send elsewhere: then the job looks at where that is. The element has opened a
/// connection by then, over which nothing is said.
fn guard_redirects(source: &Element, location: &str, findings: Shelf, turns: Turns) {
    let guard = Mutex::new(Guard::new(location));
    source.connect("before-send", false, move |values| {
        let asked = values.get(1).and_then(|value| value.get::<RTSPMessage>().ok()).and_then(|message| question(&message));
        let Some((question, uri)) = asked else { return Some(true.to_value()) };
        let mut findings = findings.lock().unwrap_or_else(|poison| poison.into_inner());
        let settled = findings.selection.settled();
        let failure = match guard.lock().unwrap_or_else(|poison| poison.into_inner()).asks(question, &uri, settled) {
            Verdict::Fine => return Some(true.to_value()),
            Verdict::Elsewhere => {
                findings.redirect.get_or_insert(uri);
                "the camera redirects elsewhere"
            }
            Verdict::Circle => "the camera redirects in a circle",
        };
        turns.send(Turn::Failed(Failure { kind: FailureKind::Ended, text: failure.into() }));
        Some(false.to_value())
    });
}

/// The URI of a request that asks what there is.
fn question(message: &RTSPMessage) -> Option<(Question, String)> {
    let (mut method, mut uri, mut version) = (ffi::GST_RTSP_INVALID, std::ptr::null(), ffi::GST_RTSP_VERSION_INVALID);
    // SAFETY: the message lives longer than this call, and is not changed by it; the text belongs to the message and is copied.
    let uri: Option<String> = unsafe {
        let message = message.as_ptr();
        if ffi::gst_rtsp_message_get_type(message) != ffi::GST_RTSP_MESSAGE_REQUEST {
            return None;
        }
        ffi::gst_rtsp_message_parse_request(message, &mut method, &mut uri, &mut version);
        from_glib_none(uri)
    };
    match method {
        ffi::GST_RTSP_OPTIONS => Some((Question::Options, uri?)),
        ffi::GST_RTSP_DESCRIBE => Some((Question::Describe, uri?)),
        _ => None,
    }
}

/// Streams that are not taken are not even set up with the camera.
fn select_streams(source: &Element, findings: Shelf, turns: Turns) {
    let settled = (findings.clone(), turns.clone());
    source.connect("select-stream", false, move |values| {
        let stream = values.get(2).and_then(|caps| caps.get::<Caps>().ok()).map_or(Stream::Foreign, |caps| stream_of(&caps));
        let choice = findings.lock().unwrap_or_else(|poison| poison.into_inner()).selection.choose(&stream);
        // video that is left out is a failure when there is no other
        if let (Choice::LeaveOut, Stream::Other(Kind::Audio, name)) = (choice, &stream) {
            turns.send(Turn::Warning(format!("audio codec {name} cannot be forwarded, the camera's sound is left out")));
        }
        Some((choice == Choice::Take).to_value())
    });
    source.connect("no-more-pads", false, move |_| {
        let (findings, turns) = &settled;
        if let Some(text) = findings.lock().unwrap_or_else(|poison| poison.into_inner()).selection.unsupported() {
            turns.send(Turn::Failed(Failure { kind: FailureKind::Unsupported, text }));
        }
        None
    });
}

fn link_streams(pipeline: &Pipeline, source: &Element, shared: Arc<Shared>, turns: Turns) {
    let weak = pipeline.gst().downgrade();
    source.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        if let Err(text) = link(&pipeline, pad, &shared) {
            turns.send(Turn::Failed(Failure { kind: FailureKind::Pipeline, text }));
        }
    });
}

/// Builds the elements behind one pad of the source and links them.
fn link(pipeline: &gstreamer::Pipeline, pad: &Pad, shared: &Arc<Shared>) -> Result<(), String> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let stream = stream_of(&caps);
    let chain = video::chain(&stream).map(str::to_owned).or_else(|| audio::chain(&stream));
    let chain = chain.ok_or_else(|| format!("no elements for {stream:?}"))?;
    let codec = stream.codec().ok_or_else(|| format!("no codec for {stream:?}"))?;
    let chain = gstreamer::parse::bin_from_description(&chain, true).map_err(|error| error.message().to_owned())?;
    let sink = sink(codec, shared);
    let text = |error: gstreamer::glib::BoolError| error.to_string();
    pipeline.add_many([chain.upcast_ref::<Element>(), sink.upcast_ref()]).map_err(text)?;
    chain.link(&sink).map_err(text)?;
    let input = chain.static_pad("sink").ok_or("the elements have no input")?;
    pad.link(&input).map_err(|error| error.to_string())?;
    sink.sync_state_with_parent().map_err(text)?;
    chain.sync_state_with_parent().map_err(text)
}

/// Notes each packet before the jitter buffer, which would hide for its length that a camera went silent.
fn note_arrivals(pipeline: &Pipeline, shared: Arc<Shared>) {
    pipeline.gst().connect_deep_element_added(move |_, _, element| {
        let jitter_buffer = element.factory().is_some_and(|factory| factory.name() == "rtpjitterbuffer");
        let Some(input) = jitter_buffer.then(|| element.static_pad("sink")).flatten() else { return };
        let shared = shared.clone();
        input.add_probe(PadProbeType::BUFFER | PadProbeType::BUFFER_LIST, move |_, info| {
            match &info.data {
                Some(PadProbeData::Buffer(packet)) => shared.arrive(packet.size()),
                Some(PadProbeData::BufferList(packets)) => shared.arrive(packets.calculate_size()),
                _ => {}
            }
            PadProbeReturn::Ok
        });
    });
}

fn stream_of(caps: &Caps) -> Stream {
    let Some(structure) = caps.structure(0) else { return Stream::Foreign };
    // what the camera would be sent: the sound for its loudspeaker (ONVIF streaming, 5.3)
    if structure.has_field("a-sendonly") {
        return Stream::Foreign;
    }
    let text = |field: &str| structure.get::<&str>(field).ok();
    classify(text("media").unwrap_or(""), text("encoding-name"), structure.get("payload").ok())
}
