//! The core in simulated time: a box, a network and str0m clients, without sockets and without waiting.
//!
//! [`World`] moves time in steps of a millisecond; datagrams arrive after [`LATENCY`]. The files beside this one are the claims.

mod beginning;
mod camera;
mod client;
mod offers;
mod publishing;
mod returning;
mod sinking;
mod sweeps;
mod transforming;
mod trouble;
mod viewing;
mod worker;

pub use camera::Camera;
pub use client::Client;
pub use worker::{Got, Worker};

use super::api::{Event, Publish, Refusal, Subscribe};
use super::batch::{Outcome, Run, Transmitter};
use super::capture::Moment;
use super::core::Core;
use super::outbox::Outbox;
use super::path::{Path, Protocol};
use super::settings::Settings;
use super::transport::Environment;
use crate::clock::Clock;
use crate::ids::{JobId, PeerId, SessionKey, TrackId};
use crate::rtp::{Codec, Kind};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant, UNIX_EPOCH};
use str0m::rtp::RtpPacket;
use tokio::sync::mpsc::{Receiver, channel};

pub const MS: Duration = Duration::from_millis(1);
/// One way.
pub const LATENCY: Duration = Duration::from_millis(3);
/// Where the box is.
pub const BOX: ([u8; 4], u16) = ([192, 0, 2, 1], 20_000);

pub fn peer(number: u32) -> PeerId {
    PeerId::new(SessionKey(1), number)
}

pub fn track(number: u32) -> TrackId {
    TrackId::new(SessionKey(1), number)
}

pub fn job(number: u32) -> JobId {
    JobId::new(SessionKey(1), number)
}

/// A datagram on its way.
pub struct Flying {
    pub at: Instant,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

/// A way from the box's first address to a client at `remote`.
pub fn path(remote: impl Into<SocketAddr>) -> Path {
    Path::udp(BOX.into(), remote.into())
}

type Sent = Rc<RefCell<Vec<(Path, Vec<u8>)>>>;

/// What the box sends, cut into datagrams as the kernel does.
struct Nic {
    sent: Sent,
    runs: Rc<RefCell<Vec<usize>>>,
    slow: Rc<Cell<Option<SocketAddr>>>,
}

impl Transmitter for Nic {
    fn longest_run(&self, _: &Path) -> usize {
        64
    }

    fn transmit(&mut self, run: &Run<'_>) -> Outcome {
        if run.path.protocol == Protocol::Tcp {
            // nobody is connected here
            return Outcome::Refused;
        }
        assert_eq!(run.path.local, SocketAddr::from(BOX));
        if self.slow.get() == Some(run.path.remote) && run.contents[0] >= 128 {
            return Outcome::Full;
        }
        self.runs.borrow_mut().push(run.datagrams);
        let datagrams = run.contents.chunks(run.segment).map(|bytes| (run.path, bytes.to_vec()));
        self.sent.borrow_mut().extend(datagrams);
        Outcome::Sent
    }
}

/// When the content of a packet was captured, on the wall clock of the sender reports before it, in s.
pub fn told(packet: &RtpPacket, rate: u32) -> Option<f64> {
    let report = packet.last_sender_info.as_ref()?;
    let wall = report.ntp_time.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let ticks = packet.header.timestamp.wrapping_sub(report.rtp_time.numer() as u32) as i32;
    Some(wall + f64::from(ticks) / f64::from(rate))
}

/// May a datagram pass?
pub type Filter = Box<dyn FnMut(&Flying) -> bool>;

/// What a client does, called each millisecond.
pub type Show = Box<dyn FnMut(&mut [Client], Instant)>;

pub struct World {
    pub core: Core,
    pub now: Instant,
    start: Instant,
    events: Receiver<Event>,
    pub seen: Vec<Event>,
    sent: Sent,
    /// Lengths of the runs that went out.
    pub runs: Rc<RefCell<Vec<usize>>>,
    /// Whose way is full: it is given no media.
    pub slow: Rc<Cell<Option<SocketAddr>>>,
    flying: VecDeque<Flying>,
    pub filter: Filter,
    pub clients: Vec<Client>,
    pub cameras: Vec<Camera>,
    /// What clients do each millisecond.
    pub shows: Vec<Show>,
    /// Key frames that workers were asked for, and when.
    pub asked: Vec<(Duration, JobId, u8)>,
}

impl World {
    pub fn new() -> World {
        World::with_public(vec![])
    }

    /// A world whose router forwards `public` to the box.
    pub fn with_public(public: Vec<IpAddr>) -> World {
        let start = Clock::System.now();
        let settings = Settings { candidates: vec![SocketAddr::from(BOX).ip()], public, ..Settings::default() };
        let (sender, events) = channel(64);
        let (sent, runs) = (Sent::default(), Rc::new(RefCell::new(Vec::new())));
        let slow = Rc::new(Cell::new(None));
        let nic = Nic { sent: sent.clone(), runs: runs.clone(), slow: slow.clone() };
        let environment = Environment::new(&settings, BOX.1).unwrap();
        let core = Core::new(environment, Box::new(nic), Outbox::new(sender));
        World {
            core,
            now: start,
            start,
            events,
            seen: vec![],
            sent,
            runs,
            slow,
            flying: VecDeque::new(),
            filter: Box::new(|_| true),
            clients: vec![],
            cameras: vec![],
            shows: vec![],
            asked: vec![],
        }
    }

