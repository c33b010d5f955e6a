//! The seam between the sessions and the media thread: commands, events, and the handle that carries them.

use super::report::Report;
use crate::ids::{JobId, PeerId, TrackId};
use crate::rtp::{Codec, Format, Kind};
use nix::sys::eventfd::EventFd;
use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use thiserror::Error;

/// What floor 4 asks of the media thread. Ids are allocated by the session before it asks.
#[derive(Debug)]
pub enum Command {
    /// A track comes into being; it has no source yet.
    AddTrack { track: TrackId, kind: Kind },
    /// A track ends: its source is detached, its consumers keep their transports and get nothing more.
    RemoveTrack { track: TrackId },
    /// A browser offers to publish. Answered by [`Event::Answered`] or [`Event::Refused`].
    Publish(Publish),
    /// A viewer offers to receive. Answered by [`Event::Answered`] or [`Event::Refused`].
    Subscribe(Subscribe),
    /// A trickled candidate (`candidate:…`). What cannot be used is ignored; one that comes before its peer is kept for it.
    Candidate { peer: PeerId, candidate: String },
    /// Close a transport (BYE, close_notify). No [`Event::Closed`] follows.
    RemovePeer { peer: PeerId },
    /// The daemon's end of a job's media socket, and which slot feeds which track. The socket outlives the job's processes.
    AttachFeed { job: JobId, socket: OwnedFd, slots: Vec<(u8, TrackId)> },
    /// Close that socket.
    DetachFeed { job: JobId },
    /// The daemon's end of the media socket of a job that is given tracks (a recorder, a composer). It has no slots yet. The
    /// socket outlives the job's processes; one socket is a feed or a sink.
    AttachSink { job: JobId, socket: OwnedFd },
    /// A slot of that job begins to carry a track, which exists already: its format and the cached GOP at once, or as soon as
    /// there are any, then whole access units in order. A slot in use is replaced: so another process of the job is given all that
    /// its predecessor was. It ends with the track.
    AddSlot { job: JobId, slot: u8, track: TrackId },
    /// A slot carries nothing more. What the socket holds of it will still be read.
    RemoveSlot { job: JobId, slot: u8 },
    /// Close that socket.
    DetachSink { job: JobId },
    /// The addresses of this box have changed: answers announce these from now on.
    Addresses { own: Vec<IpAddr> },
    /// The daemon's end of the media socket of a job that is both (a transcoder): it is given tracks by [`Command::AddSlot`] as a
    /// sink is, and fills those of `slots` as a feed does. The two directions count their slots each for itself.
    AttachTransform { job: JobId, socket: OwnedFd, slots: Vec<(u8, TrackId)> },
    /// Close that socket.
    DetachTransform { job: JobId },
    /// What a viewer is sent on the line of one track comes from another one from now on, without a seam: the picture stays until
    /// the first key frame of the other. Both exist and are of one kind; a viewer that has no line of `from` is left alone.
    Retune { peer: PeerId, from: TrackId, to: TrackId },
    /// Ask for [`Stats`]; the sender is answered from the media thread.
    Stats { reply: tokio::sync::oneshot::Sender<Stats> },
    /// Ask what these transports are like; those that do not exist are left out. The sender is answered from the media thread.
    Report { peers: Vec<PeerId>, reply: tokio::sync::oneshot::Sender<HashMap<PeerId, Report>> },
    /// A bug outside a peer's turn.
    #[cfg(test)]
    Panic,
}

/// An offer to publish.
#[derive(Debug)]
pub struct Publish {
    pub peer: PeerId,
    /// SDP as the client made it.
    pub offer: String,
    /// Tracks to fill; they exist already. A kind without a track is answered inactive.
    pub audio: Option<TrackId>,
    pub video: Option<TrackId>,
    /// Video codecs the publisher may use; the first one the offer has is taken, the answer lists no other.
    pub video_codecs: Vec<Codec>,
    /// Upper bound of the video in kbit/s (REMB), `None` = unlimited.
    pub max_video_kbps: Option<u32>,
    /// Send the publisher's own tracks back to it (`doLoopback`); the offer is sendrecv.
    pub loopback: bool,
}

/// An offer to receive.
#[derive(Debug)]
pub struct Subscribe {
    pub peer: PeerId,
    /// SDP as the client made it.
    pub offer: String,
    /// Tracks to send; their format may still be unknown.
    pub audio: Option<TrackId>,
    pub video: Option<TrackId>,
}

