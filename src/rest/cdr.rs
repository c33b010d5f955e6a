//! `/openvidu/cdr`: the files of the call detail records (rest.md §15); `/openvidu/layouts`: those of the custom layouts.

use super::error::Failure;
use super::frame::with_path;
use super::{Api, render};
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::json;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use tower::ServiceExt;
use tower_http::services::{ServeDir, ServeFile};

/// Where the layouts are.
const LAYOUTS: &str = "/openvidu/layouts";

/// GET: 200 with the names of the files, none when nothing was ever written.
pub async fn list(State(api): State<Arc<Api>>) -> Response {
    let files = records(api.config.cdr_path.clone()).await;
    render::ok(&json!(files.iter().filter_map(|path| path.file_name()?.to_str()).collect::<Vec<_>>()))
}

/// GET of one: 200 with its text, 404. No path is ever made of what a client sent.
pub async fn one(State(api): State<Arc<Api>>, Path(name): Path<String>, request: Request) -> Result<Response, Failure> {
    let files = records(api.config.cdr_path.clone()).await;
    let path = files.into_iter().find(|path| path.file_name().is_some_and(|file| file == name.as_str())).ok_or_else(nothing)?;
    let mut response = match ServeFile::new(path).oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Ok(response)
}

/// GET and HEAD of a file below the folder of the layouts: 200, 206, 304, 416, 404.
pub async fn layout(State(api): State<Arc<Api>>, mut request: Request) -> Result<Response, Failure> {
    let path = request.uri().path().strip_prefix(LAYOUTS).ok_or_else(nothing)?.to_owned();
    *request.uri_mut() = with_path(request.uri(), &path).ok_or_else(nothing)?;
    let folder = ServeDir::new(&api.config.layouts_path).append_index_html_on_directories(false);
    match folder.oneshot(request).await {
        Ok(response) if response.status() == StatusCode::NOT_FOUND => Err(nothing()),
        Ok(response) => Ok(response.map(Body::new)),
        Err(never) => match never {},
    }
}

fn nothing() -> Failure {
    Failure::framework(StatusCode::NOT_FOUND, "there is nothing at this path")
}

/// The files, by name: oldest first.
async fn records(folder: PathBuf) -> Vec<PathBuf> {
    // the disk may take its time
    tokio::task::spawn_blocking(move || listed(&folder)).await.unwrap_or_default()
}

fn listed(folder: &FilePath) -> Vec<PathBuf> {
    let is_record = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("CDR.") && path.is_file()
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_record).collect();
    files.sort();
    files
}
