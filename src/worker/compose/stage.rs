//! The part of the pipeline that is always there: mixers, their permanent inputs, encoders, outputs.
//!
//! ```text
//! black 16x16 ──> compositor ──> cut ──> H.264 ──> writer
//! branches ─────> (cells)
//! silence ──────> audiomixer ──> limiter, cut ──> AAC ────> writer
//! branches ─────>
//! ```
//!
//! The pipeline runs on CLOCK_MONOTONIC from its first moment on, so a packet's time in the recording is its capture
//! time less that moment: no element stamps, smooths or guesses. The mixers wait [`FRESH`] for late media; only the file
//! waits, nobody watches. A mixer whose last input leaves starts again at zero; its permanent input never leaves.

use super::codecs;
use super::cut::Cut;
use super::limiter::Limiter;
use super::timing::{FRESH, Grid};
use super::writer::{AUDIO_RATE, Inbox};
use crate::mp4::Kind;
use crate::rtp;
use crate::wire::compose::{ComposeSpec, ComposedAudio, ComposedVideo};
use crate::wire::control::{Failure, FailureKind};
use crate::worker::pipeline::Pipeline;
use gstreamer::prelude::*;
use gstreamer::{Bin, ClockTime, Element, Pad, PadProbeData, PadProbeReturn, PadProbeType, event};
use gstreamer_app::{AppSink, AppSinkCallbacks};
use std::sync::{Arc, Mutex, PoisonError};

/// What both mixers are made with. They wait for media as long as it is fresh: less than the delay of its arrival tears holes into
/// the sound. A source that stops sending holds up nobody. `input`: how long (ns) the permanent input says that it takes.
fn live(input: u64) -> String {
    format!("force-live=true ignore-inactive-pads=true latency={}", FRESH - input)
}

/// One mixer and what is behind it.
#[derive(Debug)]
pub struct Mixer {
    /// Branches are linked to its request pads.
    pub element: Element,
    pub cut: Arc<Cut>,
    /// What the encoder's branch begins with.
    gate: Element,
}

/// The permanent part.
#[derive(Debug)]
pub struct Stage {
    bin: Bin,
    pub video: Option<Mixer>,
    pub audio: Option<Mixer>,
}

impl Stage {
    /// Builds it into the pipeline, which counts from `began` (CLOCK_MONOTONIC, ns) on.
    pub fn build(pipeline: &Pipeline, spec: &ComposeSpec, began: u64, grid: Grid, inbox: &Inbox) -> Result<Stage, Failure> {
        let description = [spec.video.as_ref().map(video), spec.audio.as_ref().map(audio)].into_iter().flatten().collect::<String>();
        let bin = gstreamer::parse::bin_from_description(&description, false).map_err(|error| failure(error.message()))?;
        let video = spec.video.is_some().then(|| mixer(&bin, Kind::Video, Cut::new(Some(grid)), inbox)).transpose()?;
        let audio = spec.audio.is_some().then(|| mixer(&bin, Kind::Audio, Cut::new(None), inbox)).transpose()?;
        let gst = pipeline.gst();
        gst.add(&bin).map_err(|error| failure(&error.to_string()))?;
        gst.set_start_time(ClockTime::NONE);
        gst.set_base_time(ClockTime::from_nseconds(began));
        Ok(Stage { bin, video, audio })
    }

    /// Where branches are added.
    pub fn bin(&self) -> &Bin {
        &self.bin
    }

    /// The mixer of this kind, if the recording has it.
    pub fn mixer(&self, kind: rtp::Kind) -> Option<&Mixer> {
        match kind {
            rtp::Kind::Video => self.video.as_ref(),
            rtp::Kind::Audio => self.audio.as_ref(),
        }
    }

    fn mixers(&self) -> impl Iterator<Item = &Mixer> {
        self.video.iter().chain(&self.audio)
    }

    /// The recording ends at `at` (ns of running time).
    pub fn end_at(&self, at: u64) {
        self.mixers().for_each(|mixer| mixer.cut.end_at(at));
    }

    /// Both mixers have given out all that is part of the recording.
    pub fn is_complete(&self) -> bool {
        self.mixers().all(|mixer| mixer.cut.is_complete())
    }

    /// Lets the encoders give out what they still have. The mixers' inputs need not end for that.
    pub fn drain(&self) {
        for mixer in self.mixers() {
            if let Some(pad) = mixer.gate.static_pad("sink") {
                pad.send_event(event::Eos::new());
            }
        }
    }

    /// Buffers of the mixers that were dropped because their time did not grow.
    pub fn take_backwards(&self) -> u64 {
        self.mixers().map(|mixer| mixer.cut.take_backwards()).sum()
    }
}

/// Black comes five times a second, and stays: a picture is of the length it says.
fn video(video: &ComposedVideo) -> String {
    let (width, height, rate) = (video.width, video.height, video.frame_rate);
    let (live, encoder) = (live(0), codecs::video_encoder(video));
    format!(
        "compositor name=video-mixer background=black max-threads=1 {live} ! video/x-raw,format=I420,width={width},height={height},framerate={rate}/1 \
         ! queue name=video-gate max-size-buffers=25 max-size-bytes=0 max-size-time=0 ! {encoder} ! appsink name=video-out \
         videotestsrc is-live=true pattern=black ! video/x-raw,format=I420,width=16,height=16,framerate=5/1 ! video-mixer. "
    )
}

