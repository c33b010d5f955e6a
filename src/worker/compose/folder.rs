//! The folder of a recording: locked while this process writes, and which file it writes.
//!
//! There is one file as long as all processes encode alike: it is gone on with whether its writer died or failed and finished it.
//! One that encodes otherwise (another encoder, say) begins the next part: no player decodes both from one file.

use crate::causes::with_causes;
use crate::disk::{self, FolderLock};
use crate::mp4::{self, Format, Writer};
use crate::wire::compose::part_name;
use crate::wire::control::{Failure, FailureKind};
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// More tries for the lock: a predecessor that finishes its file has 2 s for it.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(25);

/// Holds the lock until dropped.
#[derive(Debug)]
pub struct Folder {
    lock: FolderLock,
    /// Number of the last part that is there; 0 = none.
    last: u32,
}

/// The file that is written.
#[derive(Debug)]
pub struct Part {
    pub writer: Writer<File>,
    pub number: u32,
    /// It goes on behind what another process has written.
    pub resumed: bool,
}

impl Folder {
    /// Locks the folder and looks what is in it.
    pub fn open(folder: &Path) -> Result<Folder, Failure> {
        let mut tries = 0;
        let lock = loop {
            match FolderLock::try_take(folder) {
                Ok(lock) => break lock,
                Err(error) if error.kind == disk::Kind::Locked && tries < TRIES => {}
                Err(error) => return Err(failure(&error)),
            }
            tries += 1;
            std::thread::sleep(PAUSE);
        };
        let last = (1..).take_while(|part| path(folder, *part).exists()).last().unwrap_or(0);
        Ok(Folder { lock, last })
    }

    /// Has another process written here before?
    pub fn is_used(&self) -> bool {
        self.last > 0
    }

    /// Goes on with the last part when it can be gone on with, or begins the next.
    pub fn part(&self, format: &Format) -> Result<Part, Failure> {
        let folder = self.lock.folder();
        if self.is_used() {
            match Writer::resume(&path(folder, self.last), format) {
                Ok(writer) => return Ok(Part { writer, number: self.last, resumed: true }),
                Err(mp4::Error::OtherFormats | mp4::Error::NotOurs(_) | mp4::Error::Box(_)) => {}
                Err(error) => return Err(failure(&error)),
            }
        }
        let number = self.last + 1;
        let writer = Writer::create(&path(folder, number), format).map_err(|error| failure(&error))?;
        Ok(Part { writer, number, resumed: false })
    }
}

fn path(folder: &Path, part: u32) -> PathBuf {
    folder.join(part_name(part))
}

/// A failure of the file, with all its causes.
pub fn failure(error: &dyn Error) -> Failure {
    Failure { kind: FailureKind::Disk, text: with_causes(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mp4::{Audio, Kind, Sample};

    fn format(channels: u16) -> Format {
        Format { video: None, audio: Some(Audio::from_config(&[0x11, 0x90], 48_000, channels).unwrap()) }
    }

    fn record(part: &mut Part, dts: u64) {
        let sample = Sample { kind: Kind::Audio, dts, pts: dts, duration: 1024, key: true, data: &[1, 2, 3] };
        part.writer.push(sample).unwrap();
        part.writer.flush().unwrap();
    }

    #[test]
    fn a_part_is_gone_on_with_finished_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Folder::open(folder.path()).unwrap();
        let first = open();
        assert!(!first.is_used());
        let mut part = first.part(&format(2)).unwrap();
        assert_eq!((part.number, part.resumed), (1, false));
        record(&mut part, 0);
        drop(first);

        let second = open();
        assert!(second.is_used());
        let mut part = second.part(&format(2)).unwrap();
        assert_eq!((part.number, part.resumed), (1, true));
        record(&mut part, 48_000);
        drop(second);

        let part = open().part(&format(1)).unwrap();
        assert_eq!((part.number, part.resumed), (2, false), "another format is another file");
        drop(part);
        let mut part = open().part(&format(1)).unwrap();
        assert_eq!((part.number, part.resumed), (2, true));
        record(&mut part, 0);
        part.writer.finish().unwrap();
        let mut part = open().part(&format(1)).unwrap();
        assert_eq!((part.number, part.resumed), (2, true), "who failed has finished what it had");
        record(&mut part, 1024);
        assert_eq!(part.writer.finish().unwrap().duration.as_millis(), 42);
        assert_eq!(open().part(&format(2)).unwrap().number, 3, "the first is not gone back to");
    }

    #[test]
    fn a_predecessor_that_finishes_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let first = Folder::open(folder.path()).unwrap();
        let path = folder.path().to_owned();
        let second = std::thread::spawn(move || Folder::open(&path).map(|folder| folder.is_used()));
        assert!(!second.is_finished());
        drop(first);
        assert_eq!(second.join().unwrap(), Ok(false));
    }

    #[test]
    fn a_folder_that_is_not_there_is_the_disks_failure() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Folder::open(&folder.path().join("none")).unwrap_err().kind, FailureKind::Disk);
    }
}
