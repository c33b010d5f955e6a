//! Why something cannot be done with a recording: a closed list.

use crate::disk;
use crate::ids::RecordingId;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Recording {0} not found")]
    Unknown(RecordingId),
    #[error("Recording {0} is not finished: stop it first")]
    Unfinished(RecordingId),
    #[error(transparent)]
    Disk(#[from] disk::Error),
}
