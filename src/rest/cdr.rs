//! `/openvidu/cdr`: the files of the call detail records (rest.md §15); `/openvidu/layouts`: those of the custom layouts.

use super::error::Failure;
use super::{Api, render};
use crate::disk::file_within;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::json;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use tower::ServiceExt;
use tower_http::services::ServeFile;

/// GET: 200 with the names of the files, none when nothing was ever written.
pub async fn list(State(api): State<Arc<Api>>) -> Response {
    let files = records(api.config.cdr_path.clone()).await;
    render::ok(&json!(files.iter().filter_map(|path| path.file_name()?.to_str()).collect::<Vec<_>>()))
}

/// GET of one: 200 with its text, 404. No path is ever made of what a client sent.
pub async fn one(State(api): State<Arc<Api>>, Path(name): Path<String>, request: Request) -> Result<Response, Failure> {
    let files = records(api.config.cdr_path.clone()).await;
    let path = files.into_iter().find(|path| path.file_name().is_some_and(|file| file == name.as_str())).ok_or_else(nothing)?;
    let mut response = send(path, request).await;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Ok(response)
}

/// GET and HEAD of a file below the folder of the layouts: 200, 206, 304, 416, 404.
pub async fn layout(State(api): State<Arc<Api>>, Path(name): Path<String>, request: Request) -> Result<Response, Failure> {
    let folder = api.config.layouts_path.clone();
    // the disk may take its time
    let found = tokio::task::spawn_blocking(move || file_within(&folder, FilePath::new(&name))).await;
    Ok(send(found.ok().flatten().ok_or_else(nothing)?, request).await)
}

async fn send(path: PathBuf, request: Request) -> Response {
    match ServeFile::new(path).oneshot(request).await {
        Ok(response) => response.map(Body::new),
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
    let record = |entry: std::fs::DirEntry| {
        let name = entry.file_name();
        let is_record = name.to_str().is_some_and(|name| name.starts_with("CDR.")) && file_within(folder, name.as_ref()).is_some();
        is_record.then(|| entry.path())
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| record(entry.ok()?)).collect();
    files.sort();
    files
}
