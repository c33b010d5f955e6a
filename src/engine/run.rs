//! The shell around the core: one thread that waits for sockets, commands and timers, and hands everything on. No rule of
//! media stands here.
//!
//! A turn of the loop: wait; read what is ready, in batches, forwarding after each; serve commands; wake who is due; send. The
//! thread ends when its [`Running`] is stopped or dropped.

use super::api::{Command, Event, Handle, Stats};
use super::capture::Moment;
use super::core::{Core, Worth};
use super::intake::{Intake, Read};
use super::outbox::Outbox;
use super::outlet::SocketOutlet;
use super::settings::Settings;
use super::sockets::{Buffers, Network, Port};
use super::tcp::{self, Tcp};
use super::transport::Environment;
use crate::clock::{Clock, monotonic_ns};
use crate::ids::JobId;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;

/// Tokens of the poll set: the sockets of the port from 0, the listeners of the same port for TCP, then these. Tokens are never
/// used twice.
const WAKE: u64 = 8;
const FIRST_FEED: u64 = 16;
const FIRST_CONNECTION: u64 = 1 << 32;
/// Ports tried when any will do: one may be free for UDP and taken for TCP.
const TRIES: usize = 32;
/// Longest wait for nothing.
const IDLE: Duration = Duration::from_millis(500);
/// Wait while events do not fit their channel.
const RETRY: Duration = Duration::from_millis(10);
/// Batches read from one socket, and commands served, before others have their turn.
const BATCHES: usize = 16;
const COMMANDS: usize = 256;

/// The media thread, from outside.
pub struct Running {
    /// Says commands.
    pub handle: Handle,
    /// The bound UDP sockets: IPv4 first, then IPv6 where there is one. The same port everywhere, for TCP too.
    pub local: Vec<SocketAddr>,
    stop: Arc<AtomicBool>,
    wake: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
    dead: tokio::sync::oneshot::Receiver<()>,
}

/// Binds the port and starts the media thread. Events go to `events`; a full channel delays them.
///
/// # Errors
/// The port is busy, or the system gives no socket or thread.
pub fn start(settings: Settings, clock: Clock, events: Sender<Event>) -> io::Result<Running> {
    let (ports, listeners) = bind(settings.port)?;
    let local: Vec<SocketAddr> = ports.iter().map(|port| port.local()).collect();
    let (handle, commands, wake) = Handle::channel()?;
    let stop = Arc::new(AtomicBool::new(false));
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for (token, port) in ports.iter().enumerate() {
        epoll.add(port, EpollEvent::new(EpollFlags::EPOLLIN, token as u64))?;
    }
    for (index, listener) in listeners.iter().enumerate() {
        epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, tcp::LISTENERS + index as u64))?;
    }
    epoll.add(&*wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
    let environment = Environment::new(&settings, local[0].port()).map_err(io::Error::other)?;
    let (stopped, woken) = (stop.clone(), wake.clone());
    let (alive, dead) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("media".into()).spawn(move || {
        let _alive: tokio::sync::oneshot::Sender<()> = alive;
        let epoll = Rc::new(epoll);
        let tcp = Rc::new(RefCell::new(Tcp::new(listeners, epoll.clone(), FIRST_CONNECTION)));
        let network = match Network::new(&ports, tcp.clone()) {
            Ok(network) => network,
            Err(error) => return tracing::error!(%error, "the media port cannot be used"),
        };
        let core = Core::new(environment, Box::new(network), Outbox::new(events));
        let intake = Intake::new(FIRST_FEED);
        Shell { core, ports, tcp, epoll, intake, commands, wake: woken, stop: stopped, clock, buffers: Buffers::default() }.run();
    })?;
    Ok(Running { handle, local, stop, wake, thread: Some(thread), dead })
}

/// The port for UDP and TCP, both families.
fn bind(port: u16) -> io::Result<(Vec<Arc<Port>>, Vec<TcpListener>)> {
    let mut tries = if port == 0 { TRIES } else { 1 };
    loop {
        tries -= 1;
        let udp = Port::bind(port)?;
        match tcp::listen(udp[0].local().port()) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
            listeners => return Ok((udp, listeners?)),
        }
    }
}

