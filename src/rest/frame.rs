//! What stands around all doors: trailing slashes, the size of heads, origins, credentials, and the JSON bodies of errors.

use super::error::Failure;
use super::legacy::{self, Era};
use super::{Api, auth, cors, routes};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The headers of a request may not be larger than this many bytes, nor its path and query than half of it. The server below cuts
/// what is far larger.
const HEAD: usize = 16 * 1024;

/// The doors of the box (merged into one router) in their frame.
pub fn frame(doors: Router, api: Arc<Api>) -> Router {
    let old_paths = api.config.deprecated_api;
    let doors = doors.fallback(not_found).method_not_allowed_fallback(not_allowed).layer(middleware::from_fn_with_state(api, around));
    // a layer of the outer router runs before the inner one looks at the path
    Router::new().fallback_service(doors).layer(middleware::map_request_with_state(old_paths, readable_path))
}

async fn around(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let (path, asked) = (routes::as_asked(request.uri().path()).to_owned(), request.headers().clone());
    let preflight = cors::is_preflight(request.method(), &asked);
    let mut response = match admit(&api, &path, &mut request).await {
        Ok(()) if preflight => StatusCode::OK.into_response(),
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    if let Some(failure) = failure_of(&mut response) {
        write_error(&mut response, &failure.body(api.clock.unix_ms(), &path).to_string());
    }
    cors::allow(&path, &asked, response.headers_mut());
    response
}

/// Lets a request in and notes for its handler who is asking, or refuses it: 414 and 431 too large, 403 sent by a page of somebody
/// else, 401 and 429 not who it should be, 403 more than a key may. A preflight carries no credentials and needs none.
async fn admit(api: &Api, path: &str, request: &mut Request) -> Result<(), Failure> {
    fits(request)?;
    cors::check(path, request.headers())?;
    if cors::is_preflight(request.method(), request.headers()) {
        return Ok(());
    }
    let public_films = api.config.recording.as_ref().is_some_and(|recording| recording.public_access);
    let grant = auth::identify(path, request.headers(), client(request), &api.keyring, public_films).await?;
    if let Some(grant) = grant {
        auth::permit(&grant, request.method(), request.extensions().get::<MatchedPath>().map(MatchedPath::as_str))?;
        request.extensions_mut().insert(grant);
    }
    Ok(())
}

fn fits(request: &Request) -> Result<(), Failure> {
    let uri = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if uri > HEAD / 2 {
        return Err(Failure::framework(StatusCode::URI_TOO_LONG, format!("path and query are longer than {} bytes", HEAD / 2)));
    }
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers > HEAD {
        let why = format!("the headers of the request are larger than {HEAD} bytes");
        return Err(Failure::framework(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why));
    }
    Ok(())
}

/// Whose request it is. One that came by no socket is that of a test.
fn client(request: &Request) -> IpAddr {
    request.extensions().get().map_or(Ipv4Addr::UNSPECIFIED.into(), |ConnectInfo(client): &ConnectInfo<SocketAddr>| client.ip())
}

/// The failure a handler returned, or one made for an error of the framework, which has no JSON body yet.
fn failure_of(response: &mut Response) -> Option<Failure> {
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        return Some(failure);
    }
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let status = response.status();
    ((status.is_client_error() || status.is_server_error()) && !content_type.contains("json"))
        .then(|| Failure::framework(status, "the request could not be understood"))
}

fn write_error(response: &mut Response, text: &str) {
    *response.body_mut() = Body::from(text.to_owned());
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
}

async fn not_found() -> Failure {
    Failure::framework(StatusCode::NOT_FOUND, "there is nothing at this path")
}

async fn not_allowed(method: Method) -> Failure {
    Failure::framework(StatusCode::METHOD_NOT_ALLOWED, format!("method {method} is not supported here"))
}

/// The path as the doors know it; `old_paths`: those of releases before 2.16 lead somewhere.
async fn readable_path(State(old_paths): State<bool>, mut request: Request) -> Request {
    if let Some(uri) = trimmed(request.uri()) {
        *request.uri_mut() = uri;
    }
    if let Some(uri) = old_paths.then(|| legacy::modern(request.uri())).flatten() {
        *request.uri_mut() = uri;
        request.extensions_mut().insert(Era::Legacy);
    }
    let of_object = routes::of_object(request.method(), request.uri().path());
    if let Some(uri) = of_object.and_then(|path| with_path(request.uri(), path)) {
        *request.uri_mut() = uri;
    }
    request
}

/// The URI without slashes at the end of its path; `None` when there are none.
fn trimmed(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let short = path.trim_end_matches('/');
    if short.len() == path.len() || path.len() == 1 {
        return None;
    }
    with_path(uri, if short.is_empty() { "/" } else { short })
}

/// The URI with another path.
pub fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let text = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    parts.path_and_query = Some(text.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_at_the_end_are_cut() {
        for (uri, short) in [
            ("/a/", Some("/a")),
            ("/a//", Some("/a")),
            ("/a/?b=c/", Some("/a?b=c/")),
            ("https://h/a/", Some("https://h/a")),
            ("//", Some("/")),
            ("/a", None),
            ("/", None),
            ("*", None),
        ] {
            assert_eq!(trimmed(&uri.parse().unwrap()).map(|u| u.to_string()).as_deref(), short, "{uri}");
        }
    }
}
