//! A JSON-RPC client over WebSocket, as strict as `openvidu-browser` is lenient: every incoming frame is checked.
//!
//! A task owns the socket. Replies go to whoever asked; notifications go to a log that keeps their order, and tests wait until
//! the log shows what they want.

use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Sink = SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>;

/// How long a reply or a notification may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What the first ping promises.
const PING: Duration = Duration::from_secs(5);

/// An error reply.
#[derive(Clone, PartialEq, Debug)]
pub struct Refusal {
    pub code: i64,
    pub message: String,
}

/// A notification, in the order of arrival.
#[derive(Clone, PartialEq, Debug)]
pub struct Notification {
    pub method: String,
    pub params: Value,
}

/// How the socket ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closed {
    /// Close code; 1006 when there was no close frame.
    pub code: u16,
    pub reason: String,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    sink: Arc<tokio::sync::Mutex<Sink>>,
    next: Arc<AtomicI64>,
    shared: Arc<Shared>,
    reader: tokio::task::JoinHandle<()>,
    pinger: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<i64, oneshot::Sender<Result<Value, Refusal>>>,
    log: Vec<Notification>,
    /// Method of a notification, or `#id` of a reply, as they came.
    order: Vec<String>,
    /// Every text frame as it was, `> ` sent and `< ` received.
    frames: Vec<String>,
    closed: Option<Closed>,
    /// What was wrong with a frame.
    broken: Option<String>,
}

impl Client {
    /// Opens a socket. Panics when the server does not take it.
    pub async fn open(url: &str) -> Client {
        Client::open_with(url, &[]).await
    }

    /// The same with further headers, as a proxy adds them.
    pub async fn open_with(url: &str, headers: &[(&str, &str)]) -> Client {
        let (socket, _) = tokio_tungstenite::connect_async(request(url, headers)).await.unwrap_or_else(|e| panic!("{url}: {e}"));
        let (sink, mut stream) = socket.split();
        let shared = Arc::new(Shared::default());
        let heard = shared.clone();
        let reader = tokio::spawn(async move {
            let mut closed = Closed { code: 1006, reason: String::new() };
            while let Some(Ok(message)) = stream.next().await {
                match message {
                    Message::Text(text) => heard.take(text.as_str()),
                    Message::Close(Some(frame)) => closed = Closed { code: frame.code.into(), reason: frame.reason.to_string() },
                    Message::Close(None) => closed.code = 1005,
                    _ => {}
                }
            }
            let mut state = heard.lock();
            state.waiting.clear();
            state.closed = Some(closed);
            heard.changed.notify_waiters();
        });
        Client { sink: Arc::new(sink.into()), next: Arc::default(), shared, reader, pinger: Mutex::default() }
    }

    /// Sends any text.
    pub async fn send_text(&self, text: impl Into<String>) {
        let text = text.into();
        self.shared.lock().frames.push(format!("> {text}"));
        // a closed socket shows when a reply does not come
        let _ = self.sink.lock().await.send(Message::text(text)).await;
    }

    /// Sends a request and gives the place where its reply will be, without waiting: for requests that must overlap.
    pub async fn start(&self, method: &str, params: Value) -> Pending {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (tx, rx) = oneshot::channel();
        self.shared.lock().waiting.insert(id, tx);
        self.send_text(json!({"jsonrpc": "2.0", "method": method, "params": params, "id": id}).to_string()).await;
        Pending { method: method.to_owned(), reply: rx }
    }

    /// Sends a request and waits for its reply. Panics when there is none within 10 s.
    pub async fn request(&self, method: &str, params: Value) -> Result<Value, Refusal> {
        let reply = self.start(method, params).await.reply().await;
        self.check();
        reply
    }

    /// The same for a request that must succeed.
    pub async fn must(&self, method: &str, params: Value) -> Value {
        self.request(method, params).await.unwrap_or_else(|refusal| panic!("{method}: {refusal:?}"))
    }

    /// The first messages of every client: ping, then joinRoom with the token URL.
    pub async fn join(&self, token: &str, metadata: &str) -> Result<Value, Refusal> {
        self.must("ping", json!({"interval": 5000})).await;
        let session = token.split("sessionId=").nth(1).and_then(|rest| rest.split('&').next()).unwrap_or_default();
        let params = json!({"token": token, "session": session, "platform": "Testkit on Linux", "metadata": metadata, "secret": "", "recorder": false});
        self.request("joinRoom", params).await
    }

    /// Pings from now on as often as the first ping promised; without that the server takes a client for gone after 15 s.
    pub fn keep_alive(&self) {
        let (sink, next, shared) = (self.sink.clone(), self.next.clone(), self.shared.clone());
        let pinging = async move {
            let mut ticks = tokio::time::interval(PING);
            loop {
                ticks.tick().await;
                let id = next.fetch_add(1, Ordering::Relaxed);
                // nobody waits for the reply, but it may come
                shared.lock().waiting.insert(id, oneshot::channel().0);
                let ping = json!({"jsonrpc": "2.0", "method": "ping", "id": id}).to_string();
                if sink.lock().await.send(Message::text(ping)).await.is_err() {
                    return;
                }
            }
        };
        let before = self.pinger.lock().expect("no holder panics").replace(tokio::spawn(pinging));
        if let Some(before) = before {
            before.abort();
        }
    }

    /// The notifications so far.
    pub fn log(&self) -> Vec<Notification> {
        self.check();
        self.shared.lock().log.clone()
    }

    /// Everything that came, in order: methods of notifications, and `#` for replies.
    pub fn order(&self) -> Vec<String> {
        self.shared.lock().order.clone()
    }

    /// Every text frame so far, `> ` sent and `< ` received.
    pub fn frames(&self) -> Vec<String> {
        self.shared.lock().frames.clone()
    }

