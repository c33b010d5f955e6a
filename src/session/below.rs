//! What a session has on the floors below: its tracks, peers and jobs. Allocates their ids, speaks to the engine and the supervisor,
//! and gives back what is left when the session ends, also when it ends by a panic.
//!
//! Nothing here waits. A request that finds a queue full is refused at once; the order to end something is never lost: it is kept
//! (at most one per thing that exists) and said again by [`Below::retry`]. Written by the session's actor alone.

use super::command::ViewerId;
use super::error::Denied;
use crate::ids::{ConnectionId, JobId, PeerId, SessionKey, TrackId};
use crate::rtp::{Codec, Kind};
use crate::wire::control::{AUDIO_SLOT, Spec, VIDEO_SLOT};
use crate::wire::media;
use crate::{engine, jobs};
use std::collections::{BTreeMap, BTreeSet};

/// The tracks of a published stream; a kind it does not have has none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Tracks {
    pub audio: Option<TrackId>,
    pub video: Option<TrackId>,
}

/// What a peer is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Use {
    /// The publication of a connection.
    Publication { of: ConnectionId },
    /// The stream of `to`, received by a client.
    Subscription { by: ConnectionId, to: ConnectionId },
    /// The stream of `to`, received over WHEP.
    Viewer { viewer: ViewerId, to: ConnectionId },
}

impl Use {
    /// The publisher whose stream it carries to somebody.
    pub fn watches(&self) -> Option<&ConnectionId> {
        match self {
            Use::Publication { .. } => None,
            Use::Subscription { to, .. } | Use::Viewer { to, .. } => Some(to),
        }
    }
}

/// An offer to publish, without the ids allocated here.
pub(super) struct Offer {
    pub sdp: String,
    pub video_codecs: Vec<Codec>,
    pub max_video_kbps: Option<u32>,
    pub loopback: bool,
}

/// The order to end something.
#[derive(Clone, Copy, Debug)]
enum End {
    Peer(PeerId),
    Track(TrackId),
    Feed(JobId),
    Job(JobId),
}

/// A session's share of the floors below.
#[derive(Debug)]
pub(super) struct Below {
    key: SessionKey,
    engine: engine::Handle,
    jobs: jobs::Handle,
    next: u32,
    tracks: BTreeSet<TrackId>,
    peers: BTreeMap<PeerId, Use>,
    running: BTreeMap<JobId, ConnectionId>,
    unsaid: Vec<End>,
    /// Was something unsaid after the last retry?
    lagging: bool,
}

fn busy(_: engine::api::Overloaded) -> Denied {
    Denied::Busy("the media engine takes no more".into())
}

