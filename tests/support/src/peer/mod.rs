//! A WebRTC client in a thread of its own: makes an offer, takes the answer, then watches or publishes until it is dropped.
//!
//! The same peer serves WHEP and signaling: both carry an offer one way and an answer back. [`core`] is the client without a
//! thread, for whoever runs many of them; [`feed`] sends clips; [`link`] is its way to the box; [`record`] is what a test may
//! look at.

pub mod core;
pub mod feed;
pub mod link;
pub mod record;

use self::core::Core;
use crate::material::Media;
use record::Record;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use str0m::media::{Direction, MediaKind};

/// How a peer loses packets on purpose: every `n`th RTP packet, 0 = none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Loss {
    pub incoming: u32,
    pub outgoing: u32,
}

/// How a peer reaches the box, and from which address of its machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    Udp(IpAddr),
    /// Only over TCP: it connects to the first TCP candidate of the answer that it reaches.
    Tcp(IpAddr),
}

impl Access {
    fn ip(self) -> IpAddr {
        match self {
            Access::Udp(ip) | Access::Tcp(ip) => ip,
        }
    }
}

impl Default for Access {
    fn default() -> Access {
        Access::Udp(Ipv4Addr::LOCALHOST.into())
    }
}

/// What a peer wants to do.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The m-lines of the offer.
    pub lines: Vec<(MediaKind, Direction)>,
    /// What is sent on the first sending line of each kind.
    pub clips: Vec<Media>,
    /// Video codecs to offer.
    pub video: Vec<Media>,
    pub access: Access,
}

impl Wish {
    /// Receive only.
    pub fn watch(audio: bool, video: bool) -> Wish {
        let kinds = [(audio, MediaKind::Audio), (video, MediaKind::Video)];
        let lines = kinds.into_iter().filter(|(wanted, _)| *wanted).map(|(_, kind)| (kind, Direction::RecvOnly)).collect();
        Wish { lines, clips: vec![], video: vec![Media::Vp8, Media::H264], access: Access::default() }
    }

    /// Send these clips, one m-line each, offering no other video codec.
    pub fn publish(clips: &[Media]) -> Wish {
        let lines = clips.iter().map(|media| (kind(*media), Direction::SendOnly)).collect();
        let video = clips.iter().copied().filter(|media| *media != Media::Opus).collect();
        Wish { lines, clips: clips.to_vec(), video, access: Access::default() }
    }

    /// The same by another way.
    pub fn over(mut self, access: Access) -> Wish {
        self.access = access;
        self
    }

    /// The offer of the 2.18 client: the lines with tracks sendrecv, then as many without a track.
    pub fn publish_2_18(clips: &[Media]) -> Wish {
        let mut wish = Wish::publish(clips);
        let surplus = wish.lines.clone();
        wish.lines.iter_mut().for_each(|line| line.1 = Direction::SendRecv);
        wish.lines.extend(surplus);
        wish
    }

    /// Publish and see the own stream come back (`doLoopback`).
    pub fn publish_with_loopback(clips: &[Media]) -> Wish {
        let mut wish = Wish::publish(clips);
        wish.lines.iter_mut().for_each(|line| line.1 = Direction::SendRecv);
        wish
    }
}

fn kind(media: Media) -> MediaKind {
    match media {
        Media::Opus => MediaKind::Audio,
        Media::Vp8 | Media::H264 => MediaKind::Video,
    }
}

enum Order {
    Answer(String),
    Loss(Loss),
    Freeze(bool),
    WithoutDtls,
    Keyframe,
    Move(IpAddr),
}

/// A peer at work. Dropping it closes the transport.
#[derive(Debug)]
pub struct Peer {
    offer: String,
    record: Arc<Mutex<Record>>,
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

/// Orders that may wait for the thread.
const ORDERS: usize = 16;
/// How soon the thread hears an order at the latest.
const TICK: Duration = Duration::from_millis(5);

impl Peer {
    /// A viewer of the kinds asked for.
    pub fn viewer(audio: bool, video: bool) -> Peer {
        Peer::new(&Wish::watch(audio, video))
    }

    /// A publisher of these clips.
    pub fn publisher(clips: &[Media]) -> Peer {
        Peer::new(&Wish::publish(clips))
    }

