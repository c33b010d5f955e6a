//! Flash and beep: what the camera shows and plays at the same moment carries the same time when it leaves the worker.

use crate::bench::{Bench, Seen};
use gstreamer::prelude::*;
use gstreamer::{Buffer, ClockTime, State};
use gstreamer_app::{AppSink, AppSrc};
use viduct::wire::control::VIDEO_SLOT;
use viduct_testkit::camera::{Options, TestCamera, picture};

const VIDEO: &str = "appsrc name=in format=time caps=application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000 \
                     ! rtph264depay ! avdec_h264 max-threads=1 ! videoconvert ! video/x-raw,format=GRAY8 ! appsink name=out sync=false";
const AUDIO: &str = "appsrc name=in format=time caps=application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000 \
                     ! rtpopusdepay ! opusdec ! audioconvert ! audio/x-raw,format=S16LE,channels=1 ! appsink name=out sync=false";
/// Louder than this is the beep.
const LOUD: i16 = 3000;
const MS: u64 = 1_000_000;

pub type Timed = (u64, Vec<u8>);

/// Runs packets through a decoder; times (ns) go in and come out.
pub fn decode(description: &str, packets: &[Timed]) -> Vec<Timed> {
    let pipeline = gstreamer::parse::launch(description).unwrap().downcast::<gstreamer::Pipeline>().unwrap();
    let source = pipeline.by_name("in").and_downcast::<AppSrc>().unwrap();
    let sink = pipeline.by_name("out").and_downcast::<AppSink>().unwrap();
    pipeline.set_state(State::Playing).unwrap();
    for (time, packet) in packets {
        let mut buffer = Buffer::from_slice(packet.clone());
        buffer.get_mut().unwrap().set_pts(ClockTime::from_nseconds(*time));
        source.push_buffer(buffer).unwrap();
    }
    source.end_of_stream().unwrap();
    let mut decoded = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        let buffer = sample.buffer().unwrap();
        decoded.push((buffer.pts().unwrap().nseconds(), buffer.map_readable().unwrap().to_vec()));
    }
    pipeline.set_state(State::Null).unwrap();
    decoded
}

/// Times at which a state begins that `is_on` sees, at the least `gap` ns after it was on last.
pub fn onsets(states: impl Iterator<Item = (u64, bool)>, gap: u64) -> Vec<u64> {
    let mut last_on = None;
    let mut onsets = Vec::new();
    for (time, _) in states.filter(|(_, on)| *on) {
        // what is on from the start has no onset
        if last_on.is_some_and(|last| time > last + gap) {
            onsets.push(time);
        }
        last_on = Some(time);
    }
    onsets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flash_and_beep_leave_the_worker_with_the_same_time() {
    gstreamer::init().unwrap();
    let camera = TestCamera::start(&Options::default()).unwrap();
    let bench = Bench::start(&camera.url);
    let (mut video, mut audio): (Vec<Timed>, Vec<Timed>) = Default::default();
    let mut units = 0;
    while units < 75 {
        let Seen::Unit { slot, captured_ns, packets } = bench.seen().await else { continue };
        units += usize::from(slot == VIDEO_SLOT);
        let track = if slot == VIDEO_SLOT { &mut video } else { &mut audio };
        track.extend(packets.into_iter().map(|packet| (captured_ns, packet)));
    }
    bench.end().await;

    let grey = (picture::BLACK + picture::WHITE) / 2;
    let pictures = decode(VIDEO, &video);
    let flashes = onsets(pictures.iter().map(|(time, luma)| (*time, luma[0] > grey)), 500 * MS);
    let sounds = decode(AUDIO, &audio);
    let samples = sounds.iter().flat_map(|(time, bytes)| {
        let loud = bytes.chunks_exact(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]]).unsigned_abs() > LOUD.unsigned_abs());
        loud.enumerate().map(move |(at, loud)| (time + at as u64 * 1_000_000_000 / 48_000, loud))
    });
    let beeps = onsets(samples, 500 * MS);

    assert!(flashes.len() >= 3 && beeps.len() >= 3, "{flashes:?} {beeps:?}");
    for flash in &flashes {
        let apart = beeps.iter().map(|beep| (*beep as i64 - *flash as i64) / MS as i64).min_by_key(|apart| apart.abs());
        println!("beep after flash: {apart:?} ms");
        // less than a frame, and less than anybody sees (ITU-R BT.1359: 45 ms early, 125 ms late)
        assert!(apart.is_some_and(|apart| (-45..=45).contains(&apart)), "{apart:?} ms");
    }
}
