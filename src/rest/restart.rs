//! `/openvidu/api/restart` (rest.md §13): properties are checked, written, and the daemon begins anew with them.
//!
//! Names are taken in both spellings, `OPENVIDU_CDR` and `openvidu.cdr`. What is written where, and what a start would say to it, only
//! the daemon's own room knows: it is asked through [`Api::restart`].

use super::body::Fields;
use super::error::Failure;
use super::{Api, config};
use crate::config::value::Raw;
use crate::config::{Config, PROPERTIES, Problem, Property, nearest, properties};
use axum::extract::{Request as HttpRequest, State};
use axum::http::StatusCode;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Properties and their new values, in the order of the table.
pub type Changes = Vec<(&'static str, Raw)>;

/// The order to restart, answered when the new values are on the disk; the restart begins after that.
#[derive(Debug)]
pub struct Request {
    pub changes: Changes,
    pub answer: oneshot::Sender<Result<(), Refused>>,
}

/// Why there is no restart. Nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// A start would refuse these values. Each line names a property.
    #[error("{0}")]
    Wrong(String),
    /// The configuration file cannot be written, or is no TOML.
    #[error("{0}")]
    File(String),
}

/// POST: 200 when the values are kept and the restart begins; 400 a property is unknown, wrong, or cannot be set here; 500 the
/// configuration file cannot be written; 503 a restart is under way already.
pub async fn restart(State(api): State<Arc<Api>>, request: HttpRequest) -> Result<StatusCode, Failure> {
    let changes = match Fields::read(request).await? {
        Some(fields) => changes(&fields, &api.config)?,
        None => Changes::new(),
    };
    let under_way = || Failure::own(StatusCode::SERVICE_UNAVAILABLE, "the server is restarting already");
    let (answer, wait) = oneshot::channel();
    api.restart.try_send(Request { changes, answer }).map_err(|_| under_way())?;
    match wait.await {
        Ok(Ok(())) => Ok(StatusCode::OK),
        Ok(Err(Refused::Wrong(lines))) => Err(Failure::bad(lines)),
        Ok(Err(Refused::File(why))) => Err(Failure::own(StatusCode::INTERNAL_SERVER_ERROR, why)),
        Err(_) => Err(under_way()),
    }
}

/// What a body wants changed. What GET config shows may come back as it was. Errors: 400 naming every property that is wrong.
fn changes(fields: &Fields, present: &Config) -> Result<Changes, Failure> {
    let shown = config::shown(present);
    let (mut changes, mut wrong) = (Changes::new(), Vec::new());
    for (name, value) in fields.iter() {
        let modern = modern(name);
        match properties::find(&modern) {
            Some(property) if property.restartable => match check(property, value) {
                Ok(raw) => changes.push((property.name, raw)),
                Err(problem) => wrong.push(problem.to_string()),
            },
            _ if shown.get(&modern) == Some(value) => {}
            Some(property) => wrong.push(format!("Property {}: cannot be changed by a restart", property.name)),
            None => wrong.push(match nearest(name) {
                Some(known) => format!("Property {name}: is unknown; did you mean {known}?"),
                None => format!("Property {name}: is unknown"),
            }),
        }
    }
    if !wrong.is_empty() {
        return Err(Failure::bad(wrong.join("\n")));
    }
    // the last one counts where a property comes in both spellings
    changes.reverse();
    changes.sort_by_key(|(name, _)| PROPERTIES.iter().position(|property| property.name == *name));
    changes.dedup_by_key(|(name, _)| *name);
    Ok(changes)
}

/// A value as it will stand in the file. Errors: no value of this property.
fn check(property: &Property, value: &Value) -> Result<Raw, Problem> {
    let raw = raw(value);
    let none = matches!(&raw, Raw::Text(text) if text.is_empty());
    match property.kind.read(&raw) {
        Ok(_) => Ok(raw),
        // where none is a value
        Err(_) if none && matches!(property.kind, crate::config::value::Kind::Url) => Ok(raw),
        Err(message) => Err(Problem::new(property.name, raw, message)),
    }
}

fn raw(value: &Value) -> Raw {
    let texts = |items: &[Value]| items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    match value {
        Value::Bool(on) => Raw::Bool(*on),
        Value::String(text) => Raw::Text(text.clone()),
        Value::Number(n) => n.as_i64().map_or_else(|| Raw::Other("a fraction or too large", n.to_string()), Raw::Int),
        Value::Array(items) => texts(items).map_or_else(|| Raw::Other("an array of anything but texts", "[…]".into()), Raw::List),
        Value::Object(_) => Raw::Other("an object", "{…}".into()),
        Value::Null => Raw::Other("null", "null".into()),
    }
}

/// `openvidu.recording.public-access` → `OPENVIDU_RECORDING_PUBLIC_ACCESS`.
fn modern(name: &str) -> String {
    name.chars().map(|c| if matches!(c, '.' | '-') { '_' } else { c.to_ascii_uppercase() }).collect()
}
