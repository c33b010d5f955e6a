//! What a writer does not take, and what is no recording.

use super::memory::Memory;
use super::*;
use crate::mp4::{inspect, recover};

/// Whether it is the error that was expected.
type Expected = fn(&Error) -> bool;

fn sample(kind: Kind, dts: u64, pts: u64, key: bool, data: &[u8]) -> Sample<'_> {
    Sample { kind, dts, pts, duration: 10, key, data }
}

#[test]
fn a_refused_sample_says_why_and_changes_nothing() {
    let (format, _) = material(0);
    let memory = Memory::default();
    let mut writer = Writer::begin(memory.clone(), &format, SMALL_HOLE).unwrap();
    let delta = writer.push(sample(Kind::Video, 0, 0, false, b"x"));
    assert!(matches!(delta, Err(Error::NotAKeyframe)));
    let early = writer.push(sample(Kind::Video, 100, 99, true, b"x"));
    assert!(matches!(early, Err(Error::Composition { dts: 100, pts: 99 })));
    writer.push(sample(Kind::Video, 100, 100, true, b"x")).unwrap();
    for flushed in [false, true] {
        let refused: [(Sample, Expected); 6] = [
            (sample(Kind::Video, 100, 100, true, b"x"), |e| matches!(e, Error::Backwards { dts: 100, last: 100, .. })),
            (sample(Kind::Video, 99, 99, true, b"x"), |e| matches!(e, Error::Backwards { .. })),
            (sample(Kind::Video, 1 << 33, 1 << 33, true, b"x"), |e| matches!(e, Error::Jump { .. })),
            (sample(Kind::Video, 200, 1 << 33, true, b"x"), |e| matches!(e, Error::Composition { .. })),
            (sample(Kind::Audio, u64::MAX, u64::MAX, true, b"x"), |e| matches!(e, Error::Jump { .. })),
            (sample(Kind::Audio, 0, 0, true, b""), |e| matches!(e, Error::SampleSize(0))),
        ];
        for (sample, expected) in refused {
            let error = writer.push(sample).unwrap_err();
            assert!(expected(&error), "{error} for {sample:?}, flushed: {flushed}");
        }
        assert_eq!(writer.pending_bytes(), usize::from(!flushed));
        writer.flush().unwrap();
    }
    writer.push(sample(Kind::Video, 110, 90, false, b"y")).unwrap();
    writer.finish().unwrap();
}

#[test]
fn a_track_that_is_not_there_takes_no_samples() {
    let (format, _) = material(0);
    let silent = Format { audio: None, ..format.clone() };
    let mut writer = Writer::begin(Memory::default(), &silent, SMALL_HOLE).unwrap();
    assert!(matches!(writer.push(sample(Kind::Audio, 0, 0, true, b"x")), Err(Error::NoSuchTrack(Kind::Audio))));
    let nothing = Format { audio: None, video: None };
    assert!(matches!(Writer::begin(Memory::default(), &nothing, SMALL_HOLE), Err(Error::NoTracks)));
}

#[test]
fn too_much_for_one_fragment_becomes_several() {
    let (format, _) = material(0);
    let memory = Memory::default();
    let mut writer = Writer::begin(memory.clone(), &format, SMALL_HOLE).unwrap();
    let large = vec![7; 6 << 20];
    for i in 0..5u64 {
        writer.push(sample(Kind::Video, i * 10, i * 10, i == 0, &large)).unwrap();
        assert!(writer.pending_bytes() <= 16 << 20);
    }
    let summary = writer.finish().unwrap();
    assert_eq!(summary.duration, std::time::Duration::from_nanos(50 * 1_000_000_000 / 90_000));
    let moofs = memory.log().iter().filter(|op| matches!(op, memory::Op::Write(_, data) if data[4..].starts_with(b"moof"))).count();
    assert_eq!(moofs, 3, "two, two and one");
}

#[test]
fn formats_are_checked() {
    let sps = [0x67, 100, 0, 30, 1, 2];
    let refused = [
        Video::from_parameter_sets(&sps[..3], &[0x68], 64, 48),
        Video::from_parameter_sets(&sps, &[], 64, 48),
        Video::from_parameter_sets(&sps, &[0x68], 0, 48),
        Video::from_parameter_sets(&[0x67, 122, 0, 30], &[0x68], 64, 48),
        Video::from_avcc(&[1, 100, 0], 64, 48),
        Video::from_avcc(&[], 64, 48),
    ];
    for (i, format) in refused.into_iter().enumerate() {
        assert!(matches!(format, Err(Error::Format(Kind::Video, _))), "{i}");
    }
    Video::from_parameter_sets(&sps, &[0x68], 64, 48).unwrap();
    let refused =
        [Audio::from_config(&[0x11], 48_000, 1), Audio::from_config(&[0x11, 0x88], 0, 1), Audio::from_config(&[0x11, 0x88], 96_000, 1)];
    for (i, format) in refused.into_iter().enumerate() {
        assert!(matches!(format, Err(Error::Format(Kind::Audio, _))), "{i}");
    }
    assert!(Audio::from_config(&[0x11, 0x88], 48_000, 0).is_err());
}

#[test]
fn what_the_encoder_says_of_itself_is_kept() {
    // High, 4:2:0, 8 bits, with its extension; lengths of 4 bytes.
    let record = [1, 100, 0, 30, 0xff, 0xe1, 0, 4, 0x67, 100, 0, 30, 1, 0, 2, 0x68, 9, 0xfd, 0xf8, 0xf8, 0];
    let from_record = Video::from_avcc(&record, 64, 48).unwrap();
    assert_eq!(from_record, Video::from_parameter_sets(&[0x67, 100, 0, 30], &[0x68, 9], 64, 48).unwrap());
}

#[test]
fn other_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("empty", &b""[..]), ("text", b"hello, this is no recording at all"), ("other.mp4", BALL)] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(recover(&path), Err(Error::NotOurs(_))), "{name}");
        assert!(matches!(inspect(&path), Err(Error::NotOurs(_))), "{name}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name}");
    }
    assert!(matches!(recover(&folder.path().join("absent")), Err(Error::Storage { .. })));
}

#[test]
fn a_recording_that_cannot_begin_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (format, _) = material(0);
    let path = folder.path().join("a.mp4");
    assert!(Writer::create(&path, &Format { video: None, audio: None }).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::os::unix::fs::symlink("/dev/full", crate::disk::temporary(&path)).unwrap();
    assert!(Writer::create(&path, &format).unwrap_err().is_disk_full());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    let writer = Writer::create(&path, &format).unwrap();
    assert!(matches!(writer.finish(), Err(Error::Empty)));
    assert!(matches!(Writer::create(&path, &format), Err(Error::Exists)));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