    /// Waits until `wanted` finds what it looks for in the log. Panics with the log after `span`.
    pub async fn wait_for<T>(&self, span: Duration, what: &str, wanted: impl Fn(&[Notification]) -> Option<T>) -> T {
        let found = seen(&self.shared.changed, span, || wanted(&self.log())).await;
        found.unwrap_or_else(|| panic!("nothing within {span:?}: {what}; the log is {:#?}", self.log()))
    }

    /// Waits up to 10 s for the first notification of `method` whose params `fit`, and gives its params.
    pub async fn notice(&self, method: &str, fit: impl Fn(&Value) -> bool) -> Value {
        self.wait_up_to(PATIENCE, method, fit).await
    }

    /// The same with another patience.
    pub async fn wait_up_to(&self, span: Duration, method: &str, fit: impl Fn(&Value) -> bool) -> Value {
        let wanted = |log: &[Notification]| log.iter().find(|n| n.method == method && fit(&n.params)).map(|n| n.params.clone());
        self.wait_for(span, method, wanted).await
    }

    /// Waits until the server has closed the socket. Panics after `span`.
    pub async fn closed(&self, span: Duration) -> Closed {
        let closed = seen(&self.shared.changed, span, || self.shared.lock().closed.clone()).await;
        closed.unwrap_or_else(|| panic!("the socket is still open after {span:?}"))
    }

    /// Reads and pings no more, though the socket stands: as a cable that is pulled, to the other side.
    pub fn deaf(&self) {
        self.reader.abort();
        if let Some(pinger) = self.pinger.lock().expect("no holder panics").take() {
            pinger.abort();
        }
    }

    /// Closes the socket in the polite way.
    pub async fn close(&self) {
        // the server may have closed first
        let _ = self.sink.lock().await.close().await;
    }

    /// Fails the test when a frame broke a rule of signaling.md §3.
    fn check(&self) {
        if let Some(broken) = self.shared.lock().broken.clone() {
            panic!("the server sent a bad frame: {broken}");
        }
    }
}

impl Drop for Client {
    /// Without a close frame: as a cable that is pulled.
    fn drop(&mut self) {
        self.deaf();
    }
}

/// What `look` finds, at once or after one of the changes that follow; `None`: nothing within `span`.
pub(crate) async fn seen<T>(changed: &Notify, span: Duration, look: impl Fn() -> Option<T>) -> Option<T> {
    let deadline = tokio::time::Instant::from_std(Instant::now() + span);
    loop {
        let change = changed.notified();
        if let Some(found) = look() {
            return Some(found);
        }
        tokio::time::timeout_at(deadline, change).await.ok()?;
    }
}

/// The request for a WebSocket, with further headers.
pub(crate) fn request(url: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = url.into_client_request().expect("a URL of a WebSocket");
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a name of a header");
        request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a value of a header"));
    }
    request
}

/// A request under way.
#[derive(Debug)]
pub struct Pending {
    method: String,
    reply: oneshot::Receiver<Result<Value, Refusal>>,
}

impl Pending {
    /// Waits for the reply. Panics when there is none within 10 s.
    pub async fn reply(self) -> Result<Value, Refusal> {
        match tokio::time::timeout(PATIENCE, self.reply).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => panic!("{}: the socket closed before the reply", self.method),
            Err(_) => panic!("{}: no reply within {PATIENCE:?}", self.method),
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    fn take(&self, text: &str) {
        let mut state = self.lock();
        state.frames.push(format!("< {text}"));
        match read(text) {
            Ok(Read::Reply(id, reply)) => {
                state.order.push(format!("#{id}"));
                match state.waiting.remove(&id) {
                    // whoever asked may have stopped waiting
                    Some(waiting) => drop(waiting.send(reply)),
                    None => state.broken = Some(format!("a reply nobody waits for: {text}")),
                }
            }
            Ok(Read::Notice(notice)) => {
                state.order.push(notice.method.clone());
                state.log.push(notice);
            }
            Err(why) => state.broken = Some(format!("{why}: {text}")),
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

enum Read {
    Reply(i64, Result<Value, Refusal>),
    Notice(Notification),
}

/// Reads a frame and holds it to signaling.md §3.2 and §3.3.
fn read(text: &str) -> Result<Read, &'static str> {
    let frame: Value = serde_json::from_str(text).map_err(|_| "not JSON")?;
    if frame["jsonrpc"] != "2.0" {
        return Err("not JSON-RPC 2.0");
    }
    if has_null(&frame) {
        return Err("a JSON null");
    }
    let known = ["jsonrpc", "id", "method", "params", "result", "error"];
    if !frame.as_object().is_some_and(|object| object.keys().all(|key| known.contains(&key.as_str()))) {
        return Err("an unknown key");
    }
    match (frame.get("id"), frame.get("method"), frame.get("result"), frame.get("error")) {
        (Some(id), None, Some(result), None) if result.is_object() => {
            Ok(Read::Reply(id.as_i64().ok_or("an id that was never sent")?, Ok(result.clone())))
        }
        (Some(id), None, None, Some(error)) => {
            let code = error["code"].as_i64().ok_or("an error without a code")?;
            let message = error["message"].as_str().ok_or("an error without a message")?.to_owned();
            Ok(Read::Reply(id.as_i64().ok_or("an id that was never sent")?, Err(Refusal { code, message })))
        }
        (None, Some(method), None, None) => {
            let method = method.as_str().ok_or("a method that is no string")?.to_owned();
            Ok(Read::Notice(Notification { method, params: frame["params"].clone() }))
        }
        _ => Err("neither reply nor notification"),
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(map) => map.values().any(has_null),
        _ => false,
    }
}
