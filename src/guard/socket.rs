//! WebSockets whose other end takes nothing, or has to go: a write that waits so long and no longer, and a close that the client
//! gets to see.

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a client may take to accept a message.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// How long a close waits for the client's own.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// Why a message was not written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unwritten {
    /// The client closed the socket, or the network did.
    Gone,
    /// The client took nothing for [`WRITE_DEADLINE`].
    NotReading,
}

/// Writes a message. Errors: the socket is of no more use.
pub async fn write(socket: &mut WebSocket, message: Message) -> Result<(), Unwritten> {
    match timeout(WRITE_DEADLINE, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Unwritten::Gone),
        Err(_) => Err(Unwritten::NotReading),
    }
}

/// Sends the close frame and reads on until the client closes too: a connection that is shut with unread data is reset, and the
/// client never sees why.
pub async fn farewell(mut socket: WebSocket, code: u16, reason: &'static str) {
    let goodbye = async {
        let frame = CloseFrame { code, reason: reason.into() };
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // a client that does not close is left as it is
    let _ = timeout(CLOSE_DEADLINE, goodbye).await;
}

/// Returns when the server stops, which is when `stop` becomes true.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // an error means that the door is gone, which is the same
    let _ = stop.wait_for(|stop| *stop).await;
}
