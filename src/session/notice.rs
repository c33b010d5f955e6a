//! What a session tells its clients: replies to their requests, and notices of what others did.

use super::role::Role;
use crate::ids::{ConnectionId, RecordingId, SessionId, StreamId};
use crate::recording::StopReason;

/// Success of a request; which one it answers, the door knows by the request id.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// Nothing to say.
    Done,
    Joined(Box<Joined>),
    /// `connect` rebound the client to its new socket.
    Rejoined {
        connection: ConnectionId,
        rpc: String,
    },
    Published {
        stream: StreamId,
        created_at: u64,
        answer: String,
    },
    Subscribed {
        answer: String,
    },
}

impl Reply {
    /// Bytes it takes, about.
    pub(super) fn size(&self) -> usize {
        match self {
            Reply::Done | Reply::Rejoined { .. } => 256,
            Reply::Joined(joined) => 1024 + joined.others.iter().map(|member| 1024 + member.metadata.len()).sum::<usize>(),
            Reply::Published { answer, .. } | Reply::Subscribed { answer } => 256 + answer.len(),
        }
    }
}

/// Result of a join (signaling.md §6.1).
#[derive(Clone, PartialEq, Debug)]
pub struct Joined {
    pub connection: ConnectionId,
    pub session: SessionId,
    /// ms since 1970 at which the connection became active.
    pub created_at: u64,
    /// Client and server data combined.
    pub metadata: String,
    pub role: Role,
    pub record: bool,
    /// What `connect` must carry to come back after a lost socket.
    pub rpc: String,
    /// Everybody else in the session.
    pub others: Vec<Member>,
    /// Id and name of the recording that is being made, for roles that hear of recordings.
    pub recording: Option<(RecordingId, String)>,
}

/// Somebody in the session, as the others see it.
#[derive(Clone, PartialEq, Debug)]
pub struct Member {
    pub connection: ConnectionId,
    pub created_at: u64,
    pub metadata: String,
    pub stream: Option<StreamInfo>,
}

/// A published stream as clients see it. Activity, frame rate and dimensions are absent where the kind is (or is unknown).
#[derive(Clone, PartialEq, Debug)]
pub struct StreamInfo {
    pub stream: StreamId,
    pub created_at: u64,
    pub has_audio: bool,
    pub has_video: bool,
    pub audio_active: bool,
    pub video_active: bool,
    /// `CAMERA`, `SCREEN`, `CUSTOM`, `IPCAM`, or empty for audio only.
    pub type_of_video: String,
    pub frame_rate: Option<i64>,
    pub video_dimensions: Option<String>,
}

/// What others did (signaling.md §7).
#[derive(Clone, PartialEq, Debug)]
pub enum Notice {
    ParticipantJoined {
        connection: ConnectionId,
        created_at: u64,
        metadata: String,
    },
    ParticipantPublished {
        connection: ConnectionId,
        stream: StreamInfo,
    },
    ParticipantUnpublished {
        connection: ConnectionId,
        reason: EndReason,
    },
    ParticipantLeft {
        connection: ConnectionId,
        reason: EndReason,
    },
    ParticipantEvicted {
        connection: ConnectionId,
        reason: EndReason,
    },
    /// A signal; `from` is absent when it came over REST.
    Signal {
        from: Option<ConnectionId>,
        kind: Option<String>,
        data: Option<String>,
    },
    /// What the client itself may do was changed over REST; `value` as it goes on the wire.
    ConnectionPropertyChanged {
        property: &'static str,
        value: String,
    },
    /// A recording of the session has begun.
    RecordingStarted {
        recording: RecordingId,
        name: String,
    },
    /// It records no more.
    RecordingStopped {
        recording: RecordingId,
        name: String,
        reason: StopReason,
    },
    /// `value` is the text that goes on the wire, encoded as signaling.md §7.8 says.
    StreamPropertyChanged {
        connection: ConnectionId,
        stream: StreamId,
        property: String,
        value: String,
        reason: String,
    },
}

impl Notice {
    /// Bytes it takes, about: what clients choose the size of counts.
    pub(super) fn size(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let chosen = match self {
            Notice::ParticipantJoined { metadata, .. } => metadata.len(),
            Notice::ParticipantPublished { stream, .. } => stream.type_of_video.len() + text(&stream.video_dimensions),
            Notice::Signal { kind, data, .. } => text(kind) + text(data),
            Notice::StreamPropertyChanged { value, reason, .. } => value.len() + reason.len(),
            Notice::ParticipantUnpublished { .. }
            | Notice::ParticipantLeft { .. }
            | Notice::ParticipantEvicted { .. }
            | Notice::ConnectionPropertyChanged { .. }
            | Notice::RecordingStarted { .. }
            | Notice::RecordingStopped { .. } => 0,
        };
        256 + chosen
    }
}

/// Why something ended (events.md §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EndReason {
    Unsubscribe,
    Unpublish,
    Disconnect,
    ForceUnpublishByUser,
    ForceUnpublishByServer,
    ForceDisconnectByUser,
    ForceDisconnectByServer,
    NetworkDisconnect,
    LastParticipantLeft,
    SessionClosedByServer,
    RecordingStoppedByServer,
    AutomaticStop,
    /// Its media node was taken away.
    MediaServerDisconnect,
    /// Its media node died.
    NodeCrashed,
    OpenviduServerStopped,
}

impl EndReason {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            EndReason::Unsubscribe => "unsubscribe",
            EndReason::Unpublish => "unpublish",
            EndReason::Disconnect => "disconnect",
            EndReason::ForceUnpublishByUser => "forceUnpublishByUser",
            EndReason::ForceUnpublishByServer => "forceUnpublishByServer",
            EndReason::ForceDisconnectByUser => "forceDisconnectByUser",
            EndReason::ForceDisconnectByServer => "forceDisconnectByServer",
            EndReason::NetworkDisconnect => "networkDisconnect",
            EndReason::LastParticipantLeft => "lastParticipantLeft",
            EndReason::SessionClosedByServer => "sessionClosedByServer",
            EndReason::RecordingStoppedByServer => "recordingStoppedByServer",
            EndReason::AutomaticStop => "automaticStop",
            EndReason::MediaServerDisconnect => "mediaServerDisconnect",
            EndReason::NodeCrashed => "nodeCrashed",
            EndReason::OpenviduServerStopped => "openviduServerStopped",
        }
    }
}
