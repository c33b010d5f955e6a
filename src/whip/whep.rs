//! The handlers of WHEP: offer in, answer and location out; the location ends what it names.

use super::Door;
use super::credentials::access;
use super::error::Problem;
use crate::guard::body::{self, BadBody};
use crate::ids::{SessionId, StreamId};
use crate::session::Command;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::sync::Arc;

const SDP: HeaderValue = HeaderValue::from_static("application/sdp");

/// POST: 201 with the answer, 401 no or wrong credentials, 429 too many wrong ones, 403 an API key that may not watch, 404 unknown
/// session or stream, 415 no SDP, 400 or 422 an offer that
/// cannot be served.
pub async fn watch(
    State(door): State<Arc<Door>>,
    Path((session, stream)): Path<(String, String)>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<Response, Problem> {
    let session = SessionId::from(session);
    let access = access(text(request.headers(), header::AUTHORIZATION), client.ip(), &session, &door.keyring).await?;
    if !is_sdp(request.headers()) {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be application/sdp"));
    }
    let session = door.registry.find(&session)?;
    let path = request.uri().path().to_owned();
    let platform = text(request.headers(), header::USER_AGENT).unwrap_or_default().to_owned();
    let offer = read_offer(request.into_body()).await?;
    let (id, ip) = (StreamId::from(stream.as_str()), client.ip());
    let watching = session.ask(|answer| Command::Watch { stream: id, offer, access, ip, platform, answer }).await?;

    let location = format!("{path}/{}", door.seal.close(session.id().as_str(), &stream, watching.viewer));
    let mut response = (StatusCode::CREATED, watching.answer).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, SDP);
    // a path that came in over HTTP and a segment of base64url are both fit for a header
    response.headers_mut().extend(HeaderValue::from_str(&location).ok().map(|location| (header::LOCATION, location)));
    Ok(response)
}

/// DELETE of a location: 200, 404 unknown.
pub async fn unwatch(
    State(door): State<Arc<Door>>,
    Path((session, stream, segment)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let gone = || Problem::new(StatusCode::NOT_FOUND, "there is no such viewer");
    let viewer = door.seal.open(&session, &stream, &segment).ok_or_else(gone)?;
    let session = door.registry.find(&SessionId::from(session)).map_err(|_| gone())?;
    session.ask(|answer| Command::Unwatch { viewer, answer }).await?;
    Ok(StatusCode::OK)
}

/// OPTIONS: what may be posted.
pub async fn options() -> impl IntoResponse {
    (StatusCode::NO_CONTENT, [(HeaderName::from_static("accept-post"), SDP)])
}

async fn read_offer(body: Body) -> Result<String, Problem> {
    let bad = |detail: &str| Problem::new(StatusCode::BAD_REQUEST, detail);
    let bytes = body::read(body).await.map_err(|error| {
        let status = match error {
            BadBody::Large => StatusCode::PAYLOAD_TOO_LARGE,
            BadBody::Slow => StatusCode::REQUEST_TIMEOUT,
            BadBody::Broken => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, error.to_string())
    })?;
    match String::from_utf8(bytes) {
        Ok(offer) if !offer.trim().is_empty() => Ok(offer),
        Ok(_) => Err(bad("the offer is empty")),
        Err(_) => Err(bad("the offer is not UTF-8")),
    }
}

fn is_sdp(headers: &HeaderMap) -> bool {
    let content_type = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    content_type.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/sdp"))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
