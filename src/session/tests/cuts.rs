//! Networks that break at random, for 0 to 60 s, against a model that knows only the clock: who is back within the grace time goes
//! on as if nothing had happened, who is not is gone, and each client hears each thing exactly once, in one order for all.
//!
//! A cut is seen by the box at once (the socket closes), or not before pings have stayed away for [`SILENCE`] (a cable is pulled):
//! until then it writes to a socket that nobody reads.

use super::*;
use proptest::prelude::*;

const GRACE: u64 = 10_000;
/// Three pings of 5 s each.
const SILENCE: u64 = 15_000;
const CLIENTS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Publish(usize),
    Unpublish(usize),
    Subscribe(usize, usize),
    /// Of its own stream.
    Reconnect(usize),
    Signal(usize),
    Leave(usize),
    /// The media of a publisher comes up.
    Connected(usize),
    Cut {
        who: usize,
        ms: u64,
        silent: bool,
    },
    /// The engine answers an offer.
    Answer,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..CLIENTS;
    let span = prop_oneof![4 => 0u64..60_000, 1 => GRACE - 2..GRACE + 3, 1 => SILENCE + GRACE - 2..SILENCE + GRACE + 3, 1 => 0u64..50];
    prop_oneof![
        3 => who().prop_map(Step::Publish),
        1 => who().prop_map(Step::Unpublish),
        3 => (who(), who()).prop_map(|(who, stream)| Step::Subscribe(who, stream)),
        1 => who().prop_map(Step::Reconnect),
        4 => who().prop_map(Step::Signal),
        1 => (0usize..20).prop_map(Step::Leave),
        1 => who().prop_map(Step::Connected),
        5 => (who(), span, any::<bool>()).prop_map(|(who, ms, silent)| Step::Cut { who, ms, silent }),
        5 => Just(Step::Answer),
        6 => (0u64..8_000).prop_map(Step::Pass),
    ]
}

/// What clients hear.
#[derive(Clone, PartialEq, Debug)]
enum Told {
    Published(ConnectionId),
    Unpublished(ConnectionId),
    Left(ConnectionId, EndReason),
    Signal(String),
}

fn told(notice: Notice) -> Told {
    match notice {
        Notice::ParticipantPublished { connection, .. } => Told::Published(connection),
        Notice::ParticipantUnpublished { connection, .. } => Told::Unpublished(connection),
        Notice::ParticipantLeft { connection, reason } => Told::Left(connection, reason),
        Notice::Signal { data, .. } => Told::Signal(data.unwrap()),
        other => panic!("{other:?}"),
    }
}

/// Times in ms since the story began.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    Here,
    /// Its network is broken until `back`. The box sees it at `seen` (none: it has) and gives it up at `gone`, unless it is back
    /// before.
    Cut {
        back: u64,
        seen: Option<u64>,
        gone: u64,
    },
    /// It was given up and does not know yet.
    Lost {
        back: u64,
    },
    Out,
}

struct Guest {
    client: Client,
    place: Place,
    live: bool,
    /// The socket over which it was told that it is live, until it shows that it heard it, and the transport of that.
    unheard: Option<(SocketId, PeerId)>,
    heard: Vec<Told>,
}

struct World {
    house: House,
    session: SessionHandle,
    guests: Vec<Guest>,
    now: u64,
    /// All that was ever told, and to all but whom.
    told: Vec<(Option<ConnectionId>, Told)>,
    /// Offers to publish that the engine has not answered, and whose.
    offers: Vec<(PeerId, usize)>,
    signals: u32,
}

impl World {
    async fn new() -> World {
        let mut house = House::new();
        let session = house.session();
        // keeps the session when all are gone
        house.camera(&session, false).await;
        house.manner = Manner::Wait;
        let mut guests = Vec::new();
        for _ in 0..CLIENTS {
            let client = house.join(&session, Role::Publisher).await;
            guests.push(Guest { client, place: Place::Here, live: false, unheard: None, heard: vec![] });
        }
        guests.iter_mut().for_each(|guest| drop(guest.client.notices()));
        World { house, session, guests, now: 0, told: vec![], offers: vec![], signals: 0 }
    }

