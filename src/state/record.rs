//! The records, in the words of the API (rest.md §4, §6), so that another version of the daemon understands them as well.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A session with at least one camera.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionRecord {
    pub id: String,
    /// ms since 1970.
    pub created_at: u64,
    pub properties: PropertiesRecord,
    /// In the order of their creation.
    pub cameras: Vec<CameraRecord>,
}

/// Properties of a session.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertiesRecord {
    pub media_mode: String,
    pub recording_mode: String,
    pub forced_video_codec: String,
    pub allow_transcoding: bool,
    /// Is the session's id one that the application asked for?
    pub custom_id: bool,
    pub default_recording: RecordingRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_node: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub old_recording_keys: bool,
}

/// `defaultRecordingProperties`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingRecord {
    pub name: String,
    pub has_audio: bool,
    pub has_video: bool,
    pub output: OutputRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_node: Option<String>,
}

/// Its output mode, with what belongs to it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum OutputRecord {
    Composed {
        quick_start: bool,
        layout: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        custom_layout: Option<String>,
        resolution: String,
        frame_rate: i64,
        shm_size: i64,
    },
    Individual {
        ignore_failed_streams: bool,
    },
}

/// A camera's connection. `Debug` does not show where the camera is: the address may hold a password.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CameraRecord {
    pub connection: String,
    pub stream: String,
    /// ms since 1970.
    pub created_at: u64,
    /// As the application wrote it, credentials included.
    pub rtsp_uri: String,
    /// Server data.
    pub data: String,
    pub adaptative_bitrate: bool,
    pub only_play_with_subscribers: bool,
    /// Jitter buffer in ms.
    pub network_cache: u32,
    /// May individual recordings hold it?
    #[serde(default = "yes")]
    pub record: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What earlier versions did not write.
fn yes() -> bool {
    true
}

impl fmt::Debug for CameraRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CameraRecord").field("connection", &self.connection).field("stream", &self.stream).finish_non_exhaustive()
    }
}
