//! `/openvidu/api/sessions` (rest.md §4).

use super::body::Fields;
use super::error::Failure;
use super::query::flag;
use super::render::View;
use super::{Api, render, session_body};
use crate::ids::SessionId;
use crate::session::Command;
use crate::session::notice::EndReason;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// POST: 200 with the new session, 400 a bad body, 409 the id is taken.
pub async fn create(State(api): State<Arc<Api>>, request: Request) -> Result<Response, Failure> {
    let properties = match Fields::read(request).await? {
        Some(fields) => session_body::parse(&fields, &api.config)?,
        None => session_body::without_body(),
    };
    let session = api.registry.create(properties)?;
    Ok(render::ok(&render::session(&session.snapshot(), View::default(), &api.config)))
}

/// GET: 200 with every session.
pub async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    let view = flags(query.as_deref(), false)?;
    let sessions = api.registry.all();
    let content = sessions.iter().map(|session| render::session(&session.snapshot(), view, &api.config)).collect();
    Ok(render::ok(&render::list(content)))
}

/// GET of one: 200, 404 unknown.
pub async fn one(State(api): State<Arc<Api>>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    let view = flags(query.as_deref(), false)?;
    let session = api.registry.find(&SessionId::from(id))?;
    Ok(render::ok(&render::session(&session.snapshot(), view, &api.config)))
}

/// DELETE: 204 when the session is gone, 404 unknown.
pub async fn close(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let session = api.registry.find(&SessionId::from(id))?;
    session.ask(|answer| Command::Close { reason: EndReason::SessionClosedByServer, answer }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the query asks to see; `pending` where it says nothing of pending connections.
pub fn flags(query: Option<&str>, pending: bool) -> Result<View, Failure> {
    Ok(View { stats: flag(query, "webRtcStats", false)?, pending: flag(query, "pendingConnections", pending)? })
}
