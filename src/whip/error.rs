//! The wire form of this door's errors: problem details (RFC 9457), as the draft recommends, and the one table of statuses.

use crate::guard::Locked;
use crate::session::Denied;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a viewer is not served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub status: StatusCode,
    /// For the client; carries no secret.
    pub detail: String,
    /// When to come back, in s.
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), retry_after: None }
    }
}

impl From<Locked> for Problem {
    fn from(locked: Locked) -> Problem {
        Problem { retry_after: Some(locked.seconds), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, locked.to_string()) }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Problem {
        Problem::new(status(&denied), denied.to_string())
    }
}

/// The table.
fn status(denied: &Denied) -> StatusCode {
    match denied {
        Denied::BadToken(_) => StatusCode::UNAUTHORIZED,
        Denied::BadOffer(_) | Denied::OwnStream => StatusCode::BAD_REQUEST,
        // RFC 9110 §15.5.21: understood, but nothing in it can be served
        Denied::NoCodec(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Denied::MayNotPublish | Denied::NotModerator => StatusCode::FORBIDDEN,
        Denied::SessionExists(_) | Denied::AlreadyPublishing { .. } | Denied::NotRecorded(_) | Denied::CameraStream(_) => {
            StatusCode::CONFLICT
        }
        Denied::UnknownSession(_)
        | Denied::SessionClosed(_)
        | Denied::UnknownConnection { .. }
        | Denied::UnknownStream { .. }
        | Denied::UnknownViewer(_)
        | Denied::UnknownTarget(_)
        | Denied::NotActive(_)
        | Denied::UnknownClient
        | Denied::NotStreaming { .. }
        | Denied::NotPublishing(_) => StatusCode::NOT_FOUND,
        Denied::Busy(_) | Denied::NoMediaNode(_) => StatusCode::SERVICE_UNAVAILABLE,
        Denied::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// What a status asks of its answer besides the body.
fn extra(status: StatusCode) -> Option<(HeaderName, &'static str)> {
    match status {
        StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
        StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, "1")),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some((HeaderName::from_static("accept-post"), "application/sdp")),
        _ => None,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.status, body.to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = extra(self.status) {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
