//! What a session looks like from outside at one moment: plain data for readers.

use super::error::NotRecorded;
use super::notice::StreamInfo;
use super::properties::{CameraProperties, KurentoOptions, MediaMode, SessionProperties};
use super::role::Role;
use crate::ids::{ConnectionId, MediaNodeId, PeerId, SessionId, StreamId};
use std::net::IpAddr;
use std::sync::Arc;

/// A session, published by its actor after every change.
#[derive(Clone, PartialEq, Debug)]
pub struct SessionSnapshot {
    pub id: SessionId,
    /// ms since 1970.
    pub created_at: u64,
    pub properties: Arc<SessionProperties>,
    /// Has anybody joined yet?
    pub active: bool,
    /// Where it is hosted; `None` until somebody joined.
    pub media_node: Option<MediaNodeId>,
    /// Is it being recorded, or about to be?
    pub recording: bool,
    /// Pending and active connections in the order of their creation.
    pub connections: Vec<Arc<ConnectionSnapshot>>,
}

impl SessionSnapshot {
    /// May it be recorded now (rest.md §10.2, steps 5 to 8)? Errors: [`NotRecorded::NotRouted`],
    /// [`NotRecorded::Already`], [`NotRecorded::Nobody`].
    pub fn may_be_recorded(&self) -> Result<(), NotRecorded> {
        if self.properties.media_mode != MediaMode::Routed {
            return Err(NotRecorded::NotRouted(self.id.clone()));
        }
        if self.recording {
            return Err(NotRecorded::Already(self.id.clone()));
        }
        match self.connections.iter().any(|connection| connection.active.is_some()) {
            true => Ok(()),
            false => Err(NotRecorded::Nobody(self.id.clone())),
        }
    }
}

/// A connection.
#[derive(Clone, PartialEq, Debug)]
pub struct ConnectionSnapshot {
    pub id: ConnectionId,
    pub session: SessionId,
    /// ms since 1970.
    pub created_at: u64,
    /// `None` while pending.
    pub active: Option<ActiveSnapshot>,
    pub kind: ConnectionKind,
    /// May individual recordings hold what it publishes?
    pub record: bool,
    pub server_data: String,
}

/// What only a connection that joined has.
#[derive(Clone, PartialEq, Debug)]
pub struct ActiveSnapshot {
    /// ms since 1970.
    pub at: u64,
    /// Address of the client; of a camera, when its host is an address.
    pub ip: Option<IpAddr>,
    /// Browser description; `IPCAM` for a camera.
    pub platform: String,
    /// Metadata of the join; `None` for a camera.
    pub client_data: Option<String>,
    pub publisher: Option<StreamInfo>,
    /// The transport a client publishes over; none for a camera, or when it was lost.
    pub publisher_peer: Option<PeerId>,
    pub subscribers: Vec<SubscriberSnapshot>,
    /// How its camera is, when it is one.
    pub camera: Option<CameraSnapshot>,
}

/// How a camera is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CameraSnapshot {
    pub state: CameraState,
    /// ms since 1970: since when it is so.
    pub since: u64,
    /// What the matter is with one that is not there; carries no credentials.
    pub cause: Option<String>,
}

/// The states of a camera, in the words WebRTC has for a connection's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CameraState {
    /// Nobody watches, and it plays only with subscribers.
    Idle,
    /// It has not answered yet.
    Connecting,
    /// Its media flows.
    Connected,
    /// It is away, or something is wrong with it; it is tried again and again.
    Disconnected,
    /// It is not tried again: its address is not allowed.
    Failed,
}

impl CameraState {
    /// All of them.
    pub const ALL: [CameraState; 5] =
        [CameraState::Idle, CameraState::Connecting, CameraState::Connected, CameraState::Disconnected, CameraState::Failed];

    /// The word for it in JSON and metrics.
    pub fn word(self) -> &'static str {
        match self {
            CameraState::Idle => "idle",
            CameraState::Connecting => "connecting",
            CameraState::Connected => "connected",
            CameraState::Disconnected => "disconnected",
            CameraState::Failed => "failed",
        }
    }
}

/// What kind of connection it is.
#[derive(Clone, PartialEq, Debug)]
pub enum ConnectionKind {
    /// `token` is the `tok_…` part; the door makes the URL.
    Webrtc {
        token: String,
        role: Role,
        kurento_options: Option<KurentoOptions>,
    },
    Camera(Arc<CameraProperties>),
}

/// A subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubscriberSnapshot {
    pub stream: StreamId,
    /// The transport it comes over.
    pub peer: PeerId,
    /// ms since 1970.
    pub created_at: u64,
}
