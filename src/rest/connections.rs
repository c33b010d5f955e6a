//! `/openvidu/api/sessions/{s}/connection` and `…/stream` (rest.md §5, §6, §7).

use super::body::Fields;
use super::connection_body::{self, Wanted};
use super::error::Failure;
use super::legacy::Era;
use super::render::View;
use super::seen::Seen;
use super::sessions::flags;
use super::{render, webrtc_stats};
use crate::config::Edition;
use crate::ids::{ConnectionId, StreamId};
use crate::session::{Command, Denied};
use axum::extract::{Path, RawQuery, Request};
use axum::http::StatusCode;
use axum::response::Response;

/// POST: 200 with the connection, 404 unknown session (said before the body's fields are looked at), 400 a bad body.
pub async fn create(seen: Seen, era: Era, Path(session): Path<String>, request: Request) -> Result<Response, Failure> {
    let fields = Fields::require(request).await?;
    let session = seen.session(session)?;
    let connection = match connection_body::parse(&fields, era, &seen.api.config)? {
        Wanted::Webrtc(properties) => session.ask(|answer| Command::AddWebrtc { properties, answer }).await?,
        Wanted::Camera(properties) => session.ask(|answer| Command::AddCamera { properties, answer }).await?,
    };
    Ok(render::ok(&render::connection(&connection, seen.fresh_view(era))))
}

/// GET: 200 with the connections, pending ones included unless the query says no, 404 unknown session.
pub async fn list(seen: Seen, era: Era, Path(session): Path<String>, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    let (pending, stats) = flags(query.as_deref(), true)?;
    let session = seen.session(session)?.snapshot();
    let transports = webrtc_stats::gather(stats, [session.as_ref()], &seen.api.engine).await;
    let view = View { pending, transports: transports.as_ref(), ..seen.view(era) };
    Ok(render::ok(&render::connections(&session, view)))
}

/// GET of one: 200, 400 unknown session, 404 unknown connection.
pub async fn one(
    seen: Seen,
    era: Era,
    Path((session, connection)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let (_, stats) = flags(query.as_deref(), true)?;
    let snapshot = seen.session(session).map_err(unknown_is_bad)?.snapshot();
    let connection = ConnectionId::from(connection);
    let found = snapshot.connections.iter().find(|c| c.id == connection);
    let found = found.ok_or_else(|| Denied::UnknownConnection { connection, session: snapshot.id.clone() })?;
    let transports = webrtc_stats::gather(stats, [snapshot.as_ref()], &seen.api.engine).await;
    let view = View { transports: transports.as_ref(), ..seen.view(era) };
    Ok(render::ok(&render::connection(found, view)))
}

/// PATCH: 200 with the connection as it is then, 404 unknown session (said before the body's fields are looked at) or connection,
/// 400 a bad body. 405 in the community edition.
pub async fn change(
    seen: Seen,
    era: Era,
    Path((session, connection)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    if seen.api.config.edition == Edition::Ce {
        let why = "connections cannot be changed in this edition (OPENVIDU_EDITION=ce)";
        return Err(Failure::framework(StatusCode::METHOD_NOT_ALLOWED, why));
    }
    let fields = Fields::require(request).await?;
    let session = seen.session(session)?;
    let change = connection_body::parse_change(&fields)?;
    let connection = ConnectionId::from(connection);
    let changed = session.ask(|answer| Command::ChangeConnection { connection, change, answer }).await?;
    Ok(render::ok(&render::connection(&changed, seen.view(era))))
}

/// DELETE of a stream: 204, 400 unknown session, 404 unknown stream, 405 the stream of a camera.
pub async fn end_stream(seen: Seen, Path((session, stream)): Path<(String, String)>) -> Result<StatusCode, Failure> {
    let session = seen.session(session).map_err(unknown_is_bad)?;
    let stream = StreamId::from(stream);
    session.ask(|answer| Command::EndStream { stream, answer }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// DELETE: 204, 400 unknown session, 404 unknown connection.
pub async fn remove(seen: Seen, Path((session, connection)): Path<(String, String)>) -> Result<StatusCode, Failure> {
    let session = seen.session(session).map_err(unknown_is_bad)?;
    let connection = ConnectionId::from(connection);
    session.ask(|answer| Command::RemoveConnection { connection, answer }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// For one connection an unknown session is 400, not 404 (rest.md §5.3, §5.5).
fn unknown_is_bad(denied: Denied) -> Failure {
    Failure::from(denied).with_status(StatusCode::BAD_REQUEST)
}