    fn tell_others(&mut self, who: usize, told: impl FnOnce(ConnectionId) -> Told) {
        let id = self.guests[who].client.id();
        self.told.push((Some(id.clone()), told(id)));
    }

    /// Sends a request; true if it is an offer that the engine now has.
    async fn request(&mut self, who: usize, call: Call) -> bool {
        let before = self.house.offers.len();
        self.guests[who].client.start(call).await;
        self.house.pump().await;
        self.house.offers.len() > before
    }

    fn stream_of(&self, who: usize) -> StreamId {
        let (snapshot, id) = (self.session.snapshot(), self.guests[who].client.id());
        let connection = snapshot.connections.iter().find(|c| c.id == id);
        let publisher = connection.and_then(|c| c.active.as_ref()?.publisher.as_ref());
        publisher.map_or("str_CAM_none_con_none".into(), |info| info.stream.clone())
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Answer => self.answer().await,
            Step::Pass(ms) => self.pass(ms).await,
            Step::Publish(who) | Step::Unpublish(who) | Step::Subscribe(who, _) | Step::Reconnect(who) | Step::Signal(who)
                if self.guests[who].place != Place::Here => {}
            Step::Connected(who) => {
                let guest = &mut self.guests[who];
                if let Some((_, peer)) = guest.unheard.take_if(|_| guest.live)
                    && self.house.peers.contains(&peer)
                {
                    self.house.say(engine::Event::Connected { peer }).await;
                    self.house.pump().await;
                }
            }
            Step::Publish(who) => {
                let guest = &self.guests[who];
                // only what it does not know of may be published again
                let unknown = guest.live && guest.unheard.is_some_and(|(socket, _)| socket != guest.client.socket);
                let (live, offered) = (guest.live, self.house.published.len());
                self.request(who, Call::Publish(publish_call())).await;
                if self.house.published.len() > offered {
                    self.offers.push((*self.house.offers.back().unwrap(), who));
                    assert!(!live || unknown, "it is live and knows it");
                    if std::mem::take(&mut self.guests[who].live) {
                        self.tell_others(who, Told::Unpublished);
                    }
                } else {
                    assert!(!unknown, "refused because of a stream it does not know of");
                }
            }
            Step::Unpublish(who) => {
                self.request(who, Call::Unpublish).await;
                if std::mem::take(&mut self.guests[who].live) {
                    self.tell_others(who, Told::Unpublished);
                }
            }
            Step::Subscribe(who, of) => {
                let call = subscribe(&self.stream_of(of));
                self.request(who, call).await;
            }
            Step::Reconnect(who) => {
                let call = Call::Reconnect { stream: self.stream_of(who), offer: String::new() };
                if self.request(who, call).await {
                    self.guests[who].unheard = None;
                }
            }
            Step::Signal(who) => {
                self.signals += 1;
                let data = self.signals.to_string();
                self.request(who, Call::Signal { to: vec![], kind: None, data: Some(data.clone()) }).await;
                self.told.push((None, Told::Signal(data)));
            }
            Step::Leave(who) => {
                if self.guests.get(who).is_some_and(|guest| guest.place == Place::Here) {
                    self.request(who, Call::Leave).await;
                    self.tell_others(who, |id| Told::Left(id, EndReason::Disconnect));
                    self.guests[who].place = Place::Out;
                }
            }
            Step::Cut { who, ms, silent } => self.cut(who, ms, silent).await,
        }
        self.check();
    }

    async fn cut(&mut self, who: usize, ms: u64, silent: bool) {
        if self.guests[who].place != Place::Here {
            return;
        }
        // of those who go in the same instant any may be the first
        let lasts = GRACE + if silent { SILENCE } else { 0 };
        while self.guests.iter().any(|guest| matches!(guest.place, Place::Cut { gone, .. } if gone == self.now + lasts)) {
            self.pass(1).await;
        }
        let seen = silent.then_some(self.now + SILENCE);
        self.guests[who].place = Place::Cut { back: self.now + ms, seen, gone: self.now + lasts };
        if !silent {
            self.guests[who].client.detach(&mut self.house).await;
        }
    }

    async fn answer(&mut self) {
        let Some(peer) = self.house.offers.front().copied() else { return };
        self.house.answer_offer().await;
        self.house.pump().await;
        if let Some((_, who)) = self.offers.iter().find(|(offer, _)| *offer == peer).copied() {
            self.guests[who].live = true;
            self.guests[who].unheard = Some((self.guests[who].client.socket, peer));
            self.tell_others(who, Told::Published);
        }
    }

    /// Time passes, from one thing that the model expects to the next.
    async fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            let next = (0..CLIENTS).filter_map(|who| self.due(who)).min().unwrap_or(end).min(end);
            self.house.pass(next - self.now).await;
            self.now = next;
            match (0..CLIENTS).find(|who| self.due(*who).is_some_and(|at| at <= next)) {
                Some(who) => self.happen(who).await,
                None if next == end => return,
                None => self.check(),
            }
        }
    }

    /// When something happens to a guest, at the earliest.
    fn due(&self, who: usize) -> Option<u64> {
        match self.guests[who].place {
            Place::Here | Place::Out => None,
            Place::Cut { back, seen, gone } => Some(back.min(gone).min(seen.unwrap_or(u64::MAX))),
            Place::Lost { back } => Some(back),
        }
    }

    async fn happen(&mut self, who: usize) {
        let (now, guest) = (self.now, &mut self.guests[who]);
        match guest.place {
            Place::Here | Place::Out => {}
            // the grace time ends before whoever comes in the same instant
            Place::Cut { back, gone, .. } if gone <= now => {
                guest.place = Place::Lost { back };
                guest.live = false;
                self.tell_others(who, |id| Told::Left(id, EndReason::NetworkDisconnect));
            }
            Place::Cut { back, seen, .. } if back <= now => {
                let (connection, socket) = (guest.client.id(), guest.client.socket);
                let rejoined = Reply::Rejoined { connection: guest.client.id(), rpc: guest.client.joined.rpc.clone() };
                assert_eq!(guest.client.rejoin(&mut self.house).await, Ok(rejoined));
                guest.place = Place::Here;
                if seen.is_some() {
                    // the end of the old socket is late news
                    let _ = self.session.send(Command::Detached { connection, socket }).await;
                    self.house.pump().await;
                }
            }
            Place::Cut { back, gone, .. } => {
                guest.place = Place::Cut { back, seen: None, gone };
                guest.client.detach(&mut self.house).await;
            }
            Place::Lost { .. } => {
                assert_eq!(guest.client.rejoin(&mut self.house).await, Err(Denied::UnknownClient));
                guest.place = Place::Out;
            }
        }
    }

    /// Whoever is here has heard everything, once and in order, and is in the session; whoever is lost or out is not.
    fn check(&mut self) {
        let snapshot = self.session.snapshot();
        for guest in &mut self.guests {
            let id = guest.client.id();
            let inside = matches!(guest.place, Place::Here | Place::Cut { .. });
            assert_eq!(snapshot.connections.iter().any(|c| c.id == id), inside, "{id} {:?}", guest.place);
            if guest.place == Place::Here {
                guest.heard.extend(guest.client.notices().into_iter().map(told));
                let meant = self.told.iter().filter(|(but, _)| but.as_ref() != Some(&id)).map(|(_, told)| told);
                assert!(guest.heard.iter().eq(meant.clone()), "{id} heard {:?} of {:?}", guest.heard, meant.collect::<Vec<_>>());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn each_cut_is_survived_or_ends_a_participant_and_nothing_is_missed(steps in proptest::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in steps {
                world.step(step).await;
            }
            // all cuts are over by then
            world.pass(70_000).await;
            assert!(world.guests.iter().all(|guest| matches!(guest.place, Place::Here | Place::Out)));
            world.house.registry.close_all(EndReason::OpenviduServerStopped).await;
            world.house.pump().await;
            assert!(world.house.is_empty_below());
        });
    }
}
