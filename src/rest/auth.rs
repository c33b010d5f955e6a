//! Who may ask: HTTP Basic or an API key over the API, the call detail records, the layouts, the metrics and the live feed of events, and
//! over the films unless access to them is public (rest.md §2.1, §11.3).
//!
//! [`identify`] says who is asking, [`permit`] whether such a request is theirs to make at all. Which *objects* they reach is decided
//! where objects are found ([`super::seen`]), so that what is somebody else's is answered as what is not there.

use super::error::Failure;
use super::routes::{ROUTES, Route};
use crate::keys::{Grant, Keyring, Refused, Scope};
use axum::http::{HeaderMap, Method, StatusCode, header};
use std::net::IpAddr;

/// The trees that need credentials, sub-paths that do not exist included.
const GUARDED: [&str; 7] = ["/openvidu/api", "/openvidu/cdr", "/openvidu/layouts", "/openvidu/info", "/pro", "/config", "/metrics"];
const FILMS: &str = "/openvidu/recordings";
/// The exceptions. The API document and its page are the same on every box and hold no secret.
const PUBLIC: [&str; 3] = ["/openvidu/api/config/openvidu-publicurl", "/openvidu/api/openapi.json", "/openvidu/api/docs"];

/// Who sends a request of `client` to `path` (without trailing slash)? `None`: nobody has to say. Errors, of form B: 401, or 429 after
/// too many wrong credentials. `public_films`: to films everybody is as good as the owner.
pub async fn identify(
    path: &str,
    headers: &HeaderMap,
    client: IpAddr,
    keyring: &Keyring,
    public_films: bool,
) -> Result<Option<Grant>, Failure> {
    let below = |tree: &str| path.strip_prefix(tree).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if below(FILMS) && public_films {
        return Ok(Some(Grant::owner()));
    }
    let guarded = below(FILMS) || GUARDED.into_iter().any(below);
    if !guarded || PUBLIC.contains(&path) {
        return Ok(None);
    }
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let grant = keyring.who(client, header).await.map_err(|refused| match refused {
        Refused::Locked(locked) => locked.into(),
        other => Failure::framework(StatusCode::UNAUTHORIZED, other.to_string()),
    })?;
    Ok(Some(grant))
}

/// May a key make such a request, to whatever object? `matched` is the path of the route. Errors: 403 naming the scopes that may; to a
/// scoped key no route exists but those of the table (404, 405 of form B).
pub fn permit(grant: &Grant, method: &Method, matched: Option<&str>) -> Result<(), Failure> {
    if grant.scope == Scope::Everything {
        return Ok(());
    }
    let on_path: Vec<&Route> = ROUTES.iter().filter(|route| Some(route.path) == matched).collect();
    if on_path.is_empty() {
        return Err(Failure::framework(StatusCode::NOT_FOUND, "there is nothing at this path"));
    }
    let asked = if method == Method::HEAD { "GET" } else { method.as_str() };
    let Some(route) = on_path.iter().find(|route| route.method == asked) else {
        return Err(Failure::framework(StatusCode::METHOD_NOT_ALLOWED, format!("method {method} is not supported here")));
    };
    match route.needs {
        Some(right) if !grant.scope.allows(right) => Err(forbidden(grant, &format!("a key of scope {}", right.scopes()))),
        _ => Ok(()),
    }
}

