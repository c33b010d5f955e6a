//! What is told to the world: one value per event of events.md §1, plain data. How it is written, `json` knows.
//!
//! `autoscaling`, `broadcastStarted` and their kin have no origin on one box, so there is no record of them: who makes them adds one.

use crate::ids::{ConnectionId, MediaNodeId, RecordingId, SessionId, StreamId};
use std::net::IpAddr;
use std::sync::Arc;

/// One event. Made where the thing happens: by a session's [`super::Chronicle`], by the task of a recording, by the cluster; never by
/// a door.
#[derive(Clone, PartialEq, Debug)]
pub enum Record {
    SessionCreated(Moment),
    SessionDestroyed(Moment, End),
    ParticipantJoined(Moment, Arc<Participant>),
    ParticipantLeft(Moment, End, Arc<Participant>),
    WebrtcConnectionCreated(Moment, Webrtc),
    WebrtcConnectionDestroyed(Moment, End, Webrtc),
    RecordingStatusChanged(Moment, Recording),
    SignalSent(Moment, Signal),
    FilterEventDispatched(Moment, FilterEvent),
    MediaNodeStatusChanged(MediaNode),
    NodeCrashed(Crash),
}

impl Record {
    /// The event's name.
    pub fn name(&self) -> &'static str {
        match self {
            Record::SessionCreated(_) => "sessionCreated",
            Record::SessionDestroyed(..) => "sessionDestroyed",
            Record::ParticipantJoined(..) => "participantJoined",
            Record::ParticipantLeft(..) => "participantLeft",
            Record::WebrtcConnectionCreated(..) => "webrtcConnectionCreated",
            Record::WebrtcConnectionDestroyed(..) => "webrtcConnectionDestroyed",
            Record::RecordingStatusChanged(..) => "recordingStatusChanged",
            Record::SignalSent(..) => "signalSent",
            Record::FilterEventDispatched(..) => "filterEventDispatched",
            Record::MediaNodeStatusChanged(_) => "mediaNodeStatusChanged",
            Record::NodeCrashed(_) => "nodeCrashed",
        }
    }
}

/// When something happened, and in which session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moment {
    pub session: SessionId,
    /// Tells sessions of the same id apart: `<session>_<its creation in ms since 1970>`.
    pub unique_session: Arc<str>,
    /// ms since 1970.
    pub at: u64,
}

/// How something ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// When it began, in ms since 1970.
    pub since: u64,
    /// One of the words of events.md §5.
    pub reason: &'static str,
}

/// Somebody in a session, a camera included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Participant {
    pub connection: ConnectionId,
    pub ip: Option<IpAddr>,
    /// Browser description; `IPCAM` for a camera.
    pub platform: String,
    /// `None` for a camera.
    pub client_data: Option<String>,
    pub server_data: String,
}

/// A stream that travels between a participant and the box.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webrtc {
    /// Whose transport it is.
    pub connection: ConnectionId,
    pub direction: Direction,
    pub stream: Arc<Stream>,
}

/// Which way it travels, as the participant sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Direction {
    /// The participant publishes.
    Outbound,
    /// The participant receives what `from` publishes.
    Inbound { from: ConnectionId },
}

/// A published stream as it was when it was published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stream {
    pub id: StreamId,
    pub audio: bool,
    pub video: Option<Video>,
    pub camera: Option<Camera>,
}

/// The video of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Video {
    /// `CAMERA`, `SCREEN`, `CUSTOM` or `IPCAM`.
    pub source: String,
    /// Pictures a second, if the client said.
    pub frame_rate: Option<i64>,
    /// JSON text, as the client sent it.
    pub dimensions: Option<String>,
}

/// What only the stream of a camera has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Camera {
    /// Its address without its password: records are kept in files and sent over networks.
    pub rtsp_uri: String,
    pub adaptative_bitrate: bool,
    /// ms
    pub network_cache: u32,
    pub only_play_with_subscribers: bool,
}

/// A recording at one step of its life.
#[derive(Clone, PartialEq, Debug)]
pub struct Recording {
    pub id: RecordingId,
    pub name: String,
    /// ms since 1970.
    pub created_at: u64,
    /// ms; 0 until known.
    pub duration_ms: u64,
    /// Bytes; 0 until known.
    pub size: u64,
    /// `COMPOSED` or `INDIVIDUAL`.
    pub output_mode: &'static str,
    /// Of a composed recording with video.
    pub picture: Option<Picture>,
    /// Where it is made; told with a picture only. `None` in an edition without media nodes.
    pub media_node: Option<MediaNodeId>,
    pub audio: bool,
    pub video: bool,
    pub step: Step,
    /// Why it was stopped; `None` while it runs, and for one that never ran.
    pub reason: Option<&'static str>,
}

/// How a composed recording looks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture {
    /// `1280x720`
    pub resolution: String,
    pub frame_rate: u32,
    /// The word of the API.
    pub layout: String,
    /// With the layout `CUSTOM` only.
    pub custom_layout: Option<String>,
}

/// The steps of a recording that are told; its start is not one before there is a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Started,
    Stopped,
    Ready,
    Failed,
}

impl Step {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Started => "started",
            Step::Stopped => "stopped",
            Step::Ready => "ready",
            Step::Failed => "failed",
        }
    }
}

/// A signal between participants, or from the application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signal {
    /// `None`: sent over REST.
    pub from: Option<ConnectionId>,
    /// Everybody who got it.
    pub to: Vec<ConnectionId>,
    /// Without the `signal:` that clients put before it.
    pub kind: Option<String>,
    pub data: Option<String>,
}

/// What a filter found in a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterEvent {
    pub connection: ConnectionId,
    pub stream: StreamId,
    pub filter: String,
    pub kind: String,
    pub data: String,
}

/// A media node came one step further. The words are those of events.md §9.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaNode {
    /// ms since 1970.
    pub at: u64,
    pub id: String,
    pub environment: Option<String>,
    pub ip: String,
    pub uri: String,
    pub to: &'static str,
    /// `None` for one that has just come.
    pub from: Option<&'static str>,
    pub cluster: String,
}

/// A media node is gone, and with it what it carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Crash {
    /// ms since 1970.
    pub at: u64,
    pub id: String,
    pub environment: Option<String>,
    pub ip: String,
    pub uri: String,
    pub sessions: Vec<SessionId>,
    pub recordings: Vec<RecordingId>,
    pub cluster: String,
}
