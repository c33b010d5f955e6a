//! Real files, judged by ffprobe and ffmpeg: packet counts, times and durations are exact, and every sample decodes.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::*;
use crate::mp4::{inspect, recover};

/// What ffprobe says of one stream: packets, start and duration in s.
#[derive(PartialEq, Debug)]
struct Stream {
    packets: usize,
    start: f64,
    duration: f64,
}

/// Picture first.
fn probe(path: &Path) -> Vec<Stream> {
    let entries = "stream=codec_type,nb_read_packets,start_time,duration";
    let output = Command::new("ffprobe")
        .args(["-v", "warning", "-count_packets", "-of", "json", "-show_entries", entries])
        .arg(path)
        .output()
        .expect("ffprobe is installed");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |stream: &Value, key: &str| stream[key].as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
    let streams = json["streams"].as_array().unwrap().iter();
    streams
        .map(|stream| Stream {
            packets: number(stream, "nb_read_packets") as usize,
            start: number(stream, "start_time"),
            duration: number(stream, "duration"),
        })
        .collect()
}

/// Decodes all of it; what ffmpeg complains about.
fn complaints(path: &Path) -> String {
    let output = Command::new("ffmpeg").args(["-v", "warning", "-xerror", "-i"]).arg(path).args(["-f", "null", "-"]).output();
    String::from_utf8_lossy(&output.expect("ffmpeg is installed").stderr).into_owned()
}

fn expected(samples: &[Owned], kind: Kind, scale: f64) -> Stream {
    let of_kind = || samples.iter().filter(move |sample| sample.kind == kind);
    let begin = samples.iter().map(|sample| sample.dts as f64 / if sample.kind == Kind::Video { 90e3 } else { 48e3 });
    let begin = begin.fold(f64::MAX, f64::min);
    let first = of_kind().map(|sample| sample.dts).min().unwrap() as f64 / scale;
    let end = of_kind().map(|sample| sample.dts + u64::from(sample.duration)).max().unwrap() as f64 / scale;
    Stream { packets: of_kind().count(), start: first - begin, duration: end - first }
}

fn assert_close(path: &Path, found: &[Stream], expected: &[Stream]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let close = |a: f64, b: f64| (a - b).abs() < 20e-6;
        let same = found.packets == expected.packets && close(found.start, expected.start) && close(found.duration, expected.duration);
        assert!(same, "{}: {found:?}, expected {expected:?}", path.display());
    }
}

fn assert_holds(path: &Path, samples: &[Owned]) {
    let kinds = [(Kind::Video, 90e3), (Kind::Audio, 48e3)];
    let has = |kind: Kind| samples.iter().any(|sample| sample.kind == kind);
    let streams: Vec<Stream> = kinds.iter().filter(|kind| has(kind.0)).map(|&(kind, scale)| expected(samples, kind, scale)).collect();
    assert_close(path, &probe(path), &streams);
    assert_eq!(complaints(path), "", "{}", path.display());
    let summary = inspect(path).unwrap();
    let end = streams.iter().map(|stream| stream.start + stream.duration).fold(0.0, f64::max);
    assert!((summary.duration.as_secs_f64() - end).abs() < 20e-6, "{summary:?}, {end}");
    assert_eq!((summary.video, summary.audio), (has(Kind::Video).then_some((64, 48)), has(Kind::Audio)));
    assert_eq!(summary.size, path.metadata().unwrap().len());
    assert!(summary.finished);
}

fn write(path: &Path, format: &Format, samples: &[Owned], hole: u64) -> Writer {
    let file = File::options().read(true).write(true).create_new(true).open(path).unwrap();
    let mut writer = Writer::begin(file, format, hole).unwrap();
    record(&mut writer, samples).unwrap();
    writer
}

#[test]
fn a_finished_file_holds_exactly_what_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let (both, samples) = material(3);
    let only = |kind: Kind| samples.iter().filter(|sample| sample.kind == kind).cloned().collect::<Vec<_>>();
    let later = |kind: Kind, ticks: u64| {
        let shift = |mut sample: Owned| {
            let by = if sample.kind == kind { ticks } else { 0 };
            (sample.dts, sample.pts) = (sample.dts + by, sample.pts + by);
            sample
        };
        let mut samples: Vec<Owned> = samples.iter().cloned().map(shift).collect();
        samples.sort_by_key(Owned::ms);
        samples
    };
    let cases = [
        ("both", both.clone(), samples.clone()),
        ("picture", Format { audio: None, ..both.clone() }, only(Kind::Video)),
        ("sound", Format { video: None, ..both.clone() }, only(Kind::Audio)),
        ("sound-never-came", both.clone(), only(Kind::Video)),
        ("late-picture", both.clone(), later(Kind::Video, 12_330)),
        ("late-sound", both.clone(), later(Kind::Audio, 24_001)),
    ];
    for (name, format, samples) in cases {
        for (place, hole) in [("front", SMALL_HOLE), ("behind", NO_HOLE)] {
            let path = folder.path().join(format!("{name}-{place}.mp4"));
            write(&path, &format, &samples, hole).finish().unwrap();
            assert_holds(&path, &samples);
        }
    }
}

