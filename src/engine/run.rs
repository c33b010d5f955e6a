//! The shell around the core: one thread that waits for sockets, commands and timers, and hands everything on. No rule of
//! media stands here.
//!
//! A turn of the loop: wait; read what is ready, in batches, forwarding after each; serve commands; wake who is due; send. The
//! thread ends when its [`Running`] is stopped or dropped.

use super::api::{Command, Event, Handle, Stats};
use super::capture::Moment;
use super::core::Core;
use super::intake::{Intake, Read};
use super::outbox::Outbox;
use super::outlet::SocketOutlet;
use super::settings::Settings;
use super::sockets::{Buffers, Network, Port};
use super::transport::Environment;
use crate::clock::{Clock, monotonic_ns};
use crate::ids::JobId;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;

/// Tokens of the poll set: the sockets of the port from 0, then this, then the workers' sockets.
const WAKE: u64 = 8;
const FIRST_FEED: u64 = 16;
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
    /// The bound sockets: IPv4 first, then IPv6 where there is one; the same port.
    pub local: Vec<SocketAddr>,
    stop: Arc<AtomicBool>,
    wake: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

/// Binds the port and starts the media thread. Events go to `events`; a full channel delays them.
///
/// # Errors
/// The port is busy, or the system gives no socket or thread.
pub fn start(settings: Settings, clock: Clock, events: Sender<Event>) -> io::Result<Running> {
    let ports = Port::bind(settings.port)?;
    let local: Vec<SocketAddr> = ports.iter().map(|port| port.local()).collect();
    let (handle, commands, wake) = Handle::channel()?;
    let stop = Arc::new(AtomicBool::new(false));
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for (token, port) in ports.iter().enumerate() {
        epoll.add(port, EpollEvent::new(EpollFlags::EPOLLIN, token as u64))?;
    }
    epoll.add(&*wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
    let network = Network::new(&ports)?;
    let environment = Environment::new(&settings, local[0].port()).map_err(io::Error::other)?;
    let (stopped, woken) = (stop.clone(), wake.clone());
    let thread = std::thread::Builder::new().name("media".into()).spawn(move || {
        let core = Core::new(environment, Box::new(network), Outbox::new(events));
        let intake = Intake::new(FIRST_FEED);
        Shell { core, ports, epoll, intake, commands, wake: woken, stop: stopped, clock, buffers: Buffers::default() }.run();
    })?;
    Ok(Running { handle, local, stop, wake, thread: Some(thread) })
}

impl Running {
    /// Closes all transports, ends the thread and waits for its end: some milliseconds.
    pub fn stop(mut self) {
        self.end();
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
    epoll: Epoll,
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
            FIRST_FEED.. => {
                if let Some(job) = self.intake.job(token) {
                    self.read_feed(job);
                }
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
            let more = port.receive(&mut self.buffers, |from, to, datagram| core.datagram(from, to, datagram, now));
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
                let _ = reply.send(Stats { requests_refused: self.intake.refused, ..self.core.stats() });
            }
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

        // without key frames the viewer's wish reaches the worker
        rig.client.pli(0);
        let worker = rig.worker.as_raw_fd();
        rig.until(|_| {
            let mut buffer = [0; 64];
            let length = recv(worker, &mut buffer, MsgFlags::MSG_DONTWAIT).unwrap_or(0);
            Message::parse(&buffer[..length]) == Ok(Message::KeyframeRequest { slot: 0 })
        });

        let port = rig.running.local[0].port();
        let handle = rig.running.handle.clone();
        rig.running.stop();
        assert!(handle.send(Command::RemovePeer { peer: peer(1) }).is_err(), "nobody is there any more");
        Port::bind(port).expect("the port is free again");
        let kinds: Vec<Event> = std::iter::from_fn(|| rig.events.blocking_recv()).collect();
        assert!(kinds.iter().any(|e| matches!(e, Event::Connected { .. })), "{kinds:?}");
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
