//! A client of the live feed of events (`/openvidu/info`): every message in order, and how the socket ended.

use crate::signaling::{Closed, request, seen};
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// A client that reads what comes. Dropping it pulls the cable.
#[derive(Debug)]
pub struct Feed {
    sink: tokio::sync::Mutex<SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>>,
    reads: watch::Sender<bool>,
    shared: Arc<Shared>,
    reader: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Clone, Debug, Default)]
struct State {
    lines: Vec<String>,
    closed: Option<Closed>,
}

impl Feed {
    /// Opens a socket with further headers. Errors: the status that refused it.
    pub async fn open(url: &str, headers: &[(&str, &str)]) -> Result<Feed, u16> {
        let socket = match tokio_tungstenite::connect_async(request(url, headers)).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(response)) => return Err(response.status().as_u16()),
            Err(error) => panic!("{url}: {error}"),
        };
        let (sink, mut stream) = socket.split();
        let (reads, mut may_read) = watch::channel(true);
        let shared = Arc::new(Shared::default());
        let heard = shared.clone();
        let reader = tokio::spawn(async move {
            let mut closed = Closed { code: 1006, reason: String::new() };
            while may_read.wait_for(|may| *may).await.is_ok() {
                match stream.next().await {
                    Some(Ok(Message::Text(text))) => heard.change(|state| state.lines.push(text.to_string())),
                    Some(Ok(Message::Close(Some(frame)))) => {
                        closed = Closed { code: frame.code.into(), reason: frame.reason.to_string() };
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break,
                }
            }
            heard.change(|state| state.closed = Some(closed));
        });
        Ok(Feed { sink: sink.into(), reads, shared, reader })
    }

    /// Every message so far, as it came.
    pub fn lines(&self) -> Vec<String> {
        self.shared.lock().lines.clone()
    }

    /// The same, read: name of the event and its fields. Panics when a message is no event.
    pub fn events(&self) -> Vec<(String, Value)> {
        self.lines().iter().map(|line| event(line)).collect()
    }

    /// Waits until `wanted` takes the events so far. Panics with them after `span`.
    pub async fn wait_for(&self, what: &str, span: Duration, wanted: impl Fn(&[(String, Value)]) -> bool) {
        let found = seen(&self.shared.changed, span, || wanted(&self.events()).then_some(())).await;
        found.unwrap_or_else(|| panic!("not within {span:?}: {what}; {:#?}", self.lines()));
    }

    /// Waits until the socket has ended. Panics after `span`.
    pub async fn closed(&self, span: Duration) -> Closed {
        let closed = seen(&self.shared.changed, span, || self.shared.lock().closed.clone()).await;
        closed.unwrap_or_else(|| panic!("the socket is still open after {span:?}"))
    }

    /// From now on reads, or does not.
    pub fn reads(&self, reads: bool) {
        self.reads.send_replace(reads);
    }

    /// Sends a message, which may find the socket closed.
    pub async fn send(&self, text: &str) {
        let _ = self.sink.lock().await.send(Message::text(text)).await;
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_waiters();
    }
}

/// Name and fields of an event, as call detail records have it.
pub fn event(line: &str) -> (String, Value) {
    let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let mut members = object.as_object().unwrap_or_else(|| panic!("not an object: {line}")).iter();
    match (members.next(), members.next()) {
        (Some((name, fields)), None) if fields.is_object() => (name.clone(), fields.clone()),
        _ => panic!("not one event: {line}"),
    }
}
