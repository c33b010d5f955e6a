//! A writer that died has a successor, which goes on in the same file.

use super::memory::{Memory, Op, replay};
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
    let mut successor = Writer::go_on(memory.clone(), &format, SMALL_HOLE).unwrap();
    assert!(matches!(memory.log()[..], [Op::Len(_), Op::Sync]), "what was found is safe before anything follows");
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
    let mut successor = Writer::go_on(memory, &format, SMALL_HOLE).unwrap();
    assert!(matches!(successor.push(samples[0].borrowed()), Err(Error::Backwards { .. })));
    record(&mut successor, &later).unwrap();
    let summary = successor.finish().unwrap();
    assert_eq!(summary.duration.as_millis(), 5000 + 94 * 1024 * 1000 / 48_000);
}

#[test]
fn a_finished_recording_is_opened_again() {
    let (format, samples) = material(2);
    let split = samples.iter().position(|sample| sample.ms() >= 2000).unwrap();
    for hole in [SMALL_HOLE, NO_HOLE] {
        let memory = Memory::of(finished_after(&format, &samples[..split], 4, hole));
        let mut successor = Writer::go_on(memory.clone(), &format, hole).unwrap();
        assert!(!crate::mp4::inspect_storage(&memory).unwrap().finished);
        record(&mut successor, &samples[split..]).unwrap();
        successor.finish().unwrap();
        assert!(memory.bytes() == finished_after(&format, &samples, 8, hole), "as if it had never been finished");
    }
}

#[test]
fn stopped_after_each_step_of_its_opening_a_finished_recording_is_whole() {
    let (format, samples) = material(1);
    for hole in [SMALL_HOLE, NO_HOLE] {
        let finished = finished_after(&format, &samples, 4, hole);
        let memory = Memory::of(finished.clone());
        drop(Writer::go_on(memory.clone(), &format, hole).unwrap());
        let log = memory.log();
        assert!(matches!(log[..], [Op::Write(32, _), Op::Sync, Op::Len(_), Op::Sync]), "O1, O2, F1 and its sync");
        for steps in 0..=log.len() {
            let mut stopped = finished.clone();
            log[..steps].iter().for_each(|op| super::memory::apply(&mut stopped, op));
            assert_eq!(crate::mp4::inspect_storage(&Memory::of(stopped.clone())).unwrap().finished, steps == 0);
            assert!(recovered(stopped).unwrap().0 == finished, "{steps}");
        }
    }
}

#[test]
fn only_a_recording_of_the_same_formats_is_resumed() {
    let (format, samples) = material(1);
    let others = [
        Format { audio: None, ..format.clone() },
        Format { video: Some(Video::from_parameter_sets(&[0x67, 77, 0, 30], &[0x68], 64, 48).unwrap()), ..format.clone() },
        Format { audio: Some(Audio::from_config(&[0x11, 0x90], 48_000, 2).unwrap()), ..format.clone() },
    ];
    for hole in [SMALL_HOLE, NO_HOLE] {
        let memory = Memory::default();
        let mut writer = Writer::begin(memory.clone(), &format, hole).unwrap();
        record(&mut writer, &samples).unwrap();
        let unfinished = replay(&memory.log());
        writer.finish().unwrap();
        for state in [unfinished, memory.bytes()] {
            for other in &others {
                let image = Memory::of(state.clone());
                assert!(matches!(Writer::go_on(image.clone(), other, hole), Err(Error::OtherFormats)));
                assert!(image.log().is_empty(), "nothing was written");
            }
            Writer::go_on(Memory::of(state), &format, hole).unwrap();
        }
    }
}
