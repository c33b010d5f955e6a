//! One task per WebSocket: reads text, writes what the client must hear in order, and ends (signaling.md §4).
//!
//! A socket ends when its client closes it, when pings stay away, when the client does not read, when it sends what is not
//! JSON-RPC, when its session drops it, or when the server stops. Whatever the cause, a session hears of it exactly once.

use super::client::{Client, Told, Turn};
use super::{Door, LONGEST_MESSAGE, Origin};
use crate::guard::socket::{Unwritten, farewell, stopped, write};
use axum::extract::ws::{Message, WebSocket, close_code};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Interval of pings when the first one names none.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Shortest interval a client may name; with a shorter one the watchdog would bite at the first hiccup.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// Longest interval a client may name: a socket nobody uses must end some day.
const LONGEST_INTERVAL: Duration = Duration::from_secs(600);
/// Pings that may stay away.
const PINGS_MISSED: u32 = 3;
/// A client that left closes its socket itself; after this span the server does.
const LINGER: Duration = Duration::from_secs(10);
/// Why a socket ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// The client closed it, or the network did.
    ByClient,
    /// The client takes nothing any more.
    NotReading,
    /// We close it: code and reason of the close frame.
    Ours(u16, &'static str),
}

impl From<Unwritten> for End {
    fn from(why: Unwritten) -> End {
        match why {
            Unwritten::Gone => End::ByClient,
            Unwritten::NotReading => End::NotReading,
        }
    }
}

/// A message is too long.
const TOO_LONG: End = End::Ours(close_code::SIZE, "A message is longer than 256 KiB");

/// Serves one socket until it ends. `stop` becomes true when the server stops; holding it tells the door that this task lives.
pub async fn serve(mut socket: WebSocket, door: Arc<Door>, origin: Origin, mut stop: watch::Receiver<bool>) {
    let ip = origin.ip;
    let mut client = Client::new(door.clone(), origin);
    // a panic is a bug met by this client: its session must hear that the socket is gone all the same
    let conversation = AssertUnwindSafe(converse(&mut socket, &mut client, &door, &mut stop)).catch_unwind().await;
    let end = conversation.unwrap_or(End::Ours(close_code::ERROR, "Internal error"));
    tracing::debug!(%ip, ?end, "signaling socket ends");
    client.gone().await;
    if let End::Ours(code, reason) = end {
        farewell(socket, code, reason).await;
    }
}

async fn converse(socket: &mut WebSocket, client: &mut Client, door: &Door, stop: &mut watch::Receiver<bool>) -> End {
    let mut watchdog = Watchdog::new(door.clock.now());
    let mut leave_by: Option<Instant> = None;
    loop {
        let deadline = leave_by.map_or(watchdog.deadline(), |at| at.min(watchdog.deadline()));
        let done = tokio::select! {
            message = socket.recv(), if client.may_ask() => match message {
                Some(Ok(Message::Text(text))) if text.len() > LONGEST_MESSAGE => Err(TOO_LONG),
                Some(Ok(Message::Text(text))) => heard(socket, client, &mut watchdog, door, text.as_str()).await,
                Some(Ok(Message::Binary(_))) => Err(End::Ours(close_code::UNSUPPORTED, "text messages only")),
                Some(Ok(Message::Ping(_))) => Ok(()),
                Some(Ok(Message::Pong(payload))) => {
                    client.pong(&payload);
                    ask(socket, client).await
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::ByClient),
            },
            told = client.told() => match told {
                Told::Message(text) => match say(socket, text).await {
                    Ok(()) => ask(socket, client).await,
                    end => end,
                },
                Told::Left => {
                    leave_by = Some(door.clock.now() + LINGER);
                    Ok(())
                }
                Told::Dropped => Err(End::Ours(close_code::AGAIN, "Disconnected by the server")),
            },
            () = door.clock.sleep_until(deadline) => Err(match leave_by {
                Some(at) if at == deadline => End::Ours(close_code::NORMAL, "The participant has left"),
                _ => End::Ours(close_code::NORMAL, "Close for not receive ping from client"),
            }),
            () = stopped(stop) => last_words(socket, client).await.and(Err(End::Ours(close_code::AWAY, "Server stops"))),
        };
        if let Err(end) = done {
            return end;
        }
    }
}

/// Says what waits to be said: why the session ended. Sessions are closed before the server stops.
async fn last_words(socket: &mut WebSocket, client: &mut Client) -> Result<(), End> {
    while let Some(Told::Message(text)) = client.told().now_or_never() {
        say(socket, text).await?;
    }
    Ok(())
}

async fn heard(socket: &mut WebSocket, client: &mut Client, watchdog: &mut Watchdog, door: &Door, text: &str) -> Result<(), End> {
    match client.heard(text).await {
        Turn::Quiet => Ok(()),
        Turn::Say(text) => say(socket, text).await,
        Turn::Pong { reply, interval } => {
            watchdog.feed(door.clock.now(), interval);
            say(socket, reply).await
        }
        Turn::Bye(text) => {
            say(socket, text).await?;
            Err(End::Ours(close_code::NORMAL, "bye"))
        }
        Turn::Broken => Err(End::Ours(close_code::INVALID, "Not a JSON-RPC 2.0 message")),
    }
}

/// Asks whether what was said has been received, unless that is known or has been asked.
async fn ask(socket: &mut WebSocket, client: &mut Client) -> Result<(), End> {
    match client.asks() {
        Some(question) => Ok(write(socket, Message::Ping(question.to_vec().into())).await?),
        None => Ok(()),
    }
}

async fn say(socket: &mut WebSocket, text: String) -> Result<(), End> {
    Ok(write(socket, Message::Text(text.into())).await?)
}

/// Pings must come; the first one of a socket says how often.
#[derive(Debug)]
struct Watchdog {
    /// Known from the first ping on.
    interval: Option<Duration>,
    last: Instant,
}

impl Watchdog {
    fn new(now: Instant) -> Watchdog {
        Watchdog { interval: None, last: now }
    }

    fn feed(&mut self, now: Instant, interval: Option<Duration>) {
        self.last = now;
        self.interval.get_or_insert(interval.unwrap_or(PING_INTERVAL).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL));
    }

    fn deadline(&self) -> Instant {
        self.last + self.interval.unwrap_or(PING_INTERVAL) * PINGS_MISSED
    }
}
