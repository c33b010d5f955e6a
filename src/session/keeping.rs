//! A session as what is kept of it (`state`), and back. Pure.
//!
//! What is kept are sessions with cameras, their properties, and the cameras with their ids; nothing of clients.

use super::connection::Connection;
use super::properties::{CameraProperties, ForcedCodec, MediaMode, RecordingMode, RecordingOutput, RecordingProperties, SessionProperties};
use super::snapshot::ConnectionKind;
use crate::ids::{ConnectionId, MediaNodeId, SessionId, StreamId};
use crate::state::{CameraRecord, OutputRecord, PropertiesRecord, RecordingRecord, SessionRecord};
use crate::wire::camera::{BadCameraUri, CameraSpec};

/// A camera that was here before.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub connection: ConnectionId,
    pub stream: StreamId,
    /// ms since 1970.
    pub created_at: u64,
}

/// What is kept of a session; `None` when it has no camera.
pub(super) fn record<'a>(
    (id, created_at): (&SessionId, u64),
    properties: &SessionProperties,
    connections: impl Iterator<Item = &'a Connection>,
) -> Option<SessionRecord> {
    let cameras: Vec<_> = connections.filter_map(camera).collect();
    let id = id.to_string();
    (!cameras.is_empty()).then(|| SessionRecord { id, created_at, properties: of_session(properties), cameras })
}

fn camera(connection: &Connection) -> Option<CameraRecord> {
    let ConnectionKind::Camera(properties) = &connection.kind else { return None };
    let stream = connection.live()?.info.stream.to_string();
    Some(CameraRecord {
        connection: connection.id.to_string(),
        stream,
        created_at: connection.created_at,
        rtsp_uri: properties.rtsp_uri.clone(),
        data: properties.data.clone(),
        record: connection.record,
        adaptative_bitrate: properties.adaptative_bitrate,
        only_play_with_subscribers: properties.only_play_with_subscribers,
        network_cache: properties.network_cache,
    })
}

/// The camera of a record, under the rules of today. Errors: its address is not allowed any more.
pub(super) fn revive(record: &CameraRecord, allow_loopback: bool) -> Result<(CameraProperties, Past), BadCameraUri> {
    let camera = CameraSpec::parse(&record.rtsp_uri, record.network_cache, allow_loopback)?.spec;
    let properties = CameraProperties {
        rtsp_uri: record.rtsp_uri.clone(),
        camera,
        record: record.record,
        data: record.data.clone(),
        adaptative_bitrate: record.adaptative_bitrate,
        only_play_with_subscribers: record.only_play_with_subscribers,
        network_cache: record.network_cache,
    };
    let (connection, stream) = (record.connection.as_str().into(), record.stream.as_str().into());
    Ok((properties, Past { connection, stream, created_at: record.created_at }))
}

fn of_session(properties: &SessionProperties) -> PropertiesRecord {
    let SessionProperties {
        media_mode,
        recording_mode,
        default_recording,
        custom_session_id,
        forced_video_codec,
        allow_transcoding,
        media_node,
        old_recording_keys,
    } = properties;
    PropertiesRecord {
        media_mode: word(&MODES, *media_mode),
        recording_mode: word(&RECORDING_MODES, *recording_mode),
        forced_video_codec: word(&CODECS, *forced_video_codec),
        allow_transcoding: *allow_transcoding,
        custom_id: custom_session_id.is_some(),
        default_recording: of_recording(default_recording),
        media_node: media_node.as_ref().map(MediaNodeId::to_string),
        old_recording_keys: *old_recording_keys,
    }
}

/// The properties of the session of a record. A word that no version of ours has written counts as the default.
pub(super) fn properties(record: &SessionRecord) -> SessionProperties {
    let kept = &record.properties;
    SessionProperties {
        media_mode: meaning(&MODES, &kept.media_mode),
        recording_mode: meaning(&RECORDING_MODES, &kept.recording_mode),
        default_recording: recording(&kept.default_recording),
        custom_session_id: kept.custom_id.then(|| record.id.as_str().into()),
        forced_video_codec: meaning(&CODECS, &kept.forced_video_codec),
        allow_transcoding: kept.allow_transcoding,
        media_node: kept.media_node.as_deref().map(MediaNodeId::from),
        old_recording_keys: kept.old_recording_keys,
    }
}

