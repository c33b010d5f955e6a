//! All sessions: created here, found here, gone from here when their actor ends. Routes events from below to their session.
//!
//! The table is written here alone, in short critical sections that neither wait nor panic. A session leaves it by dropping its
//! `Seat`, which its actor owns: also when the actor panics, and without anybody else taking notice.

use super::actor::{Actor, Event};
use super::below::Below;
use super::command::Command;
use super::error::Denied;
use super::keeping;
use super::notice::EndReason;
use super::properties::SessionProperties;
use super::role::Audience;
use super::snapshot::SessionSnapshot;
use super::token;
use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::events::Bus;
use crate::ids::{SessionId, SessionKey};
use crate::recording::Recordings;
use crate::state::{CameraRecord, SessionRecord, Store};
use crate::{engine, jobs};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Commands that may wait for a session; a door waits for a place.
const MAILBOX: usize = 256;
/// Events that may wait for a session. The router waits for a place; sessions never wait for the router.
const EVENTS: usize = 256;

/// How soon a camera that could not be brought back is tried again, and how often.
const RESTORE_AGAIN: Duration = Duration::from_millis(50);
const RESTORE_TRIES: u32 = 40;

/// What all sessions share.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a client whose socket closed may take to come back (signaling.md §12).
    pub grace: Duration,
    /// How long a camera that plays only with subscribers runs on after the last of them left.
    pub camera_linger: Duration,
    /// Default upper bound of what a publisher may send, in kbit/s; 0 = unlimited (`OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH`).
    pub max_recv_kbps: u32,
    /// How transcoders are made.
    pub transcoding: Transcoding,
    /// How long a transcoder runs on after the last of its viewers left.
    pub rendition_linger: Duration,
    /// How long a session is recorded in which nobody is, or nobody publishes (rest.md §10.7). 0: it ends with the last participant.
    pub recording_autostop: Duration,
    /// Who is told that a recording starts or stops.
    pub recording_audience: Audience,
    /// Where sessions are placed when somebody joins them.
    pub cluster: Cluster,
    /// The way to the world.
    pub events: Bus,
}

/// How a picture is made in another codec.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transcoding {
    /// Its rate is that of the source within these bounds, in kbit/s (`OPENVIDU_STREAMS_VIDEO_MIN_SEND_BANDWIDTH`).
    pub min_kbps: u32,
    /// 0 = unlimited (`OPENVIDU_STREAMS_VIDEO_MAX_SEND_BANDWIDTH`).
    pub max_kbps: u32,
    /// May the board's own decoders and encoders be used?
    pub hardware: bool,
}

impl Default for Settings {
    /// The defaults of the properties behind them.
    fn default() -> Settings {
        Settings {
            grace: Duration::from_secs(10),
            camera_linger: Duration::from_secs(5),
            max_recv_kbps: 1000,
            transcoding: Transcoding { min_kbps: 300, max_kbps: 1000, hardware: true },
            rendition_linger: Duration::from_secs(5),
            recording_autostop: Duration::from_secs(120),
            recording_audience: Audience::default(),
            cluster: Cluster::default(),
            events: Bus::default(),
        }
    }
}

/// The sessions of this box. Cheap to clone. They end when the last clone and the last handle are gone.
#[derive(Clone, Debug)]
pub struct Registry {
    settings: Arc<RwLock<Settings>>,
    engine: engine::Handle,
    jobs: jobs::Handle,
    /// `None`: this box does not record.
    recordings: Option<Recordings>,
    /// `None`: nothing comes back after a restart.
    store: Option<Store>,
    clock: Clock,
    table: Arc<RwLock<Table>>,
}

/// Who is here. `keys` and `seats` always hold the same sessions.
#[derive(Default, Debug)]
struct Table {
    last: u32,
    keys: HashMap<SessionId, SessionKey>,
    seats: BTreeMap<SessionKey, Entry>,
}

#[derive(Debug)]
struct Entry {
    handle: SessionHandle,
    events: mpsc::Sender<Event>,
}

impl Registry {
    /// An empty registry over the floors below; without `recordings` nothing can be recorded.
    pub fn new(settings: Settings, engine: engine::Handle, jobs: jobs::Handle, recordings: Option<Recordings>, clock: Clock) -> Registry {
        Registry { settings: Arc::new(RwLock::new(settings)), engine, jobs, recordings, store: None, clock, table: Arc::default() }
    }

