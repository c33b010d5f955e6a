//! Any story at all: random steps of clients, doors, engine and time, and what must hold after each of them.
//!
//! - The first message to a client is its join reply (checked by [`Client::new`]); each request is answered once, at once or, for
//!   offers, when the engine speaks or 10 s have passed.
//! - What a client was told adds up to what readers see: the same participants with the same streams, after each step, also for one
//!   that was away and came back.
//! - What the world is told adds up to what readers see, too, and at the end every beginning has exactly one end, in order.
//! - Ids are used once, nothing is ended that does not exist, and at the end nothing is left below (checked by [`House`]).

use super::*;
use crate::engine::api::Closed;
use crate::events::{self, Record};
use crate::rtp::{Codec, Format};
use crate::session::command::{Access, StreamChange, ViewerId, Watching};
use crate::session::properties::ConnectionChange;
use proptest::prelude::*;
use std::collections::HashMap;
use tokio::task::JoinHandle;

#[derive(Clone, Debug)]
enum Step {
    Token(bool),
    Join(usize),
    JoinBySecret,
    Leave(usize),
    Detach(usize),
    Rejoin(usize),
    Publish(usize),
    Unpublish(usize),
    Subscribe(usize, usize),
    Reconnect(usize, usize),
    Unsubscribe(usize, usize),
    Candidate(usize, usize),
    Signal(usize, Option<usize>),
    Mute(usize, bool),
    Camera(bool),
    Remove(usize),
    Evict(usize, usize),
    ForceUnpublish(usize, usize),
    EndStream(usize),
    Change(usize, bool),
    Watch(usize, Option<usize>),
    Unwatch(usize),
    Answer,
    Refuse,
    ClosePeer(usize, bool),
    /// The video track of that number shows this codec.
    Live(usize, Codec),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 0usize..6;
    prop_oneof![
        2 => any::<bool>().prop_map(Step::Token),
        4 => n().prop_map(Step::Join),
        1 => Just(Step::JoinBySecret),
        1 => n().prop_map(Step::Leave),
        2 => n().prop_map(Step::Detach),
        3 => n().prop_map(Step::Rejoin),
        4 => n().prop_map(Step::Publish),
        1 => n().prop_map(Step::Unpublish),
        6 => (n(), n()).prop_map(|(who, stream)| Step::Subscribe(who, stream)),
        2 => (n(), n()).prop_map(|(who, stream)| Step::Reconnect(who, stream)),
        1 => (n(), n()).prop_map(|(who, sender)| Step::Unsubscribe(who, sender)),
        1 => (n(), n()).prop_map(|(who, endpoint)| Step::Candidate(who, endpoint)),
        1 => (n(), proptest::option::of(n())).prop_map(|(who, to)| Step::Signal(who, to)),
        1 => (n(), any::<bool>()).prop_map(|(who, on)| Step::Mute(who, on)),
        1 => any::<bool>().prop_map(Step::Camera),
        1 => n().prop_map(Step::Remove),
        1 => (n(), n()).prop_map(|(who, target)| Step::Evict(who, target)),
        1 => (n(), n()).prop_map(|(who, stream)| Step::ForceUnpublish(who, stream)),
        1 => n().prop_map(Step::EndStream),
        1 => (n(), any::<bool>()).prop_map(|(who, moderator)| Step::Change(who, moderator)),
        3 => (n(), proptest::option::of(n())).prop_map(|(stream, token)| Step::Watch(stream, token)),
        1 => n().prop_map(Step::Unwatch),
        9 => Just(Step::Answer),
        1 => Just(Step::Refuse),
        2 => (n(), any::<bool>()).prop_map(|(peer, by_peer)| Step::ClosePeer(peer, by_peer)),
        2 => (n(), any::<bool>()).prop_map(|(track, vp8)| Step::Live(track, if vp8 { Codec::Vp8 } else { Codec::H264 })),
        3 => (0u64..6_000).prop_map(Step::Pass),
    ]
}

/// A client, and what it makes of what it is told.
struct Guest {
    client: Client,
    others: BTreeMap<ConnectionId, Option<StreamId>>,
    /// Requests without a reply; true for those that may wait for the engine.
    open: HashMap<RequestId, bool>,
    attached: bool,
    /// It knows that it is out.
    out: bool,
}

