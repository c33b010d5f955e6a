//! The engine's side of a worker that is given tracks (a recorder, a composer): packets of tracks in, messages out. Knows no
//! socket and never waits.
//!
//! Written by the core alone. Each slot carries one track: its format, then what a newcomer needs (the cached GOP), then the live
//! access units, whole and in order. Sequence numbers are written anew, without holes, from one epoch into the next: what is
//! missing was left out here, at the end of a whole frame. Timestamps are the source's.
//!
//! What finds no room waits in line, behind a frame of which the worker has a part already. A key frame empties the line before
//! it, so the line is what a newcomer would get and shares its payloads with the cache of the track. A line that is longer than
//! any cache is given up: the slot waits for a key frame, which is asked for when there is room. Sound that finds no room is
//! dropped.

use super::assemble::{Assembler, Unit};
use super::capture::Moment;
use super::outgoing::TrackView;
use super::outlet::{Outlet, Sent};
use crate::ids::TrackId;
use crate::rtp::{Format, Header, Kind, Packet};
use crate::wire::media::{AccessUnit, Message, encode_format};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a browser's lost packet is waited for: above a retransmission over a bad line, below what a mixer waits.
const PATIENCE: Duration = Duration::from_millis(300);
/// Payload bytes that wait in line: the largest GOP cache, and what comes while it is sent.
const LINE: usize = 12 << 20;
/// Longest line in time; the same of a cache, and some more.
const SPAN: Duration = Duration::from_secs(20);
/// Pause before a full outlet is tried again when no packet comes to do it.
const RETRY: Duration = Duration::from_millis(50);
/// Payload type of all packets. It means nothing: the format says what they are.
const PAYLOAD_TYPE: u8 = 97;

/// A job that is given tracks.
pub struct Sink {
    slots: Vec<Slot>,
    writer: Writer,
    /// What slots that are gone were not given.
    lost: Losses,
    /// Messages of the worker that were of no use.
    pub ignored: u64,
}

/// Packets that a worker was not given.
#[derive(Clone, Copy, Default, Debug)]
pub struct Losses {
    /// There was no room.
    pub dropped: u64,
    /// They could not be decoded: of a frame with a hole, or before a key frame.
    pub unusable: u64,
}

impl std::ops::AddAssign for Losses {
    fn add_assign(&mut self, other: Losses) {
        self.dropped += other.dropped;
        self.unusable += other.unusable;
    }
}

impl Sink {
    /// A sink without slots. `tie` is any moment: it ties our clock to the one that capture times are told in.
    pub fn new(outlet: Box<dyn Outlet>, tie: Moment) -> Sink {
        let writer = Writer { outlet, tie, gone: false, bytes: AccessUnit::default() };
        Sink { slots: Vec::new(), writer, lost: Losses::default(), ignored: 0 }
    }

    /// Packets this worker was not given.
    pub fn losses(&self) -> Losses {
        self.slots.iter().fold(self.lost, |mut sum, slot| {
            sum += slot.losses();
            sum
        })
    }

    /// A track joins on a slot that is free, beginning with what its cache holds. True when it waits for a key frame.
    pub fn add(&mut self, number: u8, track: TrackId, kind: Kind, cached: &[Packet], view: TrackView, now: Instant) -> bool {
        let mut slot = Slot::new(number, track, kind);
        slot.enter(view);
        // what is missing in the cache was missing then: nobody waits for it from now on
        slot.take(cached.iter().map(|packet| (packet, packet.captured)), &mut self.writer, now);
        let wants = slot.wants_key(&self.writer);
        self.slots.push(slot);
        wants
    }

    /// A slot ends; which track it carried.
    pub fn remove(&mut self, number: u8) -> Option<TrackId> {
        let at = self.slots.iter().position(|slot| slot.number == number)?;
        let slot = self.slots.remove(at);
        self.lost += slot.losses();
        Some(slot.track)
    }

