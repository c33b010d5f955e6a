//! Makes the material: raw pictures and sound through GStreamer's encoders, once.
//!
//! All loops are multiples of 40 s: that is a whole number of seconds (the beeps), of 10 s GOPs and of AAC frames (1,875), so no
//! track drifts against the other however long the camera runs.

use super::material::{Track, Unit};
use super::options::{Audio, Video, VideoCodec};
use super::picture::Painter;
use super::sound;
use gstreamer::prelude::*;
use gstreamer::{Buffer, BufferFlags, Caps, ClockTime, FlowError, FlowSuccess, MessageType, MessageView, State};
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

const LOOP_S: usize = 40;
const SECOND: usize = 1_000_000_000;

/// Length of a video's loop in s; small pictures can afford one in which hardly anybody sees the clock start again.
pub fn video_seconds(video: &Video) -> usize {
    let small = video.width * video.height <= 640 * 360 && video.codec == VideoCodec::H264;
    if small { 3 * LOOP_S } else { LOOP_S }
}

/// Encodes the video.
pub fn video(video: &Video) -> Result<Track, Box<dyn Error>> {
    let Video { codec, width, height, fps, gop, kbps } = video;
    let raw =
        format!("appsrc name=raw block=true format=time caps=video/x-raw,format=I420,width={width},height={height},framerate={fps}/1");
    let encoder = match codec {
        VideoCodec::H264 => format!(
            "x264enc tune=zerolatency speed-preset=veryfast sliced-threads=false threads=2 bframes=0 bitrate={kbps} \
             vbv-buf-capacity=1000 key-int-max={gop} option-string=scenecut=0:min-keyint={gop} \
             ! video/x-h264,stream-format=avc,alignment=au,profile=constrained-baseline"
        ),
        VideoCodec::Jpeg => "jpegenc quality=40".into(),
    };
    let frames = video_seconds(video) * fps;
    let painter = Painter::new(video);
    let (caps, units) = run(&format!("{raw} ! {encoder}"), |source| {
        (0..frames).try_for_each(|frame| push(source, painter.paint(frame), frame, |frame| frame * SECOND / fps))
    })?;
    finish(caps, units, frames, |frame| frame * SECOND / fps)
}

/// Encodes the sound: a beep of 0.1 s at 1 kHz on each second.
pub fn audio(audio: Audio) -> Result<Track, Box<dyn Error>> {
    // units, one more for AAC: its first frame decodes to the encoder's delay of exactly one frame, and is cut off
    let (rate, samples, extra, encoder) = match audio {
        Audio::Aac => (48_000, 1024, 1, "avenc_aac bitrate=64000 ! audio/mpeg,mpegversion=4,stream-format=raw"),
        Audio::Pcmu => (8_000, 160, 0, "mulawenc"),
        Audio::Pcma => (8_000, 160, 0, "alawenc"),
    };
    let count = LOOP_S * rate / samples;
    let raw = format!("appsrc name=raw block=true format=time caps=audio/x-raw,format=S16LE,layout=interleaved,rate={rate},channels=1");
    let (caps, mut units) = run(&format!("{raw} ! audioconvert ! {encoder}"), |source| {
        for unit in 0..count + extra {
            push(source, sound::samples(rate, unit * samples, samples), unit, |unit| unit * samples * SECOND / rate)?;
        }
        Ok(())
    })?;
    units.drain(..extra.min(units.len()));
    finish(caps, units, count, |unit| unit * samples * SECOND / rate)
}

/// Hands the raw unit number `number` to the encoder, with the time that `time` (ns) gives it.
fn push(source: &AppSrc, data: Vec<u8>, number: usize, time: impl Fn(usize) -> usize) -> Result<(), Box<dyn Error>> {
    let mut buffer = Buffer::from_mut_slice(data);
    let timed = buffer.get_mut().ok_or("a new buffer is nobody else's")?;
    timed.set_pts(ClockTime::from_nseconds(time(number) as u64));
    timed.set_duration(ClockTime::from_nseconds((time(number + 1) - time(number)) as u64));
    source.push_buffer(buffer)?;
    Ok(())
}

/// Runs a pipeline to its end and returns what comes out. `feed` fills its source, the `appsrc` named `raw`.
fn run(description: &str, feed: impl FnOnce(&AppSrc) -> Result<(), Box<dyn Error>>) -> Result<(String, Vec<Unit>), Box<dyn Error>> {
    let description = format!("{description} ! appsink name=encoded sync=false");
    let pipeline = gstreamer::parse::launch(&description)?.downcast::<gstreamer::Pipeline>().map_err(|_| "not a pipeline")?;
    let source = pipeline.by_name("raw").and_downcast::<AppSrc>().ok_or("no appsrc")?;
    let sink = pipeline.by_name("encoded").and_downcast::<AppSink>().ok_or("no appsink")?;
    let units = Arc::new(Mutex::new((String::new(), Vec::new())));
    let collected = units.clone();
    sink.set_callbacks(
        AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| FlowError::Eos)?;
                let buffer = sample.buffer().ok_or(FlowError::Error)?;
                let data = buffer.map_readable().map_err(|_| FlowError::Error)?.to_vec();
                let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
                collected.0 = sample.caps().map(|caps| caps.to_string()).unwrap_or_default();
                collected.1.push(Unit { time_ns: 0, keyframe: !buffer.flags().contains(BufferFlags::DELTA_UNIT), data });
                Ok(FlowSuccess::Ok)
            })
            .build(),
    );
    pipeline.set_state(State::Playing)?;
    // a source that takes no more has said why on the bus
    let fed = feed(&source).and_then(|()| Ok(source.end_of_stream().map(drop)?));
    let end = pipeline.bus().and_then(|bus| bus.timed_pop_filtered(ClockTime::from_seconds(300), &[MessageType::Error, MessageType::Eos]));
    pipeline.set_state(State::Null)?;
    match end.as_ref().map(|message| message.view()) {
        Some(MessageView::Eos(_)) => fed?,
        Some(MessageView::Error(error)) => return Err(error.error().into()),
        _ => return Err("the encoder does not end".into()),
    }
    Ok(std::mem::take(&mut *units.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// Gives the units their times; there must be exactly `count`.
fn finish(caps: String, units: Vec<Unit>, count: usize, time: impl Fn(usize) -> usize) -> Result<Track, Box<dyn Error>> {
    caps.parse::<Caps>()?;
    if units.len() < count {
        return Err(format!("the encoder made {} units of {count}", units.len()).into());
    }
    let units = units.into_iter().take(count).enumerate().map(|(at, unit)| Unit { time_ns: time(at) as u64, ..unit }).collect();
    Ok(Track { caps, loop_ns: time(count) as u64, units })
}
