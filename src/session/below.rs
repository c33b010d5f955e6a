//! What a session has on the floors below: its tracks, peers and jobs. Allocates their ids, speaks to the engine and the supervisor,
//! and gives back what is left when the session ends, also when it ends by a panic.
//!
//! Nothing here waits. A request that finds a queue full is refused at once; an [`Order`] is never lost: it is kept (some per thing
//! that exists) and said again by [`Below::retry`]. Written by the session's actor alone.

use super::command::ViewerId;
use super::error::Denied;
use super::rendition::View;
use crate::engine::negotiate;
use crate::ids::{ConnectionId, JobId, PeerId, SessionKey, TrackId};
use crate::jobs::budget::{Load, Refused};
use crate::rtp::{Codec, Kind};
use crate::wire::control::{AUDIO_SLOT, Spec, VIDEO_SLOT};
use crate::wire::media;
use crate::wire::transcode::TranscodeSpec;
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

impl Offer {
    /// The video codec that the engine takes if it takes the offer.
    pub fn codec(&self) -> Codec {
        let offered = negotiate::accepts(&self.sdp);
        self.video_codecs.iter().copied().find(|codec| offered.contains(codec)).unwrap_or(Codec::Vp8)
    }
}

/// What must not be lost: the orders to end something, and those that a picture hangs on.
#[derive(Clone, Copy, Debug)]
enum Order {
    Peer(PeerId),
    Track(TrackId),
    Feed(JobId),
    Transform(JobId),
    Job(JobId),
    Give { job: JobId, track: TrackId },
    Withhold(JobId),
    Retune { peer: PeerId, from: TrackId, to: TrackId },
}

/// What a peer is for, and what it gets as video.
#[derive(Debug)]
struct Peer {
    what: Use,
    view: View,
}

/// What a job is for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Runs {
    /// It pulls this camera.
    Camera(ConnectionId),
    /// It makes a rendition of what this connection publishes.
    Rendition(ConnectionId),
}

