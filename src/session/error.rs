//! Why a session says no: a closed list. Doors turn it into HTTP status or OpenVidu code in one table each.

use crate::ids::{ConnectionId, RecordingId, SessionId, StreamId};
use thiserror::Error;

/// A refusal. The text is for clients and log alike and carries no secret.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Denied {
    #[error("Session {0} already exists")]
    SessionExists(SessionId),
    #[error("Session {0} not found")]
    UnknownSession(SessionId),
    #[error("Session {0} is closed")]
    SessionClosed(SessionId),
    #[error("the token is not valid for session {0}: unknown, already used, or of another session")]
    BadToken(SessionId),
    #[error("Connection {connection} not found in session {session}")]
    UnknownConnection { connection: ConnectionId, session: SessionId },
    #[error("Stream {stream} not found in session {session}")]
    UnknownStream { stream: StreamId, session: SessionId },
    #[error("viewer not found in session {0}")]
    UnknownViewer(SessionId),
    #[error("User '{connection}' is not streaming media in session '{session}'")]
    NotStreaming { connection: ConnectionId, session: SessionId },
    #[error("Participant '{0}' is not streaming media")]
    NotPublishing(ConnectionId),
    #[error("one's own stream can only be received by publishing it with loopback")]
    OwnStream,
    #[error("User {connection} is already publishing in session {session}")]
    AlreadyPublishing { connection: ConnectionId, session: SessionId },
    #[error("the role of this connection does not allow to publish")]
    MayNotPublish,
    #[error("only a moderator may do this")]
    NotModerator,
    #[error("Stream {0} belongs to an IPCAM participant and cannot be unpublished; remove its connection instead")]
    CameraStream(StreamId),
    #[error("{0}")]
    BadOffer(String),
    #[error("{0}")]
    NoCodec(String),
    #[error("Session {0} has no participants yet")]
    NotActive(SessionId),
    #[error("no media node is running that could host session {0}")]
    NoMediaNode(SessionId),
    #[error("some connectionId in \"to\" does not exist in session {0}")]
    UnknownTarget(SessionId),
    #[error("the reconnection was refused: unknown id, or the grace time is over")]
    UnknownClient,
    #[error(transparent)]
    NotRecorded(#[from] NotRecorded),
    #[error("the box is too busy: {0}")]
    Busy(String),
    #[error("no answer within {0} s")]
    TimedOut(u64),
}

/// Why a recording is not started or stopped.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NotRecorded {
    #[error("recording is not enabled on this box")]
    Off,
    #[error("Session {0} cannot be recorded: its mediaMode is not ROUTED")]
    NotRouted(SessionId),
    #[error("Session {0} is being recorded already")]
    Already(SessionId),
    #[error("Session {0} has no participants to record")]
    Nobody(SessionId),
    #[error("Recording {0} is still starting")]
    Starting(RecordingId),
    #[error("Recording {0} is not being made")]
    Unknown(RecordingId),
}