impl Guest {
    fn new(client: Client) -> Guest {
        let others = client.joined.others.iter().map(|m| (m.connection.clone(), m.stream.as_ref().map(|s| s.stream.clone())));
        Guest { others: others.collect(), client, open: HashMap::new(), attached: true, out: false }
    }

    async fn request(&mut self, call: Call) {
        if !self.out && self.attached {
            let offer = matches!(call, Call::Publish(_) | Call::Subscribe { .. } | Call::Reconnect { .. });
            let leaves = call == Call::Leave;
            let request = self.client.start(call).await;
            self.open.insert(request, offer);
            self.out = leaves;
        }
    }

    fn read(&mut self) {
        self.client.read();
        for (request, _) in std::mem::take(&mut self.client.replies) {
            assert!(self.open.remove(&request).is_some(), "{request:?} is not open");
        }
        let own = self.client.id();
        for notice in self.client.notices() {
            match notice {
                Notice::ParticipantJoined { connection, .. } => {
                    assert!(connection != own && self.others.insert(connection, None).is_none());
                }
                Notice::ParticipantPublished { connection, stream } => {
                    assert_eq!(self.others.insert(connection, Some(stream.stream)), Some(None));
                }
                // ended by force: its own
                Notice::ParticipantUnpublished { connection, .. } if connection == own => {}
                Notice::ParticipantUnpublished { connection, .. } => {
                    assert!(matches!(self.others.insert(connection, None), Some(Some(_))));
                }
                Notice::ParticipantLeft { connection, .. } => assert!(self.others.remove(&connection).is_some()),
                Notice::ParticipantEvicted { connection, .. } => {
                    assert!(connection == own && !self.out);
                    self.out = true;
                }
                Notice::ConnectionPropertyChanged { .. } => {}
                Notice::RecordingStarted { .. } | Notice::RecordingStopped { .. } => panic!("nobody records here"),
                Notice::Signal { from, .. } => assert!(from.is_some_and(|from| from == own || self.others.contains_key(&from))),
                Notice::StreamPropertyChanged { connection, stream, .. } => {
                    assert_eq!(self.others.get(&connection), Some(&Some(stream)));
                }
            }
        }
    }
}

struct World {
    house: House,
    session: SessionHandle,
    tokens: Vec<String>,
    guests: Vec<Guest>,
    watching: Vec<JoinHandle<Result<Watching, Denied>>>,
    viewers: Vec<ViewerId>,
    told: Vec<Arc<Record>>,
}

impl World {
    async fn new() -> World {
        let mut house = House::new();
        house.manner = Manner::Wait;
        let session = house.session();
        World { house, session, tokens: vec![], guests: vec![], watching: vec![], viewers: vec![], told: vec![] }
    }

    fn connection(&self, n: usize) -> Option<ConnectionId> {
        let connections = &self.session.snapshot().connections;
        Some(connections.get(n.checked_rem(connections.len())?)?.id.clone())
    }

    fn stream(&self, n: usize) -> Option<StreamId> {
        let snapshot = self.session.snapshot();
        let publishers = snapshot.connections.iter().filter_map(|c| c.active.as_ref()?.publisher.as_ref());
        let streams: Vec<_> = publishers.map(|info| info.stream.clone()).collect();
        streams.get(n.checked_rem(streams.len())?).cloned()
    }

    async fn request(&mut self, who: usize, call: Call) {
        if let Some(guest) = self.guests.get_mut(who) {
            guest.request(call).await;
        }
    }

    async fn join(&mut self, token: &str, by_secret: bool) {
        if let Ok(client) = self.house.try_join(&self.session, token, by_secret).await {
            self.guests.push(Guest::new(client));
        }
    }