/// A session's share of the floors below.
#[derive(Debug)]
pub(super) struct Below {
    key: SessionKey,
    engine: engine::Handle,
    jobs: jobs::Handle,
    next: u32,
    tracks: BTreeSet<TrackId>,
    peers: BTreeMap<PeerId, Peer>,
    running: BTreeMap<JobId, Runs>,
    unsaid: Vec<Order>,
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
                self.order(Order::Track(track));
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
        self.peers.insert(peer, Peer { what: Use::Publication { of: of.clone() }, view: View::default() });
        Ok(peer)
    }

    /// Hands an offer to receive `tracks` over; `view` says which video that is. Errors: [`Denied::Busy`].
    pub fn subscribe(&mut self, what: Use, tracks: Tracks, view: View, offer: String) -> Result<PeerId, Denied> {
        let peer = PeerId::new(self.key, self.number());
        let subscribe = engine::api::Subscribe { peer, offer, audio: tracks.audio, video: tracks.video };
        self.engine.send(engine::Command::Subscribe(subscribe)).map_err(busy)?;
        self.peers.insert(peer, Peer { what, view });
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
            self.order(Order::Peer(peer));
        }
    }

    /// Notes that a peer does not exist any more, and tells what it was for.
    pub fn forget_peer(&mut self, peer: PeerId) -> Option<Use> {
        self.peers.remove(&peer).map(|peer| peer.what)
    }

    /// What a peer is for.
    pub fn use_of(&self, peer: PeerId) -> Option<&Use> {
        self.peers.get(&peer).map(|peer| &peer.what)
    }

    /// The peers that carry the stream of `publisher` to somebody, or shall when their offer is answered.
    pub fn watching(&self, publisher: &ConnectionId) -> Vec<(PeerId, Use)> {
        self.watchers(publisher).map(|(peer, its)| (peer, its.what.clone())).collect()
    }

    /// The same, with what they get as video.
    pub fn views(&self, publisher: &ConnectionId) -> Vec<(PeerId, View)> {
        self.watchers(publisher).map(|(peer, its)| (peer, its.view.clone())).collect()
    }

    fn watchers<'a>(&'a self, publisher: &'a ConnectionId) -> impl Iterator<Item = (PeerId, &'a Peer)> {
        self.peers.iter().filter(move |(_, peer)| peer.what.watches() == Some(publisher)).map(|(peer, its)| (*peer, its))
    }

    /// A peer that gets the video `from` gets `to` from now on: this rendition, or the stream itself.
    pub fn retune(&mut self, peer: PeerId, from: TrackId, to: TrackId, rendition: Option<Codec>) {
        if let Some(its) = self.peers.get_mut(&peer) {
            its.view.rendition = rendition;
            self.order(Order::Retune { peer, from, to });
        }
    }

    /// Starts the job of a rendition with a track to fill and a media socket of its own; what it is made of it gets by
    /// [`Below::give`], when it listens. Errors: [`Denied::Busy`], [`Denied::NoCodec`], and nothing runs.
    pub fn start_rendition(&mut self, of: &ConnectionId, spec: TranscodeSpec, load: Load) -> Result<(TrackId, JobId), Denied> {
        let permit = self.jobs.budget().admit(load).map_err(|refused| match refused {
            Refused::Full { .. } => Denied::Busy(refused.to_string()),
            Refused::Missing(_) => Denied::NoCodec(refused.to_string()),
        })?;
        let (ours, theirs) = media::pair().map_err(|error| Denied::Busy(format!("no media socket: {error}")))?;
        let track = self.add_track(Kind::Video)?;
        let job = JobId::new(self.key, self.number());
        let (name, spec) = (format!("transcoder to {} of {of}", spec.to.name()), Spec::Transcode(spec));
        let attach = engine::Command::AttachTransform { job, socket: ours, slots: vec![(VIDEO_SLOT, track)] };
        let attached = self.engine.send(attach).map_err(busy);
        let permit = Some(permit);
        let started = attached.and_then(|()| {
            let start = jobs::Command::Start { job, name, spec, media: theirs, permit };
            self.jobs.send(start).map_err(|error| {
                self.order(Order::Transform(job));
                Denied::Busy(error.to_string())
            })
        });
        if let Err(denied) = started {
            self.remove_tracks(Tracks { audio: None, video: Some(track) });
            return Err(denied);
        }
        self.running.insert(job, Runs::Rendition(of.clone()));
        Ok((track, job))
    }

    /// The process of a rendition's job gets its source from the cache on.
    pub fn give(&mut self, job: JobId, source: TrackId) {
        self.order(Order::Give { job, track: source });
    }

    /// There is no process that could take anything.
    pub fn withhold(&mut self, job: JobId) {
        self.order(Order::Withhold(job));
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
        if let Err(error) =
            self.jobs.send(jobs::Command::Start { job, name: format!("camera {camera}"), spec, media: theirs, permit: None })
        {
            tracing::warn!(%camera, %error, "the camera is not started");
            self.order(Order::Feed(job));
            return None;
        }
        self.running.insert(job, Runs::Camera(camera.clone()));
        Some(job)
    }

    /// Stops a job.
    pub fn stop_job(&mut self, job: JobId) {
        if let Some(runs) = self.running.remove(&job) {
            self.end_job(job, &runs);
        }
    }

    fn end_job(&mut self, job: JobId, runs: &Runs) {
        self.order(Order::Job(job));
        self.order(match runs {
            Runs::Camera(_) => Order::Feed(job),
            Runs::Rendition(_) => Order::Transform(job),
        });
    }

    /// The camera that `job` serves.
    pub fn camera_of(&self, job: JobId) -> Option<&ConnectionId> {
        match self.running.get(&job)? {
            Runs::Camera(camera) => Some(camera),
            Runs::Rendition(_) => None,
        }
    }

    /// Whose video `job` transcodes.
    pub fn transcoded_by(&self, job: JobId) -> Option<&ConnectionId> {
        match self.running.get(&job)? {
            Runs::Rendition(publisher) => Some(publisher),
            Runs::Camera(_) => None,
        }
    }

    /// Ends everything there is.
    pub fn end_all(&mut self) {
        for (job, runs) in std::mem::take(&mut self.running) {
            self.end_job(job, &runs);
        }
        for (peer, _) in std::mem::take(&mut self.peers) {
            self.order(Order::Peer(peer));
        }
        for track in std::mem::take(&mut self.tracks) {
            self.order(Order::Track(track));
        }
    }

    /// Says again what found a queue full. False if something is still unsaid.
    pub fn retry(&mut self) -> bool {
        for order in std::mem::take(&mut self.unsaid) {
            self.order(order);
        }
        let lagging = !self.unsaid.is_empty();
        if std::mem::replace(&mut self.lagging, lagging) != lagging {
            tracing::warn!(session = self.key.0, waiting = self.unsaid.len(), "orders to end media wait for the floors below");
        }
        !lagging
    }

    fn order(&mut self, order: Order) {
        let taken = match order {
            Order::Peer(peer) => self.engine.send(engine::Command::RemovePeer { peer }).is_ok(),
            Order::Track(track) => self.engine.send(engine::Command::RemoveTrack { track }).is_ok(),
            Order::Feed(job) => self.engine.send(engine::Command::DetachFeed { job }).is_ok(),
            Order::Transform(job) => self.engine.send(engine::Command::DetachTransform { job }).is_ok(),
            // of a job or a peer that is gone by now, the engine makes nothing
            Order::Give { job, track } => self.engine.send(engine::Command::AddSlot { job, slot: VIDEO_SLOT, track }).is_ok(),
            Order::Withhold(job) => self.engine.send(engine::Command::RemoveSlot { job, slot: VIDEO_SLOT }).is_ok(),
            Order::Retune { peer, from, to } => self.engine.send(engine::Command::Retune { peer, from, to }).is_ok(),
            Order::Job(job) => self.jobs.send(jobs::Command::Stop { job }).is_ok(),
        };
        if !taken {
            self.unsaid.push(order);
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
