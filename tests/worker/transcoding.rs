//! A transcoder as a process: what is captured at a moment leaves it with that moment, whatever happens on the way.

use crate::bench::{Bench, Seen};
use crate::sync::{Timed, decode, onsets};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use viduct::clock::monotonic_ns;
use viduct::jobs::Event;
use viduct::rtp::packet::inspect;
use viduct::rtp::{Codec, Format};
use viduct::wire::control::{Spec, VIDEO_SLOT};
use viduct::wire::media::{encode_format, encode_keyframe_request, encode_packets};
use viduct::wire::transcode::TranscodeSpec;
use viduct_testkit::flashes::WHITE;
use viduct_testkit::flashes::source::{Look, Player, Reel, VideoCodec};

const S: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
/// From capture to arrival at the worker.
const DELAY: u64 = 20 * MS;
/// A picture of 25 a second: flashes are told to one.
const PICTURE: u64 = 40 * MS;
/// What a transcoder may add, on a machine that does other things too. An idle one adds 10 to 30 ms.
const LATENCY: u64 = 300 * MS;

fn spec(to: Codec) -> TranscodeSpec {
    TranscodeSpec { to, min_kbps: 300, max_kbps: 1000, hardware: false, avoid: Vec::new() }
}

fn reel(codec: VideoCodec, width: usize, height: usize) -> Arc<Reel> {
    Arc::new(Reel::video(0, Look { codec, width, height, fps: 25 }).unwrap())
}

/// One transcoder that is played to in real time.
struct Stage {
    bench: Bench,
    player: Player,
    /// Capture times of what was given.
    given: BTreeSet<u64>,
    formats: Vec<Format>,
    /// What came: arrival, time of capture, packets.
    came: Vec<(u64, u64, Vec<Vec<u8>>)>,
}

impl Stage {
    fn new(bench: Bench, player: Player) -> Stage {
        Stage { bench, player, given: BTreeSet::new(), formats: Vec::new(), came: Vec::new() }
    }

    fn format(&self, codec: Codec) {
        let mut message = Vec::new();
        encode_format(&mut message, VIDEO_SLOT, &Format { codec, profile_level_id: None });
        self.bench.give(&message);
    }

