//! The files of a recording, once nobody writes them any more: finished, and given their names. Blocks on the disk.
//!
//! A composer goes on with the file of the one before, finished or not, so there is one part as long as they encode alike. Where
//! it cannot (the file is of other formats, or broken), it begins the next. Such parts cannot be one film without encoding them
//! anew: they become `<name>.mp4`, `<name>-2.mp4`, … in their order, and are listed.
//!
//! # Steps, with the folder's lock held
//!
//! - **P1** sweep away what an interrupted creation of a file left.
//! - **P2** each part in its order: finish it in place ([`mp4::recover`]; nothing to do if the composer has). One in which nothing
//!   was recorded is removed.
//! - **P3** rename it to the recording's next name, sync the folder.
//!
//! Repeated after an interruption, files with names are looked at first, and parts get the names that follow.

use super::plan::file_name;
use crate::disk::{self, FolderLock};
use crate::mp4;
use crate::wire::compose::part_name;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Parts that are looked for: far more than a recording can have.
const PARTS: u32 = 1000;

/// What is in the files of a recording.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Films {
    /// How many can be played.
    pub count: u32,
    /// Bytes of all.
    pub size: u64,
    pub duration: Duration,
    pub audio: bool,
    pub video: bool,
    /// What is wrong with one of them. It may be playable all the same.
    pub fault: Option<String>,
}

/// Called before each step. Production goes on; a test may stop there, as a kill would.
type Before<'a> = &'a mut dyn FnMut(&str) -> io::Result<()>;

/// Finishes and names the files of the recording called `name`: P1 to P3. Can be repeated, also after an interruption.
pub fn finish(lock: &FolderLock, name: &str) -> Result<Films, disk::Error> {
    finish_stepwise(lock.folder(), name, &mut |_| Ok(()))
}

fn finish_stepwise(folder: &Path, name: &str, before: Before) -> Result<Films, disk::Error> {
    let failed = |source| disk::Error { kind: disk::Kind::of(&source), step: disk::Step::Rename, path: folder.to_owned(), source };
    let mut films = Films::default();
    before("P1").map_err(failed)?;
    disk::sweep(folder)?;
    let mut named = 0;
    while named < PARTS && folder.join(file_name(name, named + 1)).exists() {
        named += 1;
        before("P2").map_err(failed)?;
        films.add(mp4::recover(&folder.join(file_name(name, named))), named);
    }
    for number in 1..=PARTS {
        let part = folder.join(part_name(number));
        if !part.exists() || (1..=named).any(|named| file_name(name, named) == part_name(number)) {
            continue;
        }
        before("P2").map_err(failed)?;
        let recovered = mp4::recover(&part);
        if matches!(recovered, Err(mp4::Error::Empty)) {
            fs::remove_file(&part).map_err(failed)?;
            continue;
        }
        named += 1;
        films.add(recovered, named);
        before("P3").map_err(failed)?;
        disk::publish(&part, &folder.join(file_name(name, named)))?;
    }
    Ok(films)
}

impl Films {
    fn add(&mut self, found: Result<mp4::Summary, mp4::Error>, number: u32) {
        match found {
            Ok(summary) => {
                self.count += 1;
                self.size += summary.size;
                self.duration += summary.duration;
                self.audio |= summary.audio;
                self.video |= summary.video.is_some();
            }
            Err(error) => self.fault = Some(format!("file {number}: {error}")),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::mp4::{Audio, Format, Kind, Sample, Writer};

    /// A file with that many fragments of one second of sound, finished or not.
    pub fn write_part(folder: &Path, number: u32, fragments: u64, finished: bool) {
        let format = Format { video: None, audio: Some(Audio::from_config(&[0x11, 0x90], 48_000, 2).unwrap()) };
        let mut writer = Writer::create(&folder.join(part_name(number)), &format).unwrap();
        for second in 0..fragments {
            writer
                .push(Sample {
                    kind: Kind::Audio,
                    dts: second * 48_000,
                    pts: second * 48_000,
                    duration: 48_000,
                    key: true,
                    data: &[7; 100],
                })
                .unwrap();
            writer.flush().unwrap();
        }
        if finished {
            writer.finish().unwrap();
        }
    }

    fn run(folder: &Path, name: &str) -> Films {
        finish(&FolderLock::try_take(folder).unwrap(), name).unwrap()
    }

    fn films(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }

    #[test]
    fn a_part_becomes_the_film_whether_its_writer_finished_it_or_not() {
        for finished in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            write_part(folder.path(), 1, 3, finished);
            let found = run(folder.path(), "lobby");
            assert_eq!((found.count, found.duration, found.audio, found.video), (1, Duration::from_secs(3), true, false));
            assert_eq!(found.fault, None);
            assert_eq!(films(folder.path()), ["lobby.mp4"]);
            let summary = mp4::inspect(&folder.path().join("lobby.mp4")).unwrap();
            assert!(summary.finished && summary.size == found.size);
            assert_eq!(run(folder.path(), "lobby"), found, "again");
        }
    }

    #[test]
    fn parts_keep_their_order_and_empty_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        write_part(folder.path(), 1, 1, false);
        write_part(folder.path(), 2, 0, false);
        write_part(folder.path(), 3, 2, false);
        let found = run(folder.path(), "lobby");
        assert_eq!((found.count, found.duration), (2, Duration::from_secs(3)));
        assert_eq!(films(folder.path()), ["lobby-2.mp4", "lobby.mp4"]);
        let second = mp4::inspect(&folder.path().join("lobby-2.mp4")).unwrap();
        assert_eq!(second.duration, Duration::from_secs(2));
    }

    #[test]
    fn interrupted_before_each_step_it_comes_to_the_same_end() {
        let mut steps = 0;
        loop {
            let folder = tempfile::tempdir().unwrap();
            write_part(folder.path(), 1, 1, false);
            write_part(folder.path(), 2, 2, false);
            fs::write(folder.path().join(".part-3.mp4.viduct-new"), "half").unwrap();
            let (mut left, mut stopped) = (steps, false);
            let first = finish_stepwise(folder.path(), "lobby", &mut |_| {
                stopped |= left == 0;
                left -= i32::from(!stopped);
                if stopped { Err(io::Error::other("killed")) } else { Ok(()) }
            });
            assert_eq!(first.is_err(), stopped);
            let found = run(folder.path(), "lobby");
            assert_eq!((found.count, found.duration, found.fault.clone()), (2, Duration::from_secs(3), None), "before step {steps}");
            assert_eq!(films(folder.path()), ["lobby-2.mp4", "lobby.mp4"]);
            if !stopped {
                break;
            }
            steps += 1;
        }
        assert_eq!(steps, 5);
    }

    #[test]
    fn odd_names_and_odd_files_are_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        write_part(folder.path(), 1, 1, false);
        for _ in 0..2 {
            assert_eq!(run(folder.path(), "part-1").count, 1);
            assert_eq!(films(folder.path()), ["part-1.mp4"]);
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(part_name(1)), "not a film").unwrap();
        let found = run(folder.path(), "lobby");
        assert!(found.count == 0 && found.fault.is_some(), "{found:?}");
        assert_eq!(run(tempfile::tempdir().unwrap().path(), "lobby"), Films::default());
    }
}
