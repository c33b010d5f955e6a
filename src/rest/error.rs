//! The wire form of errors: the one table from refusals to HTTP statuses, and the two JSON bodies of rest.md §2.4.
//!
//! A handler returns a [`Failure`]; `frame` writes its body, because only there are time and path of the request at hand.

use crate::cluster;
use crate::guard::Locked;
use crate::keys;
use crate::recording;
use crate::session::Denied;
use crate::session::error::NotRecorded;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::borrow::Cow;
use time::OffsetDateTime;

/// Why a request is not served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    pub status: StatusCode,
    /// For the client; carries no secret.
    pub message: String,
    form: Form,
    /// What the body says instead of the request's path.
    path: Option<Cow<'static, str>>,
    /// When to come back, in s.
    retry_after: Option<u64>,
}

/// Which of the two bodies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// Form A, of the API itself: `timestamp` is a number.
    Own,
    /// Form B, of the framework below the API: `timestamp` is a text.
    Framework,
}

impl Failure {
    /// A failure of form A.
    pub fn own(status: StatusCode, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into(), form: Form::Own, path: None, retry_after: None }
    }

    /// A failure of form B.
    pub fn framework(status: StatusCode, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into(), form: Form::Framework, path: None, retry_after: None }
    }

    /// 400 of form A.
    pub fn bad(message: impl Into<String>) -> Failure {
        Failure::own(StatusCode::BAD_REQUEST, message)
    }

    /// The same with another status, where an endpoint has its own.
    pub fn with_status(mut self, status: StatusCode) -> Failure {
        self.status = status;
        self
    }

    /// The same with another path in its body, where the original has one.
    pub fn with_path(mut self, path: impl Into<Cow<'static, str>>) -> Failure {
        self.path = Some(path.into());
        self
    }

    /// The body, in the key order of the original.
    pub fn body(&self, unix_ms: u64, path: &str) -> Value {
        let timestamp = match self.form {
            Form::Own => json!(unix_ms),
            Form::Framework => json!(iso_8601(unix_ms)),
        };
        json!({
            "timestamp": timestamp,
            "status": self.status.as_u16(),
            "error": self.status.canonical_reason().unwrap_or_default(),
            "message": self.message,
            "path": self.path.as_deref().unwrap_or(path),
        })
    }
}

impl From<Locked> for Failure {
    fn from(locked: Locked) -> Failure {
        let retry_after = Some(locked.seconds);
        Failure { retry_after, ..Failure::framework(StatusCode::TOO_MANY_REQUESTS, locked.to_string()) }
    }
}

impl From<NotRecorded> for Failure {
    fn from(why: NotRecorded) -> Failure {
        Denied::from(why).into()
    }
}

impl From<recording::Error> for Failure {
    fn from(error: recording::Error) -> Failure {
        let status = match &error {
            recording::Error::Unknown(_) => StatusCode::NOT_FOUND,
            recording::Error::Unfinished(_) => StatusCode::CONFLICT,
            recording::Error::Disk(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Failure::own(status, error.to_string())
    }
}

impl From<cluster::Error> for Failure {
    fn from(error: cluster::Error) -> Failure {
        let status = match &error {
            cluster::Error::Unknown(_) | cluster::Error::Unreachable { .. } | cluster::Error::NotProven { .. } => StatusCode::NOT_FOUND,
            cluster::Error::BadUri(_) | cluster::Error::Forbidden { .. } => StatusCode::BAD_REQUEST,
            cluster::Error::Exists(_) | cluster::Error::NotIdle { .. } => StatusCode::CONFLICT,
        };
        Failure::own(status, error.to_string())
    }
}

impl From<keys::Error> for Failure {
    fn from(error: keys::Error) -> Failure {
        let status = match &error {
            keys::Error::BadName | keys::Error::Past => StatusCode::BAD_REQUEST,
            keys::Error::Unknown(_) => StatusCode::NOT_FOUND,
            keys::Error::Exists(_) | keys::Error::TooMany => StatusCode::CONFLICT,
            keys::Error::Busy | keys::Error::Garbled { .. } | keys::Error::Disk { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Failure::own(status, error.to_string())
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Failure {
        Failure::own(status(&denied), denied.to_string())
    }
}

/// The table.
fn status(denied: &Denied) -> StatusCode {
    match denied {
        Denied::SessionExists(_) | Denied::AlreadyPublishing { .. } => StatusCode::CONFLICT,
        Denied::UnknownSession(_)
        | Denied::SessionClosed(_)
        | Denied::UnknownConnection { .. }
        | Denied::UnknownStream { .. }
        | Denied::UnknownViewer(_)
        | Denied::UnknownClient
        | Denied::NotStreaming { .. }
        | Denied::NotPublishing(_) => StatusCode::NOT_FOUND,
        Denied::BadToken(_) => StatusCode::UNAUTHORIZED,
        Denied::MayNotPublish | Denied::NotModerator => StatusCode::FORBIDDEN,
        Denied::CameraStream(_) => StatusCode::METHOD_NOT_ALLOWED,
        Denied::OwnStream | Denied::BadOffer(_) | Denied::NoCodec(_) => StatusCode::BAD_REQUEST,
        Denied::UnknownTarget(_) | Denied::NotActive(_) => StatusCode::NOT_ACCEPTABLE,
        Denied::NotRecorded(why) => match why {
            NotRecorded::Off => StatusCode::NOT_IMPLEMENTED,
            NotRecorded::NotRouted(_) | NotRecorded::Already(_) => StatusCode::CONFLICT,
            NotRecorded::Nobody(_) | NotRecorded::Starting(_) => StatusCode::NOT_ACCEPTABLE,
            NotRecorded::Unknown(_) => StatusCode::NOT_FOUND,
        },
        Denied::Busy(_) | Denied::NoMediaNode(_) => StatusCode::SERVICE_UNAVAILABLE,
        Denied::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Realm\""));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// `2021-03-23T16:00:00.000+00:00`.
fn iso_8601(unix_ms: u64) -> String {
    let t = i64::try_from(unix_ms / 1000)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, clock, ms) = (t.date(), t.time(), unix_ms % 1000);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{ms:03}+00:00",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_have_the_documented_keys_in_order() {
        let own = Failure::bad("no").body(1_616_514_000_000, "/openvidu/api/sessions").to_string();
        assert_eq!(own, r#"{"timestamp":1616514000000,"status":400,"error":"Bad Request","message":"no","path":"/openvidu/api/sessions"}"#);
        let framework = Failure::framework(StatusCode::UNAUTHORIZED, "").body(1_616_514_000_042, "/x").to_string();
        assert_eq!(
            framework,
            r#"{"timestamp":"2021-03-23T15:40:00.042+00:00","status":401,"error":"Unauthorized","message":"","path":"/x"}"#
        );
    }

    #[test]
    fn refusals_become_statuses() {
        for (denied, status) in [
            (Denied::SessionExists("s".into()), 409),
            (Denied::UnknownSession("s".into()), 404),
            (Denied::SessionClosed("s".into()), 404),
            (Denied::UnknownConnection { connection: "c".into(), session: "s".into() }, 404),
            (Denied::BadToken("s".into()), 401),
            (Denied::UnknownTarget("s".into()), 406),
            (Denied::Busy("x".into()), 503),
            (Denied::TimedOut(3), 504),
        ] {
            let text = denied.to_string();
            let failure = Failure::from(denied);
            assert_eq!((failure.status.as_u16(), failure.message), (status, text));
        }
    }

    #[test]
    fn the_end_of_time_is_no_panic() {
        assert!(iso_8601(u64::MAX).starts_with("1970-01-01T00:00:00"));
    }
}