    /// Gives a slot the fresh packets of its track. True when it waits for a key frame afterwards.
    pub fn forward(&mut self, number: u8, packets: &[Packet], view: TrackView, now: Instant) -> bool {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.number == number) else { return false };
        slot.enter(view);
        let of_epoch = packets.iter().filter(|packet| packet.epoch == view.epoch);
        slot.take(of_epoch.map(|packet| (packet, now)), &mut self.writer, now);
        slot.wants_key(&self.writer)
    }

    /// Time passes: gives up on what did not come, tries again what found no room. Returns the tracks that need a key frame.
    pub fn tick(&mut self, now: Instant) -> Vec<TrackId> {
        let Sink { slots, writer, .. } = self;
        slots.iter_mut().for_each(|slot| slot.take([], writer, now));
        slots.iter().filter(|slot| slot.wants_key(writer)).map(|slot| slot.track).collect()
    }

    /// When [`Sink::tick`] has something to do; `None` = when something else happens.
    pub fn wake(&self, now: Instant) -> Option<Instant> {
        if self.writer.gone {
            return None;
        }
        self.slots.iter().filter_map(|slot| slot.wake(now)).min()
    }

    /// Reads a message of the worker; the track that it needs a key frame of.
    pub fn hear(&mut self, message: &[u8]) -> Option<TrackId> {
        let track = match Message::parse(message) {
            Ok(Message::KeyframeRequest { slot }) => self.slots.iter().find(|s| s.number == slot).map(|s| s.track),
            _ => None,
        };
        self.ignored += u64::from(track.is_none());
        track
    }
}

/// One track on its way to one worker.
struct Slot {
    number: u8,
    track: TrackId,
    kind: Kind,
    epoch: Option<u32>,
    /// The format that the worker must hear first.
    unsaid: Option<Format>,
    assembler: Assembler,
    line: VecDeque<Unit>,
    /// Payload bytes in line.
    waiting: usize,
    /// Messages of the first unit in line that the worker has.
    begun: usize,
    /// The line waits until the worker has caught up: to try each time would be to make the messages for nothing.
    blocked: bool,
    /// The line was given up and no key frame came since.
    overflowed: bool,
    sequence: u16,
    ready: Vec<Unit>,
    lost: Losses,
}

impl Slot {
    fn new(number: u8, track: TrackId, kind: Kind) -> Slot {
        Slot {
            number,
            track,
            kind,
            epoch: None,
            unsaid: None,
            assembler: Assembler::new(kind, Duration::ZERO),
            line: VecDeque::new(),
            waiting: 0,
            begun: 0,
            blocked: false,
            overflowed: false,
            sequence: 0,
            ready: Vec::new(),
            lost: Losses::default(),
        }
    }

    fn losses(&self) -> Losses {
        Losses { unusable: self.lost.unusable + self.assembler.unusable, ..self.lost }
    }

    /// Makes ready for the track's epoch, if its format is known. What waits of the one before is over.
    fn enter(&mut self, view: TrackView) {
        let Some(format) = view.format.filter(|_| self.epoch != Some(view.epoch)) else { return };
        self.epoch = Some(view.epoch);
        self.unsaid = Some(format);
        self.empty_line();
        (self.begun, self.overflowed) = (0, false);
        // a worker's source has its packets in order, and nobody repairs them
        let patience = if view.camera { Duration::ZERO } else { PATIENCE };
        self.lost.unusable += self.assembler.unusable;
        self.assembler = Assembler::new(self.kind, patience);
    }

