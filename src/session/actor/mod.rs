//! The actor of a session: one task, one mailbox, the only writer of the session's state.
//!
//! A *turn* takes one command, event or timer, decides, and collects what is to be said ([`Delivery`]); then readers get the new
//! snapshot, then what was collected goes out. So who hears an answer already reads its effect. A turn never waits: engine and
//! supervisor are told by try-send, and whoever needs their answer is put on hold (`holds.rs`).
//!
//! This file has the loop and the dispatch; each subject has a file: [`join`], [`leave`], [`publish`], [`subscribe`],
//! [`reconnect`], [`camera`], [`watch`], [`rendition`], [`record`], [`relay`], [`moderate`] for requests, [`answers`] for the
//! engine's word on an offer.

mod answers;
mod camera;
mod join;
mod leave;
mod moderate;
mod publish;
mod reconnect;
mod record;
mod relay;
mod rendition;
mod subscribe;
mod watch;

use super::below::Below;
use super::command::{Answer, Call, Command, RequestId, ViewerId};
use super::error::Denied;
use super::holds::{Asker, HOLD, Hold, Holds};
use super::keeping;
use super::lifecycle::{Life, Timer, Timers};
use super::links::{Delivery, Links, Trouble};
use super::notice::{EndReason, Notice, Reply};
use super::outbox::Outbox;
use super::properties::SessionProperties;
use super::registry::{Seat, Settings};
use super::roster::Roster;
use super::snapshot::SessionSnapshot;
use crate::clock::Clock;
use crate::cluster::Placement;
use crate::events::Chronicle;
use crate::ids::{ConnectionId, PeerId, SessionId, SessionKey};
use crate::recording::Recordings;
use crate::state::{CameraRecord, Store};
use crate::{engine, jobs};
use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch as readers};

/// How soon something the floors below had no room for is tried again.
const RETRY: Duration = Duration::from_millis(50);
/// How often, after the session has ended.
const LAST_RETRIES: u32 = 200;

/// What the floors below report to a session.
#[derive(Debug)]
pub(super) enum Event {
    Engine(engine::Event),
    Jobs(jobs::Event),
}

/// A session. Fields: settings, state, in, out.
pub(super) struct Actor {
    settings: Settings,
    recordings: Option<Recordings>,
    clock: Clock,
    key: SessionKey,
    id: SessionId,
    /// ms since 1970.
    created_at: u64,
    born: Instant,
    properties: Arc<SessionProperties>,

    life: Life,
    /// Its place on a media node, from the first participant to the end of the last recording.
    placement: Option<Placement>,
    roster: Roster,
    links: Links,
    viewers: HashMap<ViewerId, watch::Viewer>,
    film: record::Film,
    chronicle: Chronicle,
    holds: Holds,
    timers: Timers,

    mailbox: mpsc::Receiver<Command>,
    events: mpsc::Receiver<Event>,

    deliveries: Vec<Delivery>,
    /// Who waits for the end.
    closing: Vec<Answer<()>>,
    readers: readers::Sender<Arc<SessionSnapshot>>,
    /// `None`: nothing comes back after a restart.
    store: Option<Store>,
    /// Kept cameras that could not be brought back; they are kept all the same.
    away: Vec<CameraRecord>,
    below: Below,
    seat: Seat,
}

impl Actor {
    /// A session in which nobody is, and where readers find what it looks like.
    pub fn new(
        (settings, recordings, store): (Settings, Option<Recordings>, Option<Store>),
        clock: Clock,
        (key, id, created_at): (SessionKey, SessionId, u64),
        properties: SessionProperties,
        (mailbox, events): (mpsc::Receiver<Command>, mpsc::Receiver<Event>),
        below: Below,
        seat: Seat,
    ) -> (Actor, readers::Receiver<Arc<SessionSnapshot>>) {
        let properties = Arc::new(properties);
        let (active, media_node, recording, connections) = (false, None, false, Vec::new());
        let snapshot =
            SessionSnapshot { id: id.clone(), created_at, properties: properties.clone(), active, media_node, recording, connections };
        let (readers, snapshots) = readers::channel(Arc::new(snapshot));
        let (viewers, film, holds, timers, deliveries, closing) = Default::default();
        let (life, roster, links) = (Life::Pending, Roster::new(id.clone()), Links::new(key));
        let chronicle = Chronicle::new(settings.events.clone(), clock, id.clone(), created_at);
        let actor = Actor {
            settings,
            recordings,
            clock,
            key,
            id,
            created_at,
            born: clock.now(),
            properties,
            life,
            placement: None,
            roster,
            links,
            viewers,
            film,
            chronicle,
            holds,
            timers,
            mailbox,
            events,
            deliveries,
            closing,
            readers,
            store,
            away: Vec::new(),
            below,
            seat,
        };
        (actor, snapshots)
    }

