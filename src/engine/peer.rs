//! One WebRTC transport: a str0m `Rtc`, which lines of it fill or show which tracks, and when it wants to be woken.
//!
//! Written by the core alone; knows neither sockets nor the tracks themselves. Whatever str0m reports leaves as a [`Happening`].
//! After anything is said to str0m, time must be fed and its output drained, or nothing happens: [`Peer::drain`].

use super::api::Closed;
use super::batch::Batch;
use super::incoming::Incoming;
use super::outgoing::{Outgoing, TrackView, Wanted};
use super::path::{Path, Protocol};
use super::report::Report;
use super::route::Route;
use super::stun;
use crate::ids::TrackId;
use crate::rtp::{Format, Packet};
use std::time::{Duration, Instant};
use str0m::media::KeyframeRequestKind;
use str0m::net::{Protocol as Carrier, Receive};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc};

/// A peer whose ICE has not connected by then never will.
const GIVE_UP: Duration = Duration::from_secs(30);
/// The first check of ours must not reach the browser before our answer: it would be lost, and its repetition is slow.
const FIRST_WAKE: Duration = Duration::from_millis(75);
/// str0m is asked at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// Remote candidates used; a client has a handful for each of its lines.
const CANDIDATES: usize = 64;
/// Datagrams and timeouts of one turn, beyond which a transport is taken to be stuck.
const SPINS: usize = 100_000;

/// What a transport reports.
#[derive(Debug)]
pub enum Happening {
    /// ICE and DTLS are up.
    Connected,
    /// The peer closed (DTLS close_notify) or its address went silent.
    Ended(Closed),
    /// A viewer of this track needs a key frame.
    KeyframeWanted { track: TrackId },
    /// A publisher's packet; its epoch is not set.
    Packet { track: TrackId, ssrc: u32, format: Format, packet: Packet },
}

/// One transport.
pub struct Peer {
    rtc: Rtc,
    /// The name of our side in ICE checks.
    pub ufrag: String,
    incoming: Incoming,
    pub outgoing: Vec<Outgoing>,
    route: Route,
    connected: bool,
    /// When the first RTCP came: the other side can read what it is sent.
    spoke: Option<Instant>,
    /// The way that is too slow: it gets what fits there, and asks nobody for key frames.
    congested: Option<Path>,
    give_up: Instant,
    candidates: usize,
    /// For those who ask.
    pub notes: Report,
    /// When this peer wants to be woken.
    pub wake: Instant,
    /// The entry of this peer in the core's timers.
    pub scheduled: Option<Instant>,
}

impl Peer {
    /// A transport whose offer has been accepted.
    pub fn new(mut rtc: Rtc, incoming: Incoming, outgoing: Vec<Outgoing>, now: Instant) -> Peer {
        let ufrag = rtc.direct_api().local_ice_credentials().ufrag;
        Peer {
            rtc,
            ufrag,
            incoming,
            outgoing,
            route: Route::default(),
            connected: false,
            spoke: None,
            congested: None,
            give_up: now + GIVE_UP,
            candidates: 0,
            notes: Report::default(),
            wake: now + FIRST_WAKE,
            scheduled: None,
        }
    }

    /// Are ICE and DTLS up?
    pub fn connected(&self) -> bool {
        self.connected
    }

    /// What it is like now.
    pub fn report(&self) -> Report {
        Report { connected: self.connected, dropped: self.dropped(), ..self.notes.clone() }
    }

    /// Has it left a path it used?
    pub fn has_left(&self, path: Path, now: Instant) -> bool {
        self.route.has_left(path, now)
    }

    /// Its way took not all it was given: no picture before the next key frame makes sense.
    pub fn congest(&mut self, path: Path) {
        self.congested = Some(path);
        self.outgoing.iter_mut().for_each(Outgoing::skip_to_key);
    }

    /// Its way has room again. The tracks of which it needs a key frame.
    pub fn relieve(&mut self) -> Vec<TrackId> {
        self.congested = None;
        self.outgoing.iter().filter(|out| out.waits_for_key()).map(|out| out.track).collect()
    }

    /// Packets this viewer was not given.
    pub fn dropped(&self) -> u64 {
        self.outgoing.iter().map(Outgoing::dropped).sum()
    }

    /// Takes a trickled candidate; what cannot be used (empty, mDNS, TCP, odd) is ignored.
    pub fn candidate(&mut self, candidate: &str, now: Instant) {
        if self.candidates >= CANDIDATES {
            return;
        }
        match Candidate::from_sdp_string(candidate.trim().trim_start_matches("a=")) {
            // over TCP it is the client that connects; its address shows itself then
            Ok(candidate) if candidate.proto() != Carrier::Udp => {}
            Ok(candidate) => {
                self.candidates += 1;
                self.notes.candidates.push(candidate.to_sdp_string());
                self.rtc.add_remote_candidate(candidate);
                self.wake = self.wake.min(now + FIRST_WAKE);
            }
            Err(error) => tracing::debug!(%error, "candidate ignored"),
        }
    }

    /// Takes a datagram. `false` when it is a check that does not prove the password.
    pub fn receive(&mut self, path: Path, datagram: &[u8], now: Instant) -> bool {
        let Ok(receive) = Receive::new(carrier(path.protocol), path.remote, path.local, datagram) else { return false };
        let input = Input::Receive(now, receive);
        if stun::is_stun(datagram) && !self.rtc.accepts(&input) {
            return false;
        }
        self.route.heard(path, now);
        self.notes.received.add(datagram.len());
        if self.connected && is_rtcp(datagram) {
            self.spoke.get_or_insert(now);
        }
        if stun::is_success(datagram)
            && let Some(transaction) = stun::transaction(datagram)
        {
            self.route.answered(transaction, path);
        }
        // what a stranger can forge must not end the transport: an error here is a datagram that does not count
        if let Err(error) = self.rtc.handle_input(input) {
            tracing::debug!(%error, "datagram ignored");
        }
        true
    }

