//! `/openvidu/api/signal`: messages of the application to clients (rest.md §9).

use super::body::Fields;
use super::error::Failure;
use super::seen::Seen;
use crate::ids::ConnectionId;
use crate::session::{Command, Denied};
use axum::extract::Request;
use axum::http::StatusCode;

/// What a browser expects before the type of every signal (signaling.md §7.6).
const PREFIX: &str = "signal:";

/// POST: 200 without a body when it was sent, 404 unknown session, 406 nobody has joined it or somebody in `to` is not in it
/// (then nobody gets it), 400 a bad body.
pub async fn send(seen: Seen, request: Request) -> Result<StatusCode, Failure> {
    let fields = Fields::require(request).await?;
    let session = fields.string("session")?.map(str::to_owned);
    let to = fields.array("to")?.unwrap_or_default();
    let (kind, data) = (fields.string("type")?.map(browser_type), fields.string("data")?.map(str::to_owned));
    let session = session.ok_or_else(|| Failure::bad("\"session\" parameter is mandatory"))?;
    let session = seen.session(session)?;
    if !session.snapshot().active {
        return Err(Denied::NotActive(session.id().clone()).into());
    }
    let to = to.iter().map(|id| id.as_str().map(ConnectionId::from)).collect::<Option<Vec<_>>>().ok_or_else(no_target)?;
    match session.ask(|answer| Command::Signal { to, kind, data, answer }).await {
        Err(Denied::UnknownTarget(_)) => Err(no_target()),
        sent => Ok(sent.map(|()| StatusCode::OK)?),
    }
}

/// An application's type as browsers fire it.
fn browser_type(kind: &str) -> String {
    if kind.starts_with(PREFIX) { kind.to_owned() } else { format!("{PREFIX}{kind}") }
}

fn no_target() -> Failure {
    Failure::own(
        StatusCode::NOT_ACCEPTABLE,
        "\"to\" array has no valid connection identifiers: each must be of a connection in the session",
    )
}