impl Running {
    /// Closes all transports, ends the thread and waits for its end: some milliseconds.
    pub fn stop(mut self) {
        self.end();
    }

    /// Resolves when the thread has ended, which it does by itself only when it panics. Nothing can take its place: its
    /// transports, tracks and sockets are gone.
    pub async fn ended(&mut self) {
        // nobody sends: the thread's end drops the sender
        let _ = (&mut self.dead).await;
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.wake.write(1);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the media thread had panicked");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// The thread's side.
struct Shell {
    core: Core,
    ports: Vec<Arc<Port>>,
    tcp: Rc<RefCell<Tcp>>,
    epoll: Rc<Epoll>,
    intake: Intake,
    commands: Receiver<Command>,
    wake: Arc<EventFd>,
    stop: Arc<AtomicBool>,
    clock: Clock,
    buffers: Buffers,
}

impl Shell {
    fn run(mut self) {
        let mut ready = [EpollEvent::empty(); 64];
        let mut wait = Duration::ZERO;
        while !self.stop.load(Ordering::Acquire) {
            let count = self.epoll.wait(&mut ready, milliseconds(wait)).unwrap_or(0);
            for event in &ready[..count] {
                self.serve(event.data());
            }
            wait = self.end_turn();
        }
        self.core.shut_down(self.clock.now());
        self.core.deliver();
    }

    fn serve(&mut self, token: u64) {
        match token {
            WAKE => self.serve_commands(),
            FIRST_CONNECTION.. => self.serve_connection(token),
            FIRST_FEED.. => {
                if let Some(job) = self.intake.job(token) {
                    self.read_feed(job);
                }
            }
            tcp::LISTENERS.. => {
                let now = self.clock.now();
                self.tcp.borrow_mut().accept((token - tcp::LISTENERS) as usize, now);
            }
            _ => {
                if let Some(port) = self.ports.get(token as usize).cloned() {
                    self.read_port(&port);
                }
            }
        }
    }

    /// Wakes who is due, sends what has gathered; how long to wait for the next turn.
    fn end_turn(&mut self) -> Duration {
        let now = self.clock.now();
        self.core.timeout(now);
        self.core.flush();
        self.tcp.borrow_mut().tend(now);
        for (job, slot) in self.core.take_requests() {
            self.intake.request_keyframe(job, slot);
        }
        let longest = if self.core.deliver() { IDLE } else { RETRY };
        self.core.deadline().map_or(longest, |at| at.saturating_duration_since(now).min(longest))
    }

    fn read_port(&mut self, port: &Port) {
        for _ in 0..BATCHES {
            let now = self.clock.now();
            let core = &mut self.core;
            let more = port.receive(&mut self.buffers, |path, datagram| {
                core.datagram(path, datagram, now);
            });
            self.forward(now);
            match more {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "the media port cannot be read");
                    return;
                }
            }
        }
    }

    /// A TCP connection can be read or written. The core answers through the connections, so none is borrowed meanwhile.
    fn serve_connection(&mut self, token: u64) {
        let now = self.clock.now();
        if let Some(path) = { self.tcp.borrow_mut().write(token) } {
            self.core.relieved(path, now);
        }
        let Some((path, frames)) = ({ self.tcp.borrow_mut().read(token) }) else { return };
        for frame in frames {
            let worth = self.core.datagram(path, &frame, now);
            self.tcp.borrow_mut().judge(token, worth != Worth::Nothing, worth == Worth::Proof, now);
        }
        self.forward(now);
    }

    fn read_feed(&mut self, job: JobId) {
        let moment = Moment { now: self.clock.now(), monotonic_ns: monotonic_ns() };
        let core = &mut self.core;
        let read = self.intake.read(job, |message| core.message(job, message, moment));
        self.forward(moment.now);
        // a socket whose other end is gone stays readable for ever; its job detaches it in its own time
        if let (Read::Closed, Some(socket)) = (read, self.intake.socket(job)) {
            let _ = self.epoll.delete(socket);
        }
    }

    fn forward(&mut self, now: Instant) {
        self.core.forward(now);
        self.core.flush();
    }

