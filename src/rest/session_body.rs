//! What POST sessions may ask for, checked in the order of rest.md §4.2. Pure.

use super::body::{Fields, lenient_boolean, lenient_number, lenient_text};
use super::error::Failure;
use crate::config::{Config, Edition};
use crate::ids::MediaNodeId;
use crate::session::SessionProperties;
use crate::session::properties::{ForcedCodec, MediaMode, RecordingMode, RecordingOutput, RecordingProperties};
use serde_json::{Map, Value};

/// The words of `recordingLayout`.
pub const LAYOUTS: [&str; 5] = ["BEST_FIT", "PICTURE_IN_PICTURE", "VERTICAL_PRESENTATION", "HORIZONTAL_PRESENTATION", "CUSTOM"];

/// The one of the old recording keys that its clients always sent.
const OLD_MODE: &str = "defaultOutputMode";

/// The properties of a session created without a body. The original ignores the configured codecs here, and so do we.
pub fn without_body() -> SessionProperties {
    SessionProperties {
        media_mode: MediaMode::default(),
        recording_mode: RecordingMode::default(),
        default_recording: RecordingProperties::default(),
        custom_session_id: None,
        forced_video_codec: ForcedCodec::default(),
        allow_transcoding: false,
        media_node: None,
        old_recording_keys: false,
    }
}

/// The properties a body asks for. Errors: 400 naming the field.
pub fn parse(fields: &Fields, config: &Config) -> Result<SessionProperties, Failure> {
    let media_mode = fields.string("mediaMode")?;
    let recording_mode = fields.string("recordingMode")?;
    let custom_session_id = fields.string("customSessionId")?.filter(|id| !id.is_empty());
    let forced_video_codec = fields.string("forcedVideoCodec")?;
    let allow_transcoding = fields.boolean("allowTranscoding")?;

    let recording_mode = match recording_mode {
        None | Some("MANUAL") => RecordingMode::Manual,
        Some("ALWAYS") => RecordingMode::Always,
        Some(other) => return Err(no_constant("recordingMode", other, &["MANUAL", "ALWAYS"])),
    };
    let media_mode = match media_mode {
        None | Some("ROUTED") => MediaMode::Routed,
        Some("RELAYED") => MediaMode::Relayed,
        Some(other) => return Err(no_constant("mediaMode", other, &["ROUTED", "RELAYED"])),
    };
    if custom_session_id.is_some_and(|id| !id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))) {
        return Err(Failure::bad("Parameter 'customSessionId' is wrong. Must be an alphanumeric string [a-zA-Z0-9_-]"));
    }
    let forced_video_codec = match forced_video_codec.unwrap_or(&config.forced_video_codec) {
        "VP8" => ForcedCodec::Vp8,
        "VP9" => ForcedCodec::Vp9,
        "H264" => ForcedCodec::H264,
        "NONE" => ForcedCodec::None,
        other => return Err(no_constant("forcedVideoCodec", other, &["VP8", "VP9", "H264", "NONE"])),
    };
    let default_recording = match fields.get("defaultRecordingProperties") {
        None => of_old_keys(fields)?,
        Some(Value::Object(object)) => recording(object)?,
        Some(_) => return Err(Failure::bad("Error in parameter 'defaultRecordingProperties'. It is not a valid JSON object")),
    };
    let media_node = match config.edition {
        Edition::Ce => None,
        Edition::Pro => media_node(fields)?,
    };
    Ok(SessionProperties {
        media_mode,
        recording_mode,
        default_recording,
        custom_session_id: custom_session_id.map(Into::into),
        forced_video_codec,
        allow_transcoding: allow_transcoding.unwrap_or(config.allow_transcoding),
        media_node,
        old_recording_keys: fields.get(OLD_MODE).is_some(),
    })
}

fn no_constant(field: &str, value: &str, words: &[&str]) -> Failure {
    Failure::bad(format!("Some parameter is not valid. No enum constant {field}.{value}: '{field}' must be one of {}", words.join(", ")))
}

/// `mediaNode`: `{"id": …}`, of a session or a recording. Errors: 400.
pub fn media_node(fields: &Fields) -> Result<Option<MediaNodeId>, Failure> {
    match fields.get("mediaNode") {
        None => Ok(None),
        Some(Value::Object(node)) => match node.get("id") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(id)) => Ok(Some(id.as_str().into())),
            Some(_) => Err(Failure::bad("Type error in some parameter: 'mediaNode.id' must be a string")),
        },
        Some(_) => Err(Failure::bad("Type error in some parameter: 'mediaNode' must be an object")),
    }
}

