//! `/openvidu/api/sessions` (rest.md §4).

use super::body::Fields;
use super::error::Failure;
use super::legacy::Era;
use super::query::flag;
use super::render::View;
use super::seen::Seen;
use super::{media_nodes, render, session_body, webrtc_stats};
use crate::session::Command;
use crate::session::notice::EndReason;
use axum::extract::{Path, RawQuery, Request};
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// POST: 200 with the new session, 400 a bad body, 403 a key for another session, 409 the id is taken.
pub async fn create(seen: Seen, era: Era, request: Request) -> Result<Response, Failure> {
    let properties = match Fields::read(request).await? {
        Some(fields) => session_body::parse(&fields, &seen.api.config)?,
        None => session_body::without_body(),
    };
    seen.may_create(properties.custom_session_id.as_ref())?;
    media_nodes::must_exist(properties.media_node.as_ref(), &seen.api)?;
    let session = seen.api.registry.create(properties)?;
    Ok(render::ok(&render::session(&session.snapshot(), seen.view(era))))
}

/// GET: 200 with every session.
pub async fn list(seen: Seen, era: Era, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    let (pending, stats) = flags(query.as_deref(), false)?;
    let sessions = seen.sessions();
    let transports = webrtc_stats::gather(stats, sessions.iter().map(Arc::as_ref), &seen.api.engine).await;
    let view = View { pending, transports: transports.as_ref(), ..seen.view(era) };
    Ok(render::ok_list(sessions.iter().map(|session| render::session(session, view))).await)
}

/// GET of one: 200, 404 unknown.
pub async fn one(seen: Seen, era: Era, Path(id): Path<String>, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    let (pending, stats) = flags(query.as_deref(), false)?;
    let session = seen.session(id)?.snapshot();
    let transports = webrtc_stats::gather(stats, [session.as_ref()], &seen.api.engine).await;
    let view = View { pending, transports: transports.as_ref(), ..seen.view(era) };
    Ok(render::ok(&render::session(&session, view)))
}

/// DELETE: 204 when the session is gone, 404 unknown.
pub async fn close(seen: Seen, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let session = seen.session(id)?;
    session.ask(|answer| Command::Close { reason: EndReason::SessionClosedByServer, answer }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `pendingConnections` (`pending` where the query says nothing of them) and `webRtcStats`.
pub fn flags(query: Option<&str>, pending: bool) -> Result<(bool, bool), Failure> {
    let stats = flag(query, "webRtcStats", false)?;
    Ok((flag(query, "pendingConnections", pending)?, stats))
}
