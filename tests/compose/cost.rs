//! `make bench BENCH=compose`: what it costs to compose 1, 4 and 9 sources, beside ffmpeg's `xstack` on the same machine in the same run.
//!
//! Both sides decode the same H.264 and Opus, which come at the pace of a clock, scale to the same cells with the same filter, mix the
//! sound, and encode the same canvas with libx264 at the same settings and with libavcodec's AAC. Ours is the real worker, fed over
//! its socket with timed packets that arrive as a network delivers them; it writes a file that survives a power cut, syncs included.
//! ffmpeg reads files (`-re`) and writes plain MP4. The settings are compared by what libx264 itself writes into both files.
//!
//! CPU is user and system time of the process in a span in which all sources are there; feeding the worker is not in it. Both work at
//! the same time, so that whatever else the machine does troubles both.

#[allow(dead_code, reason = "a benchmark needs less of it than the tests")]
mod bench;

use bench::reels::{audio_reel, video_reel};
use bench::{Bench, HEIGHT, WIDTH, look};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use viduct::clock::monotonic_ns;
use viduct::layout::{Rect, best_fit, letterbox};
use viduct_testkit::flashes::source::{Look, VideoCodec, write_file};
use viduct_testkit::usage::Usage;

const SOURCES: [u8; 3] = [1, 4, 9];
/// Begin and end of what is measured, s after the start.
const FROM: f64 = 4.0;
const TO: f64 = 24.0;
/// What the sources may be late, s, before a measurement means nothing.
const LATE: f64 = 0.5;
/// Length of the sources, s.
const LENGTH: u64 = TO as u64 + 2;

fn source() -> Look {
    look(VideoCodec::H264, WIDTH as usize, HEIGHT as usize, 25)
}

