//! Crash-safe changes on disk: small files replaced as a whole, folders made and removed, a folder taken by one process.
//!
//! Nobody owns state here: every function does its numbered steps and returns. What a power cut between two steps leaves is
//! named beside the steps, and it is always one of: the old state, the new state, or the old state and a *leftover*, a hidden
//! entry which [`sweep`] removes at the next start. All of it blocks: never call it on an async worker or the media thread.
//! What the files mean does not belong here.

mod folder;
mod leftover;
mod lock;
mod replace;
mod within;

pub use folder::{create_folder, remove_tree};
pub use leftover::sweep;
pub use lock::FolderLock;
pub use replace::{publish, replace, replace_private, temporary};
pub use within::file_within;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// What was being done when it failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Create,
    Write,
    Sync,
    Rename,
    SyncFolder,
    Remove,
    List,
    Lock,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Create => "create",
            Step::Write => "write",
            Step::Sync => "sync",
            Step::Rename => "rename",
            Step::SyncFolder => "sync the folder",
            Step::Remove => "remove",
            Step::List => "list",
            Step::Lock => "lock",
        })
    }
}

/// What a caller can do about it differs by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// No room: the disk or the user's share of it is used up. Making room helps.
    Full,
    /// The file or folder is not there.
    Missing,
    /// The rights do not allow it, or the file system is mounted read-only.
    Denied,
    /// Another process holds the lock.
    Locked,
    /// Anything else; the source tells.
    Other,
}

impl Kind {
    /// The kind of an error of the operating system.
    pub fn of(error: &io::Error) -> Kind {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::Full,
            io::ErrorKind::NotFound => Kind::Missing,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::Denied,
            io::ErrorKind::WouldBlock => Kind::Locked,
            _ => Kind::Other,
        }
    }
}

/// Which step failed, on what, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {}", path.display())]
pub struct Error {
    pub kind: Kind,
    pub step: Step,
    pub path: PathBuf,
    pub source: io::Error,
}

impl Error {
    fn new(step: Step, path: &Path, source: io::Error) -> Error {
        Error { kind: Kind::of(&source), step, path: path.to_path_buf(), source }
    }
}

/// Gives an `io::Result` its step and path.
pub(crate) trait Doing<T> {
    fn doing(self, step: Step, path: &Path) -> Result<T, Error>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, step: Step, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::new(step, path, source))
    }
}

/// The folder an entry lies in; `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes new, renamed and removed entries of `folder` survive a power cut.
fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|open| open.sync_all()).doing(Step::SyncFolder, folder)
}

/// Called after each step. Production goes on; a test may stop there, as a power cut would.
type After<'a> = &'a mut dyn FnMut(Step) -> io::Result<()>;

/// The production answer to [`After`].
fn go_on(_: Step) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_from_the_system_s_errors() {
        let table = [
            (nix::libc::ENOSPC, Kind::Full),
            (nix::libc::EDQUOT, Kind::Full),
            (nix::libc::EFBIG, Kind::Other),
            (nix::libc::ENOENT, Kind::Missing),
            (nix::libc::EACCES, Kind::Denied),
            (nix::libc::EROFS, Kind::Denied),
            (nix::libc::EAGAIN, Kind::Locked),
            (nix::libc::EIO, Kind::Other),
        ];
        for (code, kind) in table {
            assert_eq!(Kind::of(&io::Error::from_raw_os_error(code)), kind, "{code}");
        }
    }

    #[test]
    fn a_message_names_step_and_path() {
        let error = Error::new(Step::Sync, Path::new("a/b"), io::Error::from_raw_os_error(nix::libc::EIO));
        assert_eq!(error.to_string(), "cannot sync a/b");
        assert_eq!(folder_of(Path::new("a/b")), Path::new("a"));
        assert_eq!(folder_of(Path::new("b")), Path::new("."));
    }
}
