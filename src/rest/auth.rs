//! Who may ask: HTTP Basic over everything below `/openvidu/api` (rest.md §2.1). Pure.

use super::error::Failure;
use crate::config::Secret;
use axum::http::{HeaderMap, StatusCode, header};

/// The tree that needs credentials, sub-paths that do not exist included.
const GUARDED: &str = "/openvidu/api";
/// The one exception in it.
const PUBLIC: &str = "/openvidu/api/config/openvidu-publicurl";

/// Lets a request to `path` (without trailing slash) through, or refuses it with 401 of form B.
pub fn check(path: &str, headers: &HeaderMap, secret: &Secret) -> Result<(), Failure> {
    let guarded = path.strip_prefix(GUARDED).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !guarded || path == PUBLIC {
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

    #[test]
    fn only_the_api_needs_credentials() {
        let secret = Secret::new("MY_SECRET");
        let (none, mut right, mut wrong) = (HeaderMap::new(), HeaderMap::new(), HeaderMap::new());
        right.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic T1BFTlZJRFVBUFA6TVlfU0VDUkVU"));
        wrong.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic T1BFTlZJRFVBUFA6bm8="));
        for path in ["/openvidu/api", "/openvidu/api/sessions", "/openvidu/api/no/such", "/openvidu/api/config/openvidu-cdr"] {
            assert!(check(path, &right, &secret).is_ok(), "{path}");
            for headers in [&none, &wrong] {
                let failure = check(path, headers, &secret).unwrap_err();
                assert_eq!(failure.status, StatusCode::UNAUTHORIZED);
                assert!(!failure.message.contains("MY_SECRET"));
            }
        }
        for path in [PUBLIC, "/openvidu", "/openvidu/accept-certificate", "/openvidu/apiary", "/", "/whep/s/t"] {
            assert!(check(path, &none, &secret).is_ok(), "{path}");
        }
    }
}
