//! The other end of a webhook: takes posts and keeps them, and can be slow, fail, refuse, or not be there at all.

use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// A post as it came.
#[derive(Clone, Debug)]
pub struct Post {
    /// Path and query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
    /// What it was answered with.
    pub status: u16,
}

impl Post {
    /// Name of its event.
    pub fn event(&self) -> &str {
        self.body["event"].as_str().unwrap_or_default()
    }

    /// A header's text, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Whoever is told of events.
#[derive(Debug)]
pub struct Receiver {
    port: u16,
    manner: Arc<Mutex<Manner>>,
    posts: Arc<Mutex<Vec<Post>>>,
    serving: Option<JoinHandle<()>>,
}

#[derive(Clone, Debug)]
struct Manner {
    status: u16,
    delay: Duration,
}

impl Receiver {
    /// One that takes everything at once.
    pub async fn start() -> Receiver {
        let manner = Arc::new(Mutex::new(Manner { status: 200, delay: Duration::ZERO }));
        let mut receiver = Receiver { port: 0, manner, posts: Arc::default(), serving: None };
        receiver.come_back().await;
        receiver
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?key=1", self.port)
    }

    /// From now on it answers that, after a while.
    pub fn behave(&self, status: u16, delay: Duration) {
        *self.manner.lock().expect("no holder panics") = Manner { status, delay };
    }

    /// Nobody listens any more, and connections are cut.
    pub async fn go_down(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// It listens again, on the same port.
    pub async fn come_back(&mut self) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await.expect("the port is free");
        self.port = listener.local_addr().expect("a bound socket has an address").port();
        self.serving = Some(tokio::spawn(serve(listener, self.manner.clone(), self.posts.clone())));
    }

    /// All that came, whatever it was answered with.
    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().expect("no holder panics").clone()
    }

    /// Those it took.
    pub fn taken(&self) -> Vec<Post> {
        self.posts().into_iter().filter(|post| post.status == 200).collect()
    }

    /// Waits until what came is so. Panics with what came after `span`.
    pub async fn wait_for(&self, what: &str, span: Duration, done: impl Fn(&[Post]) -> bool) {
        let waiting = async {
            while !done(&self.posts()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(span, waiting).await.is_err() {
            let came: Vec<_> = self.posts().iter().map(|post| format!("{} {}", post.status, post.body)).collect();
            panic!("not within {span:?}: {what}; this came:\n{}", came.join("\n"));
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

async fn serve(listener: TcpListener, manner: Arc<Mutex<Manner>>, posts: Arc<Mutex<Vec<Post>>>) {
    // dropped with this task, and with it every connection
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (manner, posts) = (manner.clone(), posts.clone());
        let service = service_fn(move |request| take(request, manner.clone(), posts.clone()));
        connections.spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service));
        while connections.try_join_next().is_some() {}
    }
}

async fn take(
    request: Request<Incoming>,
    manner: Arc<Mutex<Manner>>,
    posts: Arc<Mutex<Vec<Post>>>,
) -> Result<Response<http_body_util::Full<Bytes>>, Infallible> {
    use http_body_util::BodyExt;
    let (parts, body) = request.into_parts();
    let Manner { status, delay } = manner.lock().expect("no holder panics").clone();
    // a body that breaks off is no post
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    tokio::time::sleep(delay).await;
    if let Ok(body) = serde_json::from_slice(&body) {
        let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        posts.lock().expect("no holder panics").push(Post { path, headers: parts.headers, body, status });
    }
    let mut response = Response::new(http_body_util::Full::new(Bytes::from_static(b"read by nobody")));
    *response.status_mut() = StatusCode::from_u16(status).expect("a test names a status that exists");
    response.headers_mut().insert("location", hyper::header::HeaderValue::from_static("http://127.0.0.1:1/elsewhere"));
    Ok(response)
}
