//! The job that makes a thumbnail: one picture from the middle of a film, decoded, made small, written as JPEG.
//!
//! ```text
//! film ─> qtdemux ─> decoder ─> scaler ─> jpegenc ─> appsink ─> file, synced
//! ```
//!
//! The pipeline never plays: it is sought to the middle while it is paused, and gives the picture that is shown there. That decodes from
//! the keyframe before it on, two seconds of film at the most. Whoever asked gives the file its name.

use super::pipeline::Pipeline;
use super::{Turn, Turns};
use crate::causes::with_causes;
use crate::hardware::{self, decoders};
use crate::rtp::Codec;
use crate::wire::control::{Failure, FailureKind};
use crate::wire::thumbnail::ThumbnailSpec;
use gstreamer::prelude::*;
use gstreamer::{ClockTime, ElementFactory, Sample, SeekFlags, State};
use gstreamer_app::AppSink;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::Receiver;

/// Of 100; as small as shows no blocks.
const QUALITY: u32 = 80;
/// Between two looks whether the job is to end.
const LOOK: ClockTime = ClockTime::from_mseconds(20);

/// Writes the picture, unless the daemon is gone before. Its patience bounds how long this may take.
pub fn run(spec: &ThumbnailSpec, turns: Turns, queue: &Receiver<Turn>) -> Result<(), Failure> {
    gstreamer::init().map_err(failed)?;
    let pipeline = Pipeline::new("thumbnail", turns)?;
    let sink = build(&pipeline, spec)?;
    let jpeg = middle(&pipeline, &sink, queue)?;
    let map = jpeg.buffer().and_then(|buffer| buffer.map_readable().ok()).ok_or_else(|| failed("the picture cannot be read"))?;
    write(Path::new(&spec.picture), &map).map_err(|error| Failure { kind: FailureKind::Disk, text: with_causes(&error) })
}

fn build(pipeline: &Pipeline, spec: &ThumbnailSpec) -> Result<AppSink, Failure> {
    // in software: hardware decoders are few, and live pictures need them
    let decoder = hardware::choose(decoders::of(Codec::H264), false, |element| ElementFactory::find(element).is_some());
    let decoder = decoder.map_err(|missing| {
        let text = format!("GStreamer has none of {missing}; install the plug-in of one of them");
        Failure { kind: FailureKind::Unsupported, text }
    })?;
    // the scaler finds the height that keeps the shape
    let small = format!("video/x-raw,width={},pixel-aspect-ratio=1/1", spec.width);
    let description = format!(
        "filesrc name=film ! qtdemux name=film-parts film-parts.video_0 ! {} ! videoscale add-borders=false \
         ! {small} ! videoconvert ! jpegenc quality={QUALITY} ! appsink name=picture sync=false",
        decoder.description
    );
    let bin = gstreamer::parse::bin_from_description(&description, false).map_err(|error| match error.kind() {
        Some(gstreamer::ParseError::NoSuchElement) => Failure { kind: FailureKind::Unsupported, text: error.message().into() },
        _ => failed(error.message()),
    })?;
    let lost = || failed("an element has lost its name");
    let sink = bin.by_name("picture").and_downcast::<AppSink>().ok_or_else(lost)?;
    bin.by_name("film").ok_or_else(lost)?.set_property("location", &spec.film);
    pipeline.gst().add(&bin).map_err(failed)?;
    Ok(sink)
}

/// The picture in the middle, or that at the beginning where the pictures end before.
fn middle(pipeline: &Pipeline, sink: &AppSink, queue: &Receiver<Turn>) -> Result<Sample, Failure> {
    if let Err(error) = pipeline.gst().set_state(State::Paused) {
        let told = queue.try_iter().find_map(|turn| match turn {
            Turn::Failed(failure) => Some(failure),
            _ => None,
        });
        return Err(told.unwrap_or_else(|| failed(error)));
    }
    let first = shown(sink, queue)?;
    let length = pipeline.gst().query_duration::<ClockTime>().unwrap_or_default();
    pipeline.gst().seek_simple(SeekFlags::FLUSH | SeekFlags::ACCURATE, length / 2).map_err(failed)?;
    shown(sink, queue)?.or(first).ok_or_else(|| failed("there is no picture in the film"))
}

/// The picture that the paused pipeline shows; `None` behind the last one. Errors: what happened instead, the end of the daemon too.
fn shown(sink: &AppSink, queue: &Receiver<Turn>) -> Result<Option<Sample>, Failure> {
    loop {
        if let Some(sample) = sink.try_pull_preroll(LOOK) {
            return Ok(Some(sample));
        }
        match queue.try_recv() {
            Ok(Turn::Failed(failure)) => return Err(failure),
            Ok(Turn::Stop) => return Err(Failure { kind: FailureKind::Ended, text: "nobody waits for the picture any more".into() }),
            _ if sink.is_eos() => return Ok(None),
            _ => {}
        }
    }
}

fn write(path: &Path, jpeg: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(jpeg)?;
    file.sync_data()
}

fn failed(why: impl ToString) -> Failure {
    Failure { kind: FailureKind::Pipeline, text: why.to_string() }
}
