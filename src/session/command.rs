//! The closed list of what a session can be asked: the only way in, for every door.

use super::error::Denied;
use super::notice::EndReason;
use super::outbox::Outbox;
use super::properties::{CameraProperties, ConnectionChange, WebrtcProperties};
use super::snapshot::ConnectionSnapshot;
use crate::ids::{ConnectionId, RecordingId, StreamId};
use crate::recording::{Follower, Plan};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Where an answer goes that a door waits for. A door that hung up is no error.
pub type Answer<T> = oneshot::Sender<Result<T, Denied>>;

/// Number of a WebSocket, unique in the life of this process: tells a late close of an old socket from one of the present.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SocketId(pub u64);

/// Correlates a request of a client with its reply; opaque here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestId(pub i64);

/// Number of a WHEP viewer within its session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ViewerId(pub u32);

/// What a session can be asked.
#[derive(Debug)]
pub enum Command {
    /// REST: a pending WebRTC connection (a token).
    AddWebrtc { properties: WebrtcProperties, answer: Answer<Arc<ConnectionSnapshot>> },
    /// REST: a camera joins and publishes at once.
    AddCamera { properties: CameraProperties, answer: Answer<Arc<ConnectionSnapshot>> },
    /// REST: change what a connection may do, pending or active. Answered with what it is then.
    ChangeConnection { connection: ConnectionId, change: ConnectionChange, answer: Answer<Arc<ConnectionSnapshot>> },
    /// REST: evict an active connection, void a pending one.
    RemoveConnection { connection: ConnectionId, answer: Answer<()> },
    /// REST: end what a client publishes; the client stays.
    EndStream { stream: StreamId, answer: Answer<()> },
    /// REST: a signal to the named ones, or to everybody.
    Signal { to: Vec<ConnectionId>, kind: Option<String>, data: Option<String>, answer: Answer<()> },
    /// Garbage collection: end the session if nobody ever joined and it is as old as that.
    Collect { threshold: Duration },
    /// REST and shutdown: end the session. Answered when it is gone from the registry, and its recordings have ended.
    Close { reason: EndReason, answer: Answer<()> },
    /// REST: record what is published. Answered at once with who sees whether it begins.
    StartRecording { plan: Plan, answer: Answer<Follower> },
    /// REST: stop the recording of that id. Answered at once with who sees it end.
    StopRecording { recording: RecordingId, answer: Answer<Follower> },
    /// Signaling: joinRoom. The reply, then all notices, go to `outbox`.
    Join(Box<Join>),
    /// Signaling: `connect` of a client that lost its socket; `rpc` is the id its join result carried.
    Rejoin { rpc: String, socket: SocketId, outbox: Outbox, request: RequestId },
    /// Signaling: any other request of a client that has joined.
    Call { connection: ConnectionId, socket: SocketId, request: RequestId, call: Call },
    /// Signaling: the socket of a joined client closed or went silent; the grace time begins unless it left before.
    Detached { connection: ConnectionId, socket: SocketId },
    /// WHEP: an offer to receive one stream.
    Watch { stream: StreamId, offer: String, access: Access, ip: IpAddr, platform: String, answer: Answer<Watching> },
    /// WHEP: a viewer ends.
    Unwatch { viewer: ViewerId, answer: Answer<()> },
}

/// joinRoom.
#[derive(Debug)]
pub struct Join {
    /// The `tok_…` part of the token, empty if there was none.
    pub token: String,
    /// Does the request carry the server's secret (checked by the door)?
    pub by_secret: bool,
    /// Client data.
    pub metadata: String,
    /// Browser description, free text.
    pub platform: String,
    pub ip: IpAddr,
    pub socket: SocketId,
    pub outbox: Outbox,
    pub request: RequestId,
}

/// Who wants to watch over WHEP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Access {
    /// A connection's token (`tok_…`): that connection becomes active as a subscriber and is consumed like at a join.
    Token(String),
    /// The API secret: an anonymous viewer that is demand for a camera, not for the session's life, and is not listed.
    Secret,
}

/// A WHEP viewer that was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watching {
    pub viewer: ViewerId,
    /// SDP answer.
    pub answer: String,
}

/// Requests of a joined client. Each is answered exactly once through its outbox.
#[derive(Clone, PartialEq, Debug)]
pub enum Call {
    /// publishVideo
    Publish(PublishCall),
    /// unpublishVideo
    Unpublish,
    /// receiveVideoFrom
    Subscribe { stream: StreamId, offer: String },
    /// unsubscribeFromVideo
    Unsubscribe { sender: ConnectionId },
    /// reconnectStream: the client's transport for this stream broke, and it offers another. Its own stream goes on under those
    /// who watch it.
    Reconnect { stream: StreamId, offer: String },
    /// onIceCandidate: `endpoint` is the caller's own connection for its publication, the publisher's for a subscription.
    Candidate { endpoint: ConnectionId, candidate: String },
    /// sendMessage
    Signal { to: Vec<ConnectionId>, kind: Option<String>, data: Option<String> },
    /// streamPropertyChanged
    ChangeStream { change: StreamChange, reason: String },
    /// forceDisconnect
    ForceDisconnect { connection: ConnectionId },
    /// forceUnpublish
    ForceUnpublish { stream: StreamId },
    /// leaveRoom
    Leave,
}

/// publishVideo.
#[derive(Clone, PartialEq, Debug)]
pub struct PublishCall {
    pub offer: String,
    pub loopback: bool,
    pub has_audio: bool,
    pub has_video: bool,
    pub audio_active: bool,
    pub video_active: bool,
    /// `CAMERA`, `SCREEN`, `CUSTOM`; empty for audio only.
    pub type_of_video: String,
    /// `None` when the application set none (-1 on the wire).
    pub frame_rate: Option<i64>,
    /// JSON text, kept as the client sent it.
    pub video_dimensions: Option<String>,
}

/// What a publisher may change of its stream while it runs; the text forms are those of signaling.md §7.8.
#[derive(Clone, PartialEq, Debug)]
pub enum StreamChange {
    AudioActive(bool),
    VideoActive(bool),
    /// JSON text `{"width":…,"height":…}`.
    VideoDimensions(String),
    /// `audioTrack` or `videoTrack`, and the JSON text of the new value; relayed, not stored.
    Track {
        property: String,
        value: String,
    },
}
