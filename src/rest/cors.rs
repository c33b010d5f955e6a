//! Pages of other origins: who may call what from a browser. Pure.
//!
//! | what is called | from a page of another origin | why |
//! |---|---|---|
//! | the API: sessions, connections, tokens, signals, recordings, films, WHEP | any origin, any method, any header; a preflight needs no credentials (rest.md §2.1) | applications run in browsers, wherever their pages come from, and name the credentials themselves |
//! | the management of the box: [`MANAGEMENT`] | 403, preflights included, and no answer that a script may read | only whoever operates the box has business there |
//! | the WebSocket of signaling | any origin (signaling.md §2): its token is the credential | as above |
//!
//! A browser that has shown a page of the box keeps the credentials typed there and adds them to whatever any page makes it send to
//! the box: a form on a foreign page could restart it. Every such request says where it comes from (`Origin`, RFC 6454 §7), and no
//! script can change that. Programs send no `Origin` and are asked for credentials alone.
//!
//! A page is of the box when its origin names the host and port that the request itself is for (`Host`); the scheme does not matter,
//! for a proxy may speak TLS for the box. A name that somebody else makes lead to the box (DNS rebinding) is equal to its `Host` too,
//! but a browser has no credentials of the box for it.

use super::error::Failure;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

/// Headers of answers that scripts may read; WHEP names its resource in `Location`.
const EXPOSED: &str = "Location, Link, ETag, Accept-Post, Retry-After";

/// The trees of the box's management and of its own pages, sub-paths that do not exist included.
const MANAGEMENT: [&str; 10] = [
    "/openvidu/api/restart",
    "/openvidu/api/media-nodes",
    "/openvidu/api/config",
    "/openvidu/api/keys",
    "/openvidu/cdr",
    "/openvidu/layouts",
    "/openvidu/info",
    "/metrics",
    "/dashboard",
    "/inspector",
];
/// The one exception: where the box is, everybody may know.
const OPEN: &str = "/openvidu/api/config/openvidu-publicurl";

/// Is it a preflight request (Fetch §4.8)?
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(header::ORIGIN) && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Refuses what a page of somebody else asks of the management with 403 of form B. `path` is without trailing slash.
pub fn check(path: &str, headers: &HeaderMap) -> Result<(), Failure> {
    if is_management(path) && is_foreign(headers) {
        let why = "this path is for the pages of the box itself and for programs, not for pages of another origin";
        return Err(Failure::framework(StatusCode::FORBIDDEN, why));
    }
    Ok(())
}

/// What the answer to a request for `path` with `asked` headers carries. Methods and headers are echoed: a `*` does not cover
/// `Authorization` (Fetch §4.9).
pub fn allow(path: &str, asked: &HeaderMap, answer: &mut HeaderMap) {
    if !asked.contains_key(header::ORIGIN) || is_management(path) {
        return;
    }
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    for (request, allow) in [
        (header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCESS_CONTROL_ALLOW_METHODS),
        (header::ACCESS_CONTROL_REQUEST_HEADERS, header::ACCESS_CONTROL_ALLOW_HEADERS),
    ] {
        if let Some(value) = asked.get(request) {
            answer.insert(allow, value.clone());
            answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("1800"));
        }
    }
}

fn is_management(path: &str) -> bool {
    let below = |tree: &str| path.strip_prefix(tree).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path != OPEN && MANAGEMENT.into_iter().any(below)
}

/// Does the request come from a page that is not the box's own? What cannot be read comes from nowhere good.
fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let (Some(origin), Some(host)) = (origin.to_str().ok().and_then(|origin| Url::parse(origin).ok()), host) else { return true };
    // browsers leave out the port that is the scheme's own, in both
    let own = Url::parse(&format!("{}://{host}", origin.scheme()));
    !matches!(origin.scheme(), "http" | "https") || own.map_or(true, |own| own.origin() != origin.origin())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Right;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_page_is_of_the_box_when_it_came_from_there() {
        for (host, origin, foreign) in [
            ("box", "https://box", false),
            ("box:4443", "https://box:4443", false),
            ("BOX:4443", "https://box:4443", false),
            ("box", "http://box", false),
            ("192.0.2.7:4443", "https://192.0.2.7:4443", false),
            ("[2001:db8::1]:4443", "https://[2001:db8::1]:4443", false),
            // a browser never sends these ports, a proxy may
            ("box:443", "https://box", false),
            ("box", "https://box:4443", true),
            ("box:4443", "https://box", true),
            ("box", "https://box.example.org", true),
            ("box", "https://evil.example/box", true),
            ("box", "https://box@evil.example", true),
            ("box", "null", true),
            ("box", "", true),
            ("box", "file://", true),
            ("box", "chrome-extension://box", true),
            ("", "https://box", true),
        ] {
            assert_eq!(is_foreign(&headers(&[("host", host), ("origin", origin)])), foreign, "{origin} → {host}");
        }
        assert!(!is_foreign(&headers(&[("host", "box")])), "programs send none");
        assert!(is_foreign(&headers(&[("origin", "https://box")])), "nothing says which box");
    }

    #[test]
    fn whatever_needs_the_right_to_look_after_the_box_is_management() {
        for route in super::super::routes::ROUTES {
            let looks_after = matches!(route.needs, Some(Right::Administer | Right::Observe));
            assert_eq!(is_management(route.path), looks_after, "{} {}", route.method, route.path);
        }
    }

    #[test]
    fn who_may_call_what() {
        let foreign = headers(&[("host", "box"), ("origin", "https://app.example.org"), ("access-control-request-method", "POST")]);
        let own = headers(&[("host", "box"), ("origin", "https://box")]);
        for (path, open) in [
            ("/openvidu/api/sessions", true),
            ("/openvidu/api/sessions/S/connection", true),
            ("/openvidu/api/tokens", true),
            ("/openvidu/api/signal", true),
            ("/openvidu/api/recordings/start", true),
            ("/openvidu/recordings/r/f.mp4", true),
            ("/openvidu/api/health", true),
            ("/openvidu/accept-certificate", true),
            ("/whep/s/t", true),
            ("/openvidu", true),
            ("/no/such", true),
            (OPEN, true),
            ("/openvidu/api/restart", false),
            ("/openvidu/api/media-nodes", false),
            ("/openvidu/api/media-nodes/m", false),
            ("/openvidu/api/config", false),
            ("/openvidu/api/config/openvidu-cdr", false),
            ("/openvidu/api/keys/k", false),
            ("/openvidu/cdr/CDR.1", false),
            ("/openvidu/layouts/a", false),
            ("/metrics", false),
            ("/dashboard", false),
        ] {
            let refused = check(path, &foreign).map_err(|failure| failure.status.as_u16());
            assert_eq!(refused, if open { Ok(()) } else { Err(403) }, "{path}");
            assert_eq!((check(path, &own), check(path, &HeaderMap::new())), (Ok(()), Ok(())), "{path}");
            let mut answer = HeaderMap::new();
            allow(path, &foreign, &mut answer);
            assert_eq!(answer.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), open, "{path}");
            assert_eq!(answer.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS), open, "{path}");
        }
    }
}
