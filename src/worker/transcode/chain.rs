//! The elements of one pair of codecs, in a pipeline of their own.
//!
//! ```text
//! units ─> decoder ─> [which pictures] ─> even sides ─> queue ─> encoder ─> payloader ─> media socket
//! ```
//!
//! Decoder and encoder have a thread each; two pictures wait between them, and a third drives out the first: an encoder that does
//! not keep up costs pictures, not delay. Rates, sizes and threads are told to the encoder when a picture's size is known, before it
//! sees the first of them.

use super::picture::Pictures;
use super::pulse::Pulse;
use super::rate::{Bounds, Pace, TOLD, differs, for_pictures};
use crate::clock::monotonic_ns;
use crate::hardware::{self, Decoder, Encoder, Made, decoders, encoders};
use crate::rtp::Codec;
use crate::wire::control::{Failure, FailureKind};
use crate::wire::transcode::TranscodeSpec;
use crate::worker::Turns;
use crate::worker::inlet::Unit;
use crate::worker::output::{self, Shared};
use crate::worker::pipeline::Pipeline;
use crate::worker::source::{self, Full};
use gstreamer::glib::BoolError;
use gstreamer::prelude::*;
use gstreamer::{Bin, Caps, CapsRef, ClockTime, ElementFactory, EventView, Fraction, Pad, PadProbeData, PadProbeReturn, PadProbeType};
use gstreamer_app::AppSrc;
use gstreamer_video::UpstreamForceKeyUnitEvent;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Of all packets that leave; it means nothing.
const PAYLOAD_TYPE: u8 = 97;

/// What the job and the threads of the pipeline share. Holds no element.
#[derive(Debug)]
struct Live {
    bounds: Bounds,
    /// Capture time of the last unit given to the decoder, ns.
    newest: AtomicU64,
    /// What the encoder was told, kbit/s; 0 before the first picture.
    kbps: AtomicU32,
    /// What it shall be told, kbit/s; 0 before the source was measured.
    wanted: AtomicU32,
    decoding: Pulse,
    encoding: Pulse,
}

/// A chain that runs.
#[derive(Debug)]
pub struct Chain {
    from: Codec,
    encoder: &'static Encoder,
    hardware: bool,
    pipeline: Pipeline,
    source: AppSrc,
    element: gstreamer::Element,
    live: Arc<Live>,
}

/// What decodes and what encodes.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    decoder: &'static Decoder,
    encoder: &'static Encoder,
}

impl Choice {
    /// For these codecs, or why there is none.
    pub fn of(from: Codec, spec: &TranscodeSpec) -> Result<Choice, Failure> {
        let decoder = hardware::choose(decoders::of(from), spec.hardware, |element| usable(element, spec));
        Ok(Choice { decoder: decoder.map_err(|missing| unsupported("decoder", from, &missing))?, encoder: encoder(spec)? })
    }

    /// The names of those that are hardware.
    pub fn hardware(&self) -> Vec<String> {
        let decoder = Some(self.decoder.name()).filter(|_| self.decoder.hardware());
        let encoder = Some(self.encoder.name()).filter(|_| self.encoder.hardware());
        decoder.into_iter().chain(encoder).map(str::to_owned).collect()
    }
}

/// The encoder for the codec to make, or why there is none.
pub fn encoder(spec: &TranscodeSpec) -> Result<&'static Encoder, Failure> {
    let chosen = hardware::choose(encoders::of(spec.to), spec.hardware, |element| usable(element, spec));
    chosen.map_err(|missing| unsupported("encoder", spec.to, &missing))
}

fn usable(element: &str, spec: &TranscodeSpec) -> bool {
    ElementFactory::find(element).is_some() && !spec.avoid.iter().any(|avoided| avoided == element)
}

fn unsupported(what: &str, codec: Codec, missing: &str) -> Failure {
    let text = format!("no {what} for {}: GStreamer has none of {missing}; install the plug-in of one of them", codec.name());
    Failure { kind: FailureKind::Unsupported, text }
}

impl Chain {
    /// Builds and starts it. What fails later arrives as a turn.
    pub fn build(from: Codec, choice: Choice, spec: &TranscodeSpec, shared: &Arc<Shared>, turns: &Turns) -> Result<Chain, Failure> {
        let Choice { decoder, encoder } = choice;
        let pipeline = Pipeline::new("transcoder", turns.clone())?;
        let bin = gstreamer::parse::bin_from_description(&description(from, decoder, encoder), false).map_err(|error| broken(&error))?;
        let sink = output::sink(spec.to, shared);
        let link = || -> Result<(AppSrc, gstreamer::Element), BoolError> {
            let last = bin.by_name("payloader").ok_or_else(|| gstreamer::glib::bool_error!("no payloader"))?;
            bin.add(&sink)?;
            last.link(&sink)?;
            pipeline.gst().add(&bin)?;
            let named = |name: &str| bin.by_name(name).ok_or_else(|| gstreamer::glib::bool_error!("no element {}", name));
            let source = named("units")?.downcast().map_err(|_| gstreamer::glib::bool_error!("no source"))?;
            Ok((source, named("encoder")?))
        };
        let (source, element) = link().map_err(|error| broken(&error))?;
        let live = Arc::new(Live {
            bounds: Bounds { min: spec.min_kbps, max: spec.max_kbps },
            newest: AtomicU64::new(0),
            kbps: AtomicU32::new(0),
            wanted: AtomicU32::new(0),
            decoding: Pulse::default(),
            encoding: Pulse::default(),
        });
        watch_decoder(&bin, &live)?;
        watch_encoder(&element, encoder, &live)?;
        // the time stamp of a buffer is its moment of capture
        pipeline.gst().set_start_time(ClockTime::NONE);
        pipeline.gst().set_base_time(ClockTime::ZERO);
        pipeline.play()?;
        let hardware = decoder.hardware() || encoder.hardware();
        Ok(Chain { from, encoder, hardware, pipeline, source, element, live })
    }