    /// Lives until the session has ended.
    pub async fn run(mut self) {
        while self.life != Life::Gone {
            tokio::select! {
                command = self.mailbox.recv() => self.on_mail(command),
                Some(event) = self.events.recv() => self.on_event(event),
                () = self.film.changed() => self.on_film(),
                () = sleep_until(self.clock, self.timers.next()) => self.on_timers(),
            }
            self.settle();
        }
        self.refuse_the_rest();
        self.last_film().await;
        self.placement = None;
        for _ in 0..LAST_RETRIES {
            if self.below.retry() {
                return;
            }
            self.clock.sleep(RETRY).await;
        }
    }

    fn on_mail(&mut self, command: Option<Command>) {
        match command {
            Some(command) => self.on_command(command),
            // nobody can reach it any more: the box is going down
            None => self.end(EndReason::OpenviduServerStopped),
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::AddWebrtc { properties, answer } => self.on_add_webrtc(properties, answer),
            Command::AddCamera { properties, answer } => self.on_add_camera(properties, answer),
            Command::ChangeConnection { connection, change, answer } => self.on_change_connection(&connection, change, answer),
            Command::RemoveConnection { connection, answer } => self.on_remove(connection, answer),
            Command::EndStream { stream, answer } => self.on_end_stream(&stream, answer),
            Command::Signal { to, kind, data, answer } => {
                let result = self.on_server_signal(&to, kind, data);
                self.answer(answer, result);
            }
            Command::Collect { threshold } => {
                if self.life == Life::Pending && self.now().duration_since(self.born) >= threshold {
                    self.end(EndReason::SessionClosedByServer);
                }
            }
            Command::Close { reason, answer } => {
                self.end(reason);
                self.closing.push(answer);
            }
            Command::StartRecording { plan, answer } => self.on_start_recording(plan, answer),
            Command::StopRecording { recording, answer } => self.on_stop_recording(&recording, answer),
            Command::Join(join) => self.on_join(*join),
            Command::Rejoin { rpc, socket, outbox, request } => self.on_rejoin(&rpc, socket, outbox, request),
            Command::Call { connection, socket, request, call } => self.on_call(Asker { connection, socket, request }, call),
            Command::Detached { connection, socket } => self.on_detached(&connection, socket),
            Command::Watch { stream, offer, access, ip, platform, answer } => {
                self.on_watch(stream, offer, access, (ip, platform), answer);
            }
            Command::Unwatch { viewer, answer } => self.on_unwatch(viewer, answer),
        }
    }

    fn on_call(&mut self, asker: Asker, call: Call) {
        if !self.links.attached(&asker.connection, asker.socket) {
            tracing::debug!(connection = %asker.connection, "a request over a socket that is not the client's any more");
            return;
        }
        // `None`: on hold, or answered already
        let result: Result<Option<Reply>, Denied> = match call {
            Call::Publish(call) => self.on_publish(&asker, call).map(|()| None),
            Call::Subscribe { stream, offer } => self.on_subscribe(&asker, &stream, offer).map(|()| None),
            Call::Reconnect { stream, offer } => self.on_reconnect(&asker, &stream, offer).map(|()| None),
            Call::Leave => {
                self.on_leave(&asker);
                Ok(None)
            }
            Call::ForceDisconnect { connection } => self.on_force_disconnect(&asker, &connection).map(|()| None),
            Call::ForceUnpublish { stream } => self.on_force_unpublish(&asker, &stream).map(|()| None),
            Call::Unpublish => self.on_unpublish(&asker.connection).map(|()| Some(Reply::Done)),
            Call::Unsubscribe { sender } => self.on_unsubscribe(&asker.connection, &sender).map(|()| Some(Reply::Done)),
            Call::Signal { to, kind, data } => self.on_signal(Some(&asker.connection), &to, kind, data).map(|()| Some(Reply::Done)),
            Call::ChangeStream { change, reason } => self.on_change(&asker.connection, change, reason).map(|()| Some(Reply::Done)),
            Call::Candidate { endpoint, candidate } => {
                self.on_candidate(&asker.connection, &endpoint, candidate);
                Ok(Some(Reply::Done))
            }
        };
        if let Some(result) = result.transpose() {
            self.reply(asker, result);
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Engine(engine::Event::Answered { peer, sdp }) => self.on_answered(peer, sdp),
            Event::Engine(engine::Event::Refused { peer, refusal }) => self.on_refused(peer, &refusal),
            Event::Engine(engine::Event::Closed { peer, cause }) => self.on_closed(peer, cause),
            Event::Engine(engine::Event::Connected { peer }) => self.on_connected(peer),
            Event::Engine(engine::Event::TrackLive { track, format }) => self.on_track_live(track, format),
            Event::Jobs(event) => self.on_job(event),
        }
    }

