//! `/openvidu/api/config` (rest.md §12): what the property table says is shown, in its order. On `/config` and `/pro/config` the keys of
//! releases before 2.13 stand behind it (rest.md §12.4, §18).

use super::legacy::Era;
use super::{Api, render};
use crate::config::value::Kind;
use crate::config::{API_VERSION, Config, Edition, PROPERTIES, Property, Shown, Value};
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// GET: 200 with all properties that are shown; on an old path the keys of older releases behind them.
pub async fn all(State(api): State<Arc<Api>>, era: Era) -> Response {
    let mut object = shown(&api.config);
    if era == Era::Legacy {
        add_old_keys(&mut object, &api.config);
    }
    render::ok(&object.into())
}

fn add_old_keys(object: &mut Map<String, Json>, config: &Config) {
    for row in PROPERTIES.iter().filter(|row| row.shown == Shown::Old && config.edition == Edition::Pro) {
        object.extend(config.value(row.name).map(|value| (row.name.to_owned(), json(row, value))));
    }
    let old: Map<_, _> = object.iter().filter_map(|(name, value)| Some((old_name(name)?, old_value(name, value)))).collect();
    object.extend(old);
}

/// GET: the release whose API is spoken.
pub async fn version() -> &'static str {
    API_VERSION
}

/// GET, without credentials: the base URL, with a trailing slash.
pub async fn public_url(State(api): State<Arc<Api>>) -> String {
    api.config.public_url() + "/"
}

/// GET: `true` or `false`.
pub async fn recording(State(api): State<Arc<Api>>) -> Response {
    render::ok(&json!(switch(&api.config, "OPENVIDU_RECORDING")))
}

/// GET: the folder.
pub async fn recording_path(State(api): State<Arc<Api>>) -> String {
    let row = PROPERTIES.iter().find(|property| property.name == "OPENVIDU_RECORDING_PATH");
    row.and_then(|row| api.config.value(row.name).map(|value| text(row, value))).unwrap_or_default()
}

/// GET: `true` or `false`.
pub async fn cdr(State(api): State<Arc<Api>>) -> Response {
    render::ok(&json!(switch(&api.config, "OPENVIDU_CDR")))
}

/// The keys and values of GET config.
pub fn shown(config: &Config) -> Map<String, Json> {
    let mut object = Map::new();
    object.insert("VERSION".into(), json!(API_VERSION));
    if config.edition == Edition::Pro {
        object.insert("OPENVIDU_SERVER_DEPENDENCY_VERSION".into(), json!(API_VERSION));
    }
    for row in PROPERTIES {
        let Some(value) = config.value(row.name).filter(|value| is_shown(row, value, config)) else { continue };
        object.insert(row.name.into(), json(row, value));
        if row.name == "HTTPS_PORT" {
            object.insert("OPENVIDU_PUBLICURL".into(), json!(config.public_url()));
        }
    }
    object
}

fn is_shown(row: &Property, value: &Value, config: &Config) -> bool {
    let edition = !row.pro || config.edition == Edition::Pro;
    edition
        && match row.shown {
            Shown::No | Shown::Old => false,
            Shown::Always => true,
            Shown::While(name) => switch(config, name),
            Shown::WhileSet(name) => switch(config, name) && value.text() != Some(""),
        }
}

/// The key that releases 2.9 to 2.12 had for what is called `name` today; `None` for what is younger.
fn old_name(name: &str) -> Option<String> {
    let old = [
        "VERSION",
        "OPENVIDU_SERVER_DEPENDENCY_VERSION",
        "OPENVIDU_PRO_STATS_MONITORING_INTERVAL",
        "OPENVIDU_PRO_STATS_WEBRTC_INTERVAL",
        "OPENVIDU_PUBLICURL",
        "OPENVIDU_CDR",
        "KMS_URIS",
    ];
    let family = ["OPENVIDU_STREAMS_VIDEO_", "OPENVIDU_RECORDING", "OPENVIDU_WEBHOOK"].iter().any(|prefix| name.starts_with(prefix));
    (old.contains(&name) || family).then(|| camel(name.strip_prefix("OPENVIDU_STREAMS_VIDEO_").unwrap_or(name)))
}

/// `OPENVIDU_RECORDING_PATH` → `openviduRecordingPath`.
fn camel(name: &str) -> String {
    let word = |word: &str| word[..1].to_owned() + &word[1..].to_ascii_lowercase();
    let joined: String = name.split('_').filter(|part| !part.is_empty()).map(word).collect();
    joined[..1].to_ascii_lowercase() + &joined[1..]
}

/// The base URL ended with a slash then.
fn old_value(name: &str, value: &Json) -> Json {
    match value.as_str() {
        Some(url) if name == "OPENVIDU_PUBLICURL" => json!(format!("{url}/")),
        _ => value.clone(),
    }
}

fn switch(config: &Config, name: &str) -> bool {
    config.value(name).and_then(Value::switch).unwrap_or_default()
}

fn json(row: &Property, value: &Value) -> Json {
    match value {
        Value::Switch(on) => json!(on),
        Value::Number(n) => json!(n),
        Value::Text(_) => json!(text(row, value)),
        Value::List(list) => json!(list),
    }
}

/// A text as it is shown: some folders end with a slash.
fn text(row: &Property, value: &Value) -> String {
    let text = value.text().unwrap_or_default();
    match row.kind {
        Kind::Path(true) if !text.ends_with('/') => format!("{text}/"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_old() {
        for (name, old) in [
            ("VERSION", Some("version")),
            ("OPENVIDU_PUBLICURL", Some("openviduPublicurl")),
            ("OPENVIDU_CDR", Some("openviduCdr")),
            ("OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH", Some("maxRecvBandwidth")),
            ("OPENVIDU_RECORDING_PUBLIC_ACCESS", Some("openviduRecordingPublicAccess")),
            ("OPENVIDU_PRO_STATS_WEBRTC_INTERVAL", Some("openviduProStatsWebrtcInterval")),
            ("OPENVIDU_WEBHOOK_HEADERS", Some("openviduWebhookHeaders")),
            ("KMS_URIS", Some("kmsUris")),
            ("HTTPS_PORT", None),
            ("OPENVIDU_PRO_CLUSTER_ID", None),
        ] {
            assert_eq!(old_name(name).as_deref(), old, "{name}");
        }
    }
}