    /// What it decodes.
    pub fn from(&self) -> Codec {
        self.from
    }

    /// Is any of it done in hardware?
    pub fn is_hardware(&self) -> bool {
        self.hardware
    }

    /// Units up to this time of capture are about to be given.
    pub fn expect(&self, newest: u64) {
        self.live.newest.store(newest, Relaxed);
    }

    /// Gives a unit to the decoder.
    pub fn push(&self, unit: Unit) -> Result<(), Full> {
        let captured_ns = unit.captured_ns;
        source::push(&self.source, self.from, unit, captured_ns)?;
        self.live.decoding.given(monotonic_ns());
        Ok(())
    }

    /// The source sends at this pace.
    pub fn follow(&self, pace: Pace) {
        let kbps = self.live.bounds.of_source(pace.kbps);
        let wanted = if self.encoder.counts { for_pictures(kbps, pace.pictures) } else { kbps };
        let present = self.live.kbps.load(Relaxed);
        self.live.wanted.store(wanted, Relaxed);
        if self.encoder.rate.changes() && present != 0 && differs(present, wanted) {
            set_rate(&self.element, self.encoder, wanted, &self.live);
        }
    }

    /// The next picture shall be a key frame.
    pub fn request_keyframe(&self) {
        if let Some(pad) = self.element.static_pad("src") {
            // Parameter sets come with each keyframe anyway; a payloader that is asked for all headers sends them as a picture of
            // their own. Before the first picture there is nothing to ask: it is a keyframe.
            let _ = pad.send_event(UpstreamForceKeyUnitEvent::builder().all_headers(false).build());
        }
    }

    /// What hangs, in words.
    pub fn hangs(&self) -> Option<String> {
        let hung = if self.live.decoding.hangs() {
            "decoder"
        } else if self.live.encoding.hangs() {
            "encoder"
        } else {
            return None;
        };
        Some(format!("the {hung} hangs"))
    }

    /// Writes a dot file, where that is wanted.
    pub fn dump(&self) {
        self.pipeline.dump("failed");
    }
}

/// Parameter sets stand before each keyframe already when the payloader sees it.
fn description(from: Codec, decoder: &Decoder, encoder: &Encoder) -> String {
    let payloader = match encoder.codec {
        Codec::H264 => "rtph264pay name=payloader aggregate-mode=zero-latency",
        _ => "rtpvp8pay name=payloader picture-id-mode=15-bit",
    };
    format!(
        "{} ! {} ! identity name=decoded silent=true ! videoconvert ! videoscale ! capsfilter name=even ! queue max-size-buffers=2 max-size-bytes=0 max-size-time=0 leaky=downstream \
         ! {} name=encoder {}{} ! {payloader} mtu=1200 pt={PAYLOAD_TYPE}",
        source::description("units", from),
        decoder.description,
        encoder.element,
        encoder.settings,
        encoder.behind
    )
}

/// Behind the decoder: which pictures go on, how long each lasts, and the size they get.
fn watch_decoder(bin: &Bin, live: &Arc<Live>) -> Result<(), Failure> {
    let pad = pad_of(bin.by_name("decoded"), "src")?;
    let filter = bin.by_name("even").ok_or_else(|| broken(&"no filter"))?.downgrade();
    let (live, pictures) = (live.clone(), Mutex::new(Pictures::default()));
    pad.add_probe(PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        match &mut info.data {
            Some(PadProbeData::Event(event)) => {
                if let (EventView::Caps(caps), Some(filter)) = (event.view(), filter.upgrade()) {
                    filter.set_property("caps", even(caps.caps()));
                    // without a frame rate x264 waits for the next picture to know how long this one lasts
                    let mut told = caps.caps_owned();
                    told.make_mut().set("framerate", Fraction::new(i32::try_from(TOLD).unwrap_or(1), 1));
                    *event = gstreamer::event::Caps::new(&told);
                }
            }
            Some(PadProbeData::Buffer(buffer)) => {
                live.decoding.came();
                let captured = buffer.pts().unwrap_or(ClockTime::ZERO).nseconds();
                let mut pictures = pictures.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(lasts) = pictures.take(captured, live.newest.load(Relaxed)) else { return PadProbeReturn::Drop };
                buffer.make_mut().set_duration(ClockTime::from_nseconds(lasts));
            }
            _ => {}
        }
        PadProbeReturn::Ok
    });
    Ok(())
}