    fn serve_commands(&mut self) {
        let _ = self.wake.read();
        for _ in 0..COMMANDS {
            let Ok(command) = self.commands.try_recv() else { return };
            self.command(command);
        }
        // the rest in the next turn
        let _ = self.wake.write(1);
    }

    fn command(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::AddTrack { track, kind } => self.core.add_track(track, kind),
            Command::RemoveTrack { track } => self.core.remove_track(track),
            Command::Publish(publish) => self.core.publish(publish, now),
            Command::Subscribe(subscribe) => self.core.subscribe(subscribe, now),
            Command::Candidate { peer, candidate } => self.core.candidate(peer, candidate, now),
            Command::RemovePeer { peer } => self.core.remove_peer(peer, now),
            Command::AttachFeed { job, socket, slots } => {
                self.attach(job, socket);
                self.core.attach_feed(job, &slots);
            }
            Command::AttachSink { job, socket } => {
                let socket = self.attach(job, socket);
                self.core.attach_sink(job, Box::new(SocketOutlet(socket)), tie(self.clock));
            }
            Command::AddSlot { job, slot, track } => self.core.add_slot(job, slot, track, now),
            Command::RemoveSlot { job, slot } => self.core.remove_slot(job, slot),
            #[cfg(test)]
            Command::Panic => panic!("a bug"),
            Command::Addresses { own } => self.core.set_addresses(&own),
            Command::AttachTransform { job, socket, slots } => {
                let socket = self.attach(job, socket);
                self.core.attach_sink(job, Box::new(SocketOutlet(socket)), tie(self.clock));
                self.core.attach_feed(job, &slots);
            }
            Command::DetachFeed { job } | Command::DetachSink { job } | Command::DetachTransform { job } => self.detach(job),
            Command::Retune { peer, from, to } => self.core.retune(peer, from, to, now),
            Command::Report { peers, reply } => {
                // whoever asked may have gone
                let _ = reply.send(self.core.reports(&peers));
            }
            Command::Stats { reply } => {
                // whoever asked may have gone
                let _ = reply.send(self.stats());
            }
        }
    }

    fn stats(&self) -> Stats {
        let tcp = self.tcp.borrow().counters();
        Stats {
            requests_refused: self.intake.refused,
            tcp_connections: tcp.open,
            tcp_refused: tcp.refused,
            tcp_dropped: tcp.dropped,
            ..self.core.stats()
        }
    }

    /// Takes a job's socket in the place of the one it had.
    fn attach(&mut self, job: JobId, socket: OwnedFd) -> Rc<OwnedFd> {
        self.detach(job);
        let socket = Rc::new(socket);
        let token = self.intake.attach(job, socket.clone());
        if let Err(error) = self.epoll.add(&*socket, EpollEvent::new(EpollFlags::EPOLLIN, token)) {
            tracing::error!(?job, %error, "a worker's media socket cannot be polled");
        }
        socket
    }

    fn detach(&mut self, job: JobId) {
        if let Some(socket) = self.intake.detach(job) {
            let _ = self.epoll.delete(&*socket);
            self.core.detach_feed(job);
            self.core.detach_sink(job);
        }
    }
}

/// Both readings of the clock at one moment: the closest pair of some. A capture time made from it is never too late.
fn tie(clock: Clock) -> Moment {
    let pairs = (0..8).map(|_| {
        let (before, now) = (monotonic_ns(), clock.now());
        (monotonic_ns() - before, Moment { now, monotonic_ns: before })
    });
    pairs.min_by_key(|(apart, _)| *apart).map(|(_, moment)| moment).expect("eight pairs were made")
}