fn main() {
    let folder = tempfile::tempdir().expect("there is room for the sources");
    let files: Vec<PathBuf> = (0..SOURCES[2])
        .map(|number| {
            let path = folder.path().join(format!("{number}.mkv"));
            let (video, audio) = (video_reel(number, source()), audio_reel(number, false));
            write_file(&path, &video, &audio, LENGTH).expect("the sources can be written");
            path
        })
        .collect();
    println!("sources 1280x720 at 25/s, H.264 and Opus; film 1280x720 at 25/s, x264 veryfast 2 Mbit/s in 2 threads, AAC 128 kbit/s\n");
    println!("CPU seconds for one second of film:\n");
    println!("| sources | composer | ffmpeg xstack | ratio | composer MB | ffmpeg MB | composer pictures | ffmpeg pictures |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut differing = BTreeMap::new();
    for count in SOURCES {
        let Some([ours, theirs]) = measure(count, &files[..count.into()], &folder.path().join("xstack.mp4")) else {
            println!("| {count} | not measured: the machine was too busy to play so many sources in time |");
            continue;
        };
        println!(
            "| {count} | {:.3} | {:.3} | {:.2} | {:.0} | {:.0} | {} | {} |",
            ours.cpu,
            theirs.cpu,
            ours.cpu / theirs.cpu,
            ours.memory,
            theirs.memory,
            ours.pictures,
            theirs.pictures
        );
        differing.extend(differences(&ours.settings, &theirs.settings));
    }
    let differing: Vec<_> = differing.iter().map(|(key, [ours, theirs])| format!("{key} {ours} / {theirs}")).collect();
    println!(
        "\nlibx264's settings that differ (composer / ffmpeg): {}",
        if differing.is_empty() { "none".into() } else { differing.join(", ") }
    );
}

/// What one side used.
struct Cost {
    /// CPU seconds for a second of film.
    cpu: f64,
    /// Resident MB at the end of the span.
    memory: f64,
    /// Pictures in the film, and how many there should be.
    pictures: String,
    /// As libx264 wrote them into the film.
    settings: BTreeMap<String, String>,
}

impl Cost {
    fn of([from, to]: [Usage; 2], film: &Path, seconds: f64) -> Cost {
        Cost {
            cpu: (to.cpu - from.cpu) / (TO - FROM),
            memory: to.memory,
            pictures: format!("{} of {:.0}", pictures(film), seconds * 25.0),
            settings: settings(film),
        }
    }
}

/// The composer's worker and ffmpeg make the same film, at the same time. `None`: the sources came too late to compare anything.
fn measure(count: u8, files: &[PathBuf], film: &Path) -> Option<[Cost; 2]> {
    let mut bench = Bench::ready();
    for number in 0..count {
        bench.join(number, source());
    }
    let mut ffmpeg = xstack(files, film).spawn().expect("ffmpeg is installed");
    let pids = [&bench.child, &ffmpeg].map(|child| child.id().cast_signed());
    let used = |pid| Usage::of(pid).expect("it runs");
    let late = |bench: &Bench, due: f64| (monotonic_ns() - bench.began) as f64 / 1e9 - due > LATE;
    bench.play_until(FROM);
    let (from, late_from) = (pids.map(used), late(&bench, FROM));
    bench.play_until(TO);
    let (to, late_to) = (pids.map(used), late(&bench, TO));
    let take = bench.stop();
    assert!(ffmpeg.wait().expect("it ends").success(), "ffmpeg failed");
    for warning in take.warnings() {
        println!("the composer of {count} says: {warning}");
    }
    let ours = Cost::of([from[0], to[0]], &take.path, (take.stopped - take.began) as f64 / 1e9);
    let theirs = Cost::of([from[1], to[1]], film, LENGTH as f64);
    (!late_from && !late_to).then_some([ours, theirs])
}

/// The same film by ffmpeg.
fn xstack(files: &[PathBuf], film: &Path) -> Command {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y"]);
    for file in files {
        // one decoding thread each, as ours have
        ffmpeg.args(["-re", "-threads", "1", "-i"]).arg(file);
    }
    ffmpeg.args(["-filter_complex", &graph(files.len()), "-map", "[picture]", "-map", "[sound]", "-r", "25"]);
    // what x264enc makes of bitrate=2000: the same rate, held within 600 ms
    ffmpeg.args(["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-bf", "0", "-threads:v", "2", "-g", "50"]);
    ffmpeg.args(["-b:v", "2000k", "-maxrate", "2000k", "-bufsize", "1200k", "-pix_fmt", "yuv420p"]);
    ffmpeg.args(["-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-ac", "2"]).arg(film);
    ffmpeg.stdin(Stdio::null());
    ffmpeg
}

/// ffmpeg's words for our grid: each picture scaled to what it fills of its cell, all stacked, the rest black.
fn graph(count: usize) -> String {
    let places: Vec<Rect> = best_fit(count, WIDTH, HEIGHT).into_iter().map(|cell| letterbox(WIDTH, HEIGHT, cell)).collect();
    let scaled = |(number, Rect { width, height, .. }): (usize, &Rect)| {
        format!("[{number}:v]scale={width}:{height}:flags=bilinear,setsar=1[v{number}];")
    };
    let mut graph: String = places.iter().enumerate().map(scaled).collect();
    let inputs = |kind: &str| (0..count).map(|number| format!("[{kind}{number}]")).collect::<String>();
    let layout: Vec<String> = places.iter().map(|Rect { x, y, .. }| format!("{x}_{y}")).collect();
    match count {
        1 => graph += "[v0]copy",
        _ => graph += &format!("{}xstack=inputs={count}:layout={}:fill=black,pad={WIDTH}:{HEIGHT}", inputs("v"), layout.join("|")),
    }
    let sounds: String = (0..count).map(|number| format!("[{number}:a]")).collect();
    graph + &format!("[picture];{sounds}amix=inputs={count}:normalize=0[sound]")
}

/// Pictures in a film.
fn pictures(film: &Path) -> String {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-select_streams", "v", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0"]);
    let output = ffprobe.arg(film).output().expect("ffprobe is installed");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// libx264 writes its settings into the first picture: `options: key=value …`.
fn settings(film: &Path) -> BTreeMap<String, String> {
    let bytes = std::fs::read(film).expect("the film can be read");
    let mark = b" - options: ";
    let at = bytes.windows(mark.len()).position(|window| window == mark).expect("libx264 says how it encodes") + mark.len();
    let text: Vec<u8> = bytes[at..].iter().copied().take_while(|byte| (0x20..0x7f).contains(byte)).collect();
    let text = String::from_utf8(text).expect("it is ASCII");
    text.split(' ').filter_map(|word| word.split_once('=')).map(|(key, value)| (key.into(), value.into())).collect()
}

fn differences(ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> BTreeMap<String, [String; 2]> {
    let value = |settings: &BTreeMap<String, String>, key: &str| settings.get(key).cloned().unwrap_or_else(|| "-".into());
    let keys = ours.keys().chain(theirs.keys());
    keys.filter(|key| ours.get(*key) != theirs.get(*key)).map(|key| (key.clone(), [value(ours, key), value(theirs, key)])).collect()
}
