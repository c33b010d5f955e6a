//! The state of the media thread, driven from outside: datagrams, messages, commands and the passing of time go in, runs of
//! datagrams and events come out. No socket, no clock, no lock; `now` never goes back.
//!
//! Everything that a peer does happens in a [`turn`](Core::turn): a panic in it ends that peer alone. What it reports is kept and
//! handled by [`react`](Core::react) afterwards, so that no peer is ever served from within another one's turn.
//! [`offers`] makes peers, [`fanout`] moves packets, [`sinks`] gives them to workers, [`timers`] wakes peers.

mod fanout;
mod offers;
mod sinks;
mod timers;

use self::timers::Timers;
use super::api::{Closed, Event, Stats};
use super::batch::{Batch, Transmitter};
use super::demux::{Demux, Destination};
use super::early::EarlyCandidates;
use super::feed::Feed;
use super::limit::Limit;
use super::outbox::Outbox;
use super::path::{Path, Protocol};
use super::peer::{Happening, Peer};
use super::report::Report;
use super::sink::{Losses, Sink};
use super::stun;
use super::track::{Source, Track};
use super::transport::Environment;
use crate::ids::{JobId, PeerId, TrackId};
use crate::rtp::Kind;
use std::collections::HashMap;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// What a datagram was worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Worth {
    /// A check that proves its sender to be a peer.
    Proof,
    Something,
    Nothing,
}

/// All peers, tracks and feeds.
pub struct Core {
    environment: Environment,
    peers: HashMap<PeerId, Peer>,
    tracks: HashMap<TrackId, Track>,
    feeds: HashMap<JobId, Feed>,
    sinks: HashMap<JobId, Sink>,
    demux: Demux,
    early: EarlyCandidates,
    questions: Limit,
    timers: Timers,
    batch: Batch,
    outbox: Outbox,
    /// What peers reported in their turns.
    happened: Vec<(PeerId, Happening)>,
    /// Tracks with packets that no consumer has seen.
    fresh: Vec<TrackId>,
    /// Key frames that workers are asked for.
    requests: Vec<(JobId, u8)>,
    received: u64,
    strays: u64,
    panics: u64,
    /// Of peers, feeds and sinks that are gone.
    dropped: u64,
    ignored: u64,
    lost: Losses,
}

impl Core {
    /// An empty core. Datagrams leave through `transmitter`, events through `outbox`.
    pub fn new(environment: Environment, transmitter: Box<dyn Transmitter>, outbox: Outbox) -> Core {
        Core {
            environment,
            peers: HashMap::new(),
            tracks: HashMap::new(),
            feeds: HashMap::new(),
            sinks: HashMap::new(),
            demux: Demux::default(),
            early: EarlyCandidates::default(),
            questions: Limit::default(),
            timers: Timers::default(),
            batch: Batch::new(transmitter),
            outbox,
            happened: Vec::new(),
            fresh: Vec::new(),
            requests: Vec::new(),
            received: 0,
            strays: 0,
            panics: 0,
            dropped: 0,
            ignored: 0,
            lost: Losses::default(),
        }
    }

    /// The addresses of this box are these now: they are told to who comes from now on.
    pub fn set_addresses(&mut self, own: &[IpAddr]) {
        self.environment.set_addresses(own);
    }

    /// A track comes into being, without a source.
    pub fn add_track(&mut self, track: TrackId, kind: Kind) {
        self.tracks.entry(track).or_insert_with(|| Track::new(kind));
    }

    /// A track ends; its consumers keep their transports, workers' slots end with it.
    pub fn remove_track(&mut self, track: TrackId) {
        let sinks = self.tracks.remove(&track).map(|track| track.sinks).unwrap_or_default();
        sinks.into_iter().for_each(|(job, slot)| self.remove_slot(job, slot));
        for peer in self.peers.values_mut() {
            peer.outgoing.retain(|out| out.track != track);
        }
    }

    /// A worker's media socket will fill these tracks.
    pub fn attach_feed(&mut self, job: JobId, slots: &[(u8, TrackId)]) {
        self.feeds.insert(job, Feed::new(slots));
    }

    /// That socket is gone; its tracks stay.
    pub fn detach_feed(&mut self, job: JobId) {
        self.ignored += self.feeds.remove(&job).map_or(0, |feed| feed.ignored);
        for track in self.tracks.values_mut() {
            if matches!(track.source, Source::Feed { job: source, .. } if source == job) {
                track.source = Source::None;
            }
        }
    }