    async fn client_step(&mut self, step: Step) {
        match step {
            Step::Leave(who) => self.request(who, Call::Leave).await,
            Step::Publish(who) => self.request(who, Call::Publish(publish_call())).await,
            Step::Unpublish(who) => self.request(who, Call::Unpublish).await,
            Step::Subscribe(who, stream) => {
                let stream = self.stream(stream).unwrap_or("str_CAM_none_con_none".into());
                // every other client takes VP8 alone
                let call = if who.is_multiple_of(2) { subscribe(&stream) } else { renditions::watching(&stream, &[Codec::Vp8]) };
                self.request(who, call).await;
            }
            Step::Evict(who, target) => {
                let connection = self.connection(target).unwrap_or("con_none".into());
                self.request(who, Call::ForceDisconnect { connection }).await;
            }
            Step::ForceUnpublish(who, stream) => {
                let stream = self.stream(stream).unwrap_or("str_CAM_none_con_none".into());
                self.request(who, Call::ForceUnpublish { stream }).await;
            }
            Step::Reconnect(who, stream) => {
                let stream = self.stream(stream).unwrap_or("str_CAM_none_con_none".into());
                self.request(who, Call::Reconnect { stream, offer: String::new() }).await;
            }
            Step::Unsubscribe(who, sender) => {
                let sender = self.connection(sender).unwrap_or("con_none".into());
                self.request(who, Call::Unsubscribe { sender }).await;
            }
            Step::Candidate(who, endpoint) => {
                let endpoint = self.connection(endpoint).unwrap_or("con_none".into());
                self.request(who, Call::Candidate { endpoint, candidate: String::new() }).await;
            }
            Step::Signal(who, to) => {
                let to = to.and_then(|to| self.connection(to)).into_iter().collect();
                self.request(who, Call::Signal { to, kind: None, data: None }).await;
            }
            Step::Mute(who, on) => {
                let change = StreamChange::AudioActive(on);
                self.request(who, Call::ChangeStream { change, reason: String::new() }).await;
            }
            Step::Detach(who) => {
                if let Some(guest) = self.guests.get_mut(who) {
                    guest.open.clear();
                    guest.attached = false;
                    guest.client.detach(&mut self.house).await;
                }
            }
            Step::Rejoin(who) => {
                if let Some(guest) = self.guests.get_mut(who).filter(|guest| !guest.out) {
                    guest.read();
                    guest.open.clear();
                    guest.attached = guest.client.rejoin(&mut self.house).await.is_ok();
                    guest.out = !guest.attached;
                }
            }
            _ => unreachable!("a step of the house"),
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Token(publisher) => {
                let role = if publisher { Role::Publisher } else { Role::Subscriber };
                let properties = WebrtcProperties { role, ..WebrtcProperties::default() };
                if let Ok(connection) = self.session.ask(|answer| Command::AddWebrtc { properties, answer }).await {
                    self.tokens.push(token_of(&connection).into());
                }
            }
            Step::Join(n) => {
                let token = self.tokens.get(n).cloned().unwrap_or_default();
                self.join(&token, false).await;
            }
            Step::JoinBySecret => self.join("", true).await,
            Step::Camera(always) => {
                let properties = camera(!always);
                // an error means that the session has ended
                let _ = self.session.ask(|answer| Command::AddCamera { properties, answer }).await;
            }
            Step::Remove(n) => {
                if let Some(connection) = self.connection(n) {
                    let removed = self.session.ask(|answer| Command::RemoveConnection { connection, answer }).await;
                    assert_eq!(removed, Ok(()));
                }
            }
            Step::EndStream(n) => {
                if let Some(stream) = self.stream(n) {
                    let ended = self.session.ask(|answer| Command::EndStream { stream, answer }).await;
                    assert!(matches!(ended, Ok(()) | Err(Denied::CameraStream(_))), "{ended:?}");
                }
            }
            Step::Change(n, moderator) => {
                if let Some(connection) = self.connection(n) {
                    let role = if moderator { Role::Moderator } else { Role::Publisher };
                    let change = ConnectionChange { role: Some(role), record: None };
                    assert!(self.session.ask(|answer| Command::ChangeConnection { connection, change, answer }).await.is_ok());
                }
            }
            Step::Watch(n, token) => {
                let stream = self.stream(n).unwrap_or("str_CAM_none_con_none".into());
                let access = match token {
                    Some(token) => Access::Token(self.tokens.get(token).cloned().unwrap_or_default()),
                    None => Access::Secret,
                };
                let offer = if n.is_multiple_of(2) { String::new() } else { renditions::offer(&[Codec::H264]) };
                let (session, ip, platform) = (self.session.clone(), [192, 0, 2, 5].into(), String::new());
                self.watching.push(tokio::spawn(async move {
                    session.ask(|answer| Command::Watch { stream, offer, access, ip, platform, answer }).await
                }));
            }
            Step::Unwatch(n) => {
                if let Some(viewer) = self.viewers.get(n).copied() {
                    let _ = self.session.ask(|answer| Command::Unwatch { viewer, answer }).await;
                }
            }
            Step::Answer => self.house.answer_offer().await,
            Step::Refuse => self.house.refuse_offer(Refusal::Busy).await,
            Step::ClosePeer(n, by_peer) => {
                if let Some(peer) = self.house.peers.iter().nth(n).copied() {
                    let cause = if by_peer { Closed::ByPeer } else { Closed::IceLost };
                    self.house.close_peer(peer, cause).await;
                }
            }
            Step::Live(n, codec) => {
                let video = self.house.tracks.iter().filter(|(_, kind)| **kind == Kind::Video).map(|(track, _)| *track).nth(n);
                if let Some(track) = video {
                    self.house.say(engine::Event::TrackLive { track, format: Format { codec, profile_level_id: None } }).await;
                }
            }
            Step::Pass(ms) => self.house.pass(ms).await,
            step => self.client_step(step).await,
        }
        self.house.pump().await;
        self.check().await;
    }

