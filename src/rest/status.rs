//! `/openvidu/api/status` (rest.md §13): since when the server runs, and how often POST restart had it begin anew.

use super::{Api, render};
use axum::extract::State;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

/// The life of the server so far. A restart by POST restart does not end it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// When it began, in ms since 1970.
    pub since: u64,
    /// Restarts since then.
    pub restarts: u64,
    /// When the last of them was, in ms since 1970.
    pub last_restart: Option<u64>,
}

/// GET: 200.
pub async fn status(State(api): State<Arc<Api>>) -> Response {
    let Life { since, restarts, last_restart } = api.life;
    render::ok(&json!({ "startTime": since, "restartCounter": restarts, "lastRestartTime": last_restart }))
}
