//! Stories of sessions in simulated time: real registry and actors, and in the place of engine and supervisor a house that plays
//! them by hand. Nothing waits for wall time; [`House::pump`] lets everybody run until nobody has anything to do.
//!
//! `clients` tells of those who come and go, `moderation` of those who are made to, `hosting` of media nodes, `media` of streams,
//! `reconnects` of transports that broke, `cuts` of networks that break at random, `cameras` of cameras, `whep` of WHEP viewers,
//! `recordings` of recordings, `events` of what the world is told, `keeping` of what survives, `bounds` of
//! full queues and of panics; `random` plays any story at all and checks what always holds.

mod bounds;
mod cameras;
mod client;
mod clients;
mod cuts;
mod events;
mod hosting;
mod keeping;
mod media;
mod moderation;
mod random;
mod reconnects;
mod recordings;
mod renditions;
mod whep;

use client::Client;

use super::command::{Call, Command, Join, PublishCall, RequestId, SocketId};
use super::error::Denied;
use super::notice::{EndReason, Joined, Notice, Reply};
use super::outbox::{Inbox, Outbox, Outgoing};
use super::properties::{
    CameraProperties, ForcedCodec, MediaMode, RecordingMode, RecordingProperties, SessionProperties, WebrtcProperties,
};
use super::registry::{Registry, SessionHandle, Settings};
use super::role::Role;
use super::snapshot::{ConnectionKind, ConnectionSnapshot};
use crate::clock::Clock;
use crate::engine::api::Refusal;
use crate::events::Ear;
use crate::ids::{ConnectionId, JobId, PeerId, SessionKey, StreamId, TrackId};
use crate::recording::played::Composers;
use crate::recording::{Library, Recordings, Teller};
use crate::rtp::Kind;
use crate::wire::camera::CameraSpec;
use crate::wire::control::{AUDIO_SLOT, Spec, VIDEO_SLOT};
use crate::{engine, jobs};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Wall time at which stories begin.
const START_MS: u64 = 1_600_000_000_000;

/// How the played engine takes offers.
#[derive(Clone, Debug)]
enum Manner {
    Answer,
    Refuse(Refusal),
    /// It keeps them in [`House::offers`].
    Wait,
}

/// A registry, and its floors below played by hand.
struct House {
    registry: Registry,
    manner: Manner,
    /// Offers the engine has not answered.
    offers: VecDeque<PeerId>,
    engine: engine::Handle,
    engine_commands: std::sync::mpsc::Receiver<engine::Command>,
    engine_events: mpsc::Sender<engine::Event>,
    jobs_commands: mpsc::Receiver<jobs::Command>,
    jobs_events: mpsc::Sender<jobs::Event>,
    sockets: u64,
    tracks: BTreeMap<TrackId, Kind>,
    peers: BTreeSet<PeerId>,
    feeds: BTreeSet<JobId>,
    jobs: BTreeSet<JobId>,
    recordings: Recordings,
    composers: Composers,
    /// What the played engine sends to composers: by job, which track on which slot.
    sinks: BTreeMap<JobId, BTreeMap<u8, TrackId>>,
    /// Of the recordings.
    folder: tempfile::TempDir,
    /// The tracks that transcoders make.
    made: BTreeMap<JobId, TrackId>,
    permits: BTreeMap<JobId, jobs::budget::Permit>,
    retuned: Vec<(PeerId, TrackId, TrackId)>,
    /// Everything that ever was: ids are not used twice.
    ever: BTreeSet<String>,
    candidates: Vec<(PeerId, String)>,
    /// What the world is told.
    ear: Ear,
    published: Vec<engine::api::Publish>,
    subscribed: Vec<engine::api::Subscribe>,
}

impl House {
    fn new() -> House {
        House::with(Settings::default())
    }

    fn with(settings: Settings) -> House {
        House::within(settings, u32::MAX)
    }

