//! Cross-origin requests: any origin, any method, any header; a preflight needs no credentials (rest.md §2.1). Pure.

use axum::http::{HeaderMap, HeaderValue, Method, header};

/// Headers of answers that scripts may read; WHEP names its resource in `Location`.
const EXPOSED: &str = "Location, Link, ETag, Accept-Post";

/// Is it a preflight request (Fetch §4.8)?
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(header::ORIGIN) && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// What the answer to a request with `asked` headers carries. Methods and headers are echoed: a `*` does not cover
/// `Authorization` (Fetch §4.9).
pub fn allow(asked: &HeaderMap, answer: &mut HeaderMap) {
    if !asked.contains_key(header::ORIGIN) {
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