/// What the media thread reports. `peer`, `track`, `job` carry the session that must hear it.
#[derive(Debug)]
pub enum Event {
    /// The answer to an offer, all host candidates of the box inside.
    Answered { peer: PeerId, sdp: String },
    /// The offer cannot be served; the peer does not exist.
    Refused { peer: PeerId, refusal: Refusal },
    /// ICE and DTLS are up, media flows from now on.
    Connected { peer: PeerId },
    /// The transport ended without [`Command::RemovePeer`]; the peer does not exist any more.
    Closed { peer: PeerId, cause: Closed },
    /// First packets of an epoch.
    TrackLive { track: TrackId, format: Format },
}

impl Event {
    /// The session this event belongs to.
    pub fn session(&self) -> crate::ids::SessionKey {
        match self {
            Event::Answered { peer, .. } | Event::Refused { peer, .. } | Event::Connected { peer } | Event::Closed { peer, .. } => {
                peer.session()
            }
            Event::TrackLive { track, .. } => track.session(),
        }
    }
}

/// Why an offer is not served.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Refusal {
    /// Not SDP, or SDP that no answer can be made for.
    #[error("the SDP offer cannot be used: {0}")]
    BadOffer(String),
    /// No video codec of the offer is allowed (OpenVidu code 800).
    #[error("the SDP offer has none of the codecs {0:?} that this session allows")]
    NoCodec(Vec<Codec>),
    /// The media thread takes no more.
    #[error("the media engine is busy")]
    Busy,
}

/// Why a transport ended by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Closed {
    #[error("closed by the peer")]
    ByPeer,
    #[error("connectivity lost")]
    IceLost,
    #[error("never connected")]
    NeverConnected,
    #[error("transport failure")]
    Failure,
}

/// Counters of the media thread.
#[derive(Clone, Default, Debug)]
pub struct Stats {
    /// Transports that exist now.
    pub peers: usize,
    /// Those of them that are sent media.
    pub viewers: usize,
    /// Tracks that exist now.
    pub tracks: usize,
    /// Feeds (workers' sockets) that exist now.
    pub feeds: usize,
    /// Sinks (sockets of workers that are given tracks) that exist now.
    pub sinks: usize,
    /// Datagrams received and sent since start, over UDP and TCP.
    pub received: u64,
    pub sent: u64,
    /// send calls; `sent / send_calls` is the mean length of a GSO run.
    pub send_calls: u64,
    /// Datagrams the network did not take.
    pub send_errors: u64,
    /// Datagrams that belong to no peer.
    pub strays: u64,
    /// Panics caught while serving one peer.
    pub panics: u64,
    /// Packets that viewers were not given: before a key frame, of a codec they do not take, or beyond their backlog.
    pub dropped: u64,
    /// Packets that workers were not given because they read too slowly.
    pub sink_dropped: u64,
    /// Packets that workers were not given because nothing can be made of them: of a frame with a hole, or before a key frame.
    pub sink_unusable: u64,
    /// Messages and packets of workers that were of no use.
    pub ignored: u64,
    /// Key frame requests that a worker's full socket did not take.
    pub requests_refused: u64,
    /// Questions for the sender's own address that were not answered, because one sender asked too often.
    pub questions_refused: u64,
    /// TCP connections that exist now.
    pub tcp_connections: usize,
    /// TCP connections that were not let in, or closed because they proved nothing.
    pub tcp_refused: u64,
    /// Datagrams left out because a TCP connection was full.
    pub tcp_dropped: u64,
    /// Events lost because floor 4 did not read for too long.
    pub events_lost: u64,
}

/// The media thread takes no more commands: it is overloaded or gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the media engine takes no more commands")]
pub struct Overloaded;

/// Sends commands to the media thread and wakes it. Cheap to clone, never blocks.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: SyncSender<Command>,
    wake: Arc<EventFd>,
}

/// Commands that may wait for the media thread.
const COMMANDS: usize = 4096;

impl Handle {
    /// A handle and the receiving end that the media thread (or a test in its place) serves: the commands, and the eventfd
    /// that becomes readable with each.
    pub fn channel() -> std::io::Result<(Handle, Receiver<Command>, Arc<EventFd>)> {
        let (commands, receiver) = sync_channel(COMMANDS);
        let wake = Arc::new(EventFd::from_flags(nix::sys::eventfd::EfdFlags::EFD_NONBLOCK | nix::sys::eventfd::EfdFlags::EFD_CLOEXEC)?);
        Ok((Handle { commands, wake: wake.clone() }, receiver, wake))
    }

    /// Hands a command over.
    pub fn send(&self, command: Command) -> Result<(), Overloaded> {
        self.commands.try_send(command).map_err(|_| Overloaded)?;
        // a full counter is readable already, so nothing is lost
        let _ = self.wake.write(1);
        Ok(())
    }
}