/// Around the encoder: it is told its rate and its threads before it sees pictures of a size, and it is seen to work.
fn watch_encoder(element: &gstreamer::Element, encoder: &'static Encoder, live: &Arc<Live>) -> Result<(), Failure> {
    let (weak, its) = (element.downgrade(), live.clone());
    pad_of(Some(element.clone()), "sink")?.add_probe(PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        match &info.data {
            Some(PadProbeData::Event(event)) => {
                if let (EventView::Caps(caps), Some(element)) = (event.view(), weak.upgrade()) {
                    prepare(&element, encoder, pixels(caps.caps()), &its);
                }
            }
            Some(PadProbeData::Buffer(_)) => its.encoding.given(monotonic_ns()),
            _ => {}
        }
        PadProbeReturn::Ok
    });
    let its = live.clone();
    pad_of(Some(element.clone()), "src")?.add_probe(PadProbeType::BUFFER, move |_, _| {
        its.encoding.came();
        PadProbeReturn::Ok
    });
    Ok(())
}

fn prepare(element: &gstreamer::Element, encoder: &Encoder, pixels: u32, live: &Live) {
    if let Some(threads) = encoder.threads {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        element.set_property_from_str(threads, &encoders::threads(pixels, cores).to_string());
    }
    let wanted = match live.wanted.load(Relaxed) {
        0 => live.bounds.of_size(pixels),
        wanted => wanted,
    };
    set_rate(element, encoder, wanted, live);
}

fn set_rate(element: &gstreamer::Element, encoder: &Encoder, kbps: u32, live: &Live) {
    let (name, value) = encoder.rate.property(kbps);
    element.set_property_from_str(name, &value);
    live.kbps.store(kbps, Relaxed);
}

fn pad_of(element: Option<gstreamer::Element>, name: &str) -> Result<Pad, Failure> {
    element.and_then(|element| element.static_pad(name)).ok_or_else(|| broken(&format!("no pad {name}")))
}

fn pixels(caps: &CapsRef) -> u32 {
    let (width, height) = size(caps);
    width.saturating_mul(height)
}

fn size(caps: &CapsRef) -> (u32, u32) {
    let side = |name: &str| caps.structure(0).and_then(|s| s.get::<i32>(name).ok()).and_then(|side| u32::try_from(side).ok()).unwrap_or(0);
    (side("width"), side("height"))
}

/// What the encoder gets: I420 of this size, odd sides rounded down to even.
fn even(caps: &CapsRef) -> Caps {
    let (width, height) = size(caps);
    let even = |side: u32| i32::try_from(side & !1).unwrap_or(i32::MAX).max(2);
    Caps::builder("video/x-raw").field("format", "I420").field("width", even(width)).field("height", even(height)).build()
}

fn broken(error: &dyn std::fmt::Display) -> Failure {
    Failure { kind: FailureKind::Pipeline, text: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn software(to: Codec) -> TranscodeSpec {
        TranscodeSpec { to, min_kbps: 300, max_kbps: 1000, hardware: false, avoid: Vec::new() }
    }

    #[test]
    fn what_shall_be_avoided_is_not_chosen() {
        gstreamer::init().unwrap();
        let spec = TranscodeSpec { hardware: true, avoid: vec!["x264enc".into()], ..software(Codec::H264) };
        // that row is software on any machine; whichever comes in its place is another
        assert!(encoder(&spec).is_ok_and(|encoder| encoder.name() != "x264enc"));
    }

    #[test]
    fn every_software_chain_can_be_built() {
        gstreamer::init().unwrap();
        for (from, to) in [(Codec::H264, Codec::Vp8), (Codec::Vp8, Codec::H264)] {
            let Choice { decoder, encoder } = Choice::of(from, &software(to)).unwrap();
            let description = description(from, decoder, encoder);
            let bin = gstreamer::parse::bin_from_description(&description, false).unwrap();
            for name in ["units", "decoded", "even", "encoder", "payloader"] {
                assert!(bin.by_name(name).is_some(), "{name} in {description}");
            }
        }
    }

    #[test]
    fn every_property_of_the_software_encoders_exists() {
        gstreamer::init().unwrap();
        let present = |encoder: &&Encoder| ElementFactory::find(encoder.element).is_some();
        for encoder in [Codec::H264, Codec::Vp8].into_iter().flat_map(encoders::of).filter(present) {
            let element = ElementFactory::make(encoder.element).build().unwrap();
            let (name, value) = encoder.rate.property(700);
            element.set_property_from_str(name, &value);
            encoder.threads.iter().for_each(|threads| element.set_property_from_str(threads, "2"));
        }
    }

    #[test]
    fn odd_sides_are_rounded_down() {
        gstreamer::init().unwrap();
        for (given, wanted) in [((641, 481), (640, 480)), ((1280, 720), (1280, 720)), ((1, 1), (2, 2))] {
            let caps = Caps::builder("video/x-raw").field("width", given.0).field("height", given.1).build();
            let got = even(&caps);
            assert_eq!(size(&got), wanted);
        }
    }
}
