//! Snapshots as the JSON of the API, key by key in the order of the original (rest.md §4.1, §5.1). Pure.
//!
//! Clients compare serialised objects, so the order of keys is part of the contract.

use super::legacy::Era;
use super::webrtc_stats;
use crate::config::{Config, Edition};
use crate::engine::Report;
use crate::ids::PeerId;
use crate::session::notice::StreamInfo;
use crate::session::properties::{CameraProperties, ForcedCodec, KurentoOptions, MediaMode, RecordingMode};
use crate::session::properties::{RecordingOutput, RecordingProperties};
use crate::session::snapshot::{ActiveSnapshot, ConnectionKind, SubscriberSnapshot};
use crate::session::{ConnectionSnapshot, SessionSnapshot};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fmt::Write;

/// Objects of a list that are written in one go: about a millisecond of work.
const TURN: usize = 20;

/// What stands for a secret.
const MASK: &str = "***";

/// 200 with a JSON body, without a charset parameter (rest.md §2.5).
pub fn ok(value: &Value) -> Response {
    json_text(value.to_string())
}

fn json_text(text: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}

/// `{numberOfElements, content}`.
pub fn list(content: Vec<Value>) -> Value {
    json!({ "numberOfElements": content.len(), "content": content })
}

/// 200 with [`list`], which may be long: objects are written one by one, none is kept, and other requests get their turn in between.
pub async fn ok_list(content: impl ExactSizeIterator<Item = Value>) -> Response {
    let mut text = format!(r#"{{"numberOfElements":{},"content":["#, content.len());
    for (number, object) in content.enumerate() {
        if number % TURN == TURN - 1 {
            tokio::task::yield_now().await;
        }
        let comma = if number > 0 { "," } else { "" };
        // a text takes everything
        let _ = write!(text, "{comma}{object}");
    }
    text.push_str("]}");
    json_text(text)
}

/// What a client is shown of sessions and connections.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub config: &'a Config,
    pub era: Era,
    /// With connections that nobody has used yet?
    pub pending: bool,
    /// `webRtcStats`: members that help to find out what is wrong (rest.md §5.6). What the transports are like; `None`: not asked for.
    pub transports: Option<&'a HashMap<PeerId, Report>>,
    pub secrets: Secrets,
}

/// Which secrets are shown; stars stand for the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Secrets {
    /// Tokens, passwords of cameras, those in session descriptions.
    All,
    /// The token of a connection that was just made, for who made it.
    Token,
    None,
}

