//! `/openvidu/api/recordings` (rest.md §10).

use super::body::Fields;
use super::error::Failure;
use super::seen::Seen;
use super::{media_nodes, recording_body, render};
use crate::config::Edition;
use crate::ids::RecordingId;
use crate::recording::{Error, Library, Progress, Recording, Status, to_json};
use crate::session::Command;
use crate::session::error::NotRecorded;
use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long a stop waits for the file; then it answers `stopped`, and the recording goes on to its end alone.
const STOPPING: Duration = Duration::from_secs(5);

/// POST start: 200 when the file grows, and the refusals of rest.md §10.2 in their order.
pub async fn start(seen: Seen, request: Request) -> Result<Response, Failure> {
    let fields = Fields::require(request).await?;
    seen.recorder()?;
    let session = fields.string("session")?.ok_or_else(|| Failure::bad("\"session\" parameter is mandatory"))?;
    let session = seen.session(session)?;
    let snapshot = session.snapshot();
    snapshot.may_be_recorded()?;
    let plan = recording_body::parse(&fields, &snapshot.properties.default_recording)?;
    media_nodes::of_recording_must_exist(&fields, &seen.api)?;
    let mut follower = session.ask(|answer| Command::StartRecording { plan, answer }).await?;
    match follower.reaches(Status::Started).await {
        Progress { recording: Some(recording), fault: None } => Ok(render::ok(&json(&recording, &seen))),
        Progress { fault, .. } => {
            let fault = fault.unwrap_or_else(|| "it was given up".into());
            Err(Failure::own(StatusCode::INTERNAL_SERVER_ERROR, format!("Error starting recording: {fault}")))
        }
    }
}

/// POST stop: 200 with the finished recording, 404 when it is not being made, 406 when it is starting.
pub async fn stop(seen: Seen, Path(id): Path<String>) -> Result<Response, Failure> {
    let id = RecordingId::from(id);
    let unknown = || NotRecorded::Unknown(id.clone());
    let recording = seen.recording(&id)?.ok_or_else(unknown)?;
    match recording.status {
        Status::Starting => return Err(NotRecorded::Starting(id).into()),
        Status::Started => {}
        Status::Stopped | Status::Ready | Status::Failed => return Err(unknown().into()),
    }
    let session = seen.session(recording.session.clone())?;
    let mut follower = session.ask(|answer| Command::StopRecording { recording: id.clone(), answer }).await?;
    let ended = follower.ends_within(STOPPING, seen.api.clock).await.recording.ok_or_else(unknown)?;
    Ok(render::ok(&json(&ended, &seen)))
}

/// GET: 200 with every recording, running and finished.
pub async fn list(seen: Seen) -> Result<Response, Failure> {
    let items: Vec<Value> = seen.recordings()?.iter().map(|recording| json(recording, &seen)).collect();
    Ok(render::ok(&json!({ "count": items.len(), "items": items })))
}

/// GET of one: 200, 404 unknown.
pub async fn one(seen: Seen, Path(id): Path<String>) -> Result<Response, Failure> {
    let id = RecordingId::from(id);
    let recording = seen.recording(&id)?.ok_or(Error::Unknown(id))?;
    Ok(render::ok(&json(&recording, &seen)))
}

/// DELETE: 204 when it is gone with all its files, 404 unknown, 409 when it is not finished.
pub async fn delete(seen: Seen, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let id = RecordingId::from(id);
    if seen.recording(&id)?.is_none() {
        return Err(Error::Unknown(id).into());
    }
    let library: Arc<Library> = seen.recorder()?.library().clone();
    // the disk may take its time with large files
    let deleted = tokio::task::spawn_blocking(move || library.delete(&id)).await;
    deleted.map_err(|error| Failure::own(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))??;
    Ok(StatusCode::NO_CONTENT)
}

/// With the media node that has it, where there are such; recordings are made and kept on this box.
fn json(recording: &Recording, seen: &Seen) -> Value {
    let mut object = to_json(recording, &seen.api.config.public_url());
    if seen.api.config.edition == Edition::Pro {
        let behind = object.keys().position(|key| key == "sessionId").map_or(object.len(), |at| at + 1);
        object.shift_insert(behind, "mediaNode".into(), json!(seen.api.registry.cluster().own_id().as_str()));
    }
    Value::Object(object)
}
