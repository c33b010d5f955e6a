//! Why the file of a recording could not be written, finished or read. A full disk is a kind of its own.

use std::fmt;
use std::io;

use super::Kind;
use crate::disk;

/// The step at which the file system failed; the numbers are those of the room's documentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Open,
    /// W1
    WriteHeader,
    /// W2
    SyncHeader,
    /// W4
    WriteFragment,
    /// W5
    CommitFragment,
    /// W6
    SyncFragment,
    /// F1
    CutTail,
    /// F2
    WriteMovie,
    /// F3
    SyncMovie,
    /// F4
    Switch,
    /// F5
    SyncSwitch,
    /// O1
    Reopen,
    /// O2
    SyncReopen,
    Read,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Open => "open the file",
            Step::WriteHeader => "write the header",
            Step::SyncHeader => "sync the header",
            Step::WriteFragment => "write a fragment",
            Step::CommitFragment => "commit a fragment",
            Step::SyncFragment => "sync a fragment",
            Step::CutTail => "cut the unfinished tail",
            Step::WriteMovie => "write the index",
            Step::SyncMovie => "sync the index",
            Step::Switch => "switch to the index",
            Step::SyncSwitch => "sync the switch",
            Step::Reopen => "open the finished file again",
            Step::SyncReopen => "sync the file that is open again",
            Step::Read => "read the file",
        })
    }
}

impl Step {
    /// Names the step of an error of the operating system, and tells a full disk from the rest.
    pub(super) fn failed(self, source: io::Error) -> Error {
        match disk::Kind::of(&source) {
            disk::Kind::Full => Error::DiskFull { step: self },
            _ => Error::Storage { step: self, source },
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was committed before stays playable, and can be finished once there is room.
    #[error("the disk is full: cannot {step}")]
    DiskFull { step: Step },
    #[error("cannot {step}")]
    Storage { step: Step, source: io::Error },
    /// The file could not get its name.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    #[error("there is a file of that name already")]
    Exists,

    // What a caller gave.
    #[error("a recording has a picture, a sound or both")]
    NoTracks,
    #[error("the {0} format is not usable: {1}")]
    Format(Kind, &'static str),
    #[error("this recording has no {0}")]
    NoSuchTrack(Kind),
    #[error("{kind} time {dts} is not after {last}")]
    Backwards { kind: Kind, dts: u64, last: u64 },
    #[error("{kind} time {dts} is too far from {last}")]
    Jump { kind: Kind, dts: u64, last: u64 },
    #[error("a picture at {pts} cannot be shown so far from its decoding at {dts}")]
    Composition { dts: u64, pts: u64 },
    #[error("the first picture is not a keyframe")]
    NotAKeyframe,
    #[error("a sample of {0} bytes cannot be recorded")]
    SampleSize(usize),
    #[error("an earlier write failed: nothing more can be added")]
    Broken,

    // What a file turned out to be.
    #[error("not a recording of this program: {0}")]
    NotOurs(&'static str),
    #[error("the recording is of other formats")]
    OtherFormats,
    /// Not one fragment was completed.
    #[error("nothing was recorded")]
    Empty,
    #[error("a box is not as it should be")]
    Box(#[from] mp4_atom::Error),
}

impl Error {
    /// Whether making room on the disk would help.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Error::DiskFull { .. } | Error::Disk(disk::Error { kind: disk::Kind::Full, .. }))
    }
}