    /// A peer that wants `wish`.
    pub fn new(wish: &Wish) -> Peer {
        let (core, offer) = Core::new(wish, Instant::now()).expect("a local socket and an offer");
        let record = core.record();
        let (orders, inbox) = sync_channel(ORDERS);
        let thread = std::thread::Builder::new().name("peer".into()).spawn(move || run(core, &inbox)).expect("a thread");
        Peer { offer, record, orders: Some(orders), thread: Some(thread) }
    }

    /// The offer as SDP.
    pub fn offer(&self) -> &str {
        &self.offer
    }

    /// Starts the clock of [`Record::join_time`].
    pub fn mark_offered(&mut self) {
        self.lock().offered = Some(Instant::now());
    }

    /// Hands over the answer; the transport comes up by itself.
    pub fn answer(&self, sdp: &str) {
        self.order(Order::Answer(sdp.to_owned()));
    }

    /// Loses packets from now on.
    pub fn lose(&self, loss: Loss) {
        self.order(Order::Loss(loss));
    }

    /// Stops doing anything at all (true), or goes on.
    pub fn freeze(&self, frozen: bool) {
        self.order(Order::Freeze(frozen));
    }

    /// Goes on from another socket at `ip`, as after a router forgot it; the other side is told nothing.
    pub fn move_to(&self, ip: IpAddr) {
        self.order(Order::Move(ip));
    }

    /// Never begins a DTLS handshake, though its checks succeed. To be said before the answer.
    pub fn without_dtls(&self) {
        self.order(Order::WithoutDtls);
    }

    /// Asks for a keyframe (PLI).
    pub fn request_keyframe(&self) {
        self.order(Order::Keyframe);
    }

    /// What it has seen so far: a copy.
    pub fn look(&self) -> Record {
        self.lock().clone()
    }

    /// Waits until `wanted` holds. Panics with the counters after `span`.
    pub async fn wait_until(&self, what: &str, span: Duration, wanted: impl Fn(&Record) -> bool) {
        self.wait_for(what, span, |record| wanted(record).then_some(())).await;
    }

    /// Waits until `wanted` finds something. Panics with the counters after `span`.
    pub async fn wait_for<T>(&self, what: &str, span: Duration, wanted: impl Fn(&Record) -> Option<T>) -> T {
        let deadline = Instant::now() + span;
        loop {
            if let Some(found) = wanted(&self.lock()) {
                return found;
            }
            if Instant::now() >= deadline {
                let summary = self.lock().summary();
                panic!("not within {span:?}: {what}; {summary}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        record::lock(&self.record)
    }

    fn order(&self, order: Order) {
        let orders = self.orders.as_ref().expect("present until dropped");
        orders.send(order).expect("the peer's thread did not panic");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // a panic in there has failed the test already, or will when it looks
            let _ = thread.join();
        }
    }
}

fn run(mut core: Core, inbox: &Receiver<Order>) {
    let mut frozen = false;
    loop {
        let now = Instant::now();
        match inbox.try_recv() {
            Ok(Order::Answer(sdp)) => core.answer(&sdp, now),
            Ok(Order::Loss(loss)) => core.lose(loss),
            Ok(Order::Freeze(on)) => frozen = on,
            Ok(Order::WithoutDtls) => core.without_dtls(),
            Ok(Order::Keyframe) => core.request_keyframe(now),
            Ok(Order::Move(ip)) => core.move_to(ip),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return core.close(),
        }
        if frozen {
            std::thread::sleep(TICK);
        } else {
            core.turn(now);
            wait_readable(&[core.as_raw_fd()], core.due().saturating_duration_since(Instant::now()).min(TICK));
        }
    }
}

/// Waits until one of the sockets has something, or `span` is over.
pub fn wait_readable(sockets: &[i32], span: Duration) {
    let mut polls: Vec<libc::pollfd> = sockets.iter().map(|fd| libc::pollfd { fd: *fd, events: libc::POLLIN, revents: 0 }).collect();
    // rounded up: a wait of 0 ms before a deadline would be a busy loop
    let ms = span.as_micros().div_ceil(1000) as i32;
    // SAFETY: the array is valid and as long as said; an interrupted wait is a short wait
    unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, ms) };
}
