//! Power cuts at random: of what was written since the last sync, any sectors may be there and any may not.

use proptest::prelude::*;

use super::memory::{Memory, Op, SECTOR, apply, replay};
use super::*;
use crate::mp4::recover_storage;

/// The file after the first `cut` operations, of which those behind the last sync came to the disk sector by sector, as
/// `lucky` says.
fn image(log: &[Op], cut: usize, lucky: impl FnMut() -> bool) -> Vec<u8> {
    image_on(Vec::new(), log, cut, lucky)
}

/// The same for a file that was there before.
fn image_on(mut bytes: Vec<u8>, log: &[Op], cut: usize, mut lucky: impl FnMut() -> bool) -> Vec<u8> {
    let synced = log[..cut].iter().rposition(|op| *op == Op::Sync).map_or(0, |at| at + 1);
    log[..synced].iter().for_each(|op| apply(&mut bytes, op));
    for op in &log[synced..cut] {
        match op {
            Op::Write(at, data) => {
                let mut from = 0;
                while from < data.len() {
                    let position = *at as usize + from;
                    let to = data.len().min(from + SECTOR - position % SECTOR);
                    if lucky() {
                        apply(&mut bytes, &Op::Write(position as u64, data[from..to].to_vec()));
                    }
                    from = to;
                }
            }
            other if lucky() => apply(&mut bytes, other),
            _ => {}
        }
    }
    bytes
}

/// Any samples; sizes from tiny to several sectors; pictures in any order.
fn samples() -> impl Strategy<Value = Vec<Owned>> {
    let one = (any::<bool>(), 1..3000usize, 1..9000u32, 0..20_000u32, any::<bool>(), any::<u8>());
    proptest::collection::vec(one, 1..60).prop_map(|rows| {
        let (mut times, mut first) = ([500u64, 700], [true, true]);
        let make = |(video, size, duration, composition, key, fill)| {
            let (kind, track) = if video { (Kind::Video, 0usize) } else { (Kind::Audio, 1) };
            let dts = times[track];
            times[track] += u64::from(duration);
            let pts = if video { dts + u64::from(composition) } else { dts };
            let key = key || std::mem::take(&mut first[track]);
            Owned { kind, dts, pts, duration, key, data: vec![fill; size] }
        };
        rows.into_iter().map(make).collect()
    })
}

/// Records with a flush after every `every` samples.
fn log_of(format: &Format, samples: &[Owned], every: usize, hole: u64) -> Vec<Op> {
    let memory = Memory::default();
    let mut writer = Writer::begin(memory.clone(), format, hole).unwrap();
    for fragment in samples.chunks(every) {
        fragment.iter().for_each(|sample| writer.push(sample.borrowed()).unwrap());
        writer.flush().unwrap();
    }
    if !samples.is_empty() {
        writer.finish().unwrap();
    }
    memory.log()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_synced_fragment_survives_and_no_torn_one_does(
        samples in samples(),
        every in 1..12usize,
        hole in prop_oneof![Just(NO_HOLE), 16..6000u64],
        cut in any::<prop::sample::Index>(),
        luck in proptest::collection::vec(any::<bool>(), 64),
    ) {
        let (format, _) = material(0);
        let log = log_of(&format, &samples, every, hole);
        let header = 3;
        let cut = header + cut.index(log.len() - header + 1);
        let mut luck = luck.into_iter().cycle();
        let image = image(&log, cut, || luck.next().unwrap());

        let fragments = samples.len().div_ceil(every);
        let synced = ((cut - header) / 3).min(fragments);
        let live = |fragments: usize| replay(&log_of(&format, &samples[..samples.len().min(fragments * every)], every, hole));
        match recovered(image) {
            Err(Error::Empty) => prop_assert_eq!(synced, 0),
            Err(error) => prop_assert!(false, "{}", error),
            Ok((bytes, summary)) => {
                let exact = synced > 0 && bytes == live(synced);
                // The fragment that was being written may have made it, as a whole.
                let one_more = synced < fragments && bytes == live(synced + 1);
                prop_assert!(exact || one_more);
                prop_assert!(summary.finished);
                prop_assert_eq!(super::super::inspect_storage(&Memory::of(bytes)).unwrap(), summary);
            }
        }
    }

    #[test]
    fn a_recovery_that_is_torn_itself_comes_to_the_same_end(
        samples in samples(),
        every in 1..12usize,
        hole in prop_oneof![Just(NO_HOLE), 16..6000u64],
        tail in 0..1500usize,
        cut in any::<prop::sample::Index>(),
        luck in proptest::collection::vec(any::<bool>(), 64),
    ) {
        let (format, _) = material(0);
        let log = log_of(&format, &samples, every, hole);
        // killed before its end, with something unfinished behind it
        let mut found = replay(&log[..log.len() - 4]);
        found.resize(found.len() + tail, 0);
        let memory = Memory::of(found.clone());
        recover_storage(memory.clone()).unwrap();
        let (expected, steps) = (memory.bytes(), memory.log());
        let mut luck = luck.into_iter().cycle();
        let torn = image_on(found, &steps, cut.index(steps.len() + 1), || luck.next().unwrap());
        let (bytes, summary) = recovered(torn).unwrap();
        prop_assert!(bytes == expected);
        prop_assert!(summary.finished);
    }

    #[test]
    fn broken_bytes_are_an_answer_and_never_a_panic(
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
        finished in any::<bool>(),
        len in any::<prop::sample::Index>(),
    ) {
        let (format, samples) = material(1);
        let log = log_of(&format, &samples, 40, NO_HOLE);
        let mut bytes = replay(if finished { &log } else { &log[..log.len() - 4] });
        // Half of them in the header and index, where structure is dense.
        let at = if value & 1 == 0 { at.index(1500) } else { at.index(bytes.len()) };
        bytes[at] = value;
        if value & 2 == 0 {
            bytes.truncate(len.index(bytes.len()));
        }
        let _ = super::super::inspect_storage(&Memory::of(bytes.clone()));
        let _ = recovered(bytes);
    }
}

#[test]
fn an_index_of_which_half_the_sectors_were_written_does_not_show() {
    let (format, samples) = material(4);
    let log = log_of(&format, &samples, 72, SMALL_HOLE);
    let whole = replay(&log);
    for pattern in 1..64u32 {
        let mut sector = 0;
        // Cut between F2 and F3.
        let image = image(&log, log.len() - 3, || {
            sector += 1;
            pattern >> (sector % 6) & 1 == 1
        });
        assert!(recovered(image).unwrap().0 == whole, "{pattern:b}");
    }
}
