//! The control socket: one JSON object a line. The closing of the socket is the order to end within 2 s.

use super::camera::CameraSpec;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a worker process shall do; it does exactly one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Spec {
    /// Pull a camera and send its tracks to the media socket: video on [`VIDEO_SLOT`], audio on [`AUDIO_SLOT`].
    Camera(CameraSpec),
}

/// Slot of a camera's video on the media socket.
pub const VIDEO_SLOT: u8 = 0;
/// Slot of a camera's audio on the media socket.
pub const AUDIO_SLOT: u8 = 1;

/// Daemon to worker.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "say")]
pub enum ToWorker {
    /// First line: the job.
    Start { spec: Spec },
}

/// Worker to daemon.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "say")]
pub enum FromWorker {
    /// Media flows.
    Ready,
    /// Something worth one log line; the job goes on.
    Warning { text: String },
    /// The job is over; last line before the process exits.
    Failed { failure: Failure },
    /// The job is over because it was asked to end; last line.
    Finished,
}

/// Why a job ended. The text is for the log and carries no credentials.
#[derive(Clone, PartialEq, Eq, Debug, Error, Serialize, Deserialize)]
#[error("{kind}: {text}")]
pub struct Failure {
    pub kind: FailureKind,
    pub text: String,
}

/// The closed list of ends; what a supervisor and a log line need to tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureKind {
    #[error("connection refused")]
    Refused,
    #[error("unknown host")]
    UnknownHost,
    #[error("unreachable")]
    Unreachable,
    #[error("401 unauthorized")]
    Unauthorized,
    #[error("404 not found")]
    NotFound,
    #[error("no packets")]
    NoPackets,
    #[error("stream ended")]
    Ended,
    #[error("address not allowed")]
    Forbidden,
    #[error("unsupported stream")]
    Unsupported,
    #[error("pipeline error")]
    Pipeline,
    #[error("worker crashed")]
    Crashed,
}

impl FailureKind {
    /// True where the other side (camera, network) is the cause and not this box.
    pub fn theirs(self) -> bool {
        !matches!(self, FailureKind::Pipeline | FailureKind::Crashed)
    }
}
