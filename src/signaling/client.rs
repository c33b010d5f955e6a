//! Who is at the other end of a socket: outside, or in a session, and which of its requests wait for which reply.
//!
//! ```text
//!              joinRoom, connect                     leaveRoom, evicted
//!   Outside ────────────────────────> Inside ──────────────────────────────> Outside (the socket closes soon)
//! ```
//!
//! Owned and written by the one task of its socket. Knows no WebSocket: text comes in, text goes out.

use super::errors::{self, Asked};
use super::methods::{Asks, JoinParams, Method};
use super::notifications::{self, Host};
use super::receipts::Receipts;
use super::rpc::{self, Frame, Request, RpcError, WireId};
use super::{Door, Origin};
use crate::ids::{ConnectionId, secret_text};
use crate::session::command::{Join, RequestId, SocketId};
use crate::session::{Call, Command, Denied, Inbox, Notice, Outbox, Outgoing, Reply, SessionHandle};
use serde_json::{Map, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Requests that may wait for their reply. A client with more is not read until some are answered.
const MOST_WAITING: usize = 256;

/// One client, as its socket sees it.
pub struct Client {
    door: Arc<Door>,
    socket: SocketId,
    origin: Origin,
    /// JSON-RPC session of this socket as long as it is outside; authorises nothing.
    own: String,
    sdk_version: Option<String>,
    place: Place,
    waiting: HashMap<i64, Waiting>,
    next_request: i64,
}

enum Place {
    Outside,
    Inside(Inside),
}

struct Inside {
    session: SessionHandle,
    connection: ConnectionId,
    /// What `connect` must carry to come back.
    rpc: String,
    outbox: Inbox,
    receipts: Receipts,
    /// It left or was evicted: the end of the outbox is no surprise and the session needs no word of it.
    leaving: bool,
}

struct Waiting {
    id: WireId,
    asked: Asked,
}

/// What a message of the client leads to.
#[derive(Debug)]
pub enum Turn {
    /// Nothing to say now; a reply may come through the outbox.
    Quiet,
    Say(String),
    /// A ping, which also feeds the watchdog.
    Pong {
        reply: String,
        interval: Option<Duration>,
    },
    /// Say it and close.
    Bye(String),
    /// Not JSON-RPC: close.
    Broken,
}

/// What the session wants the client to hear.
#[derive(Debug)]
pub enum Told {
    Message(String),
    /// Nothing more will come: the client left, or was evicted.
    Left,
    /// Nothing more will come, and the client does not know: the session ended under it, or it did not read.
    Dropped,
}

impl Client {
    /// A client that has just opened its socket.
    pub fn new(door: Arc<Door>, origin: Origin) -> Client {
        let socket = door.number_socket();
        Client {
            door,
            socket,
            origin,
            own: secret_text(26),
            sdk_version: None,
            place: Place::Outside,
            waiting: HashMap::new(),
            next_request: 0,
        }
    }

    /// May its socket be read? False while too many requests wait.
    pub fn may_ask(&self) -> bool {
        self.waiting.len() < MOST_WAITING
    }

    /// Takes one text message.
    pub async fn heard(&mut self, text: &str) -> Turn {
        #[cfg(test)]
        assert_ne!(text, super::tests::BUG);
        match rpc::parse(text) {
            Frame::Request(request) => self.request(request).await,
            Frame::Invalid { id, error } => Turn::Say(rpc::error(&id, &error)),
            Frame::Ignored => Turn::Quiet,
            Frame::Broken => Turn::Broken,
        }
    }

    async fn request(&mut self, request: Request) -> Turn {
        let Request { id, method, params } = request;
        let asks = match self.read(&method, &params) {
            Ok(asks) => asks,
            Err(error) => return Turn::Say(rpc::error(&id, &error)),
        };
        match asks {
            Asks::Ping { interval } => Turn::Pong { reply: rpc::result(&id, value("pong"), None), interval },
            Asks::Connect { rpc } => Turn::Say(self.connect(id, rpc).await),
            Asks::Join(params) => Turn::Say(self.join(id, params).await),
            Asks::Nothing => Turn::Say(rpc::result(&id, Map::new(), Some(self.rpc()))),
            Asks::Bye => Turn::Bye(rpc::result(&id, value("bye"), Some(self.rpc()))),
            Asks::Call(call) => self.call(id, call).await,
        }
    }

    fn read(&self, name: &str, params: &Map<String, serde_json::Value>) -> Result<Asks, RpcError> {
        let method = Method::named(name)?;
        match &self.place {
            Place::Outside if method.needs_session() => Err(errors::not_joined(&self.own)),
            Place::Inside(inside) if method == Method::JoinRoom => Err(errors::already_joined(&inside.connection)),
            _ => method.read(name, params),
        }
    }

    /// What the session has to say next; never returns outside. Cancelling loses nothing.
    pub async fn told(&mut self) -> Told {
        loop {
            let Place::Inside(inside) = &mut self.place else { return std::future::pending().await };
            let Some(outgoing) = inside.outbox.recv().await else {
                let left = inside.leaving;
                if left {
                    self.place = Place::Outside;
                }
                return if left { Told::Left } else { Told::Dropped };
            };
            if let Some(text) = self.render(outgoing) {
                return Told::Message(text);
            }
        }
    }

    /// What to ask of the other side's WebSocket in a ping, once what was told is written: whether it received that.
    pub fn asks(&mut self) -> Option<[u8; 8]> {
        match &mut self.place {
            Place::Inside(inside) => inside.receipts.ask(),
            Place::Outside => None,
        }
    }

    /// The other side's WebSocket answered a ping.
    pub fn pong(&mut self, payload: &[u8]) {
        if let Place::Inside(inside) = &mut self.place
            && let Some(received) = inside.receipts.answered(payload)
        {
            inside.outbox.confirm(received);
        }
    }

    /// The socket is closed: the session hears it, unless the client left before.
    pub async fn gone(self) {
        if let Place::Inside(Inside { session, connection, leaving: false, .. }) = self.place {
            // a session that is gone needs no word
            let _ = session.send(Command::Detached { connection, socket: self.socket }).await;
        }
    }

    // ------------------------------------------------------------ ways in

    async fn join(&mut self, id: WireId, params: JoinParams) -> String {
        let asked = Asked::Join { token: params.token.clone() };
        let session = match self.door.sessions.find(&params.session) {
            Ok(session) => session,
            Err(denied) => return rpc::error(&id, &errors::of(&denied, &asked, None)),
        };
        let by_secret = match self.door.admits(self.origin.peer, &params.secret) {
            Ok(by_secret) => by_secret,
            Err(locked) => return rpc::error(&id, &RpcError::new(401, locked)),
        };
        let token = params.token_value().to_owned();
        self.sdk_version = params.sdk_version;
        let (socket, ip) = (self.socket, self.origin.ip);
        let make = |outbox, request| {
            let (metadata, platform) = (params.metadata, params.platform);
            Command::Join(Box::new(Join { token, by_secret, metadata, platform, ip, socket, outbox, request }))
        };
        match self.enter(session, make).await {
            Ok(reply) => self.success(&id, &reply),
            Err(denied) => rpc::error(&id, &errors::of(&denied, &asked, None)),
        }
    }

    async fn connect(&mut self, id: WireId, rpc: Option<String>) -> String {
        let Some(rpc) = rpc else { return rpc::result(&id, value("OK"), Some(self.rpc())) };
        if let Place::Inside(inside) = &self.place {
            // on this very socket nothing has to be rebound; who is leaving is gone already
            return match inside.rpc == rpc && !inside.leaving {
                true => rpc::result(&id, value("reconnection successful"), Some(&rpc)),
                false => rpc::error(&id, &errors::reconnection_refused()),
            };
        }
        let Some(session) = self.door.sessions.find_by_rpc(&rpc) else { return rpc::error(&id, &errors::reconnection_refused()) };
        let socket = self.socket;
        match self.enter(session, |outbox, request| Command::Rejoin { rpc, socket, outbox, request }).await {
            Ok(reply) => self.success(&id, &reply),
            Err(_) => rpc::error(&id, &errors::reconnection_refused()),
        }
    }

    /// Sends a command that opens a place in a session and waits for its reply, which is the first message in the outbox:
    /// the session answers at once, or drops the outbox.
    async fn enter(&mut self, session: SessionHandle, make: impl FnOnce(Outbox, RequestId) -> Command) -> Result<Reply, Denied> {
        let (outbox, mut inbox) = Outbox::channel();
        let request = self.number_request();
        session.send(make(outbox, request)).await?;
        let closed = || Denied::SessionClosed(session.id().clone());
        let reply = match inbox.recv().await {
            Some(Outgoing::Reply { result, .. }) => result?,
            Some(Outgoing::Notice(_)) | None => return Err(closed()),
        };
        let (connection, rpc) = match &reply {
            Reply::Joined(joined) => (joined.connection.clone(), joined.rpc.clone()),
            Reply::Rejoined { connection, rpc } => (connection.clone(), rpc.clone()),
            _ => return Err(closed()),
        };
        self.place = Place::Inside(Inside { session, connection, rpc, outbox: inbox, receipts: Receipts::default(), leaving: false });
        Ok(reply)
    }

    // ------------------------------------------------------------ within

    async fn call(&mut self, id: WireId, call: Call) -> Turn {
        let request = self.number_request();
        let Place::Inside(inside) = &self.place else { return Turn::Say(rpc::error(&id, &errors::not_joined(&self.own))) };
        let asked = match call {
            Call::Publish(_) => Asked::Publish,
            Call::Reconnect { .. } => Asked::Reconnect,
            Call::Unsubscribe { .. } => Asked::Unsubscribe,
            Call::ForceDisconnect { .. } => Asked::ForceDisconnect,
            Call::ForceUnpublish { .. } => Asked::ForceUnpublish,
            Call::Leave => Asked::Leave,
            _ => Asked::Other,
        };
        let command = Command::Call { connection: inside.connection.clone(), socket: self.socket, request, call };
        match inside.session.send(command).await {
            Ok(()) => {
                self.waiting.insert(request.0, Waiting { id, asked });
                Turn::Quiet
            }
            Err(denied) => Turn::Say(rpc::error(&id, &errors::of(&denied, &asked, Some(&inside.connection)))),
        }
    }

    /// The text of a message; none for a reply that nobody waits for on this socket.
    fn render(&mut self, outgoing: Outgoing) -> Option<String> {
        match outgoing {
            Outgoing::Notice(notice) => {
                if let Place::Inside(inside) = &mut self.place {
                    inside.receipts.said(inside.outbox.taken());
                    inside.leaving |= matches!(&notice, Notice::ParticipantEvicted { connection, .. } if *connection == inside.connection);
                }
                Some(notifications::notification(&notice))
            }
            Outgoing::Reply { request, result } => self.answer(request, result),
        }
    }

    fn answer(&mut self, request: RequestId, result: Result<Reply, Denied>) -> Option<String> {
        let Waiting { id, asked } = self.waiting.remove(&request.0)?;
        let text = match result {
            Ok(reply) => {
                if let (Asked::Leave, Place::Inside(inside)) = (asked, &mut self.place) {
                    inside.leaving = true;
                }
                self.success(&id, &reply)
            }
            Err(denied) => {
                let me = match &self.place {
                    Place::Inside(inside) => Some(&inside.connection),
                    Place::Outside => None,
                };
                rpc::error(&id, &errors::of(&denied, &asked, me))
            }
        };
        Some(text)
    }

    fn success(&self, id: &WireId, reply: &Reply) -> String {
        let host = Host { ice_servers: &self.door.ice_servers, sdk_version: self.sdk_version.as_deref(), user: &self.own[..16] };
        rpc::result(id, notifications::result(reply, host), Some(self.rpc()))
    }

    fn rpc(&self) -> &str {
        match &self.place {
            Place::Inside(inside) => &inside.rpc,
            Place::Outside => &self.own,
        }
    }

    fn number_request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }
}

/// How the JSON-RPC layer wraps a result that is one word.
fn value(word: &str) -> Map<String, serde_json::Value> {
    Map::from_iter([("value".to_owned(), json!(word))])
}