    fn on_timers(&mut self) {
        let now = self.clock.now();
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Grace(connection) => self.depart(&connection, EndReason::NetworkDisconnect, None),
                Timer::Camera(connection) => self.on_camera_timer(&connection),
                Timer::Rendition(connection, codec) => self.on_rendition_timer(&connection, codec),
                Timer::Hold(peer) => self.give_up(peer, Denied::TimedOut(HOLD.as_secs())),
                Timer::Autostop => self.on_autostop(),
                // each turn ends with a try
                Timer::Unsaid => {}
            }
        }
    }

    /// Ends a turn: readers first, then everybody who is told, and what comes of that.
    fn settle(&mut self) {
        self.review_renditions();
        if !self.below.retry() {
            self.timers.set(Timer::Unsaid, self.clock.now() + RETRY);
        }
        loop {
            if self.life == Life::Gone {
                self.seat.leave();
            }
            self.publish_snapshot();
            let mut troubles = Vec::new();
            for delivery in std::mem::take(&mut self.deliveries) {
                self.links.deliver(delivery, &mut troubles);
            }
            if troubles.is_empty() {
                return;
            }
            for trouble in troubles {
                match trouble {
                    // it may have come back in the same turn
                    Trouble::Lost(connection) | Trouble::Overflow(connection) if !self.links.away(&connection) => {
                        tracing::debug!(%connection, "an outbox was lost that nobody needs any more");
                    }
                    Trouble::Lost(connection) => self.away(&connection),
                    Trouble::Overflow(connection) => self.depart(&connection, EndReason::NetworkDisconnect, None),
                }
            }
        }
    }

    fn publish_snapshot(&mut self) {
        let Some(connections) = self.roster.take_changed() else { return };
        let (id, properties) = (self.id.clone(), self.properties.clone());
        let active = self.life != Life::Pending;
        let media_node = self.placement.as_ref().map(|placement| placement.node().clone());
        let recording = self.film.is_made();
        let snapshot = SessionSnapshot { id, created_at: self.created_at, properties, active, media_node, recording, connections };
        self.readers.send_replace(Arc::new(snapshot));
        self.keep();
    }

    /// What shall come back after a restart. The end of a session is noted where it ends, with its reason.
    fn keep(&self) {
        let Some(store) = self.store.as_ref().filter(|_| self.life != Life::Gone) else { return };
        match keeping::record((&self.id, self.created_at), &self.properties, self.roster.iter()) {
            Some(mut record) => {
                record.cameras.extend(self.away.iter().cloned());
                store.put(record);
            }
            None => store.remove(self.id.as_str()),
        }
    }

    /// A kept camera that does not come back this time.
    pub fn keep_away(&mut self, camera: CameraRecord) {
        self.away.push(camera);
    }

    /// Is there a camera in it?
    pub fn has_cameras(&self) -> bool {
        self.roster.iter().any(|connection| connection.role().is_none())
    }

    /// After its first turn.
    pub fn begun(mut self) -> Actor {
        self.settle();
        self
    }

    /// Puts a caller on hold until the engine has answered the offer of `peer`.
    fn hold(&mut self, peer: PeerId, hold: Hold) {
        self.holds.insert(peer, hold);
        self.timers.set(Timer::Hold(peer), self.now() + HOLD);
    }

    /// Commands that came too late: those with an answer channel are answered by its end, clients in words.
    fn refuse_the_rest(&mut self) {
        self.mailbox.close();
        while let Ok(command) = self.mailbox.try_recv() {
            match command {
                Command::Join(join) => {
                    let denied = Denied::SessionClosed(self.id.clone());
                    self.refuse(join.outbox, join.request, denied);
                }
                Command::Rejoin { outbox, request, .. } => self.refuse(outbox, request, Denied::UnknownClient),
                Command::Close { answer, .. } => self.closing.push(answer),
                _ => {}
            }
        }
        self.settle();
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn answer<T: Send + 'static>(&mut self, answer: Answer<T>, result: Result<T, Denied>) {
        self.deliveries.push(Delivery::Answer(Box::new(move || {
            // a door that hung up is no error
            let _ = answer.send(result);
        })));
    }

    fn reply(&mut self, asker: Asker, result: Result<Reply, Denied>) {
        self.deliveries.push(Delivery::Reply { asker, result });
    }

    fn refuse(&mut self, outbox: Outbox, request: RequestId, denied: Denied) {
        self.deliveries.push(Delivery::Refuse { outbox, request, denied });
    }

    fn tell(&mut self, connection: &ConnectionId, notice: Notice) {
        self.deliveries.push(Delivery::To { connection: connection.clone(), notice });
    }

    fn tell_others(&mut self, but: &ConnectionId, notice: Notice) {
        self.deliveries.push(Delivery::Others { but: but.clone(), notice });
    }

    fn unknown(&self, connection: &ConnectionId) -> Denied {
        Denied::UnknownConnection { connection: connection.clone(), session: self.id.clone() }
    }
}

async fn sleep_until(clock: Clock, at: Option<Instant>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => pending().await,
    }
}
