//! The page's own small server: the files of the page, the published client library, where the daemon is, tokens, and recordings.

use crate::rest::Rest;
use crate::{Result, SESSION};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::net::TcpListener;

/// Address, file in the page's folder, type. Nothing else is served.
const FILES: [(&str, &str, &str); 9] = [
    ("/", "index.html", "text/html; charset=utf-8"),
    ("/demo.css", "demo.css", "text/css; charset=utf-8"),
    ("/app.js", "app.js", "text/javascript; charset=utf-8"),
    ("/recorder.js", "recorder.js", "text/javascript; charset=utf-8"),
    ("/room.js", "room.js", "text/javascript; charset=utf-8"),
    ("/tiles.js", "tiles.js", "text/javascript; charset=utf-8"),
    ("/icons.svg", "icons.svg", "image/svg+xml"),
    ("/viduct.svg", "viduct.svg", "image/svg+xml"),
    ("/openvidu-browser.js", LIBRARY, "text/javascript; charset=utf-8"),
];
const LIBRARY: &str = "node_modules/openvidu-browser/static/js/openvidu-browser-2.20.0.min.js";

/// Is everything there? The client library comes by npm, which `make demo` runs.
pub fn check(folder: &Path) -> Result<()> {
    match FILES.iter().map(|(_, file, _)| folder.join(file)).find(|file| !file.is_file()) {
        Some(missing) => Err(format!("{} is missing: start the demo with \"make demo\"", missing.display()).into()),
        None => Ok(()),
    }
}

struct Page {
    folder: PathBuf,
    about: Value,
    rest: Arc<Rest>,
    guests: AtomicU32,
}

/// Serves until the listener fails.
pub async fn serve(listener: TcpListener, folder: &Path, about: Value, rest: Arc<Rest>) -> Result<()> {
    let page = Arc::new(Page { folder: folder.to_path_buf(), about, rest, guests: AtomicU32::new(0) });
    loop {
        let (stream, _) = listener.accept().await?;
        let page = page.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let page = page.clone();
                async move { Ok::<_, Infallible>(page.answer(request).await) }
            });
            // A browser that hangs up in the middle of an answer is no news.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Page {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        match (request.method(), path) {
            (&Method::GET, "/about") => json_answer(&self.about),
            (&Method::POST, "/token") => self.token().await,
            (&Method::POST, "/recording") => relayed(self.rest.post("recordings/start", &json!({ "session": SESSION })).await),
            (method, _) if path.starts_with("/recording/") => self.recording(method, &path["/recording/".len()..]).await,
            (&Method::GET, _) => match FILES.iter().find(|(address, ..)| *address == path) {
                Some((_, file, kind)) => self.file(file, kind).await,
                None => text_answer(StatusCode::NOT_FOUND, "not found"),
            },
            _ => text_answer(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
        }
    }

    async fn file(&self, file: &str, kind: &'static str) -> Response<Full<Bytes>> {
        match tokio::fs::read(self.folder.join(file)).await {
            Ok(content) => answer(StatusCode::OK, kind, content.into()),
            Err(cause) => text_answer(StatusCode::INTERNAL_SERVER_ERROR, &format!("{file}: {cause}")),
        }
    }

    /// A token for one more visitor, who gets a name by it.
    async fn token(&self) -> Response<Full<Bytes>> {
        let number = self.guests.fetch_add(1, Ordering::Relaxed) + 1;
        let wanted = json!({ "role": "PUBLISHER", "data": format!("Guest {number}") });
        let connection = self.rest.post(&format!("sessions/{SESSION}/connection"), &wanted).await;
        relayed(connection.map(|connection| json!({ "token": connection["token"] })))
    }

    /// GET tells how a recording is, POST stops it.
    async fn recording(&self, method: &Method, id: &str) -> Response<Full<Bytes>> {
        if !id.chars().all(|c| c.is_ascii_alphanumeric() || "_-~".contains(c)) {
            return text_answer(StatusCode::NOT_FOUND, "not found");
        }
        match *method {
            Method::GET => relayed(self.rest.get(&format!("recordings/{id}")).await),
            Method::POST => relayed(self.rest.post(&format!("recordings/stop/{id}"), &json!({})).await),
            _ => text_answer(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
        }
    }
}

/// What the daemon answered, or why it did not.
fn relayed(answer: Result<Value>) -> Response<Full<Bytes>> {
    match answer {
        Ok(body) => json_answer(&body),
        Err(problem) => text_answer(StatusCode::BAD_GATEWAY, &problem.to_string()),
    }
}

fn json_answer(value: &Value) -> Response<Full<Bytes>> {
    answer(StatusCode::OK, "application/json", value.to_string().into())
}

fn text_answer(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    answer(status, "text/plain; charset=utf-8", text.to_string().into())
}

fn answer(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    response
}
