//! `/openvidu/recordings/{recording}/{file}`: the films and their thumbnails, with ranges and conditions (rest.md §11.3).
//!
//! The library says which file is meant by a name it knows; no path is ever made of what a client sent.

use super::error::Failure;
use super::seen::Seen;
use crate::ids::RecordingId;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::Response;
use tower::ServiceExt;
use tower_http::services::ServeFile;

/// GET and HEAD: 200 or 206 with (a range of) the file, 304, 416; 404 for all else.
pub async fn film(seen: Seen, Path((recording, file)): Path<(String, String)>, request: Request) -> Result<Response, Failure> {
    let not_found = || Failure::framework(StatusCode::NOT_FOUND, "there is nothing at this path");
    let id = RecordingId::from(recording);
    let _its_own = seen.recording(&id).ok().flatten().ok_or_else(not_found)?;
    let path = seen.recorder()?.file(id, file).await.ok_or_else(not_found)?;
    match ServeFile::new(path).oneshot(request).await {
        Ok(response) => Ok(response.map(Body::new)),
        Err(never) => match never {},
    }
}