    /// The same registry, which keeps its cameras in `store`.
    pub fn keeping(mut self, store: Store) -> Registry {
        self.store = Some(store);
        self
    }

    /// Brings back what was kept. Cameras whose address is not allowed any more stay away, but are kept. For the time before the doors
    /// open; needs a tokio runtime.
    pub async fn restore(&self, mut records: Vec<SessionRecord>, allow_loopback: bool) {
        records.sort_by_key(|record| record.created_at);
        for record in records {
            let past = Some((SessionId::from(record.id.as_str()), record.created_at));
            let (mut actor, handle) = match self.admit_as(keeping::properties(&record), past) {
                Ok(admitted) => admitted,
                Err(denied) => {
                    tracing::error!("a kept session does not come back: {denied}");
                    continue;
                }
            };
            for camera in &record.cameras {
                if let Err(why) = self.revive(&mut actor, camera, allow_loopback).await {
                    tracing::error!(session = %handle.id, camera = camera.connection, "a camera does not come back: {why}");
                    actor.keep_away(camera.clone());
                }
            }
            // a session of nobody would stay for ever
            if actor.has_cameras() {
                tracing::info!(session = %handle.id, cameras = record.cameras.len(), "came back");
                tokio::spawn(actor.begun().run());
            }
        }
    }

    /// Sessions created from now on have these settings.
    pub fn set(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    async fn revive(&self, actor: &mut Actor, camera: &CameraRecord, allow_loopback: bool) -> Result<(), String> {
        let (properties, past) = keeping::revive(camera, allow_loopback).map_err(|why| why.to_string())?;
        let properties = Arc::new(properties);
        for _ in 0..RESTORE_TRIES {
            if actor.revive(properties.clone(), past.clone()).is_ok() {
                return Ok(());
            }
            // the engine has no room for so many tracks at once
            self.clock.sleep(RESTORE_AGAIN).await;
        }
        Err("the media engine is too busy".into())
    }

    /// Creates a session (pending) and starts its actor; needs a tokio runtime. Its id is the custom one of `properties`, or a
    /// fresh one. Errors: [`Denied::SessionExists`].
    pub fn create(&self, properties: SessionProperties) -> Result<SessionHandle, Denied> {
        let (actor, handle) = self.admit(properties)?;
        tokio::spawn(actor.run());
        Ok(handle)
    }

    /// Gives a session its place, and returns the actor that must run.
    pub(super) fn admit(&self, properties: SessionProperties) -> Result<(Actor, SessionHandle), Denied> {
        self.admit_as(properties, None)
    }

    /// The same for one that was here before: its id, and when it was created in ms since 1970.
    fn admit_as(&self, properties: SessionProperties, past: Option<(SessionId, u64)>) -> Result<(Actor, SessionHandle), Denied> {
        let (mailbox, commands) = mpsc::channel(MAILBOX);
        let (events, heard) = mpsc::channel(EVENTS);
        let mut table = self.write();
        let (known, created_at) = past.unzip();
        let created_at = created_at.unwrap_or_else(|| self.clock.unix_ms());
        let id = match known.as_ref().or(properties.custom_session_id.as_ref()) {
            Some(id) if table.keys.contains_key(id) => return Err(Denied::SessionExists(id.clone())),
            Some(id) => id.clone(),
            None => fresh_id(&table),
        };
        table.last += 1;
        let key = SessionKey(table.last);
        let seat = Seat { table: Arc::downgrade(&self.table), key };
        let below = Below::new(key, self.engine.clone(), self.jobs.clone());
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner).clone();
        let settings = (settings, self.recordings.clone(), self.store.clone());
        let names = (key, id.clone(), created_at);
        let (actor, snapshot) = Actor::new(settings, self.clock, names, properties, (commands, heard), below, seat);
        let handle = SessionHandle { id: id.clone(), mailbox, snapshot, store: self.store.clone() };
        table.keys.insert(id, key);
        table.seats.insert(key, Entry { handle: handle.clone(), events });
        Ok((actor, handle))
    }