    /// Who is here, as the world was told.
    fn told_to_be_here(&self) -> BTreeSet<ConnectionId> {
        let mut here = BTreeSet::new();
        for record in &self.told {
            match &**record {
                Record::ParticipantJoined(_, participant) => drop(here.insert(participant.connection.clone())),
                Record::ParticipantLeft(_, _, participant) => drop(here.remove(&participant.connection)),
                _ => {}
            }
        }
        here
    }

    async fn check(&mut self) {
        self.told.extend(self.house.ear.heard());
        let snapshot = self.session.snapshot();
        let active = snapshot.connections.iter().filter_map(|c| Some((c.id.clone(), c.active.as_ref()?.publisher.as_ref())));
        let seen: BTreeMap<_, _> = active.map(|(id, publisher)| (id, publisher.map(|info| info.stream.clone()))).collect();
        assert_eq!(self.told_to_be_here(), seen.keys().cloned().collect());
        let alive = self.house.registry.find(self.session.id()).is_ok();
        assert!(alive || seen.is_empty());
        assert_eq!(self.house.transcoders().len(), self.house.permits.len());
        for guest in &mut self.guests {
            guest.read();
            if !guest.attached {
                continue;
            }
            assert!(guest.open.values().all(|offer| *offer), "a request was not answered: {:?}", guest.open);
            assert_eq!(guest.client.is_closed(), guest.out);
            if guest.out {
                assert!(guest.open.is_empty() && !seen.contains_key(&guest.client.id()));
            } else {
                let mut told = guest.others.clone();
                let own = seen.get(&guest.client.id()).expect("a client that is in is seen").clone();
                told.insert(guest.client.id(), own);
                assert_eq!(told, seen);
            }
        }
        let (done, watching): (Vec<_>, Vec<_>) = self.watching.drain(..).partition(|w| w.is_finished());
        self.watching = watching;
        for done in done {
            self.viewers.extend(done.await.unwrap().ok().map(|watching| watching.viewer));
        }
    }

    async fn end(mut self) {
        self.house.pass(10_000).await;
        self.check().await;
        // who was given up after 10 s watched until then
        self.house.pass(5_000).await;
        let peers = self.house.peers.len();
        assert!(peers > 0 || self.house.transcoders().is_empty(), "nobody watches, and something is transcoded");
        assert!(self.guests.iter().all(|guest| guest.open.is_empty()), "an offer was not answered in time");
        assert!(self.watching.is_empty());
        self.house.registry.close_all(EndReason::OpenviduServerStopped).await;
        self.house.pump().await;
        self.check().await;
        assert!(self.house.is_empty_below() && self.session.snapshot().connections.is_empty());
        assert!(self.guests.iter().all(|guest| guest.out || !guest.attached));
        events::check(&self.told);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_always_holds(anchor in any::<bool>(), steps in proptest::collection::vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            let beginning = [Step::Token(true), Step::Token(true), Step::Token(false), Step::Token(true), Step::Join(0), Step::Join(1)];
            // without a camera that stays, most stories end with an early leave
            let anchor = anchor.then_some(Step::Camera(true));
            for step in beginning.into_iter().chain(anchor).chain(steps) {
                world.step(step).await;
            }
            world.end().await;
        });
    }
}