/// The three keys that came before `defaultRecordingProperties` in releases up to 2.17 (rest.md §16). Errors: 400.
fn of_old_keys(fields: &Fields) -> Result<RecordingProperties, Failure> {
    let (mode, layout) = (fields.string(OLD_MODE)?, fields.string("defaultRecordingLayout")?);
    let custom = fields.string("defaultCustomLayout")?.filter(|custom| !custom.is_empty());
    let mut properties = RecordingProperties::default();
    match mode {
        None | Some("COMPOSED") => {}
        Some("INDIVIDUAL") => properties.output = RecordingOutput::Individual { ignore_failed_streams: false },
        Some(other) => return Err(no_constant(OLD_MODE, other, &["COMPOSED", "INDIVIDUAL"])),
    }
    if let Some(other) = layout.filter(|layout| !LAYOUTS.contains(layout)) {
        return Err(no_constant("defaultRecordingLayout", other, &LAYOUTS));
    }
    if let RecordingOutput::Composed { layout: usual, custom_layout, .. } = &mut properties.output {
        *usual = layout.unwrap_or(usual).to_owned();
        *custom_layout = custom.map(str::to_owned);
    }
    Ok(properties)
}

/// `defaultRecordingProperties`. Only words and numbers can be wrong here; ranges are checked when a recording starts.
fn recording(object: &Map<String, Value>) -> Result<RecordingProperties, Failure> {
    let get = |name: &str| object.get(name).filter(|value| !value.is_null());
    let name = get("name").map(lenient_text).unwrap_or_default();
    if name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\')) {
        return Err(invalid("'name' must not contain path separators or control characters"));
    }
    let has_video = get("hasVideo").is_none_or(lenient_boolean);
    Ok(RecordingProperties {
        name,
        has_audio: get("hasAudio").is_none_or(lenient_boolean),
        has_video,
        output: output(&get, has_video)?,
        media_node: get("mediaNode").and_then(|node| match node {
            Value::Object(node) => node.get("id").and_then(Value::as_str).map(str::to_owned),
            node => node.as_str().map(str::to_owned),
        }),
    })
}

fn output<'a>(get: &impl Fn(&str) -> Option<&'a Value>, has_video: bool) -> Result<RecordingOutput, Failure> {
    let mode = get("outputMode").map(lenient_text);
    let quick = match mode.as_deref() {
        // layout, resolution and the rest count only where a composed mode is spelled out
        None => return Ok(RecordingProperties::default().output),
        Some("INDIVIDUAL") => {
            return Ok(RecordingOutput::Individual { ignore_failed_streams: get("ignoreFailedStreams").is_some_and(lenient_boolean) });
        }
        Some("COMPOSED") => false,
        Some("COMPOSED_QUICK_START") => true,
        Some(other) => {
            return Err(invalid(&format!("'outputMode' must be one of COMPOSED, COMPOSED_QUICK_START, INDIVIDUAL, not {other}")));
        }
    };
    let mut output = RecordingProperties::default().output;
    if let RecordingOutput::Composed { quick_start, layout, custom_layout, resolution, frame_rate, shm_size } = &mut output {
        *quick_start = quick;
        if has_video {
            if let Some(word) = get("recordingLayout").map(lenient_text) {
                if !LAYOUTS.contains(&word.as_str()) {
                    return Err(invalid(&format!("'recordingLayout' must be one of {}, not {word}", LAYOUTS.join(", "))));
                }
                *layout = word;
            }
            *custom_layout = get("customLayout").map(lenient_text);
            *resolution = get("resolution").map(lenient_text).unwrap_or(std::mem::take(resolution));
            *frame_rate = number(get("frameRate"), "frameRate")?.unwrap_or(*frame_rate);
            *shm_size = number(get("shmSize"), "shmSize")?.unwrap_or(*shm_size);
        }
    }
    Ok(output)
}

fn number(value: Option<&Value>, name: &str) -> Result<Option<i64>, Failure> {
    value.map(|value| lenient_number(value).ok_or_else(|| invalid(&format!("'{name}' must be a number")))).transpose()
}

fn invalid(what: &str) -> Failure {
    Failure::bad(format!("Parameter 'defaultRecordingProperties' is not valid: {what}"))
}