fn of_recording(properties: &RecordingProperties) -> RecordingRecord {
    let RecordingProperties { name, has_audio, has_video, output, media_node } = properties.clone();
    let output = match output {
        RecordingOutput::Composed { quick_start, layout, custom_layout, resolution, frame_rate, shm_size } => {
            OutputRecord::Composed { quick_start, layout, custom_layout, resolution, frame_rate, shm_size }
        }
        RecordingOutput::Individual { ignore_failed_streams } => OutputRecord::Individual { ignore_failed_streams },
    };
    RecordingRecord { name, has_audio, has_video, output, media_node }
}

fn recording(record: &RecordingRecord) -> RecordingProperties {
    let RecordingRecord { name, has_audio, has_video, output, media_node } = record.clone();
    let output = match output {
        OutputRecord::Composed { quick_start, layout, custom_layout, resolution, frame_rate, shm_size } => {
            RecordingOutput::Composed { quick_start, layout, custom_layout, resolution, frame_rate, shm_size }
        }
        OutputRecord::Individual { ignore_failed_streams } => RecordingOutput::Individual { ignore_failed_streams },
    };
    RecordingProperties { name, has_audio, has_video, output, media_node }
}

/// The words of the API (rest.md §4.1).
const MODES: [(&str, MediaMode); 2] = [("ROUTED", MediaMode::Routed), ("RELAYED", MediaMode::Relayed)];
const RECORDING_MODES: [(&str, RecordingMode); 2] = [("MANUAL", RecordingMode::Manual), ("ALWAYS", RecordingMode::Always)];
const CODECS: [(&str, ForcedCodec); 4] =
    [("VP8", ForcedCodec::Vp8), ("VP9", ForcedCodec::Vp9), ("H264", ForcedCodec::H264), ("NONE", ForcedCodec::None)];

fn word<T: PartialEq>(table: &[(&str, T)], meant: T) -> String {
    table.iter().find(|(_, meaning)| *meaning == meant).map(|(word, _)| (*word).to_owned()).unwrap_or_default()
}

fn meaning<T: Copy + Default>(table: &[(&str, T)], wanted: &str) -> T {
    table.iter().find(|(word, _)| *word == wanted).map(|(_, meaning)| *meaning).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_come_back_as_they_were() {
        for (media_mode, recording_mode, forced_video_codec, custom) in [
            (MediaMode::Routed, RecordingMode::Manual, ForcedCodec::Vp8, None),
            (MediaMode::Relayed, RecordingMode::Always, ForcedCodec::H264, Some("gate")),
            (MediaMode::Routed, RecordingMode::Manual, ForcedCodec::None, Some("gate")),
            (MediaMode::Routed, RecordingMode::Manual, ForcedCodec::Vp9, None),
        ] {
            let output = RecordingOutput::Individual { ignore_failed_streams: true };
            let individual = RecordingProperties { output, media_node: Some("m".into()), ..RecordingProperties::default() };
            for default_recording in [RecordingProperties::default(), individual] {
                let custom_session_id = custom.map(SessionId::from);
                let allow_transcoding = custom.is_some();
                let before = SessionProperties {
                    media_mode,
                    recording_mode,
                    default_recording,
                    custom_session_id,
                    forced_video_codec,
                    allow_transcoding,
                    media_node: custom.map(|_| "media_1".into()),
                    old_recording_keys: custom.is_none(),
                };
                let (id, created_at) = (custom.unwrap_or("ses_A").to_owned(), 1);
                let record = SessionRecord { id, created_at, properties: of_session(&before), cameras: Vec::new() };
                assert_eq!(properties(&record), before);
            }
        }
    }
}
