//! All sessions: created here, found here, gone from here when their actor ends. Routes events from below to their session.

use super::command::Command;
use super::error::Denied;
use super::notice::EndReason;
use super::properties::SessionProperties;
use super::snapshot::SessionSnapshot;
use crate::clock::Clock;
use crate::ids::SessionId;
use crate::{engine, jobs};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// What all sessions share.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a client whose socket closed may take to come back (signaling.md §12).
    pub grace: Duration,
    /// How long a camera that plays only with subscribers runs on after the last of them left.
    pub camera_linger: Duration,
    /// Default upper bound of what a publisher may send, in kbit/s; 0 = unlimited (`OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH`).
    pub max_recv_kbps: u32,
}

/// The sessions of this box. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {}

impl Registry {
    /// An empty registry over the two floors below.
    pub fn new(settings: Settings, engine: engine::Handle, jobs: jobs::Handle, clock: Clock) -> Registry {
        let _ = (settings, engine, jobs, clock);
        unimplemented!()
    }

    /// Creates a session (pending) and starts its actor. Its id is the custom one of `properties`, or a fresh one.
    /// Errors: [`Denied::SessionExists`].
    pub fn create(&self, properties: SessionProperties) -> Result<SessionHandle, Denied> {
        let _ = properties;
        unimplemented!()
    }

    /// The session of that id. Errors: [`Denied::UnknownSession`].
    pub fn find(&self, id: &SessionId) -> Result<SessionHandle, Denied> {
        let _ = id;
        unimplemented!()
    }

    /// The session that made that reconnection id (`sessionId` of a join result).
    pub fn find_by_rpc(&self, rpc: &str) -> Option<SessionHandle> {
        let _ = rpc;
        unimplemented!()
    }

    /// Every session, in the order of creation.
    pub fn all(&self) -> Vec<SessionHandle> {
        unimplemented!()
    }

    /// Routes events from below to their sessions until both channels are closed.
    pub async fn route(&self, engine: mpsc::Receiver<engine::Event>, jobs: mpsc::Receiver<jobs::Event>) {
        let _ = (engine, jobs);
        unimplemented!()
    }

    /// Ends every session and returns when all are gone.
    pub async fn close_all(&self, reason: EndReason) {
        let _ = reason;
        unimplemented!()
    }
}

/// One session, for doors.
#[derive(Clone, Debug)]
pub struct SessionHandle {
    id: SessionId,
    mailbox: mpsc::Sender<Command>,
    snapshot: watch::Receiver<Arc<SessionSnapshot>>,
}

impl SessionHandle {
    /// The session's id.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// What it looks like now; asks nobody.
    pub fn snapshot(&self) -> Arc<SessionSnapshot> {
        self.snapshot.borrow().clone()
    }

    /// Hands a command over, waiting for a place in the mailbox. Errors: [`Denied::SessionClosed`].
    pub async fn send(&self, command: Command) -> Result<(), Denied> {
        self.mailbox.send(command).await.map_err(|_| Denied::SessionClosed(self.id.clone()))
    }

    /// Sends the command that `make` builds around an answer channel, and waits for the answer. Every command is answered or its
    /// channel dropped, so this ends. Errors: those of the command, and [`Denied::SessionClosed`].
    pub async fn ask<T>(&self, make: impl FnOnce(oneshot::Sender<Result<T, Denied>>) -> Command) -> Result<T, Denied> {
        let (answer, wait) = oneshot::channel();
        self.send(make(answer)).await?;
        wait.await.unwrap_or_else(|_| Err(Denied::SessionClosed(self.id.clone())))
    }
}
