//! `/openvidu/api/config` (rest.md §12): what the property table says is shown, in its order.

use super::{Api, render};
use crate::config::value::Kind;
use crate::config::{API_VERSION, Config, PROPERTIES, Property, Shown, Value};
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// GET: 200 with all properties that are shown.
pub async fn all(State(api): State<Arc<Api>>) -> Response {
    render::ok(&shown(&api.config))
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

fn shown(config: &Config) -> Json {
    let mut object = Map::new();
    object.insert("VERSION".into(), json!(API_VERSION));
    for row in PROPERTIES {
        let Some(value) = config.value(row.name).filter(|value| is_shown(row, value, config)) else { continue };
        object.insert(row.name.into(), json(row, value));
        if row.name == "HTTPS_PORT" {
            object.insert("OPENVIDU_PUBLICURL".into(), json!(config.public_url()));
        }
    }
    object.into()
}

fn is_shown(row: &Property, value: &Value, config: &Config) -> bool {
    match row.shown {
        Shown::No => false,
        Shown::Always => true,
        Shown::While(name) => switch(config, name),
        Shown::WhileSet(name) => switch(config, name) && value.text() != Some(""),
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