    /// A house whose board has so many thousandths of a core for transcoders and composers.
    fn within(settings: Settings, budget: u32) -> House {
        let (events, ear) = Ear::listening();
        let settings = Settings { events: events.clone(), ..settings };
        let (engine, engine_commands, _wake) = engine::Handle::channel().unwrap();
        let clock = Clock::simulated(START_MS);
        let (jobs, jobs_commands) = jobs::Handle::with(jobs::Budget::new(Some(budget), clock));
        let folder = tempfile::tempdir().unwrap();
        let library = Library::open(folder.path(), "https://box".into()).unwrap();
        let recordings = Recordings::new(library, engine.clone(), jobs.clone(), Teller::new(events, None), clock);
        let registry = Registry::new(settings, engine.clone(), jobs, Some(recordings.clone()), clock);
        let (engine_events, engine_heard) = mpsc::channel(16);
        let (jobs_events, jobs_heard) = mpsc::channel(16);
        let router = registry.clone();
        tokio::spawn(async move { router.route(engine_heard, jobs_heard).await });
        House {
            registry,
            manner: Manner::Answer,
            offers: VecDeque::new(),
            engine,
            engine_commands,
            engine_events,
            jobs_commands,
            jobs_events,
            sockets: 0,
            tracks: BTreeMap::new(),
            peers: BTreeSet::new(),
            feeds: BTreeSet::new(),
            jobs: BTreeSet::new(),
            ever: BTreeSet::new(),
            recordings,
            composers: Composers::default(),
            sinks: BTreeMap::new(),
            folder,
            made: BTreeMap::new(),
            permits: BTreeMap::new(),
            retuned: Vec::new(),
            candidates: Vec::new(),
            ear,
            published: Vec::new(),
            subscribed: Vec::new(),
        }
    }

    fn session(&self) -> SessionHandle {
        self.registry.create(properties()).unwrap()
    }

    /// Lets everybody run until nobody has anything to do.
    async fn pump(&mut self) {
        let mut quiet = 0;
        while quiet < 10 {
            tokio::task::yield_now().await;
            quiet += 1;
            while let Ok(command) = self.engine_commands.try_recv() {
                self.on_engine(command).await;
                quiet = 0;
            }
            while let Ok(command) = self.jobs_commands.try_recv() {
                match command {
                    jobs::Command::Start { spec: Spec::Compose(_) | Spec::Thumbnail(_), .. } => self.on_composer(command).await,
                    jobs::Command::Tell { job, .. } | jobs::Command::Stop { job } if job.session() == SessionKey::RECORDINGS => {
                        self.on_composer(command).await;
                    }
                    jobs::Command::Start { job, permit, .. } => {
                        assert!(self.jobs.insert(job) && self.feeds.contains(&job));
                        self.permits.extend(permit.map(|permit| (job, permit)));
                    }
                    jobs::Command::Tell { job, .. } => panic!("a camera is told nothing: {job:?}"),
                    jobs::Command::Stop { job } => {
                        self.permits.remove(&job);
                        assert!(self.jobs.remove(&job));
                    }
                }
                quiet = 0;
            }
        }
    }

    async fn on_composer(&mut self, command: jobs::Command) {
        for event in self.composers.on(command) {
            self.jobs_events.send(event).await.unwrap();
        }
    }

