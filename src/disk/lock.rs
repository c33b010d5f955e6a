//! A folder taken by one process: whoever writes in it, or mends what is in it, holds its lock.
//!
//! The lock belongs to the open file (`flock`), so the kernel releases it when its holder ends, however it ends. It guards
//! against other processes and against other holders in this one. The file itself stays in the folder and means nothing.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::{Doing, Error, Step};

/// The name of the lock's file.
const NAME: &str = ".lock";

/// The lock of one folder, held until dropped.
#[derive(Debug)]
pub struct FolderLock {
    path: PathBuf,
    _file: Flock<File>,
}

impl FolderLock {
    /// Takes the lock at once or fails with [`Kind::Locked`](super::Kind::Locked): its holder may hold it for hours.
    pub fn try_take(folder: &Path) -> Result<FolderLock, Error> {
        let path = folder.join(NAME);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).doing(Step::Create, &path)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(FolderLock { path, _file: file }),
            Err((_, error)) => Err(error.into()).doing(Step::Lock, &path),
        }
    }

    /// The folder that is locked.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Kind;

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::try_take(folder.path()).unwrap();
        assert_eq!(held.folder(), folder.path());
        let error = FolderLock::try_take(folder.path()).unwrap_err();
        assert_eq!((error.kind, error.step), (Kind::Locked, Step::Lock));
        drop(held);
        FolderLock::try_take(folder.path()).unwrap();
    }

    #[test]
    fn the_lock_of_a_killed_process_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        // Without a fork, the process that is killed is the one that holds the lock.
        let mut holder = std::process::Command::new("flock").arg("--no-fork").arg(&path).args(["sleep", "60"]).spawn().unwrap();
        let wait_until_held = |held: bool| {
            let deadline = crate::clock::monotonic_ns() + 10_000_000_000;
            while FolderLock::try_take(folder.path()).is_err() != held {
                assert!(crate::clock::monotonic_ns() < deadline, "waiting for held = {held}");
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        };
        wait_until_held(true);
        holder.kill().unwrap();
        holder.wait().unwrap();
        wait_until_held(false);
    }

    #[test]
    fn a_folder_that_is_not_there_cannot_be_locked() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(FolderLock::try_take(&folder.path().join("absent")).unwrap_err().kind, Kind::Missing);
    }
}