/// 403: the key's scope does not go so far; `needed` does.
pub fn forbidden(grant: &Grant, needed: &str) -> Failure {
    let name = grant.key.as_deref().unwrap_or_default();
    Failure::own(StatusCode::FORBIDDEN, format!("the API key {name} has scope {}; this needs {needed}", grant.scope))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::Secret;
    use crate::guard::Lockout;
    use crate::keys::KeyFile;
    use axum::http::HeaderValue;

    const FILM: &str = "/openvidu/recordings/ses_A/lobby.mp4";
    const RIGHT: &str = "Basic T1BFTlZJRFVBUFA6TVlfU0VDUkVU";
    const WRONG: &str = "Basic T1BFTlZJRFVBUFA6bm8=";

    /// 200, or the status of the refusal; whoever asks has not been wrong before.
    async fn ask(path: &str, authorization: Option<&'static str>, public_films: bool) -> u16 {
        ask_on(&Lockout::new(Clock::System), path, authorization, public_films).await
    }

    async fn ask_on(lockout: &Lockout, path: &str, authorization: Option<&'static str>, public_films: bool) -> u16 {
        let keys = KeyFile::in_state("/proc/no/such".as_ref());
        let keyring = Keyring::new(Secret::new("MY_SECRET"), lockout.clone(), keys, Clock::System);
        let headers = authorization.map(|text| (header::AUTHORIZATION, HeaderValue::from_static(text))).into_iter().collect();
        match identify(path, &headers, IpAddr::from([192, 0, 2, 1]), &keyring, public_films).await {
            Ok(grant) => {
                assert!(grant.is_none_or(|grant| grant == Grant::owner()));
                200
            }
            Err(failure) => {
                assert!(!failure.message.contains("MY_SECRET"));
                failure.status.as_u16()
            }
        }
    }

    #[tokio::test]
    async fn films_may_be_public() {
        assert_eq!(ask(FILM, None, true).await, 200);
        assert_eq!(ask("/openvidu/api/recordings", None, true).await, 401);
    }

    #[tokio::test]
    async fn only_the_api_needs_credentials() {
        for path in [
            "/openvidu/api",
            "/openvidu/api/sessions",
            "/openvidu/api/no/such",
            "/openvidu/cdr",
            "/openvidu/layouts/a",
            "/pro/restart",
            "/config",
            "/metrics",
            "/openvidu/info",
            FILM,
        ] {
            for (header, status) in [(Some(RIGHT), 200), (None, 401), (Some(WRONG), 401)] {
                assert_eq!(ask(path, header, false).await, status, "{path} {header:?}");
            }
        }
        for path in PUBLIC.into_iter().chain([
            "/openvidu",
            "/openvidu/accept-certificate",
            "/openvidu/apiary",
            "/openvidu/cdrs",
            "/openvidu/information",
            "/",
            "/whep/s/t",
        ]) {
            assert_eq!(ask(path, None, false).await, 200, "{path}");
        }
    }

    #[tokio::test]
    async fn wrong_credentials_are_counted_and_requests_without_any_are_not() {
        let lockout = Lockout::new(Clock::System);
        let ask = |path, header| ask_on(&lockout, path, header, true);
        for _ in 0..100 {
            assert_eq!(ask("/metrics", None).await, 401);
        }
        for _ in 0..4 {
            assert_eq!(ask("/metrics", Some(WRONG)).await, 401);
        }
        // what is open to all proves nothing: it neither counts nor forgives
        for (path, header) in [(PUBLIC[0], WRONG), (FILM, WRONG), (PUBLIC[0], RIGHT)] {
            assert_eq!(ask(path, Some(header)).await, 200);
        }
        assert_eq!([ask("/metrics", Some(WRONG)).await, ask("/metrics", Some(RIGHT)).await], [401, 429]);
        assert_eq!([ask(PUBLIC[0], Some(WRONG)).await, ask(FILM, None).await, ask("/metrics", None).await], [200, 200, 401]);
    }

    #[test]
    fn to_a_scoped_key_only_the_table_exists() {
        let key = Grant { scope: Scope::ReadOnly, key: Some("watch".into()) };
        let status = |method, path| permit(&key, &method, path).map_err(|failure| failure.status.as_u16());
        for (method, path, answer) in [
            (Method::GET, Some("/openvidu/api/sessions"), Ok(())),
            (Method::HEAD, Some("/openvidu/api/sessions"), Ok(())),
            (Method::POST, Some("/openvidu/api/sessions"), Err(403)),
            (Method::DELETE, Some("/openvidu/api/sessions"), Err(405)),
            (Method::GET, Some("/openvidu/api/unheard-of"), Err(404)),
            (Method::GET, None, Err(404)),
        ] {
            assert_eq!(status(method.clone(), path), answer, "{method} {path:?}");
            assert!(permit(&Grant::owner(), &method, path).is_ok());
        }
        let refusal = permit(&key, &Method::POST, Some("/openvidu/api/restart")).unwrap_err();
        assert_eq!(refusal.message, "the API key watch has scope read-only; this needs a key of scope everything");
    }
}