    /// A trickled candidate; one that comes before its peer is kept for it.
    pub fn candidate(&mut self, peer: PeerId, candidate: String, now: Instant) {
        if self.peers.contains_key(&peer) {
            self.turn(peer, now, |p| {
                p.candidate(&candidate, now);
                Ok(false)
            });
        } else {
            self.early.keep(peer, candidate, now);
        }
    }

    /// Closes a transport; nobody hears of it.
    pub fn remove_peer(&mut self, peer: PeerId, now: Instant) {
        self.early.take(peer);
        self.end(peer, true, now);
    }

    /// Closes all transports.
    pub fn shut_down(&mut self, now: Instant) {
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for peer in peers {
            self.end(peer, true, now);
        }
        self.flush();
    }

    /// The counters; `requests_refused` and those of TCP are the shell's.
    pub fn stats(&self) -> Stats {
        let mut lost = self.lost;
        self.sinks.values().for_each(|sink| lost += sink.losses());
        let ignored = self.feeds.values().map(|feed| feed.ignored).chain(self.sinks.values().map(|sink| sink.ignored)).sum::<u64>();
        Stats {
            peers: self.peers.len(),
            viewers: self.peers.values().filter(|peer| !peer.outgoing.is_empty()).count(),
            tracks: self.tracks.len(),
            feeds: self.feeds.len(),
            sinks: self.sinks.len(),
            received: self.received,
            sent: self.batch.sent.datagrams,
            send_calls: self.batch.sent.calls,
            send_errors: self.batch.sent.errors,
            strays: self.strays,
            panics: self.panics,
            dropped: self.dropped + self.peers.values().map(Peer::dropped).sum::<u64>(),
            sink_dropped: lost.dropped,
            sink_unusable: lost.unusable,
            ignored: self.ignored + ignored,
            requests_refused: 0,
            questions_refused: self.questions.refused,
            tcp_connections: 0,
            tcp_refused: 0,
            tcp_dropped: 0,
            events_lost: self.outbox.lost,
        }
    }

    /// What these transports are like; those that do not exist are left out.
    pub fn reports(&self, peers: &[PeerId]) -> HashMap<PeerId, Report> {
        peers.iter().filter_map(|id| Some((*id, self.peers.get(id)?.report()))).collect()
    }

    /// A datagram came on this path; what it was worth.
    pub fn datagram(&mut self, path: Path, datagram: &[u8], now: Instant) -> Worth {
        self.received += 1;
        let worth = match self.demux.find(&path, datagram) {
            Destination::Check(peer) if self.may_take(peer, path, now) && self.receive(peer, path, datagram, now) => {
                self.demux.learn(peer, path);
                Worth::Proof
            }
            Destination::Known(peer) if self.receive(peer, path, datagram, now) => Worth::Something,
            Destination::Question => self.answer_question(path, datagram, now),
            _ => Worth::Nothing,
        };
        self.strays += u64::from(worth == Worth::Nothing);
        self.react(now);
        worth
    }

    /// May this peer use this path? Not one that another peer is using: its own password would let anybody who forges the
    /// other one's address take its media away.
    fn may_take(&self, peer: PeerId, path: Path, now: Instant) -> bool {
        let owner = self.demux.owner(&path).filter(|owner| *owner != peer).and_then(|owner| self.peers.get(&owner));
        owner.is_none_or(|owner| owner.has_left(path, now))
    }

    /// Gives a datagram to its peer; `false` when it does not count.
    fn receive(&mut self, peer: PeerId, path: Path, datagram: &[u8], now: Instant) -> bool {
        let mut counts = false;
        self.turn(peer, now, |p| {
            counts = p.receive(path, datagram, now);
            Ok(counts)
        });
        counts
    }

    /// Tells the sender its address, not too often: the sender may be forged, and the answer is a little longer.
    fn answer_question(&mut self, path: Path, datagram: &[u8], now: Instant) -> Worth {
        // over TCP nobody asks
        if path.protocol != Protocol::Udp || !self.questions.admits(path.remote.ip(), now) {
            return Worth::Nothing;
        }
        let Some(answer) = stun::answer(datagram, path.remote) else { return Worth::Nothing };
        self.batch.push(path, &answer);
        Worth::Something
    }

