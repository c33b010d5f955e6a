//! Who may ask: HTTP Basic over the API, the call detail records, the layouts and the metrics, and over the films unless access to
//! them is public (rest.md §2.1, §11.3). Pure.

use super::error::Failure;
use crate::config::Secret;
use axum::http::{HeaderMap, StatusCode, header};

/// The trees that need credentials, sub-paths that do not exist included.
const GUARDED: [&str; 6] = ["/openvidu/api", "/openvidu/cdr", "/openvidu/layouts", "/pro", "/config", "/metrics"];
const FILMS: &str = "/openvidu/recordings";
/// The exceptions. The API document and its page are the same on every box and hold no secret.
const PUBLIC: [&str; 3] = ["/openvidu/api/config/openvidu-publicurl", "/openvidu/api/openapi.json", "/openvidu/api/docs"];

/// Lets a request to `path` (without trailing slash) through, or refuses it with 401 of form B. `public_films`: films need no
/// credentials.
pub fn check(path: &str, headers: &HeaderMap, secret: &Secret, public_films: bool) -> Result<(), Failure> {
    let below = |tree: &str| path.strip_prefix(tree).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let guarded = GUARDED.into_iter().any(below) || (below(FILMS) && !public_films);
    if !guarded || PUBLIC.contains(&path) {
        return Ok(());
    }
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match header.is_some_and(|header| secret.opens(header)) {
        true => Ok(()),
        false => Err(Failure::framework(StatusCode::UNAUTHORIZED, "credentials OPENVIDUAPP:<OPENVIDU_SECRET> are needed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const FILM: &str = "/openvidu/recordings/ses_A/lobby.mp4";

    #[test]
    fn films_may_be_public() {
        assert!(check(FILM, &HeaderMap::new(), &Secret::new("MY_SECRET"), true).is_ok());
        assert!(check("/openvidu/api/recordings", &HeaderMap::new(), &Secret::new("MY_SECRET"), true).is_err());
    }

    #[test]
    fn only_the_api_needs_credentials() {
        let secret = Secret::new("MY_SECRET");
        let (none, mut right, mut wrong) = (HeaderMap::new(), HeaderMap::new(), HeaderMap::new());
        right.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic T1BFTlZJRFVBUFA6TVlfU0VDUkVU"));
        wrong.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic T1BFTlZJRFVBUFA6bm8="));
        for path in [
            "/openvidu/api",
            "/openvidu/api/sessions",
            "/openvidu/api/no/such",
            "/openvidu/cdr",
            "/openvidu/layouts/a",
            "/pro/restart",
            "/config",
            "/metrics",
            FILM,
        ] {
            assert!(check(path, &right, &secret, false).is_ok(), "{path}");
            for headers in [&none, &wrong] {
                let failure = check(path, headers, &secret, false).unwrap_err();
                assert_eq!(failure.status, StatusCode::UNAUTHORIZED);
                assert!(!failure.message.contains("MY_SECRET"));
            }
        }
        for path in
            PUBLIC.into_iter().chain(["/openvidu", "/openvidu/accept-certificate", "/openvidu/apiary", "/openvidu/cdrs", "/", "/whep/s/t"])
        {
            assert!(check(path, &none, &secret, false).is_ok(), "{path}");
        }
    }
}
