//! `/openvidu/api/sessions/{s}/connection` (rest.md §5, §6).

use super::body::Fields;
use super::connection_body::{self, Wanted};
use super::error::Failure;
use super::sessions::flags;
use super::{Api, render};
use crate::ids::{ConnectionId, SessionId};
use crate::session::{Command, Denied};
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// POST: 200 with the connection, 404 unknown session (said before the body's fields are looked at), 400 a bad body.
pub async fn create(State(api): State<Arc<Api>>, Path(session): Path<String>, request: Request) -> Result<Response, Failure> {
    let fields = Fields::require(request).await?;
    let session = api.registry.find(&SessionId::from(session))?;
    let connection = match connection_body::parse(&fields, &api.config)? {
        Wanted::Webrtc(properties) => session.ask(|answer| Command::AddWebrtc { properties, answer }).await?,
        Wanted::Camera(properties) => session.ask(|answer| Command::AddCamera { properties, answer }).await?,
    };
    Ok(render::ok(&render::connection(&connection, &api.config)))
}

/// GET: 200 with the connections, pending ones included unless the query says no, 404 unknown session.
pub async fn list(State(api): State<Arc<Api>>, Path(session): Path<String>, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    let view = flags(query.as_deref(), true)?;
    let session = api.registry.find(&SessionId::from(session))?;
    Ok(render::ok(&render::connections(&session.snapshot(), view, &api.config)))
}

/// GET of one: 200, 400 unknown session, 404 unknown connection.
pub async fn one(
    State(api): State<Arc<Api>>,
    Path((session, connection)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let view = flags(query.as_deref(), true)?;
    let snapshot = api.registry.find(&SessionId::from(session)).map_err(unknown_is_bad)?.snapshot();
    let connection = ConnectionId::from(connection);
    let found = snapshot.connections.iter().find(|c| c.id == connection);
    let found = found.ok_or_else(|| Denied::UnknownConnection { connection, session: snapshot.id.clone() })?;
    Ok(render::ok(&render::connection_for(found, view, &api.config)))
}

/// DELETE: 204, 400 unknown session, 404 unknown connection.
pub async fn remove(State(api): State<Arc<Api>>, Path((session, connection)): Path<(String, String)>) -> Result<StatusCode, Failure> {
    let session = api.registry.find(&SessionId::from(session)).map_err(unknown_is_bad)?;
    let connection = ConnectionId::from(connection);
    session.ask(|answer| Command::RemoveConnection { connection, answer }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// For one connection an unknown session is 400, not 404 (rest.md §5.3, §5.5).
fn unknown_is_bad(denied: Denied) -> Failure {
    Failure::from(denied).with_status(StatusCode::BAD_REQUEST)
}