    /// When [`Core::timeout`] shall be called; `None` = when something else happens.
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Time passes: wakes the peers and sinks that are due, releases what is paced.
    pub fn timeout(&mut self, now: Instant) {
        while let Some(peer) = self.due_peer(now) {
            self.turn(peer, now, |p| p.tick(now).map(|()| true));
        }
        self.pace(now);
        self.tend_sinks(now);
        self.react(now);
    }

    /// Sends what has gathered; to be called once at the end of each turn of the loop.
    pub fn flush(&mut self) {
        self.batch.flush();
        for path in self.batch.take_full() {
            if let Some(peer) = self.demux.owner(&path).and_then(|id| self.peers.get_mut(&id)) {
                peer.congest(path);
            }
        }
    }

    /// A path that was too slow has room again.
    pub fn relieved(&mut self, path: Path, now: Instant) {
        let tracks = self.demux.owner(&path).and_then(|id| self.peers.get_mut(&id)).map(Peer::relieve);
        tracks.into_iter().flatten().for_each(|track| self.want_keyframe(track, now));
    }

    /// Retries events that did not fit the channel. True when none waits.
    pub fn deliver(&mut self) -> bool {
        self.outbox.retry()
    }

    /// The key frames to ask workers for.
    pub fn take_requests(&mut self) -> Vec<(JobId, u8)> {
        std::mem::take(&mut self.requests)
    }

    /// Serves one peer: `act` says something to it and whether its output shall be drained now (`true`) or when it wakes.
    /// A peer that fails or panics ends, and floor 4 hears of it.
    pub(in crate::engine) fn turn(&mut self, id: PeerId, now: Instant, act: impl FnOnce(&mut Peer) -> Result<bool, Closed>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let (batch, happened) = (&mut self.batch, &mut self.happened);
        let served = catch_unwind(AssertUnwindSafe(|| match act(peer)? {
            true => peer.drain(now, batch, |happening| happened.push((id, happening))),
            false => Ok(()),
        }));
        match served {
            Ok(Ok(())) => self.timers.schedule(id, peer),
            Ok(Err(cause)) => self.happened.push((id, Happening::Ended(cause))),
            Err(_) => {
                self.panics += 1;
                tracing::error!(peer = ?id, "panic while serving a peer");
                self.happened.push((id, Happening::Ended(Closed::Failure)));
            }
        }
    }

    /// Handles what peers reported, and what follows from it.
    fn react(&mut self, now: Instant) {
        while !self.happened.is_empty() {
            let mut happened = std::mem::take(&mut self.happened);
            happened.drain(..).for_each(|(id, happening)| self.follow(id, happening, now));
            if self.happened.is_empty() {
                // keeps its memory for the next time
                self.happened = happened;
                return;
            }
        }
    }

    fn follow(&mut self, id: PeerId, happening: Happening, now: Instant) {
        match happening {
            Happening::Packet { track, ssrc, format, packet } => {
                self.packet(track, Source::Peer { peer: id, ssrc }, format, packet, now);
            }
            Happening::Connected => {
                self.outbox.push(Event::Connected { peer: id });
                self.join(id, now);
            }
            Happening::KeyframeWanted { track } => self.picture_wanted(id, track, now),
            Happening::Ended(cause) => {
                // who lost its consent to hear us is told nothing more (RFC 7675 §5.1)
                if self.end(id, cause != Closed::IceLost, now) {
                    self.outbox.push(Event::Closed { peer: id, cause });
                }
            }
        }
    }

    /// Ends a peer, with a goodbye or without; `false` when there is none.
    fn end(&mut self, id: PeerId, goodbye: bool, now: Instant) -> bool {
        let Some(mut peer) = self.peers.remove(&id) else { return false };
        self.dropped += peer.dropped();
        self.timers.forget(id);
        let batch = &mut self.batch;
        if goodbye && catch_unwind(AssertUnwindSafe(|| peer.close(now, batch))).is_err() {
            self.panics += 1;
        }
        let tcp = |path: &&Path| path.protocol == Protocol::Tcp;
        self.demux.remove(id, &peer.ufrag).iter().filter(tcp).for_each(|path| self.batch.forget(path));
        for track in self.tracks.values_mut() {
            track.consumers.retain(|consumer| *consumer != id);
            if matches!(track.source, Source::Peer { peer, .. } if peer == id) {
                track.source = Source::None;
            }
        }
        true
    }
}
