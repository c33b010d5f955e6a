//! What a session and its connections are created with (rest.md §4, §5, §6). Checked by the door, plain here.

use super::role::Role;
use crate::ids::{MediaNodeId, SessionId};
use crate::wire::camera::CameraSpec;
use std::fmt;

/// Properties of a session.
#[derive(Clone, PartialEq, Debug)]
pub struct SessionProperties {
    pub media_mode: MediaMode,
    pub recording_mode: RecordingMode,
    pub default_recording: RecordingProperties,
    /// The id the application asked for.
    pub custom_session_id: Option<SessionId>,
    pub forced_video_codec: ForcedCodec,
    pub allow_transcoding: bool,
    /// Id of the media node the application wants it on.
    pub media_node: Option<MediaNodeId>,
    /// Was it asked for with the recording keys of releases up to 2.17 (rest.md §16)? Then they are shown, too: the Java client of those
    /// releases cannot read a session without them.
    pub old_recording_keys: bool,
}

/// How media travels; both are routed by the box.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MediaMode {
    #[default]
    Routed,
    Relayed,
}

/// When a session is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RecordingMode {
    #[default]
    Manual,
    Always,
}

/// The video codec publishers must use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ForcedCodec {
    #[default]
    Vp8,
    /// Accepted by the API; the box cannot forward VP9, so publishing fails with code 800.
    Vp9,
    H264,
    None,
}

/// `defaultRecordingProperties` with the defaults filled in (rest.md §4.1).
#[derive(Clone, PartialEq, Debug)]
pub struct RecordingProperties {
    pub name: String,
    pub has_audio: bool,
    pub has_video: bool,
    pub output: RecordingOutput,
    /// Id of the media node asked for.
    pub media_node: Option<String>,
}

/// Output mode with what belongs to it.
#[derive(Clone, PartialEq, Debug)]
pub enum RecordingOutput {
    /// `COMPOSED` or (`quick_start`) `COMPOSED_QUICK_START`; `layout` is the word of the API.
    Composed {
        quick_start: bool,
        layout: String,
        custom_layout: Option<String>,
        resolution: String,
        frame_rate: i64,
        shm_size: i64,
    },
    Individual {
        ignore_failed_streams: bool,
    },
}

impl Default for RecordingProperties {
    fn default() -> Self {
        Self {
            name: String::new(),
            has_audio: true,
            has_video: true,
            output: RecordingOutput::Composed {
                quick_start: false,
                layout: "BEST_FIT".into(),
                custom_layout: None,
                resolution: "1280x720".into(),
                frame_rate: 25,
                shm_size: 536_870_912,
            },
            media_node: None,
        }
    }
}

/// Properties of a WebRTC connection.
#[derive(Clone, PartialEq, Debug)]
pub struct WebrtcProperties {
    pub role: Role,
    /// May individual recordings hold what it publishes?
    pub record: bool,
    /// Server data.
    pub data: String,
    pub kurento_options: Option<KurentoOptions>,
}

impl Default for WebrtcProperties {
    fn default() -> WebrtcProperties {
        WebrtcProperties { role: Role::default(), record: true, data: String::new(), kurento_options: None }
    }
}

/// What of a connection may be changed while it exists; `None` leaves it as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConnectionChange {
    /// A camera has no role, so this changes nothing there.
    pub role: Option<Role>,
    pub record: Option<bool>,
}

/// Limits of one connection in kbit/s; only what was given.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct KurentoOptions {
    pub video_max_recv_bandwidth: Option<i64>,
    pub video_min_recv_bandwidth: Option<i64>,
    pub video_max_send_bandwidth: Option<i64>,
    pub video_min_send_bandwidth: Option<i64>,
    pub allowed_filters: Vec<String>,
}

/// Properties of a camera connection. `Debug` never shows the password.
#[derive(Clone, PartialEq)]
pub struct CameraProperties {
    /// As the application wrote it, credentials included: goes back to callers with the full secret, nowhere else.
    pub rtsp_uri: String,
    /// The same, checked and taken apart.
    pub camera: CameraSpec,
    /// May individual recordings hold what it publishes?
    pub record: bool,
    /// Server data.
    pub data: String,
    pub adaptative_bitrate: bool,
    pub only_play_with_subscribers: bool,
    /// Jitter buffer in ms.
    pub network_cache: u32,
}

impl fmt::Debug for CameraProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CameraProperties").field("camera", &self.camera).field("data", &self.data).finish_non_exhaustive()
    }
}