impl<'a> View<'a> {
    /// What a client of `era` sees that asked for nothing special, and has no right to secrets.
    pub fn new(config: &'a Config, era: Era) -> View<'a> {
        View { config, era, pending: false, transports: None, secrets: Secrets::None }
    }
}

/// A session.
pub fn session(snapshot: &SessionSnapshot, view: View) -> Value {
    let properties = &snapshot.properties;
    let mut object = json!({
        "id": snapshot.id.as_str(),
        "object": "session",
        "sessionId": snapshot.id.as_str(),
        "createdAt": snapshot.created_at,
        "mediaMode": match properties.media_mode { MediaMode::Routed => "ROUTED", MediaMode::Relayed => "RELAYED" },
        "recordingMode": match properties.recording_mode { RecordingMode::Manual => "MANUAL", RecordingMode::Always => "ALWAYS" },
        "defaultRecordingProperties": recording_properties(&properties.default_recording),
        "customSessionId": properties.custom_session_id.as_ref().map_or("", |id| id.as_str()),
        "connections": connections(snapshot, view),
        "recording": snapshot.recording,
        "forcedVideoCodec": match properties.forced_video_codec {
            ForcedCodec::Vp8 => "VP8",
            ForcedCodec::Vp9 => "VP9",
            ForcedCodec::H264 => "H264",
            ForcedCodec::None => "NONE",
        },
        "allowTranscoding": properties.allow_transcoding,
    });
    if let (Edition::Pro, Some(node)) = (view.config.edition, &snapshot.media_node) {
        object["mediaNodeId"] = json!(node.as_str());
    }
    if view.era == Era::Legacy || properties.old_recording_keys {
        old_recording_keys(&mut object, &properties.default_recording);
    }
    object
}

/// The three keys that releases up to 2.17 had in the place of `defaultRecordingProperties` (rest.md §16).
fn old_recording_keys(object: &mut Value, properties: &RecordingProperties) {
    match &properties.output {
        RecordingOutput::Composed { layout, custom_layout, .. } => {
            object["defaultOutputMode"] = json!("COMPOSED");
            object["defaultRecordingLayout"] = json!(layout);
            if let (Some(custom), "CUSTOM") = (custom_layout, layout.as_str()) {
                object["defaultCustomLayout"] = json!(custom);
            }
        }
        RecordingOutput::Individual { .. } => object["defaultOutputMode"] = json!("INDIVIDUAL"),
    }
}

/// The list of a session's connections.
pub fn connections(snapshot: &SessionSnapshot, view: View) -> Value {
    list(snapshot.connections.iter().filter(|c| view.pending || c.active.is_some()).map(|c| connection(c, view)).collect())
}

fn recording_properties(properties: &RecordingProperties) -> Value {
    let (mode, details) = match &properties.output {
        RecordingOutput::Composed { quick_start, layout, custom_layout, resolution, frame_rate, shm_size } => {
            let mut details = json!({
                "recordingLayout": layout, "resolution": resolution, "frameRate": frame_rate, "shmSize": shm_size
            });
            if let (Some(custom), "CUSTOM") = (custom_layout, layout.as_str()) {
                details["customLayout"] = json!(custom);
            }
            let mode = if *quick_start { "COMPOSED_QUICK_START" } else { "COMPOSED" };
            (mode, if properties.has_video { details } else { json!({}) })
        }
        RecordingOutput::Individual { ignore_failed_streams } => ("INDIVIDUAL", json!({ "ignoreFailedStreams": ignore_failed_streams })),
    };
    let mut object = Map::new();
    object.insert("name".into(), json!(properties.name));
    object.insert("hasAudio".into(), json!(properties.has_audio));
    object.insert("hasVideo".into(), json!(properties.has_video));
    object.insert("outputMode".into(), json!(mode));
    if let Value::Object(details) = details {
        object.extend(details);
    }
    if let Some(node) = &properties.media_node {
        object.insert("mediaNode".into(), json!(node));
    }
    object.into()
}

/// A connection, pending or active. How a camera is stands behind the original's keys, and only where it was asked for: there are
/// clients that count keys.
pub fn connection(snapshot: &ConnectionSnapshot, view: View) -> Value {
    let mut value = plain_connection(snapshot, view);
    let camera = snapshot.active.as_ref().and_then(|active| active.camera.as_ref());
    if let (Some(camera), true) = (camera, view.transports.is_some()) {
        value["camera"] = json!({ "state": camera.state.word(), "since": camera.since, "cause": camera.cause });
    }
    value
}

fn plain_connection(snapshot: &ConnectionSnapshot, view: View) -> Value {
    let kind = Kind::of(snapshot, view);
    match &snapshot.active {
        None => json!({
            "id": snapshot.id.as_str(),
            "object": "connection",
            "status": "pending",
            "connectionId": snapshot.id.as_str(),
            "sessionId": snapshot.session.as_str(),
            "createdAt": snapshot.created_at,
            "type": kind.name,
            "record": snapshot.record,
            "role": kind.role,
            "kurentoOptions": kind.kurento_options,
            "rtspUri": kind.rtsp_uri,
            "adaptativeBitrate": kind.adaptative_bitrate,
            "onlyPlayWithSubscribers": kind.only_play_with_subscribers,
            "networkCache": kind.network_cache,
            "serverData": snapshot.server_data,
            "token": kind.token,
            "activeAt": null,
            "location": null,
            "ip": null,
            "platform": null,
            "clientData": null,
            "publishers": null,
            "subscribers": null,
        }),
        Some(active) => json!({
            "id": snapshot.id.as_str(),
            "object": "connection",
            "status": "active",
            "connectionId": snapshot.id.as_str(),
            "sessionId": snapshot.session.as_str(),
            "createdAt": snapshot.created_at,
            "activeAt": active.at,
            "location": "unknown",
            "ip": active.ip.map(|ip| ip.to_string()),
            "platform": active.platform,
            "token": kind.token,
            "type": kind.name,
            "record": snapshot.record,
            "role": kind.role,
            "kurentoOptions": kind.kurento_options,
            "rtspUri": kind.rtsp_uri,
            "adaptativeBitrate": kind.adaptative_bitrate,
            "onlyPlayWithSubscribers": kind.only_play_with_subscribers,
            "networkCache": kind.network_cache,
            "serverData": snapshot.server_data,
            "clientData": active.client_data,
            "publishers": publishers(snapshot, active, view),
            "subscribers": subscribers(snapshot, active, view),
        }),
    }
}

/// The keys whose values depend on the kind of connection, `null` where the other kind has them.
#[derive(Default)]
struct Kind {
    name: &'static str,
    token: Value,
    role: Value,
    kurento_options: Value,
    rtsp_uri: Value,
    adaptative_bitrate: Value,
    only_play_with_subscribers: Value,
    network_cache: Value,
}

impl Kind {
    fn of(snapshot: &ConnectionSnapshot, view: View) -> Kind {
        match &snapshot.kind {
            ConnectionKind::Webrtc { token, role, kurento_options } => Kind {
                name: "WEBRTC",
                token: json!(token_url(snapshot.session.as_str(), if view.secrets == Secrets::None { MASK } else { token }, view.config)),
                role: json!(role.as_str()),
                kurento_options: kurento_options.as_ref().map_or(Value::Null, self::kurento_options),
                ..Kind::default()
            },
            ConnectionKind::Camera(camera) => Kind {
                name: "IPCAM",
                rtsp_uri: rtsp_uri(camera, view.secrets),
                adaptative_bitrate: json!(camera.adaptative_bitrate),
                only_play_with_subscribers: json!(camera.only_play_with_subscribers),
                network_cache: json!(camera.network_cache),
                ..Kind::default()
            },
        }
    }
}

/// What POST tokens answers (rest.md §8).
pub fn token(snapshot: &ConnectionSnapshot, view: View) -> Value {
    let kind = Kind::of(snapshot, view);
    let mut object = json!({
        "id": kind.token,
        "token": kind.token,
        "createdAt": snapshot.created_at,
        "connectionId": snapshot.id.as_str(),
        "session": snapshot.session.as_str(),
        "data": snapshot.server_data,
        "role": kind.role,
    });
    if !kind.kurento_options.is_null() {
        object["kurentoOptions"] = kind.kurento_options;
    }
    object
}

/// As it was written; without secrets also without what may be one.
fn rtsp_uri(camera: &CameraProperties, secrets: Secrets) -> Value {
    if secrets == Secrets::All { json!(camera.rtsp_uri) } else { json!(camera.camera.to_string()) }
}

/// `wss://HOST[:PORT]?sessionId=S&token=T` (rest.md §5.7).
fn token_url(session: &str, token: &str, config: &Config) -> String {
    format!("wss://{}?sessionId={session}&token={token}", config.authority())
}

fn kurento_options(options: &KurentoOptions) -> Value {
    let mut object = Map::new();
    for (name, value) in [
        ("videoMaxRecvBandwidth", options.video_max_recv_bandwidth),
        ("videoMinRecvBandwidth", options.video_min_recv_bandwidth),
        ("videoMaxSendBandwidth", options.video_max_send_bandwidth),
        ("videoMinSendBandwidth", options.video_min_send_bandwidth),
    ] {
        if let Some(value) = value {
            object.insert(name.into(), json!(value));
        }
    }
    if !options.allowed_filters.is_empty() {
        object.insert("allowedFilters".into(), json!(options.allowed_filters));
    }
    object.into()
}

fn publishers(snapshot: &ConnectionSnapshot, active: &ActiveSnapshot, view: View) -> Vec<Value> {
    let camera = match &snapshot.kind {
        ConnectionKind::Camera(camera) => Some(camera.as_ref()),
        ConnectionKind::Webrtc { .. } => None,
    };
    let transport = |stream: &StreamInfo| {
        let known = view.transports.filter(|_| camera.is_none())?;
        let report = active.publisher_peer.and_then(|peer| known.get(&peer));
        Some(webrtc_stats::members(stream.created_at, stream.stream.as_str(), report, view.secrets))
    };
    active.publisher.iter().map(|stream| publisher(stream, camera, transport(stream), view.secrets)).collect()
}

fn publisher(stream: &StreamInfo, camera: Option<&CameraProperties>, transport: Option<Map<String, Value>>, secrets: Secrets) -> Value {
    let mut object = transport.unwrap_or_default();
    object.insert("createdAt".into(), json!(stream.created_at));
    object.insert("streamId".into(), json!(stream.stream.as_str()));
    if let Some(camera) = camera {
        object.insert("rtspUri".into(), rtsp_uri(camera, secrets));
    }
    object.insert("mediaOptions".into(), media_options(stream, camera));
    object.into()
}

fn media_options(stream: &StreamInfo, camera: Option<&CameraProperties>) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.into(), value);
    put("hasAudio", json!(stream.has_audio));
    if stream.has_audio {
        put("audioActive", json!(stream.audio_active));
    }
    put("hasVideo", json!(stream.has_video));
    if stream.has_video {
        put("videoActive", json!(stream.video_active));
        put("typeOfVideo", json!(stream.type_of_video));
        put("frameRate", json!(stream.frame_rate));
        put("videoDimensions", json!(stream.video_dimensions));
    }
    put("filter", json!({}));
    if let Some(camera) = camera {
        put("adaptativeBitrate", json!(camera.adaptative_bitrate));
        put("onlyPlayWithSubscribers", json!(camera.only_play_with_subscribers));
        put("networkCache", json!(camera.network_cache));
    }
    object.into()
}

fn subscribers(snapshot: &ConnectionSnapshot, active: &ActiveSnapshot, view: View) -> Vec<Value> {
    let one = |subscriber: &SubscriberSnapshot| {
        let endpoint = || format!("{}_{}", snapshot.id, subscriber.stream);
        let transport = view
            .transports
            .map(|known| webrtc_stats::members(subscriber.created_at, &endpoint(), known.get(&subscriber.peer), view.secrets));
        let mut object = transport.unwrap_or_default();
        object.insert("createdAt".into(), json!(subscriber.created_at));
        object.insert("streamId".into(), json!(subscriber.stream.as_str()));
        object.into()
    };
    active.subscribers.iter().map(one).collect()
}