    /// Lets everybody run, the disk included, until something is so. No time passes.
    async fn until(&mut self, what: &str, is_so: impl Fn(&House) -> bool) {
        let began = Clock::System.now();
        loop {
            self.pump().await;
            if is_so(self) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "waiting until {what}");
            tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
        }
    }

    /// Time passes; composers write meanwhile.
    async fn pass(&mut self, ms: u64) {
        self.pump().await;
        let mut left = ms;
        while left > 0 {
            let step = left.min(10_000);
            tokio::time::advance(Duration::from_millis(step)).await;
            left -= step;
            for event in self.composers.write_all() {
                self.jobs_events.send(event).await.unwrap();
            }
            self.pump().await;
        }
    }

    fn fresh(&mut self, id: impl std::fmt::Debug) {
        assert!(self.ever.insert(format!("{id:?}")), "{id:?} was used before");
    }

    async fn on_engine(&mut self, command: engine::Command) {
        match command {
            engine::Command::AddTrack { track, kind } => {
                self.fresh(track);
                self.tracks.insert(track, kind);
            }
            engine::Command::RemoveTrack { track } => assert!(self.tracks.remove(&track).is_some()),
            engine::Command::Publish(publish) => {
                self.check_tracks(publish.audio, publish.video);
                let peer = publish.peer;
                self.published.push(publish);
                self.on_offer(peer).await;
            }
            engine::Command::Subscribe(subscribe) => {
                self.check_tracks(subscribe.audio, subscribe.video);
                let peer = subscribe.peer;
                self.subscribed.push(subscribe);
                self.on_offer(peer).await;
            }
            engine::Command::Candidate { peer, candidate } => self.candidates.push((peer, candidate)),
            engine::Command::RemovePeer { peer } => {
                assert!(self.peers.remove(&peer), "{peer:?} does not exist");
                self.offers.retain(|offer| *offer != peer);
            }
            engine::Command::AttachFeed { job, slots, .. } => {
                self.fresh(job);
                for (slot, track) in slots {
                    let kind = if slot == VIDEO_SLOT { Kind::Video } else { Kind::Audio };
                    assert!(slot == VIDEO_SLOT || slot == AUDIO_SLOT);
                    assert_eq!(self.tracks.get(&track), Some(&kind));
                }
                self.feeds.insert(job);
            }
            engine::Command::DetachFeed { job } => assert!(self.feeds.remove(&job)),
            engine::Command::AttachSink { job, .. } => {
                self.fresh(job);
                self.sinks.insert(job, BTreeMap::new());
            }
            engine::Command::AddSlot { job, slot, track } => {
                assert!(self.tracks.contains_key(&track));
                assert_eq!(self.sinks.get_mut(&job).unwrap().insert(slot, track), None);
            }
            engine::Command::RemoveSlot { job, slot } => assert!(self.sinks.get_mut(&job).unwrap().remove(&slot).is_some()),
            engine::Command::DetachSink { job } => assert!(self.sinks.remove(&job).is_some()),
            engine::Command::Panic => unreachable!("sessions have no bugs of the engine"),
            engine::Command::Addresses { .. } => unreachable!("sessions do not know addresses"),
            engine::Command::AttachTransform { job, slots, .. } => {
                self.fresh(job);
                assert!(slots.len() == 1 && slots[0].0 == VIDEO_SLOT && self.tracks[&slots[0].1] == Kind::Video);
                self.feeds.insert(job);
                self.sinks.insert(job, BTreeMap::new());
                self.made.insert(job, slots[0].1);
            }
            engine::Command::DetachTransform { job } => assert!(self.feeds.remove(&job) && self.sinks.remove(&job).is_some()),
            engine::Command::Retune { peer, from, to } => {
                assert!(self.tracks[&from] == Kind::Video && self.tracks[&to] == Kind::Video);
                self.retuned.push((peer, from, to));
            }
            engine::Command::Stats { .. } | engine::Command::Report { .. } => unreachable!("sessions do not ask for statistics"),
        }
    }

    fn check_tracks(&self, audio: Option<TrackId>, video: Option<TrackId>) {
        assert!(audio.is_none_or(|track| self.tracks.get(&track) == Some(&Kind::Audio)));
        assert!(video.is_none_or(|track| self.tracks.get(&track) == Some(&Kind::Video)));
    }

    async fn on_offer(&mut self, peer: PeerId) {
        self.fresh(peer);
        self.peers.insert(peer);
        self.offers.push_back(peer);
        match self.manner.clone() {
            Manner::Answer => self.answer_offer().await,
            Manner::Refuse(refusal) => self.refuse_offer(refusal).await,
            Manner::Wait => {}
        }
    }

    /// The engine answers the oldest offer.
    async fn answer_offer(&mut self) {
        if let Some(peer) = self.offers.pop_front() {
            self.say(engine::Event::Answered { peer, sdp: format!("answer for {peer:?}") }).await;
        }
    }

    /// The engine refuses the oldest offer.
    async fn refuse_offer(&mut self, refusal: Refusal) {
        if let Some(peer) = self.offers.pop_front() {
            self.peers.remove(&peer);
            self.say(engine::Event::Refused { peer, refusal }).await;
        }
    }

    /// A transport ends.
    async fn close_peer(&mut self, peer: PeerId, cause: engine::api::Closed) {
        assert!(self.peers.remove(&peer));
        self.offers.retain(|offer| *offer != peer);
        self.say(engine::Event::Closed { peer, cause }).await;
    }

    async fn say(&mut self, event: engine::Event) {
        self.engine_events.send(event).await.unwrap();
    }

    /// Is nothing left on the floors below?
    fn is_empty_below(&self) -> bool {
        self.tracks.is_empty() && self.peers.is_empty() && self.feeds.is_empty() && self.jobs.is_empty() && self.sinks.is_empty()
    }

    async fn token(&mut self, session: &SessionHandle, role: Role) -> Arc<ConnectionSnapshot> {
        let properties = WebrtcProperties { role, ..WebrtcProperties::default() };
        session.ask(|answer| Command::AddWebrtc { properties, answer }).await.unwrap()
    }

    async fn camera(&mut self, session: &SessionHandle, only_play_with_subscribers: bool) -> Arc<ConnectionSnapshot> {
        let properties = camera(only_play_with_subscribers);
        let camera = session.ask(|answer| Command::AddCamera { properties, answer }).await.unwrap();
        self.pump().await;
        camera
    }

    fn new_socket(&mut self) -> SocketId {
        self.sockets += 1;
        SocketId(self.sockets)
    }

    /// Somebody tries to join with that token.
    async fn try_join(&mut self, session: &SessionHandle, token: &str, by_secret: bool) -> Result<Client, Denied> {
        let (outbox, received) = Outbox::channel();
        let (socket, request) = (self.new_socket(), RequestId(1));
        let join = Join {
            token: token.into(),
            by_secret,
            metadata: format!("data-{}", socket.0),
            platform: "Test".into(),
            ip: [192, 0, 2, 1].into(),
            socket,
            outbox,
            request,
        };
        session.send(Command::Join(Box::new(join))).await?;
        self.pump().await;
        Client::new(session.clone(), socket, received)
    }

    /// Somebody joins with a new token.
    async fn join(&mut self, session: &SessionHandle, role: Role) -> Client {
        let connection = self.token(session, role).await;
        self.try_join(session, token_of(&connection), false).await.unwrap()
    }

    /// Somebody joins and publishes.
    async fn publisher(&mut self, session: &SessionHandle) -> (Client, StreamId) {
        let mut client = self.join(session, Role::Publisher).await;
        match client.call(self, Call::Publish(publish_call())).await {
            Ok(Reply::Published { stream, .. }) => (client, stream),
            other => panic!("{other:?}"),
        }
    }
}