    /// The session of that id. Errors: [`Denied::UnknownSession`].
    pub fn find(&self, id: &SessionId) -> Result<SessionHandle, Denied> {
        let table = self.read();
        let entry = table.keys.get(id).and_then(|key| table.seats.get(key));
        entry.map(|entry| entry.handle.clone()).ok_or_else(|| Denied::UnknownSession(id.clone()))
    }

    /// The session that made that reconnection id (`sessionId` of a join result). Whether the id is good, only the session knows.
    pub fn find_by_rpc(&self, rpc: &str) -> Option<SessionHandle> {
        let (key, _) = token::split_rpc_id(rpc)?;
        Some(self.read().seats.get(&key)?.handle.clone())
    }

    /// The media nodes on which sessions are placed.
    pub fn cluster(&self) -> Cluster {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).cluster.clone()
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// Every session, in the order of creation.
    pub fn all(&self) -> Vec<SessionHandle> {
        self.read().seats.values().map(|entry| entry.handle.clone()).collect()
    }

    /// Routes events from below to their sessions and recordings until both channels are closed. Those of sessions that are gone are
    /// dropped.
    pub async fn route(&self, mut engine: mpsc::Receiver<engine::Event>, mut jobs: mpsc::Receiver<jobs::Event>) {
        loop {
            let (key, event) = tokio::select! {
                Some(event) = engine.recv() => (event.session(), Event::Engine(event)),
                Some(event) = jobs.recv() => match &self.recordings {
                    Some(recordings) if event.session() == SessionKey::RECORDINGS => {
                        recordings.hear(event).await;
                        continue;
                    }
                    _ => (event.session(), Event::Jobs(event)),
                },
                else => return,
            };
            let events = self.read().seats.get(&key).map(|entry| entry.events.clone());
            if let Some(events) = events {
                // an error means that the session has just ended
                let _ = events.send(event).await;
            }
        }
    }

    /// Ends every session and returns when all are gone, and their recordings have ended.
    pub async fn close_all(&self, reason: EndReason) {
        loop {
            let all = self.all();
            if all.is_empty() {
                return;
            }
            let mut gone = Vec::new();
            for session in all {
                let (answer, wait) = oneshot::channel();
                // an error means that it has ended by itself
                if session.send(Command::Close { reason, answer }).await.is_ok() {
                    gone.push(wait);
                }
            }
            for wait in gone {
                let _ = wait.await;
            }
            tokio::task::yield_now().await;
        }
    }

    // No critical section panics; one that did would still leave a table that is whole.
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fresh_id(table: &Table) -> SessionId {
    loop {
        let id = SessionId::random();
        if !table.keys.contains_key(&id) {
            return id;
        }
    }
}

/// A session's place in the table; dropping it gives the place up.
#[derive(Debug)]
pub(super) struct Seat {
    table: Weak<RwLock<Table>>,
    key: SessionKey,
}

impl Seat {
    /// Gives the place up: from here on nobody finds the session.
    pub fn leave(&self) {
        let Some(table) = self.table.upgrade() else { return };
        let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = table.seats.remove(&self.key) {
            table.keys.remove(&entry.handle.id);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(session = self.key.0, "a session panicked; it is gone, the others go on");
        }
        self.leave();
    }
}

/// One session, for doors.
#[derive(Clone, Debug)]
pub struct SessionHandle {
    id: SessionId,
    mailbox: mpsc::Sender<Command>,
    snapshot: watch::Receiver<Arc<SessionSnapshot>>,
    store: Option<Store>,
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

    /// Sends the command that `make` builds around an answer channel, and waits for the answer, and until what it changed of the
    /// session's cameras is on the disk: what is acknowledged survives a power cut. Every command is answered or its channel dropped,
    /// so this ends. Errors: those of the command, and [`Denied::SessionClosed`].
    pub async fn ask<T>(&self, make: impl FnOnce(oneshot::Sender<Result<T, Denied>>) -> Command) -> Result<T, Denied> {
        let (answer, wait) = oneshot::channel();
        self.send(make(answer)).await?;
        let answer = wait.await.unwrap_or_else(|_| Err(Denied::SessionClosed(self.id.clone())));
        if let Some(store) = &self.store {
            store.durable(self.id.as_str()).await;
        }
        answer
    }
}