    /// A camera with a video track and the job's feed.
    pub fn camera(&mut self, number: u32, keyframe_every: u32) -> TrackId {
        self.core.add_track(track(number), Kind::Video);
        self.core.attach_feed(job(number), &[(0, track(number))]);
        self.cameras.push(Camera::new(job(number), self.now, keyframe_every));
        track(number)
    }

    /// The same with sound; its track's number is 100 more.
    pub fn camera_with_sound(&mut self, number: u32, keyframe_every: u32, codec: Codec) -> (TrackId, TrackId) {
        let video = self.camera(number, keyframe_every);
        let audio = track(number + 100);
        self.core.add_track(audio, Kind::Audio);
        self.core.attach_feed(job(number), &[(0, video), (1, audio)]);
        self.cameras.last_mut().unwrap().sound = Some(codec);
        (audio, video)
    }

    /// A client that wants to watch; returns its index.
    pub fn viewer(&mut self, number: u32, audio: Option<TrackId>, video: Option<TrackId>) -> usize {
        self.watch(Client::viewer(peer(number), self.now), audio, video)
    }

    /// The same with a client of one's own.
    pub fn watch(&mut self, mut client: Client, audio: Option<TrackId>, video: Option<TrackId>) -> usize {
        let offer = client.offer();
        self.core.subscribe(Subscribe { peer: client.peer, offer, audio, video }, self.now);
        self.clients.push(client);
        self.answer();
        self.clients.len() - 1
    }

    /// A client that publishes; returns its index.
    pub fn publisher(&mut self, mut client: Client, publish: impl FnOnce(String) -> Publish) -> usize {
        let offer = client.offer();
        self.core.publish(publish(offer), self.now);
        self.clients.push(client);
        self.answer();
        self.clients.len() - 1
    }

    /// An offer that is refused; why.
    pub fn refused(&mut self, peer: PeerId) -> Refusal {
        self.collect();
        let refusal = self.seen.iter().find_map(|event| match event {
            Event::Refused { peer: p, refusal } if *p == peer => Some(refusal.clone()),
            _ => None,
        });
        refusal.expect("a refusal")
    }

    fn answer(&mut self) {
        self.collect();
        let client = self.clients.last_mut().unwrap();
        let sdp = self.seen.iter().rev().find_map(|event| match event {
            Event::Answered { peer, sdp } if *peer == client.peer => Some(sdp),
            _ => None,
        });
        client.answered(sdp.unwrap_or_else(|| panic!("no answer: {:?}", self.seen)));
    }

    pub fn collect(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.seen.push(event);
        }
    }

    /// A worker that is given tracks; `room` is the size of its socket in bytes.
    pub fn worker(&mut self, number: u32, room: usize) -> Worker {
        let worker = Worker::new(job(number), room);
        self.core.attach_sink(worker.job, worker.outlet(), self.moment());
        worker
    }

    /// Both readings of the clock that workers tell times in.
    pub fn moment(&self) -> Moment {
        Moment { now: self.now, monotonic_ns: (self.now - self.start).as_nanos() as u64 + 1_000_000_000 }
    }

    /// Goes on for `span`.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.step();
        }
    }

    /// Goes on until `done`, at most for `limit`; how long it took.
    pub fn until(&mut self, limit: Duration, mut done: impl FnMut(&World) -> bool) -> Duration {
        let begin = self.now;
        while !done(self) {
            assert!(self.now - begin < limit, "not within {limit:?}; events: {:?}", self.seen);
            self.step();
        }
        self.now - begin
    }

    /// Goes on for a millisecond.
    fn step(&mut self) {
        self.now += MS;
        let now = self.now;
        while self.flying.front().is_some_and(|f| f.at <= now) {
            let Some(flying) = self.flying.pop_front() else { break };
            if !(self.filter)(&flying) {
                continue;
            }
            if flying.to == SocketAddr::from(BOX) {
                self.core.datagram(Path::udp(flying.to, flying.from), &flying.bytes, now);
            } else if let Some(client) = self.clients.iter_mut().find(|c| c.seen_as == flying.to) {
                client.receive(flying.from, &flying.bytes, now);
            }
        }
        let moment = self.moment();
        for camera in &mut self.cameras {
            let job = camera.job;
            camera.shoot(moment).iter().for_each(|message| self.core.message(job, message, moment));
        }
        self.core.forward(now);
        if self.core.deadline().is_some_and(|at| at <= now) {
            self.core.timeout(now);
        }
        self.core.flush();
        for (job, slot) in self.core.take_requests() {
            self.asked.push((now - self.start, job, slot));
        }
        self.collect();
        self.core.deliver();
        for (path, bytes) in self.sent.borrow_mut().drain(..) {
            self.flying.push_back(Flying { at: now + LATENCY, from: path.local, to: path.remote, bytes });
        }
        self.shows.iter_mut().for_each(|show| show(&mut self.clients, now));
        for client in &mut self.clients {
            let from = client.seen_as;
            for (to, bytes) in client.poll(now) {
                self.flying.push_back(Flying { at: now + LATENCY, from, to, bytes });
            }
        }
    }

    pub fn connected(&self, number: u32) -> bool {
        self.seen.iter().any(|e| matches!(e, Event::Connected { peer: p } if *p == peer(number)))
    }

    pub fn closed(&self, number: u32) -> Option<super::api::Closed> {
        self.seen.iter().find_map(|e| match e {
            Event::Closed { peer: p, cause } if *p == peer(number) => Some(*cause),
            _ => None,
        })
    }
}
