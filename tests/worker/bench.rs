//! One job with everything around it: the supervisor, the media socket's end of the daemon.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use viduct::clock::Clock;
use viduct::ids::{JobId, SessionKey};
use viduct::jobs::{self, Command, Event, Handle, Settings};
use viduct::rtp::Format;
use viduct::wire::camera::CameraSpec;
use viduct::wire::control::Spec;
use viduct::wire::media::{self, MAX_MESSAGE, Message};

/// Longer than anything here may take, on a loaded machine too.
const LONG: Duration = Duration::from_secs(30);

pub struct Bench {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    supervisor: JoinHandle<()>,
    feed: Arc<OwnedFd>,
}

/// What came over the media socket.
#[derive(PartialEq, Debug)]
pub enum Seen {
    Format(u8, Format),
    Unit { slot: u8, captured_ns: u64, packets: Vec<Vec<u8>> },
}

impl Bench {
    /// Starts a job for the camera at `uri`.
    pub fn start(uri: &str) -> Bench {
        Bench::of(Spec::Camera(CameraSpec::parse(uri, 100, true).unwrap().spec))
    }

    /// Starts any job.
    pub fn of(spec: Spec) -> Bench {
        let (feed, media) = media::pair().unwrap();
        let (handle, commands) = Handle::channel();
        let (sender, events) = mpsc::channel(256);
        let settings = Settings::new(env!("CARGO_BIN_EXE_viduct").into(), handle.counters());
        let supervisor = jobs::start(Clock::System, settings, commands, sender);
        let job = JobId::new(SessionKey(1), 1);
        handle.send(Command::Start { job, name: "con_test".into(), spec, media, permit: None }).unwrap();
        Bench { handle, events, supervisor, feed: Arc::new(feed) }
    }

    /// What became of the job; that a process listens is only the way there.
    pub async fn event(&mut self) -> Event {
        loop {
            match timeout(LONG, self.events.recv()).await.expect("no event in time").expect("the supervisor is there") {
                Event::Started { .. } => {}
                event => return event,
            }
        }
    }

    /// Nothing has happened to the job.
    pub fn no_event(&mut self) {
        if let Ok(event) = self.events.try_recv() {
            panic!("{event:?}");
        }
    }

    /// The next message on the media socket.
    pub async fn seen(&self) -> Seen {
        let feed = self.feed.clone();
        tokio::task::spawn_blocking(move || receive(&feed)).await.unwrap()
    }

    /// Says something on the media socket.
    pub fn give(&self, message: &[u8]) {
        let length = send(self.feed.as_raw_fd(), message, MsgFlags::MSG_DONTWAIT).expect("the socket has room");
        assert_eq!(length, message.len());
    }

    /// What has come on the media socket by now. That the worker asks for a keyframe is nothing.
    pub fn seen_by_now(&self) -> Vec<Seen> {
        let mut buffer = vec![0; MAX_MESSAGE];
        let mut all = Vec::new();
        while let Ok(length @ 1..) = recv(self.feed.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            all.extend(parse(&buffer[..length]));
        }
        all
    }

    /// Stops the job: its process is gone when this returns, and that took not long.
    pub async fn end(self) {
        drop(self.handle);
        timeout(Duration::from_secs(5), self.supervisor).await.expect("the worker does not end").unwrap();
    }
}

fn receive(feed: &OwnedFd) -> Seen {
    let limit = PollTimeout::try_from(LONG).unwrap();
    assert_eq!(poll(&mut [PollFd::new(feed.as_fd(), PollFlags::POLLIN)], limit), Ok(1), "no message in time");
    let mut buffer = vec![0; MAX_MESSAGE];
    let length = recv(feed.as_raw_fd(), &mut buffer, MsgFlags::empty()).unwrap();
    parse(&buffer[..length]).expect("the worker of a camera asks for nothing")
}

fn parse(message: &[u8]) -> Option<Seen> {
    match Message::parse(message).unwrap() {
        Message::Format { slot, format } => Some(Seen::Format(slot, format)),
        Message::Packets { slot, captured_ns, packets } => {
            Some(Seen::Unit { slot, captured_ns, packets: packets.map(<[u8]>::to_vec).collect() })
        }
        Message::KeyframeRequest { .. } => None,
    }
}

/// Types of the NAL units in the packets of a unit (RFC 6184), each fragmented one once.
pub fn h264_units(packets: &[Vec<u8>]) -> Vec<u8> {
    let whole_or_begun = |unit: &[u8]| match unit[0] & 0x1f {
        28 => (unit[1] & 0x80 != 0).then_some(unit[1] & 0x1f),
        kind => Some(kind),
    };
    parts(packets).into_iter().filter_map(whole_or_begun).collect()
}

/// The first sequence parameter set in the packets of a unit.
pub fn sps(packets: &[Vec<u8>]) -> Option<Vec<u8>> {
    parts(packets).into_iter().find(|unit| unit[0] & 0x1f == 7).map(<[u8]>::to_vec)
}

/// NAL units and fragments of them; what was aggregated is taken apart.
fn parts(packets: &[Vec<u8>]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    for payload in packets.iter().map(|packet| &packet[12..]) {
        if payload[0] & 0x1f != 24 {
            found.push(payload);
            continue;
        }
        let mut rest = &payload[1..];
        while let Some((length, after)) = rest.split_first_chunk() {
            let (unit, next) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            found.push(unit);
            rest = next;
        }
    }
    found
}