#[test]
fn an_unfinished_file_plays_and_is_finished_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let (format, samples) = material(3);
    let mut writer = Writer::create(&path, &format).unwrap();
    record(&mut writer, &samples).unwrap();
    drop(writer);
    assert!(!inspect(&path).unwrap().finished);
    // A fragmented file: everything is there, only the durations are those of the fragments seen so far.
    let packets: Vec<usize> = probe(&path).iter().map(|stream| stream.packets).collect();
    assert_eq!(packets, [150, 282]);
    assert_eq!(complaints(&path), "");
    assert!(recover(&path).unwrap().finished);
    assert_holds(&path, &samples);
    let blocks = std::os::unix::fs::MetadataExt::blocks(&path.metadata().unwrap()) * 512;
    assert!(blocks < 256 << 10, "the hole of {} MB takes {blocks} bytes", crate::mp4::HOLE >> 20);
}

#[test]
fn torn_files_play_before_and_after_recovery() {
    let folder = tempfile::tempdir().unwrap();
    let (format, samples) = material(2);
    let path = folder.path().join("whole.mp4");
    write(&path, &format, &samples, SMALL_HOLE);
    let whole = std::fs::read(&path).unwrap();
    let last = whole.windows(4).rposition(|bytes| bytes == b"moof").unwrap() - 4;
    let kept: Vec<Owned> = samples.iter().filter(|sample| sample.ms() < 3500).cloned().collect();
    let uncommitted = {
        let mut image = whole.clone();
        image[last..last + 8].fill(0);
        image
    };
    let zero_tail = [&whole[..last], &[0; 4096]].concat();
    let mid_payload = whole[..whole.len() - 100].to_vec();
    for (name, image, plays_before) in [("uncommitted", uncommitted, true), ("zeros", zero_tail, true), ("cut", mid_payload, false)] {
        let path = folder.path().join(format!("{name}.mp4"));
        std::fs::write(&path, image).unwrap();
        if plays_before {
            let packets: Vec<usize> = probe(&path).iter().map(|stream| stream.packets).collect();
            let count = |kind: Kind| kept.iter().filter(|sample| sample.kind == kind).count();
            assert_eq!(packets, [count(Kind::Video), count(Kind::Audio)], "{name}");
        }
        recover(&path).unwrap();
        assert_holds(&path, &kept);
    }
}

#[test]
fn offsets_beyond_4_gb_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.mp4");
    let (format, samples) = material(2);
    // As if 4 GB had been recorded before: sparse, so it takes no room.
    write(&path, &format, &samples, u64::from(u32::MAX) - 4096).finish().unwrap();
    assert!(path.metadata().unwrap().len() > 1 << 32);
    assert_holds(&path, &samples);
}

#[test]
fn reordered_pictures_are_shown_at_their_times() {
    let folder = tempfile::tempdir().unwrap();
    let (format, samples) = material(2);
    let mut samples: Vec<Owned> = samples.into_iter().filter(|sample| sample.kind == Kind::Video).collect();
    // I P B b P B b …: what is decoded second of three is shown last.
    for (i, sample) in samples.iter_mut().enumerate() {
        sample.pts = sample.dts + 3600 * if i == 0 { 1 } else { [3, 0, 0][(i - 1) % 3] };
    }
    let path = folder.path().join("a.mp4");
    let silent = Format { audio: None, ..format };
    let summary = write(&path, &silent, &samples, SMALL_HOLE).finish().unwrap();
    let output = Command::new("ffprobe").args(["-v", "warning", "-show_entries", "packet=pts", "-of", "csv=p=0"]).arg(&path).output();
    let output = output.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let found: Vec<i64> =
        String::from_utf8(output.stdout).unwrap().split_whitespace().map(|pts| pts.trim_end_matches(',').parse().unwrap()).collect();
    let expected: Vec<i64> = samples.iter().map(|sample| sample.pts as i64 - 3600).collect();
    assert_eq!(found, expected);
    let last = samples.iter().map(|sample| sample.pts + 3600).max().unwrap() - 3600;
    assert_eq!(summary.duration, std::time::Duration::from_nanos(last * 1_000_000_000 / 90_000));
}
