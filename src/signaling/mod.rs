//! The signaling door: JSON-RPC 2.0 over a WebSocket at `/openvidu`, as `openvidu-browser` speaks it (signaling.md).
//!
//! | file | what lives there |
//! |---|---|
//! | `socket` | one task per WebSocket: reads, writes in order, watches pings and deadlines |
//! | `client` | who is at the other end: outside or in a session, which request waits for which reply |
//! | `rpc` | JSON-RPC frames as text, in and out |
//! | `methods` | method and parameters → [`crate::session::Call`] |
//! | `notifications` | [`crate::session::Reply`] and [`crate::session::Notice`] → JSON |
//! | `receipts` | which notices the client has received for certain |
//! | `errors` | the one table [`crate::session::Denied`] → code and text |
//!
//! No rule of the domain stands here: a request becomes one command of the session, what the session writes into the client's
//! outbox becomes one message each, in that order.

mod client;
mod errors;
mod methods;
mod notifications;
mod receipts;
mod rpc;
mod socket;

use crate::clock::Clock;
use crate::config::Secret;
use crate::guard::{Crowd, Locked, Lockout, Place};
use crate::session::Registry;
use crate::session::command::SocketId;
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// Longest message in bytes; an offer of a browser with many codecs exceeds 10 kB.
const LONGEST_MESSAGE: usize = 256 * 1024;
/// What is read of a longer one, so that its sender can be told; beyond that the connection just ends.
const LONGEST_READ: usize = 2 * LONGEST_MESSAGE;
/// Sockets at a time, of all and of one address; one more is refused with 503.
const MOST_SOCKETS: usize = 2000;
const MOST_OF_ONE: usize = 1000;

/// What all signaling sockets share.
pub struct Door {
    sessions: Registry,
    clock: Clock,
    secret: Secret,
    lockout: Lockout,
    crowd: Crowd,
    ice_servers: Vec<String>,
    next_socket: AtomicU64,
    stop: watch::Sender<bool>,
}

impl Door {
    /// The door to `sessions`. `secret` admits clients without a token (never an empty one), `lockout` bounds guesses at it;
    /// `ice_servers` are the URLs (`stun:host:port`) that every client is told.
    pub fn new(sessions: Registry, clock: Clock, secret: Secret, lockout: Lockout, ice_servers: Vec<String>) -> Door {
        let (crowd, next_socket, stop) = (Crowd::new(MOST_OF_ONE), AtomicU64::new(1), watch::Sender::new(false));
        Door { sessions, clock, secret, lockout, crowd, ice_servers, next_socket, stop }
    }

    /// Closes every socket and returns when the last task is gone. Sessions are closed before, so that clients hear why.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        self.stop.closed().await;
    }

    /// Is `given` the server's secret? Every client sends an empty one, which is no try. Errors: `client` was wrong too often.
    fn admits(&self, client: IpAddr, given: &str) -> Result<bool, Locked> {
        if given.is_empty() {
            return Ok(false);
        }
        let tried = self.lockout.attempt(client, given, || self.secret.matches(given).then_some(()))?;
        Ok(tried.is_some())
    }

    fn number_socket(&self) -> SocketId {
        SocketId(self.next_socket.fetch_add(1, Ordering::Relaxed))
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("ice_servers", &self.ice_servers).finish_non_exhaustive()
    }
}

/// The route of the door. Requests must carry their client's address as a [`ConnectInfo`] extension, and be served with upgrades.
pub fn router(door: Arc<Door>) -> Router {
    Router::new().route("/openvidu", get(open)).with_state(door)
}

async fn open(
    State(door): State<Arc<Door>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if *door.stop.borrow() || door.stop.receiver_count() >= MOST_SOCKETS {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let Some(place) = door.crowd.enter(peer.ip()) else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let origin = Origin { ip: client_address(peer.ip(), &headers), peer: peer.ip(), _place: place };
    // taken here and not in the task: a socket that is about to open counts
    let stop = door.stop.subscribe();
    upgrade
        .max_message_size(LONGEST_READ)
        .max_frame_size(LONGEST_READ)
        .on_upgrade(move |socket| socket::serve(socket, door, origin, stop))
        .into_response()
}

/// Where a socket comes from.
#[derive(Debug)]
struct Origin {
    /// The client, as the API tells of it.
    ip: IpAddr,
    /// Whose guesses are counted together: the client, or a proxy that is not trusted to tell.
    peer: IpAddr,
    _place: Place,
}

/// The client's address: what a proxy on this machine says (`X-Real-IP`), else the socket's peer.
fn client_address(peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let told = headers.get("x-real-ip").and_then(|value| value.to_str().ok()).and_then(|text| text.trim().parse().ok());
    if peer.to_canonical().is_loopback() { told.unwrap_or(peer) } else { peer }.to_canonical()
}

#[cfg(test)]
mod tests;
