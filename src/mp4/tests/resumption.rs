//! A writer that died has a successor, which goes on in the same file.

use super::memory::{Memory, replay};
use super::*;

#[test]
fn a_resumed_recording_is_the_one_that_was_never_interrupted() {
    let (format, samples) = material(2);
    let split = samples.iter().position(|sample| sample.ms() >= 2000).unwrap();
    let (first, second) = samples.split_at(split);
    let expected = finished_after(&format, &samples, 8, SMALL_HOLE);

    let memory = Memory::default();
    let mut writer = Writer::begin(memory.clone(), &format, SMALL_HOLE).unwrap();
    record(&mut writer, first).unwrap();
    drop(writer);
    let mut killed = memory.bytes();
    killed.extend_from_slice(&[0; 777]);

    let memory = Memory::of(killed);
    let mut successor = Writer::go_on(memory.clone(), &format).unwrap();
    let delta = second.iter().find(|sample| sample.kind == Kind::Video && !sample.key).unwrap();
    assert!(matches!(successor.push(delta.borrowed()), Err(Error::NotAKeyframe)));
    record(&mut successor, second).unwrap();
    successor.finish().unwrap();
    assert!(memory.bytes() == expected);
}

#[test]
fn a_pause_is_kept_in_the_times() {
    let (format, samples) = material(1);
    let memory = Memory::default();
    let mut writer = Writer::begin(memory.clone(), &format, SMALL_HOLE).unwrap();
    record(&mut writer, &samples).unwrap();
    drop(writer);
    let later: Vec<Owned> = samples
        .iter()
        .cloned()
        .map(|mut sample| {
            let seconds = if sample.kind == Kind::Video { 90_000 } else { 48_000 };
            sample.dts += 5 * seconds;
            sample.pts += 5 * seconds;
            sample
        })
        .collect();
    let mut successor = Writer::go_on(memory, &format).unwrap();
    assert!(matches!(successor.push(samples[0].borrowed()), Err(Error::Backwards { .. })));
    record(&mut successor, &later).unwrap();
    let summary = successor.finish().unwrap();
    assert_eq!(summary.duration.as_millis(), 5000 + 94 * 1024 * 1000 / 48_000);
}

#[test]
fn only_an_unfinished_recording_of_the_same_formats_is_resumed() {
    let (format, samples) = material(1);
    let finished = finished_after(&format, &samples, 4, SMALL_HOLE);
    assert!(matches!(Writer::go_on(Memory::of(finished), &format), Err(Error::Finished)));

    let memory = Memory::default();
    let mut writer = Writer::begin(memory.clone(), &format, SMALL_HOLE).unwrap();
    record(&mut writer, &samples).unwrap();
    let others = [
        Format { audio: None, ..format.clone() },
        Format { video: Some(Video::from_parameter_sets(&[0x67, 77, 0, 30], &[0x68], 64, 48).unwrap()), ..format.clone() },
        Format { audio: Some(Audio::from_config(&[0x11, 0x90], 48_000, 2).unwrap()), ..format.clone() },
    ];
    for other in others {
        let image = Memory::of(replay(&memory.log()));
        assert!(matches!(Writer::go_on(image.clone(), &other), Err(Error::OtherFormats)));
        assert!(image.log().is_empty(), "nothing was written");
    }
    Writer::go_on(memory, &format).unwrap();
}