    /// Takes packets with their arrival, and sends what is whole.
    fn take<'a>(&mut self, packets: impl IntoIterator<Item = (&'a Packet, Instant)>, writer: &mut Writer, now: Instant) {
        self.flush(writer, now);
        for (packet, arrived) in packets {
            self.assembler.push(packet.clone(), arrived.min(now), now, &mut self.ready);
            self.send_ready(writer, now);
        }
        self.assembler.expire(now, &mut self.ready);
        self.send_ready(writer, now);
    }

    fn send_ready(&mut self, writer: &mut Writer, now: Instant) {
        let mut ready = std::mem::take(&mut self.ready);
        for unit in ready.drain(..) {
            self.queue(unit);
            self.flush(writer, now);
            if self.kind == Kind::Audio {
                self.empty_line();
            }
        }
        // keeps its memory for the next time
        self.ready = ready;
    }

    /// Puts a unit in line.
    fn queue(&mut self, unit: Unit) {
        if unit.key {
            self.empty_line();
            self.overflowed = false;
        }
        let bytes = payload_bytes(&unit);
        let first = self.line.get(usize::from(self.begun > 0)).map_or(unit.captured, |first| first.captured);
        let long = unit.captured.saturating_duration_since(first) > SPAN || self.waiting + bytes > LINE;
        if self.overflowed || long {
            self.lost.dropped += unit.packets.len() as u64;
            self.empty_line();
            self.overflowed = true;
            self.assembler.wait_for_key();
            return;
        }
        self.waiting += bytes;
        self.line.push_back(unit);
    }

    /// Drops what waits, but not a frame that the worker has the beginning of.
    fn empty_line(&mut self) {
        let kept = usize::from(self.begun > 0).min(self.line.len());
        let dropped = self.line.drain(kept..).map(|unit| unit.packets.len() as u64).sum::<u64>();
        self.lost.dropped += dropped;
        self.waiting = self.line.iter().map(payload_bytes).sum();
    }

    /// Sends the format, when it is due, and the line, as much as there is room for.
    fn flush(&mut self, writer: &mut Writer, now: Instant) {
        if let Some(format) = self.unsaid {
            if !writer.format(self.number, format) {
                return;
            }
            self.unsaid = None;
        }
        if self.blocked && !writer.outlet.has_room() {
            return;
        }
        self.blocked = false;
        while let Some(unit) = self.line.front() {
            if !writer.unit(self.number, self.sequence, unit, now, &mut self.begun) {
                // sound comes in small pieces and does not wait
                self.blocked = self.kind == Kind::Video;
                return;
            }
            self.sequence = self.sequence.wrapping_add(unit.packets.len() as u16);
            self.waiting -= payload_bytes(unit);
            self.begun = 0;
            self.line.pop_front();
        }
    }

    fn wants_key(&self, writer: &Writer) -> bool {
        self.epoch.is_some() && !writer.gone && self.assembler.wants_key() && (!self.overflowed || writer.outlet.has_room())
    }

    fn wake(&self, now: Instant) -> Option<Instant> {
        let blocked = (self.unsaid.is_some() || !self.line.is_empty()).then(|| now + RETRY);
        self.assembler.deadline().into_iter().chain(blocked).min()
    }
}

fn payload_bytes(unit: &Unit) -> usize {
    unit.packets.iter().map(|packet| packet.payload.len()).sum()
}

/// Makes messages and sends them.
struct Writer {
    outlet: Box<dyn Outlet>,
    tie: Moment,
    /// Nobody will ever read; what is sent is forgotten.
    gone: bool,
    bytes: AccessUnit,
}

impl Writer {
    /// False when there is no room.
    fn format(&mut self, slot: u8, format: Format) -> bool {
        let mut message = Vec::new();
        encode_format(&mut message, slot, &format);
        self.send(&message)
    }

    /// Sends a unit from its message `begun` on, and counts it up; false when there is no room for all of them.
    fn unit(&mut self, slot: u8, first: u16, unit: &Unit, now: Instant, begun: &mut usize) -> bool {
        let mut bytes = std::mem::take(&mut self.bytes);
        // a stamp in the future would drag a mixer ahead
        bytes.begin(slot, self.tie.nanoseconds(unit.captured.min(now)));
        for (offset, packet) in unit.packets.iter().enumerate() {
            let sequence = first.wrapping_add(offset as u16);
            let (marker, timestamp, ssrc) = (packet.marker, packet.timestamp, slot.into());
            let header = Header { marker, payload_type: PAYLOAD_TYPE, sequence, timestamp, ssrc };
            if let Err(error) = bytes.push(&header.packet(&packet.payload)) {
                // no datagram and no message brings one that long
                tracing::error!(slot, %error, "a packet is left out");
            }
        }
        let taken = bytes.messages().skip(*begun).all(|message| {
            let taken = self.send(message);
            *begun += usize::from(taken);
            taken
        });
        self.bytes = bytes;
        taken
    }

    fn send(&mut self, message: &[u8]) -> bool {
        if !self.gone {
            match self.outlet.send(message) {
                Sent::Taken => {}
                Sent::Full => return false,
                Sent::Gone => self.gone = true,
            }
        }
        true
    }
}
