//! `/openvidu/api/tokens`: how applications made connections before 2.16 (rest.md §8).

use super::body::Fields;
use super::error::Failure;
use super::legacy::Era;
use super::seen::Seen;
use super::{connection_body, render};
use crate::session::Command;
use axum::extract::Request;
use axum::response::Response;

/// POST: 200 with the token, 404 unknown session, 400 a bad body.
pub async fn create(seen: Seen, request: Request) -> Result<Response, Failure> {
    let fields = Fields::require(request).await?;
    let id = fields.string("session")?.ok_or_else(|| Failure::bad("\"session\" parameter is mandatory"))?;
    let session = seen.session(id)?;
    let properties =
        connection_body::parse_token(&fields).map_err(|failure| failure.with_path(format!("/openvidu/api/sessions/{id}/connection")))?;
    let connection = session.ask(|answer| Command::AddWebrtc { properties, answer }).await?;
    Ok(render::ok(&render::token(&connection, seen.fresh_view(Era::default()))))
}