impl Below {
    /// The share, empty yet, of the session `key`.
    pub fn new(key: SessionKey, engine: engine::Handle, jobs: jobs::Handle) -> Below {
        let (tracks, peers, running) = Default::default();
        Below { key, engine, jobs, next: 0, tracks, peers, running, unsaid: Vec::new(), lagging: false }
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// The number of a new WHEP viewer.
    pub fn new_viewer(&mut self) -> ViewerId {
        ViewerId(self.number())
    }

    /// Makes the tracks of a stream. Errors: [`Denied::Busy`], and none exists.
    pub fn add_tracks(&mut self, audio: bool, video: bool) -> Result<Tracks, Denied> {
        let audio = if audio { Some(self.add_track(Kind::Audio)?) } else { None };
        let video = match video.then(|| self.add_track(Kind::Video)).transpose() {
            Ok(video) => video,
            Err(denied) => {
                self.remove_tracks(Tracks { audio, video: None });
                return Err(denied);
            }
        };
        Ok(Tracks { audio, video })
    }

    fn add_track(&mut self, kind: Kind) -> Result<TrackId, Denied> {
        let track = TrackId::new(self.key, self.number());
        self.engine.send(engine::Command::AddTrack { track, kind }).map_err(busy)?;
        self.tracks.insert(track);
        Ok(track)
    }

    /// Ends the tracks of a stream.
    pub fn remove_tracks(&mut self, tracks: Tracks) {
        for track in [tracks.audio, tracks.video].into_iter().flatten() {
            if self.tracks.remove(&track) {
                self.end(End::Track(track));
            }
        }
    }

    /// Hands an offer to publish over. Errors: [`Denied::Busy`].
    pub fn publish(&mut self, of: &ConnectionId, tracks: Tracks, offer: Offer) -> Result<PeerId, Denied> {
        let peer = PeerId::new(self.key, self.number());
        let Offer { sdp, video_codecs, max_video_kbps, loopback } = offer;
        let Tracks { audio, video } = tracks;
        let publish = engine::api::Publish { peer, offer: sdp, audio, video, video_codecs, max_video_kbps, loopback };
        self.engine.send(engine::Command::Publish(publish)).map_err(busy)?;
        self.peers.insert(peer, Use::Publication { of: of.clone() });
        Ok(peer)
    }

    /// Hands an offer to receive over. Errors: [`Denied::Busy`].
    pub fn subscribe(&mut self, what: Use, tracks: Tracks, offer: String) -> Result<PeerId, Denied> {
        let peer = PeerId::new(self.key, self.number());
        let subscribe = engine::api::Subscribe { peer, offer, audio: tracks.audio, video: tracks.video };
        self.engine.send(engine::Command::Subscribe(subscribe)).map_err(busy)?;
        self.peers.insert(peer, what);
        Ok(peer)
    }

    /// Passes a candidate on. One that finds the queue full is lost, as it may be on any network.
    pub fn candidate(&self, peer: PeerId, candidate: String) {
        if self.engine.send(engine::Command::Candidate { peer, candidate }).is_err() {
            tracing::debug!(?peer, "a candidate was dropped: the media engine takes no more");
        }
    }

    /// Closes a peer.
    pub fn remove_peer(&mut self, peer: PeerId) {
        if self.peers.remove(&peer).is_some() {
            self.end(End::Peer(peer));
        }
    }

    /// Notes that a peer does not exist any more, and tells what it was for.
    pub fn forget_peer(&mut self, peer: PeerId) -> Option<Use> {
        self.peers.remove(&peer)
    }

    /// What a peer is for.
    pub fn use_of(&self, peer: PeerId) -> Option<&Use> {
        self.peers.get(&peer)
    }

    /// The peers that carry the stream of `publisher` to somebody, or shall when their offer is answered.
    pub fn watching(&self, publisher: &ConnectionId) -> Vec<(PeerId, Use)> {
        let watches = |(_, what): &(&PeerId, &Use)| what.watches() == Some(publisher);
        self.peers.iter().filter(watches).map(|(peer, what)| (*peer, what.clone())).collect()
    }

    /// Starts a camera's job with a media socket of its own. On an error, logged here, nothing runs.
    pub fn start_camera(&mut self, camera: &ConnectionId, spec: Spec, tracks: Tracks) -> Option<JobId> {
        let (ours, theirs) = match media::pair() {
            Ok(pair) => pair,
            Err(error) => {
                tracing::warn!(%camera, %error, "the camera is not started: no media socket");
                return None;
            }
        };
        let job = JobId::new(self.key, self.number());
        let slots = [(VIDEO_SLOT, tracks.video), (AUDIO_SLOT, tracks.audio)];
        let slots = slots.into_iter().filter_map(|(slot, track)| Some((slot, track?))).collect();
        if let Err(error) = self.engine.send(engine::Command::AttachFeed { job, socket: ours, slots }) {
            tracing::warn!(%camera, %error, "the camera is not started");
            return None;
        }
        if let Err(error) = self.jobs.send(jobs::Command::Start { job, name: format!("camera {camera}"), spec, media: theirs }) {
            tracing::warn!(%camera, %error, "the camera is not started");
            self.end(End::Feed(job));
            return None;
        }
        self.running.insert(job, camera.clone());
        Some(job)
    }

    /// Stops a camera's job.
    pub fn stop_job(&mut self, job: JobId) {
        if self.running.remove(&job).is_some() {
            self.end(End::Job(job));
            self.end(End::Feed(job));
        }
    }

    /// The camera that `job` serves.
    pub fn camera_of(&self, job: JobId) -> Option<&ConnectionId> {
        self.running.get(&job)
    }

    /// Ends everything there is.
    pub fn end_all(&mut self) {
        for (job, _) in std::mem::take(&mut self.running) {
            self.end(End::Job(job));
            self.end(End::Feed(job));
        }
        for (peer, _) in std::mem::take(&mut self.peers) {
            self.end(End::Peer(peer));
        }
        for track in std::mem::take(&mut self.tracks) {
            self.end(End::Track(track));
        }
    }

    /// Says again what found a queue full. False if something is still unsaid.
    pub fn retry(&mut self) -> bool {
        for end in std::mem::take(&mut self.unsaid) {
            self.end(end);
        }
        let lagging = !self.unsaid.is_empty();
        if std::mem::replace(&mut self.lagging, lagging) != lagging {
            tracing::warn!(session = self.key.0, waiting = self.unsaid.len(), "orders to end media wait for the floors below");
        }
        !lagging
    }

    fn end(&mut self, end: End) {
        let taken = match end {
            End::Peer(peer) => self.engine.send(engine::Command::RemovePeer { peer }).is_ok(),
            End::Track(track) => self.engine.send(engine::Command::RemoveTrack { track }).is_ok(),
            End::Feed(job) => self.engine.send(engine::Command::DetachFeed { job }).is_ok(),
            End::Job(job) => self.jobs.send(jobs::Command::Stop { job }).is_ok(),
        };
        if !taken {
            self.unsaid.push(end);
        }
    }
}

impl Drop for Below {
    /// A session that ends in order has nothing left here; this is for one that panicked.
    fn drop(&mut self) {
        self.end_all();
        if !self.retry() {
            tracing::error!(session = self.key.0, left = self.unsaid.len(), "a session ended and the floors below did not take it");
        }
    }
}