fn properties() -> SessionProperties {
    SessionProperties {
        media_node: None,
        old_recording_keys: false,
        media_mode: MediaMode::Routed,
        recording_mode: RecordingMode::Manual,
        default_recording: RecordingProperties::default(),
        custom_session_id: None,
        forced_video_codec: ForcedCodec::None,
        allow_transcoding: false,
    }
}

fn camera(only_play_with_subscribers: bool) -> CameraProperties {
    let (user, password) = ("admin".into(), "hidden".into());
    let url = "rtsp://192.0.2.9:554/live?stream=1".into();
    CameraProperties {
        record: true,
        rtsp_uri: "rtsp://admin:hidden@192.0.2.9:554/live?stream=1".into(),
        camera: CameraSpec { url, user, password, latency_ms: 2000, allow_loopback: false, transport: Default::default() },
        data: "gate".into(),
        adaptative_bitrate: true,
        only_play_with_subscribers,
        network_cache: 2000,
    }
}

fn publish_call() -> PublishCall {
    PublishCall {
        offer: "an offer".into(),
        loopback: false,
        has_audio: true,
        has_video: true,
        audio_active: true,
        video_active: true,
        type_of_video: "CAMERA".into(),
        frame_rate: Some(30),
        video_dimensions: Some(r#"{"width":640,"height":480}"#.into()),
    }
}

fn subscribe(stream: &StreamId) -> Call {
    Call::Subscribe { stream: stream.clone(), offer: "an offer".into() }
}

fn token_of(connection: &ConnectionSnapshot) -> &str {
    match &connection.kind {
        ConnectionKind::Webrtc { token, .. } => token,
        ConnectionKind::Camera(_) => panic!("a camera has no token"),
    }
}

fn stream_of(connection: &ConnectionSnapshot) -> StreamId {
    connection.active.as_ref().unwrap().publisher.as_ref().unwrap().stream.clone()
}

fn left(connection: &ConnectionId, reason: EndReason) -> Notice {
    Notice::ParticipantLeft { connection: connection.clone(), reason }
}

fn evicted(connection: &ConnectionId, reason: EndReason) -> Notice {
    Notice::ParticipantEvicted { connection: connection.clone(), reason }
}
