//! `/openvidu/api/tokens`: how applications made connections before 2.16 (rest.md §8).

use super::body::Fields;
use super::error::Failure;
use super::{Api, connection_body, render};
use crate::ids::SessionId;
use crate::session::Command;
use axum::extract::{Request, State};
use axum::response::Response;
use std::sync::Arc;

/// POST: 200 with the token, 404 unknown session, 400 a bad body.
pub async fn create(State(api): State<Arc<Api>>, request: Request) -> Result<Response, Failure> {
    let fields = Fields::require(request).await?;
    let id = fields.string("session")?.ok_or_else(|| Failure::bad("\"session\" parameter is mandatory"))?;
    let session = api.registry.find(&SessionId::from(id))?;
    let properties =
        connection_body::parse_token(&fields).map_err(|failure| failure.with_path(format!("/openvidu/api/sessions/{id}/connection")))?;
    let connection = session.ask(|answer| Command::AddWebrtc { properties, answer }).await?;
    Ok(render::ok(&render::token(&connection, &api.config)))
}
