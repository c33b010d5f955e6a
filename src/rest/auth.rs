//! Who may ask: HTTP Basic over the API, the call detail records, the layouts and the metrics, and over the films unless access to
//! them is public (rest.md §2.1, §11.3). Pure.

use super::error::Failure;
use crate::config::Secret;
use crate::guard::Lockout;
use axum::http::{HeaderMap, StatusCode, header};
use std::net::IpAddr;

/// The trees that need credentials, sub-paths that do not exist included.
const GUARDED: [&str; 6] = ["/openvidu/api", "/openvidu/cdr", "/openvidu/layouts", "/pro", "/config", "/metrics"];
const FILMS: &str = "/openvidu/recordings";
/// The one exception.
const PUBLIC: &str = "/openvidu/api/config/openvidu-publicurl";

/// What opens the guarded trees, and what keeps guessers away from it.
#[derive(Debug)]
pub struct Lock<'a> {
    pub secret: &'a Secret,
    pub lockout: &'a Lockout,
    /// Films need no credentials.
    pub public_films: bool,
}

/// Lets a request of `client` to `path` (without trailing slash) through, or refuses it in form B: 401, or 429 after too many wrong
/// credentials.
pub fn check(path: &str, headers: &HeaderMap, client: IpAddr, lock: &Lock<'_>) -> Result<(), Failure> {
    let below = |tree: &str| path.strip_prefix(tree).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let guarded = GUARDED.into_iter().any(below) || (below(FILMS) && !lock.public_films);
    if !guarded || path == PUBLIC {
        return Ok(());
    }
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    // without any it is no try: clients ask for the challenge
    let opened = match header {
        Some(header) => lock.lockout.attempt(client, header, || lock.secret.opens(header).then_some(()))?,
        None => None,
    };
    match opened {
        Some(()) => Ok(()),
        None => Err(Failure::framework(StatusCode::UNAUTHORIZED, "credentials OPENVIDUAPP:<OPENVIDU_SECRET> are needed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use axum::http::HeaderValue;

    const FILM: &str = "/openvidu/recordings/ses_A/lobby.mp4";
    const RIGHT: &str = "Basic T1BFTlZJRFVBUFA6TVlfU0VDUkVU";
    const WRONG: &str = "Basic T1BFTlZJRFVBUFA6bm8=";

    fn headers(authorization: Option<&'static str>) -> HeaderMap {
        authorization.map(|text| (header::AUTHORIZATION, HeaderValue::from_static(text))).into_iter().collect()
    }

    /// 200, or the status of the refusal; whoever asks has not been wrong before.
    fn ask(path: &str, authorization: Option<&'static str>, public_films: bool) -> u16 {
        ask_on(&Lockout::new(Clock::System), path, authorization, public_films)
    }

    fn ask_on(lockout: &Lockout, path: &str, authorization: Option<&'static str>, public_films: bool) -> u16 {
        let lock = Lock { secret: &Secret::new("MY_SECRET"), lockout, public_films };
        match check(path, &headers(authorization), IpAddr::from([192, 0, 2, 1]), &lock) {
            Ok(()) => 200,
            Err(failure) => {
                assert!(!failure.message.contains("MY_SECRET"));
                failure.status.as_u16()
            }
        }
    }

    #[test]
    fn films_may_be_public() {
        assert_eq!(ask(FILM, None, true), 200);
        assert_eq!(ask("/openvidu/api/recordings", None, true), 401);
    }

    #[test]
    fn only_the_api_needs_credentials() {
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
            assert_eq!([Some(RIGHT), None, Some(WRONG)].map(|header| ask(path, header, false)), [200, 401, 401], "{path}");
        }
        for path in [PUBLIC, "/openvidu", "/openvidu/accept-certificate", "/openvidu/apiary", "/openvidu/cdrs", "/", "/whep/s/t"] {
            assert_eq!(ask(path, None, false), 200, "{path}");
        }
    }

    #[test]
    fn wrong_credentials_are_counted_and_requests_without_any_are_not() {
        let lockout = Lockout::new(Clock::System);
        let ask = |path, header| ask_on(&lockout, path, header, true);
        assert!((0..100).all(|_| ask("/metrics", None) == 401));
        let statuses: Vec<u16> = (0..4).map(|_| ask("/metrics", Some(WRONG))).collect();
        assert_eq!(statuses, [401; 4]);
        // what is open to all proves nothing: it neither counts nor forgives
        assert_eq!([ask(PUBLIC, Some(WRONG)), ask(FILM, Some(WRONG)), ask(PUBLIC, Some(RIGHT))], [200; 3]);
        assert_eq!([ask("/metrics", Some(WRONG)), ask("/metrics", Some(RIGHT))], [401, 429]);
        assert_eq!([ask(PUBLIC, Some(WRONG)), ask(FILM, None), ask("/metrics", None)], [200, 200, 401]);
    }
}
