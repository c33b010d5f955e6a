//! The API document: what each route takes and answers, in words and as schemas, and the route that serves it.
//!
//! Words and bounds come from where the code has them, as far as it has them in a table. The tests of this door hold every answer
//! against its description; `tests/golden/rest/openapi.json` shows every change of it in review.

pub mod connections;
pub mod house;
pub mod keys;
pub mod media_nodes;
pub mod recordings;
pub mod sessions;
pub mod watching;

use super::routes::{ROUTES, Route};
use super::{legacy, render};
use crate::config::API_VERSION;
use crate::keys::Right;
use crate::openapi::{Access, Described, document};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

/// What is served: the document, and the tag of its text (RFC 9110 §8.8.3).
static DOCUMENT: LazyLock<(Value, String)> = LazyLock::new(|| {
    let document = whole();
    let mut hasher = DefaultHasher::new();
    document.to_string().hash(&mut hasher);
    (document, format!("\"{:016x}\"", hasher.finish()))
});

/// GET of the document: 200, or 304 for who has it.
pub async fn serve(headers: HeaderMap) -> Response {
    let (document, tag) = &*DOCUMENT;
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { render::ok(document) };
    // a tag is made of digits: it is fit for a header
    response.headers_mut().extend(HeaderValue::from_str(tag).ok().map(|tag| (header::ETAG, tag)));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The document.
pub fn whole() -> Value {
    let schemas = [sessions::schemas(), connections::schemas(), recordings::schemas(), media_nodes::schemas(), house::schemas()];
    let schemas = schemas.into_iter().flatten().chain(keys::schemas()).chain(watching::schemas()).collect();
    document(API_VERSION, &old_paths(), ROUTES.iter().map(described).collect(), schemas)
}

fn described(route: &Route) -> Described {
    let access = match route.needs {
        None => Access::Public,
        Some(Right::Watch) => Access::Token,
        Some(Right::Download) => Access::CredentialsUnlessOpened,
        Some(_) => Access::Credentials,
    };
    let scopes = route.needs.map(Right::scopes).unwrap_or_default();
    let scopes = scopes.split(" or ").filter(|scope| !scope.is_empty()).map(|scope| format!("`{scope}`")).collect::<Vec<_>>().join(" or ");
    Described { method: route.method, path: route.path, access, scopes, operation: (route.about)() }
}

/// The paths of releases before 2.16 are other names of these, not operations of their own.
fn old_paths() -> String {
    let rows: String = legacy::MOVED.iter().map(|(old, new)| format!("\n| `{old}/…` | `{new}/…` |")).collect();
    format!(
        "**Applications written for releases before 2.16** use other paths, which are deprecated. They lead to the same operations, \
        unless `SUPPORT_DEPRECATED_API` is off:\n\n| old path | today's |\n|---|---|{rows}"
    )
}
