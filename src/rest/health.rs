//! `/openvidu/api/health` (rest.md §13), and the sign of life it shares with the watchdog.

use super::{Api, render};
use crate::engine;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// The media thread works in turns of milliseconds; one that takes this long is stuck.
const PATIENCE: Duration = Duration::from_secs(1);

/// GET: 200 `UP` while the media thread answers and a media node runs, else 503 `DOWN`.
pub async fn health(State(api): State<Arc<Api>>) -> Response {
    let up = api.registry.cluster().is_up() && engine_answers(&api.engine).await;
    let mut response = render::ok(&json!({ "status": if up { "UP" } else { "DOWN" } }));
    if !up {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// Does the media thread answer within a second?
pub async fn engine_answers(engine: &engine::Handle) -> bool {
    let (reply, answer) = oneshot::channel();
    engine.send(engine::Command::Stats { reply }).is_ok() && matches!(tokio::time::timeout(PATIENCE, answer).await, Ok(Ok(_)))
}