/// Rounded up: waking before a deadline would only mean another turn.
fn milliseconds(wait: Duration) -> EpollTimeout {
    let ms = wait.as_micros().div_ceil(1000).min(IDLE.as_millis());
    EpollTimeout::try_from(ms as i32).unwrap_or(EpollTimeout::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::api::Subscribe;
    use crate::engine::simulation::{Camera, Client, MS, job, peer, track};
    use crate::rtp::{Header, Kind};
    use crate::wire::media::{MAX_MESSAGE, Message, pair};
    use nix::sys::socket::{MsgFlags, recv, send};
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;
    use str0m::media::{Direction, MediaKind};
    use tokio::sync::mpsc::{Receiver, channel};

    const LIMIT: Duration = Duration::from_secs(20);

    struct Rig {
        running: Running,
        events: Receiver<Event>,
        worker: OwnedFd,
        camera: Camera,
        socket: UdpSocket,
        client: Client,
    }

    /// The thread with a camera's feed, and a viewer on a real socket.
    fn rig() -> Rig {
        let (sender, events) = channel(16);
        let settings = Settings { candidates: vec![[127, 0, 0, 1].into()], ..Settings::default() };
        let running = start(settings, Clock::System, sender).unwrap();
        let (daemon, worker) = pair().unwrap();
        let say = |command| running.handle.send(command).unwrap();
        say(Command::AddTrack { track: track(1), kind: Kind::Video });
        say(Command::AttachFeed { job: job(1), socket: daemon, slots: vec![(0, track(1))] });
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(MS)).unwrap();
        let now = Clock::System.now();
        let lines = [(MediaKind::Video, Direction::RecvOnly)];
        let mut client = Client::at(socket.local_addr().unwrap(), peer(1), now, &lines, Client::codecs());
        let offer = client.offer();
        say(Command::Subscribe(Subscribe { peer: peer(1), offer, audio: None, video: Some(track(1)) }));
        Rig { camera: Camera::new(job(1), now, 25), running, events, worker, socket, client }
    }

    impl Rig {
        /// Lets camera and client go on until `done`.
        fn until(&mut self, mut done: impl FnMut(&mut Rig) -> bool) {
            let begin = Clock::System.now();
            while !done(self) {
                let now = Clock::System.now();
                assert!(now - begin < LIMIT, "not in time: {} packets", self.client.got.len());
                for message in self.camera.shoot(Moment { now, monotonic_ns: monotonic_ns() }) {
                    send(self.worker.as_raw_fd(), &message, MsgFlags::MSG_DONTWAIT).unwrap();
                }
                let mut buffer = [0; 2000];
                while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
                    self.client.receive(from, &buffer[..length], Clock::System.now());
                }
                for (to, bytes) in self.client.poll(Clock::System.now()) {
                    self.socket.send_to(&bytes, to).unwrap();
                }
            }
        }

        fn stats(&self) -> Stats {
            let (reply, answer) = tokio::sync::oneshot::channel();
            self.running.handle.send(Command::Stats { reply }).unwrap();
            answer.blocking_recv().unwrap()
        }
    }

    #[test]
    fn a_camera_reaches_a_viewer_over_real_sockets_and_the_thread_ends_when_told() {
        let mut rig = rig();
        let Some(Event::Answered { sdp, .. }) = rig.events.blocking_recv() else { panic!("no answer") };
        rig.client.answered(&sdp);
        rig.until(|rig| rig.client.got.len() > 60);
        let stats = rig.stats();
        assert_eq!((stats.peers, stats.tracks, stats.feeds, stats.panics, stats.events_lost), (1, 1, 1, 0, 0));
        assert!(stats.sent > 60 && stats.send_calls < stats.sent && stats.received > 0);

        // the viewer's wish reaches the worker, once it is no beginner any more that is served from the cache
        let worker = rig.worker.as_raw_fd();
        rig.until(|rig| {
            rig.client.pli(0);
            let mut buffer = [0; 64];
            let length = recv(worker, &mut buffer, MsgFlags::MSG_DONTWAIT).unwrap_or(0);
            Message::parse(&buffer[..length]) == Ok(Message::KeyframeRequest { slot: 0 })
        });

        let port = rig.running.local[0].port();
        let handle = rig.running.handle.clone();
        rig.running.stop();
        assert!(handle.send(Command::RemovePeer { peer: peer(1) }).is_err(), "nobody is there any more");
        // a process that another test is just starting holds every descriptor until it has become another program
        let begin = Clock::System.now();
        while let Err(error) = Port::bind(port) {
            assert!(Clock::System.now() - begin < LIMIT, "the port is not free again: {error}");
            std::thread::sleep(MS);
        }
        let kinds: Vec<Event> = std::iter::from_fn(|| rig.events.blocking_recv()).collect();
        assert!(kinds.iter().any(|e| matches!(e, Event::Connected { .. })), "{kinds:?}");
    }

    #[tokio::test]
    async fn a_thread_that_panics_is_known_to_be_dead() {
        let (sender, mut events) = channel(16);
        let mut running = start(Settings::default(), Clock::System, sender).unwrap();
        let alive = tokio::time::timeout(50 * MS, running.ended()).await;
        assert!(alive.is_err(), "it lives");
        running.handle.send(Command::Panic).unwrap();
        tokio::time::timeout(LIMIT, running.ended()).await.expect("it is dead");
        assert!(events.recv().await.is_none());
        running.stop();
    }

    #[test]
    fn the_port_is_bound_for_udp_and_tcp_or_not_at_all() {
        let (udp, tcp) = bind(0).unwrap();
        let port = udp[0].local().port();
        assert!(tcp.iter().all(|listener| listener.local_addr().unwrap().port() == port));
        drop(udp);
        assert_eq!(bind(port).err().map(|error| error.kind()), Some(io::ErrorKind::AddrInUse), "TCP is taken");
    }

    #[test]
    fn a_camera_reaches_a_recorder_over_its_socket_until_that_is_closed() {
        let mut rig = rig();
        let Some(Event::Answered { sdp, .. }) = rig.events.blocking_recv() else { panic!("no answer") };
        rig.client.answered(&sdp);
        let (daemon, recorder) = pair().unwrap();
        let say = |rig: &Rig, command| rig.running.handle.send(command).unwrap();
        say(&rig, Command::AttachSink { job: job(2), socket: daemon });
        say(&rig, Command::AddSlot { job: job(2), slot: 5, track: track(1) });
        let format = rig.camera.format;
        let (mut formats, mut sequences) = (0, vec![]);
        let mut read = || {
            let mut buffer = vec![0; MAX_MESSAGE];
            while let Ok(length @ 1..) = recv(recorder.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                match Message::parse(&buffer[..length]) {
                    Ok(Message::Format { slot: 5, format: its }) if its == format => formats += 1,
                    Ok(Message::Packets { slot: 5, captured_ns, packets }) if formats > 0 => {
                        // the camera says 10 ms
                        let age = monotonic_ns().checked_sub(captured_ns).expect("no time in the future");
                        assert!(age >= 10_000_000 && age < LIMIT.as_nanos() as u64);
                        sequences.extend(packets.map(|bytes| Header::parse(bytes).unwrap().0.sequence));
                    }
                    other => panic!("{other:?}"),
                }
            }
            (formats, sequences.len())
        };
        rig.until(|_| read().1 > 60);
        let stats = rig.stats();
        assert_eq!((stats.sinks, stats.feeds, stats.sink_dropped, stats.sink_unusable), (1, 1, 0, 0));

        // what the recorder asks for reaches the camera's worker
        send(recorder.as_raw_fd(), &[3, 5], MsgFlags::empty()).unwrap();
        let worker = rig.worker.as_raw_fd();
        rig.until(|_| {
            let mut buffer = [0; 64];
            let length = recv(worker, &mut buffer, MsgFlags::MSG_DONTWAIT).unwrap_or(0);
            Message::parse(&buffer[..length]) == Ok(Message::KeyframeRequest { slot: 0 })
        });

        say(&rig, Command::AddSlot { job: job(2), slot: 5, track: track(1) });
        rig.until(|_| read().0 == 2);
        say(&rig, Command::RemoveSlot { job: job(2), slot: 5 });
        say(&rig, Command::DetachSink { job: job(2) });
        assert_eq!(rig.stats().sinks, 0);
        read();
        assert_eq!(recv(recorder.as_raw_fd(), &mut [0; 9], MsgFlags::MSG_DONTWAIT), Ok(0), "the engine's end is closed");
        let before = rig.client.got.len();
        rig.until(|rig| rig.client.got.len() > before + 10);
    }
}
