//! A stop after each numbered step, of writing, finishing and recovering: what is found then becomes the file that a writer
//! finished there would have made, byte for byte.

use super::memory::{Memory, Op, replay};
use super::*;
use crate::mp4::{inspect_storage, recover_storage};

/// Operations until W2, before which the file has no name.
const HEADER: usize = 3;
/// Operations of one fragment: W4, W5, W6.
const FRAGMENT: usize = 3;

fn log_of_a_recording(hole: u64) -> (Format, Vec<Owned>, usize, Vec<Op>) {
    let (format, samples) = material(1);
    let memory = Memory::default();
    let mut writer = Writer::begin(memory.clone(), &format, hole).unwrap();
    record(&mut writer, &samples).unwrap();
    writer.finish().unwrap();
    let fragments = samples.chunk_by(|a, b| a.ms() / 500 == b.ms() / 500).count();
    let log = memory.log();
    assert_eq!(log.len(), HEADER + FRAGMENT * fragments + 4, "F1 has nothing to cut");
    (format, samples, fragments, log)
}

#[test]
fn the_order_of_writes_is_as_documented() {
    for hole in [SMALL_HOLE, NO_HOLE] {
        let (_, _, fragments, log) = log_of_a_recording(hole);
        let kinds: String = log.iter().map(|op| if matches!(op, Op::Write(..)) { 'w' } else { 's' }).collect();
        assert_eq!(kinds, format!("wws{}wsws", "wws".repeat(fragments)));
        for fragment in log[HEADER..log.len() - 4].chunks(FRAGMENT) {
            let [Op::Write(rest, _), Op::Write(header, first), Op::Sync] = fragment else { panic!("{fragment:?}") };
            assert_eq!((first.len(), rest - header, header % 8), (8, 8, 0));
            assert_eq!(&first[4..], b"moof");
        }
        let Op::Write(switch, bytes) = &log[log.len() - 2] else { panic!("no switch") };
        assert_eq!((*switch, bytes.len()), (32, if hole == NO_HOLE { 16 } else { 4 }));
    }
}

#[test]
fn stopped_after_each_step_a_file_is_recovered_to_what_was_committed() {
    for hole in [SMALL_HOLE, NO_HOLE] {
        let (format, samples, fragments, log) = log_of_a_recording(hole);
        for steps in HEADER..=log.len() {
            let image = replay(&log[..steps]);
            // W5 commits against a kill; W6 against a power cut.
            let committed = ((steps - HEADER + 1) / FRAGMENT).min(fragments);
            let before = inspect_storage(&Memory::of(image.clone())).unwrap();
            assert_eq!(before.finished, steps >= log.len() - 1, "{steps}");
            if committed == 0 {
                assert!(matches!(recovered(image), Err(Error::Empty)));
                continue;
            }
            let expected = finished_after(&format, &samples, committed, hole);
            let (bytes, summary) = recovered(image).unwrap();
            assert!(bytes == expected, "{steps} steps, {committed} fragments");
            assert_eq!(Summary { size: before.size, finished: before.finished, ..summary }, before);
            assert!(recovered(bytes.clone()).unwrap() == (bytes, summary), "again: nothing changes");
        }
    }
}

#[test]
fn a_stopped_recovery_is_repeated() {
    for hole in [SMALL_HOLE, NO_HOLE] {
        let (format, samples, fragments, log) = log_of_a_recording(hole);
        // Killed between W4 and W5 of the last fragment: there is a tail to cut.
        let image = replay(&log[..log.len() - 4 - 2]);
        let expected = finished_after(&format, &samples, fragments - 1, hole);
        let memory = Memory::of(image.clone());
        recover_storage(memory.clone()).unwrap();
        let recovery = memory.log();
        assert_eq!(recovery.len(), 5, "F1 to F5");
        for steps in 0..=recovery.len() {
            let mut stopped = image.clone();
            recovery[..steps].iter().for_each(|op| super::memory::apply(&mut stopped, op));
            assert!(recovered(stopped).unwrap().0 == expected, "{steps}");
        }
    }
}

#[test]
fn a_tail_cut_anywhere_costs_its_fragment_only() {
    let (format, samples, fragments, log) = log_of_a_recording(SMALL_HOLE);
    let whole = replay(&log[..log.len() - 4]);
    let before = replay(&log[..log.len() - 4 - FRAGMENT]).len();
    let shorter = finished_after(&format, &samples, fragments - 1, SMALL_HOLE);
    for len in before..whole.len() {
        assert!(recovered(whole[..len].to_vec()).unwrap().0 == shorter, "cut at {len}");
        if len % 7 == 0 {
            let mut zeros = whole[..len].to_vec();
            zeros.resize(whole.len() + 4096, 0);
            assert!(recovered(zeros).unwrap().0 == shorter, "zeros from {len}");
        }
    }
    let mut tail = whole.clone();
    tail.resize(whole.len() + 5000, 0);
    assert!(recovered(tail).unwrap().0 == finished_after(&format, &samples, fragments, SMALL_HOLE), "zeros behind it");
}

#[test]
fn a_full_disk_at_any_operation_leaves_what_was_committed() {
    for hole in [SMALL_HOLE, NO_HOLE] {
        let (format, samples, fragments, log) = log_of_a_recording(hole);
        for room in 0..log.len() {
            let memory = Memory::default().full_after(room);
            let writer = Writer::begin(memory.clone(), &format, hole);
            let Ok(mut writer) = writer else {
                assert!(room < HEADER && writer.unwrap_err().is_disk_full());
                continue;
            };
            let failed = record(&mut writer, &samples);
            if let Err(error) = &failed {
                assert!(error.is_disk_full(), "{error}");
                assert!(matches!(writer.push(samples[0].borrowed()), Err(Error::Broken)));
            }
            let finished = writer.finish();
            // In this file a sync never fails for want of room, so W5 decides.
            let committed = memory.log().iter().filter(|op| matches!(op, Op::Write(_, data) if &data[4..] == b"moof")).count();
            assert!(failed.is_err() == (committed < fragments), "{room}");
            match (finished, committed) {
                (Ok(_), _) => {}
                (Err(error), 0) => assert!(matches!(error, Error::Empty), "{error}"),
                (Err(error), _) => assert!(error.is_disk_full(), "{error}"),
            }
            if committed > 0 {
                // There is room again, and the next start mends the file.
                let expected = finished_after(&format, &samples, committed, hole);
                assert!(recovered(memory.bytes()).unwrap().0 == expected, "{room}");
            }
        }
    }
}