    /// Plays until `done`; everything that is due goes out, so a cached GOP does at once.
    async fn play(&mut self, what: &str, done: impl Fn(&Stage) -> bool) {
        let end = monotonic_ns() + 30 * S;
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while !done(self) {
            assert!(monotonic_ns() < end, "not in time: {what}; {} units came", self.came.len());
            ticks.tick().await;
            while self.player.captured() + DELAY <= monotonic_ns() {
                let unit = self.player.unit();
                self.given.insert(unit.captured_ns);
                for message in encode_packets(VIDEO_SLOT, unit.captured_ns, unit.packets.iter().map(Vec::as_slice)).unwrap() {
                    self.bench.give(&message);
                }
            }
            let now = monotonic_ns();
            for seen in self.bench.seen_by_now() {
                match seen {
                    Seen::Format(VIDEO_SLOT, format) => self.formats.push(format),
                    Seen::Unit { slot: VIDEO_SLOT, captured_ns, packets } => self.came.push((now, captured_ns, packets)),
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn codec(&self) -> Codec {
        self.formats[0].codec
    }

    fn is_key(&self, at: usize) -> bool {
        self.came[at].2.iter().any(|packet| inspect(self.codec(), &packet[12..]).0)
    }
}

/// Grey pictures of what came, with their times of capture.
fn pictures(stage: &Stage) -> Vec<Timed> {
    let packets: Vec<Timed> = stage.came.iter().flat_map(|(_, at, packets)| packets.iter().map(|packet| (*at, packet.clone()))).collect();
    let (name, decoder) = match stage.codec() {
        Codec::H264 => ("H264", "rtph264depay ! avdec_h264 max-threads=1"),
        _ => ("VP8", "rtpvp8depay ! vp8dec"),
    };
    let caps = format!("application/x-rtp,media=video,encoding-name={name},payload=97,clock-rate=90000");
    let chain = format!("! {decoder} ! videoconvert ! video/x-raw,format=GRAY8 ! appsink name=out sync=false");
    decode(&format!("appsrc name=in format=time caps={caps} {chain}"), &packets)
}

async fn from_codec_to_codec(from: (VideoCodec, Codec), to: Codec) {
    gstreamer::init().unwrap();
    let (large, small) = (reel(from.0, 640, 360), reel(from.0, 320, 180));
    let bench = Bench::of(Spec::Transcode(spec(to)));
    let mut stage = Stage::new(bench, Player::from_keyframe(large, monotonic_ns(), 7));
    // up to 2 s of the past come at once
    stage.format(from.1);
    stage.play("3 s of pictures", |stage| stage.came.len() >= 75).await;
    assert!(matches!(stage.bench.event().await, Event::Ready { .. }));
    assert_eq!(stage.formats.iter().map(|format| format.codec).collect::<Vec<_>>(), [to]);
    assert!(stage.is_key(0), "it begins with a keyframe");

    // a keyframe when it is asked for, soon and only one
    let before = stage.came.len();
    let mut request = Vec::new();
    encode_keyframe_request(&mut request, VIDEO_SLOT);
    stage.bench.give(&request);
    stage.play("a keyframe", |stage| (before..stage.came.len()).any(|at| stage.is_key(at))).await;
    let waited = stage.came.len() - before;
    println!("{from:?} to {to:?}: the keyframe was picture {waited} after the request");
    assert!(waited <= 15);

    // the source goes on in another size, in the same epoch
    let before = stage.came.len();
    let next = Player::from_keyframe(small, stage.player.captured() + 2 * S, 7).after(&stage.player);
    stage.player = next;
    stage.play("2 s in another size", |stage| stage.came.len() >= before + 50).await;

    assert!(stage.came.iter().all(|(_, at, _)| stage.given.contains(at)), "every picture carries the time at which it was captured");
    let back: Vec<_> = stage.came.windows(2).filter(|pair| pair[0].1 >= pair[1].1).map(|pair| (&pair[0].2, &pair[1].2)).collect();
    assert!(back.is_empty(), "time only grows: {back:x?}");
    assert!(stage.came.iter().flat_map(|(.., packets)| packets).all(|packet| packet.len() <= 1200));
    let mut ages: Vec<u64> = stage.came.iter().map(|(arrival, at, _)| (arrival - at - DELAY) / MS).collect();
    ages.sort_unstable();
    println!("{from:?} to {to:?}: added {} ms in the middle, {} ms at most", ages[ages.len() / 2], ages[ages.len() - 1]);
    assert!(ages[ages.len() / 2] * MS < LATENCY, "{ages:?}");

    let pictures = pictures(&stage);
    let sizes: BTreeSet<usize> = pictures.iter().map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(sizes, BTreeSet::from([320 * 180, 640 * 360]));
    let white = |bytes: &[u8]| bytes.iter().map(|luma| u64::from(*luma)).sum::<u64>() / bytes.len() as u64 > u64::from(WHITE) - 35;
    let flashes = onsets(pictures.iter().map(|(at, bytes)| (*at, white(bytes))), 500 * MS);
    let off: Vec<u64> = flashes.iter().map(|at| at.abs_diff((at + S / 2) / S * S) / MS).collect();
    println!("{from:?} to {to:?}: flashes are {off:?} ms off");
    assert!(flashes.len() >= 3 && off.iter().all(|off| off * MS <= PICTURE), "{off:?}");
    stage.bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h264_becomes_vp8_in_its_time_and_size() {
    from_codec_to_codec((VideoCodec::H264, Codec::H264), Codec::Vp8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vp8_becomes_h264_in_its_time_and_size() {
    from_codec_to_codec((VideoCodec::Vp8, Codec::Vp8), Codec::H264).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_comes_in_the_wanted_codec_is_left_alone_until_it_changes() {
    gstreamer::init().unwrap();
    let bench = Bench::of(Spec::Transcode(spec(Codec::Vp8)));
    let (same, other) = (reel(VideoCodec::Vp8, 320, 180), reel(VideoCodec::H264, 320, 180));
    let mut stage = Stage::new(bench, Player::from_keyframe(same, monotonic_ns(), 7));
    stage.format(Codec::Vp8);
    stage.play("a second of what needs no work", |stage| stage.given.len() >= 60).await;
    assert!(stage.came.is_empty());
    stage.player = Player::from_keyframe(other, monotonic_ns(), 9);
    stage.format(Codec::H264);
    stage.play("pictures", |stage| stage.came.len() >= 10).await;
    stage.bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_can_make_is_said_at_once() {
    let mut bench = Bench::of(Spec::Transcode(spec(Codec::Opus)));
    match bench.event().await {
        Event::Down { failure, .. } => assert!(failure.to_string().contains("no encoder for opus"), "{failure}"),
        other => panic!("{other:?}"),
    }
    bench.end().await;
}
