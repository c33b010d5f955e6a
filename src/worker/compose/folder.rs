//! The folder of a recording: locked while this process writes, and the name of the file it writes.

use crate::wire::compose::part_name;
use crate::wire::control::{Failure, FailureKind};
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// More tries for the lock: a predecessor that finishes its file has 2 s for it.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(25);

/// Holds the lock until dropped.
#[derive(Debug)]
pub struct Folder {
    _lock: Flock<File>,
    /// Number of the part to write, from 1.
    pub part: u32,
    /// Its path; there is nothing yet.
    pub path: PathBuf,
}

impl Folder {
    /// Locks the folder and finds the first part that is not there.
    pub fn open(folder: &Path) -> Result<Folder, Failure> {
        let disk = |error: &dyn std::fmt::Display| Failure { kind: FailureKind::Disk, text: format!("{}: {error}", folder.display()) };
        let mut file = File::open(folder).map_err(|error| disk(&error))?;
        let mut tries = 0;
        let lock = loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => break lock,
                Err((_, error)) if tries == TRIES => return Err(disk(&error)),
                Err((back, _)) => file = back,
            }
            tries += 1;
            std::thread::sleep(PAUSE);
        };
        let part = (1..).find(|part| !folder.join(part_name(*part)).exists()).unwrap_or(u32::MAX);
        Ok(Folder { _lock: lock, part, path: folder.join(part_name(part)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_gets_a_part_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let first = Folder::open(folder.path()).unwrap();
        assert_eq!((first.part, first.path.clone()), (1, folder.path().join("part-1.mp4")));
        std::fs::write(&first.path, "x").unwrap();
        let path = folder.path().to_owned();
        let second = std::thread::spawn(move || Folder::open(&path).unwrap().part);
        assert!(!second.is_finished());
        drop(first);
        assert_eq!(second.join().unwrap(), 2);
    }

    #[test]
    fn a_folder_that_is_not_there_is_the_disks_failure() {
        let folder = tempfile::tempdir().unwrap();
        let failure = Folder::open(&folder.path().join("none")).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Disk);
    }
}
