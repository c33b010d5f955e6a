//! The source of a camera job: `rtspsrc` over TCP, and what is linked to each of its streams.
//!
//! Closures hold the pipeline by weak reference: one that held it strongly would keep it, its threads and its sockets alive.

use super::super::pipeline::Pipeline;
use super::super::{Turn, Turns};
use super::address::Address;
use super::output::{Shared, sink};
use super::stream::{Choice, Selection, Stream, classify};
use super::{audio, video};
use crate::rtp::Kind;
use crate::wire::camera::CameraSpec;
use crate::wire::control::{Failure, FailureKind};
use gstreamer::prelude::*;
use gstreamer::{Caps, Element, ElementFactory, Pad, PadProbeReturn, PadProbeType};
use std::sync::{Arc, Mutex};

/// What `rtspsrc` waits for the camera's answers at most, in µs. Longer than the job's watchdog, which is the one to end a hung
/// camera: it says so by its own kind of failure.
const TCP_TIMEOUT: u64 = 10_000_000;

/// Puts the source into the pipeline. The selection fills when the camera has described its streams.
pub fn build(
    pipeline: &Pipeline,
    spec: &CameraSpec,
    address: Address,
    shared: &Arc<Shared>,
    turns: &Turns,
) -> Result<Arc<Mutex<Selection>>, Failure> {
    let source = source(spec, &address).map_err(|error| Failure { kind: FailureKind::Pipeline, text: error.to_string() })?;
    let selection = Arc::new(Mutex::new(Selection::default()));
    select_streams(&source, selection.clone(), turns.clone());
    link_streams(pipeline, &source, shared.clone(), turns.clone());
    note_arrivals(pipeline, shared.clone());
    pipeline.gst().add(&source).map_err(|error| Failure { kind: FailureKind::Pipeline, text: error.to_string() })?;
    Ok(selection)
}

/// Over TCP: no loss, no ports to open. Cameras have certificates of their own making, so an encrypted one is not checked.
fn source(spec: &CameraSpec, address: &Address) -> Result<Element, gstreamer::glib::BoolError> {
    let source = ElementFactory::make("rtspsrc")
        .name(&address.place)
        .property("location", &address.location)
        .property_from_str("protocols", "tcp")
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

/// Streams that are not taken are not even set up with the camera.
fn select_streams(source: &Element, selection: Arc<Mutex<Selection>>, turns: Turns) {
    let settled = (selection.clone(), turns.clone());
    source.connect("select-stream", false, move |values| {
        let stream = values.get(2).and_then(|caps| caps.get::<Caps>().ok()).map_or(Stream::Foreign, |caps| stream_of(&caps));
        let choice = selection.lock().unwrap_or_else(|poison| poison.into_inner()).choose(&stream);
        // video that is left out is a failure when there is no other
        if let (Choice::LeaveOut, Stream::Other(Kind::Audio, name)) = (choice, &stream) {
            turns.send(Turn::Warning(format!("audio codec {name} cannot be forwarded, the camera's sound is left out")));
        }
        Some((choice == Choice::Take).to_value())
    });
    source.connect("no-more-pads", false, move |_| {
        let (selection, turns) = &settled;
        if let Some(text) = selection.lock().unwrap_or_else(|poison| poison.into_inner()).unsupported() {
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
    let chain = video::chain(&stream).or_else(|| audio::chain(&stream)).ok_or_else(|| format!("no elements for {stream:?}"))?;
    let codec = stream.codec().ok_or_else(|| format!("no codec for {stream:?}"))?;
    let chain = gstreamer::parse::bin_from_description(chain, true).map_err(|error| error.message().to_owned())?;
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
        input.add_probe(PadProbeType::BUFFER | PadProbeType::BUFFER_LIST, move |_, _| {
            shared.arrived();
            PadProbeReturn::Ok
        });
    });
}

fn stream_of(caps: &Caps) -> Stream {
    let Some(structure) = caps.structure(0) else { return Stream::Foreign };
    let text = |field: &str| structure.get::<&str>(field).ok();
    classify(text("media").unwrap_or(""), text("encoding-name"), structure.get("payload").ok())
}
