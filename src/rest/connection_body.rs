//! What POST connection may ask for, checked in the order of rest.md §5.2 and §6. Pure.

use super::body::{Fields, lenient_number};
use super::error::Failure;
use super::legacy::Era;
use crate::config::{Config, Edition};
use crate::session::Role;
use crate::session::properties::{CameraProperties, ConnectionChange, KurentoOptions, WebrtcProperties};
use crate::wire::camera::CameraSpec;
use serde_json::{Map, Value};

/// Jitter buffer of a camera in ms when none is asked for.
const NETWORK_CACHE: u32 = 2000;

/// A connection to be made.
#[derive(Debug)]
pub enum Wanted {
    Webrtc(WebrtcProperties),
    Camera(CameraProperties),
}

/// The connection a body asks for. An application of the days when cameras were all that was posted here may leave `type` out.
/// Errors: 400 naming the field.
pub fn parse(fields: &Fields, era: Era, config: &Config) -> Result<Wanted, Failure> {
    let kind = match fields.string("type")? {
        None if era == Era::Legacy && fields.get("rtspUri").is_some() => Some("IPCAM"),
        kind => kind,
    };
    let data = fields.string("data")?.unwrap_or_default().to_owned();
    match kind {
        None | Some("WEBRTC") => webrtc(fields, record(fields, config)?, data).map(Wanted::Webrtc),
        Some("IPCAM") => camera(fields, record(fields, config)?, data, config).map(Wanted::Camera),
        Some(other) => Err(Failure::bad(format!("Parameter 'type' {other} is not defined"))),
    }
}

/// The token that POST tokens asks for: always of a WebRTC connection, always recorded (rest.md §8). Errors: 400 naming the field.
pub fn parse_token(fields: &Fields) -> Result<WebrtcProperties, Failure> {
    let kind = fields.string("type")?;
    let data = fields.string("data")?.unwrap_or_default().to_owned();
    match kind {
        None | Some("WEBRTC") => webrtc(fields, true, data),
        Some("IPCAM") => Err(Failure::bad("Parameter 'type' IPCAM needs no token: create a connection of that type instead")),
        Some(other) => Err(Failure::bad(format!("Parameter 'type' {other} is not defined"))),
    }
}

/// What PATCH connection may change. Errors: 400 naming the field.
pub fn parse_change(fields: &Fields) -> Result<ConnectionChange, Failure> {
    let role = role(fields)?;
    Ok(ConnectionChange { role, record: fields.boolean("record")? })
}

/// May it be recorded? The community edition does not ask.
fn record(fields: &Fields, config: &Config) -> Result<bool, Failure> {
    match config.edition {
        Edition::Ce => Ok(true),
        Edition::Pro => Ok(fields.boolean("record")?.unwrap_or(true)),
    }
}

fn role(fields: &Fields) -> Result<Option<Role>, Failure> {
    match fields.get("role") {
        None => Ok(None),
        Some(Value::String(word)) => match Role::parse(word) {
            Some(role) => Ok(Some(role)),
            None => Err(Failure::bad(format!("Parameter role {word} is not defined"))),
        },
        Some(_) => Err(Failure::bad("Type error in parameter 'role': it must be a string")),
    }
}

fn webrtc(fields: &Fields, record: bool, data: String) -> Result<WebrtcProperties, Failure> {
    let role = role(fields)?.unwrap_or_default();
    let kurento_options = match fields.get("kurentoOptions") {
        None => None,
        Some(Value::Object(object)) => Some(kurento_options(object)?),
        Some(_) => return Err(Failure::bad("Error in parameter 'kurentoOptions'. It is not a valid JSON object")),
    };
    Ok(WebrtcProperties { role, record, data, kurento_options })
}

fn kurento_options(object: &Map<String, Value>) -> Result<KurentoOptions, Failure> {
    let get = |name: &str| object.get(name).filter(|value| !value.is_null());
    let wrong = |name: &str, what: &str| Failure::bad(format!("Type error in some parameter of 'kurentoOptions': '{name}' must be {what}"));
    let number = |name: &str| get(name).map(|value| lenient_number(value).ok_or_else(|| wrong(name, "a number"))).transpose();
    let texts = |value: &Value| -> Option<Vec<String>> { value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect() };
    Ok(KurentoOptions {
        video_max_recv_bandwidth: number("videoMaxRecvBandwidth")?,
        video_min_recv_bandwidth: number("videoMinRecvBandwidth")?,
        video_max_send_bandwidth: number("videoMaxSendBandwidth")?,
        video_min_send_bandwidth: number("videoMinSendBandwidth")?,
        allowed_filters: match get("allowedFilters") {
            None => Vec::new(),
            Some(value) => texts(value).ok_or_else(|| wrong("allowedFilters", "an array of strings"))?,
        },
    })
}

fn camera(fields: &Fields, record: bool, data: String, config: &Config) -> Result<CameraProperties, Failure> {
    let uri = fields.string("rtspUri")?;
    let adaptative_bitrate = fields.boolean("adaptativeBitrate")?.unwrap_or(true);
    let only_play_with_subscribers = fields.boolean("onlyPlayWithSubscribers")?.unwrap_or(true);
    let network_cache = fields.integer("networkCache")?.unwrap_or(NETWORK_CACHE);
    let rtsp_uri = uri.unwrap_or_default().to_owned();
    let camera = CameraSpec::parse(&rtsp_uri, network_cache, config.camera_allow_loopback)
        .map_err(|why| Failure::bad(format!("\"rtspUri\" parameter is not a valid rtsp uri: {why}")))?
        .spec;
    Ok(CameraProperties { rtsp_uri, camera, record, data, adaptative_bitrate, only_play_with_subscribers, network_cache })
}