/// Raw sound as the mixer and the encoder have it.
pub const RAW_AUDIO: &str = "audio/x-raw,format=F32LE,rate=48000,channels=2,layout=interleaved";

/// Length of the permanent input's buffers, in ns. Each of them costs a wake-up, as each of the mixer's does; those
/// are 40 ms, so that the sound ends with the last picture.
const SILENCE: u64 = 200_000_000;

/// A source whose clock drifts is put right in steps of 10 ms; the mixer's defaults make it 40.
fn audio(audio: &ComposedAudio) -> String {
    let (live, encoder) = (live(SILENCE), codecs::audio_encoder(audio));
    let samples = SILENCE * u64::from(AUDIO_RATE) / 1_000_000_000;
    format!(
        "audiomixer name=audio-mixer {live} output-buffer-duration=40000000 alignment-threshold=10000000 discont-wait=100000000 ! {RAW_AUDIO} \
         ! queue name=audio-gate max-size-buffers=0 max-size-bytes=0 max-size-time=2000000000 ! {encoder} ! appsink name=audio-out \
         audiotestsrc is-live=true wave=silence samplesperbuffer={samples} ! {RAW_AUDIO} ! audio-mixer. "
    )
}

fn mixer(bin: &Bin, kind: Kind, cut: Cut, inbox: &Inbox) -> Result<Mixer, Failure> {
    let name = match kind {
        Kind::Video => "video",
        Kind::Audio => "audio",
    };
    let find = |part: &str| bin.by_name(&format!("{name}-{part}")).ok_or_else(|| failure("an element has lost its name"));
    let (element, gate, out) = (find("mixer")?, find("gate")?, find("out")?);
    let out = out.downcast::<AppSink>().map_err(|_| failure("an output is no appsink"))?;
    let cut = Arc::new(cut);
    if kind == Kind::Audio {
        limit(&gate);
    }
    guard(&gate, cut.clone());
    collect(&out, kind, inbox.clone());
    Ok(Mixer { element, cut, gate })
}

/// Mixed sound is within full scale when it comes to the encoder.
fn limit(gate: &Element) {
    let Some(output) = gate.static_pad("sink").and_then(|input| input.peer()) else { return };
    rewrite(&output, Limiter::default(), Limiter::changes, Limiter::limit);
}

/// Lets `change` rewrite the buffers that pass a pad, where it `wants` to: what is only read need not be copied.
pub fn rewrite<S: Send + 'static>(pad: &Pad, state: S, wants: fn(&S, &[u8]) -> bool, change: fn(&mut S, &mut [u8])) {
    let state = Mutex::new(state);
    pad.add_probe(PadProbeType::BUFFER, move |_, info| {
        let Some(PadProbeData::Buffer(buffer)) = &mut info.data else { return PadProbeReturn::Ok };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.map_readable().is_ok_and(|bytes| wants(&state, &bytes))
            && let Ok(mut bytes) = buffer.make_mut().map_writable()
        {
            change(&mut state, &mut bytes);
        }
        PadProbeReturn::Ok
    });
}

/// Asks the cut for each buffer that comes out of a mixer. Before the gate's own pad: once that has seen the end, a mixer that
/// still pushes would be told so, and complains.
fn guard(gate: &Element, cut: Arc<Cut>) {
    let Some(input) = gate.static_pad("sink") else { return };
    let Some(output) = input.peer() else { return };
    let input = input.downgrade();
    output.add_probe(PadProbeType::BUFFER, move |_, info| {
        let Some(PadProbeData::Buffer(buffer)) = &mut info.data else { return PadProbeReturn::Ok };
        let pts = buffer.pts().unwrap_or(ClockTime::ZERO).nseconds();
        let duration = buffer.duration().unwrap_or(ClockTime::ZERO).nseconds();
        let places = cut.places(pts, duration);
        let Some((own, missing)) = places.split_last() else { return PadProbeReturn::Drop };
        for place in missing {
            let mut copy = buffer.copy();
            copy.make_mut().set_pts(ClockTime::from_nseconds(*place));
            // what the gate says to the copies, it says to the buffer as well
            let _ = input.upgrade().map(|input| input.chain(copy));
        }
        if *own != pts {
            buffer.make_mut().set_pts(ClockTime::from_nseconds(*own));
        }
        PadProbeReturn::Ok
    });
}

/// Gives what an encoder makes to the writer. When the writer does not keep up, the encoder waits.
fn collect(out: &AppSink, kind: Kind, inbox: Inbox) {
    out.set_sync(false);
    out.set_max_buffers(4);
    let end = inbox.clone();
    let callbacks = AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gstreamer::FlowError::Eos)?;
        inbox.sample(kind, &sample)
    });
    out.set_callbacks(callbacks.eos(move |_| end.end(kind)).build());
}

fn failure(text: &str) -> Failure {
    Failure { kind: FailureKind::Pipeline, text: text.into() }
}