    /// Time passes.
    pub fn tick(&mut self, now: Instant) -> Result<(), Closed> {
        if !self.connected && now >= self.give_up {
            return Err(Closed::NeverConnected);
        }
        self.rtc.handle_input(Input::Timeout(now)).map_err(failure)
    }

    /// Gives a viewer the fresh packets of a track. True when it waits for a key frame afterwards.
    pub fn forward(&mut self, track: TrackId, packets: &[Packet], view: TrackView, now: Instant) -> bool {
        let mut waits = false;
        for out in self.outgoing.iter_mut().filter(|out| out.track == track) {
            out.forward(&mut self.rtc, packets, view, now);
            waits |= out.waits_for_key() && self.congested.is_none();
        }
        waits
    }

    /// Gives a viewer that has just connected what the track's cache holds; `true` when there is nothing to begin with.
    pub fn join(&mut self, index: usize, cached: Vec<Packet>, view: TrackView, now: Instant) -> bool {
        let Some(out) = self.outgoing.get_mut(index) else { return false };
        out.join(&mut self.rtc, cached, view, now);
        out.waits_for_key()
    }

    /// Its viewer asks for a key frame of this track: what it shall get on which line.
    pub fn ask_for_picture(&mut self, track: TrackId, now: Instant) -> Option<(usize, Wanted)> {
        let index = self.outgoing.iter().position(|out| out.track == track)?;
        Some((index, self.outgoing[index].ask(self.spoke, now)))
    }

    /// Releases what is due of a viewer's backlog of this track.
    pub fn release(&mut self, track: TrackId, elapsed: Duration, view: TrackView, now: Instant) {
        for out in self.outgoing.iter_mut().filter(|out| out.track == track) {
            out.release(&mut self.rtc, elapsed, view, now);
        }
    }

    /// Asks a publisher for a key frame of this stream (PLI).
    pub fn request_keyframe(&mut self, ssrc: u32) {
        if let Some(stream) = self.rtc.direct_api().stream_rx(&ssrc.into()) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    /// Collects str0m's output: datagrams into `batch`, reports to `tell`. Ends when str0m has nothing more to do at `now`.
    pub fn drain(&mut self, now: Instant, batch: &mut Batch, mut tell: impl FnMut(Happening)) -> Result<(), Closed> {
        for _ in 0..SPINS {
            match self.rtc.poll_output().map_err(failure)? {
                // str0m hands out one packet per timeout: a frame goes out as a whole only when all are fed now
                Output::Timeout(at) if at <= now => self.rtc.handle_input(Input::Timeout(now)).map_err(failure)?,
                Output::Timeout(at) => {
                    let at = at.min(now + LONGEST_SLEEP);
                    self.wake = if self.connected { at } else { at.min(self.give_up) };
                    return Ok(());
                }
                Output::Transmit(transmit) => self.transmit(&transmit, now, batch),
                Output::Event(event) => {
                    if let Some(happening) = self.translate(event) {
                        tell(happening);
                    }
                }
            }
        }
        tracing::error!("a transport does not come to rest");
        Err(Closed::Failure)
    }

    /// Says goodbye (RTCP BYE, DTLS close_notify).
    pub fn close(&mut self, now: Instant, batch: &mut Batch) {
        if self.rtc.close().is_err() {
            return;
        }
        for _ in 0..SPINS {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => self.transmit(&transmit, now, batch),
                Ok(Output::Event(_)) => {}
                Ok(Output::Timeout(_)) | Err(_) => return,
            }
        }
    }

    fn transmit(&mut self, transmit: &str0m::net::Transmit, now: Instant, batch: &mut Batch) {
        let protocol = if transmit.proto == Carrier::Tcp { Protocol::Tcp } else { Protocol::Udp };
        let path = Path { protocol, local: transmit.source, remote: transmit.destination };
        self.notes.sent.add(transmit.contents.len());
        if !stun::is_stun(&transmit.contents) {
            let path = self.route.follow(path, now);
            self.notes.pair = Some((path.local, path.remote));
            // another way may have room
            self.congested = self.congested.filter(|slow| *slow == path);
            return batch.push(path, &transmit.contents);
        }
        if stun::is_request(&transmit.contents)
            && let Some(transaction) = stun::transaction(&transmit.contents)
        {
            self.route.asks(transaction, path);
        }
        batch.push(path, &transmit.contents);
    }

    fn translate(&mut self, event: Event) -> Option<Happening> {
        match event {
            Event::RtpPacket(packet) => self.incoming.packet(&mut self.rtc, packet),
            Event::Connected => {
                self.connected = true;
                Some(Happening::Connected)
            }
            // before the first connection a later candidate or check may still succeed
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) if self.connected => Some(Happening::Ended(Closed::IceLost)),
            Event::KeyframeRequest(request) => {
                let out = self.outgoing.iter().find(|out| out.mid == request.mid)?;
                Some(Happening::KeyframeWanted { track: out.track })
            }
            Event::Closed => Some(Happening::Ended(Closed::ByPeer)),
            _ => None,
        }
    }
}

/// Does it look like RTCP (RFC 7983, RFC 5761 §4)?
fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, 192..=223, ..])
}

fn carrier(protocol: Protocol) -> Carrier {
    match protocol {
        Protocol::Udp => Carrier::Udp,
        Protocol::Tcp => Carrier::Tcp,
    }
}

fn failure(error: str0m::RtcError) -> Closed {
    tracing::debug!(%error, "transport failure");
    Closed::Failure
}
