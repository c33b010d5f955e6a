//! The job that gives a picture in another codec: access units in, decoded, encoded, access units out, on one media socket.
//!
//! | file | what |
//! |---|---|
//! | `chain` | the elements from packets to packets, for one pair of codecs |
//! | `picture` | which decoded pictures are worth encoding, and their place in time. Pure |
//! | `rate` | the rate of the source, and the one that follows from it. Pure |
//! | `pulse` | tells an element that hangs from one that has nothing to do. Pure |
//!
//! Time is the capture time of the source all the way: the pipeline counts from the zero of CLOCK_MONOTONIC, so the time stamp of a
//! buffer *is* the moment of capture, and what leaves carries it on. Sound goes another way; they meet at the viewer.
//!
//! The job may stand for hours before it is given anything, and be given another codec, size or epoch at any time. When it is
//! given what it should make, it rests: the daemon sends viewers the source itself then.

mod chain;
mod picture;
mod pulse;
mod rate;

use self::chain::{Chain, Choice};
use self::rate::Meter;
use super::inlet::{Inlet, Unit};
use super::link::Link;
use super::output::Shared;
use super::socket::MediaSocket;
use super::{Turn, Turns};
use crate::clock::monotonic_ns;
use crate::rtp::{Codec, Format, Kind};
use crate::wire::control::{Failure, FailureKind, FromWorker, HEARTBEAT, ToWorker, VIDEO_SLOT};
use crate::wire::media::{Message, PacketIter, encode_keyframe_request};
use crate::wire::transcode::TranscodeSpec;
use crate::worker::source::Full;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// How long the job waits for its sockets before it looks at everything else, in ms.
const TICK_MS: u8 = 50;
/// Between two signs of life, and two reports of what was lost, in ns.
const REPORT: u64 = HEARTBEAT.as_nanos() as u64;

/// Transcodes until the daemon ends the job (`Ok`) or something fails.
pub fn run(spec: &TranscodeSpec, media: MediaSocket, turns: &Turns, queue: &Receiver<Turn>, link: &mut Link) -> Result<(), Failure> {
    gstreamer::init().map_err(|error| Failure { kind: FailureKind::Pipeline, text: error.to_string() })?;
    // what cannot be done at all is said at once, not when the first picture comes
    chain::encoder(spec)?;
    link.say(&FromWorker::Listening);
    let shared = Arc::new(Shared::new(media, turns.clone()));
    let job = Job {
        spec: spec.clone(),
        link,
        uses: Vec::new(),
        turns: turns.clone(),
        shared,
        inlet: None,
        chain: None,
        meter: Meter::default(),
        dropped: 0,
        reported: monotonic_ns(),
    };
    job.work(queue)
}

struct Job<'a> {
    /// Without hardware once that has failed.
    spec: TranscodeSpec,
    link: &'a mut Link,
    /// The hardware that the daemon was told is in use.
    uses: Vec<String>,
    turns: Turns,
    shared: Arc<Shared>,
    inlet: Option<Inlet>,
    chain: Option<Chain>,
    meter: Meter,
    /// Access units that found no room, since the last report.
    dropped: u64,
    reported: u64,
}

impl Job<'_> {
    fn work(mut self, queue: &Receiver<Turn>) -> Result<(), Failure> {
        loop {
            self.link.wait_with(&self.shared.media, TICK_MS);
            while let Ok(turn) = queue.try_recv() {
                match turn {
                    Turn::Stop => return Ok(()),
                    Turn::Ready => self.link.say(&FromWorker::Ready),
                    Turn::Warning(text) => self.link.say(&FromWorker::Warning { text }),
                    Turn::Failed(failure) => self.failed(failure, queue)?,
                }
            }
            let broken = |error: super::link::LinkError| Failure { kind: FailureKind::Crashed, text: error.to_string() };
            // the job is the first line; there is nothing else to say to a transcoder
            while self.link.try_read::<ToWorker>().map_err(broken)?.is_some() {}
            self.take_media()?;
            self.tick()?;
        }
    }

    /// Hardware that fails is given up for software, once; what else fails, fails.
    fn failed(&mut self, failure: Failure, queue: &Receiver<Turn>) -> Result<(), Failure> {
        if !self.chain.as_ref().is_some_and(Chain::is_hardware) {
            self.chain.iter().for_each(Chain::dump);
            return Err(failure);
        }
        self.link.say(&FromWorker::Warning { text: format!("{failure}; going on in software") });
        self.spec.hardware = false;
        self.chain = None;
        // the pipeline is gone, and these are its last words
        while let Ok(turn) = queue.try_recv() {
            if matches!(turn, Turn::Stop) {
                self.turns.send(Turn::Stop);
                break;
            }
        }
        self.inlet.iter_mut().for_each(Inlet::start_again);
        Ok(())
    }

    fn take_media(&mut self) -> Result<(), Failure> {
        let shared = self.shared.clone();
        let (mut end, mut units) = (Ok(()), Vec::new());
        shared.media.drain(|bytes| {
            let heard = match Message::parse(bytes) {
                Ok(Message::Format { slot: VIDEO_SLOT, format }) => {
                    // what came before it belongs to the epoch before
                    self.give_all(std::mem::take(&mut units)).and_then(|()| self.begin(format))
                }
                Ok(Message::Packets { slot: VIDEO_SLOT, captured_ns, packets }) => {
                    self.packets(captured_ns, packets, &mut units);
                    Ok(())
                }
                Ok(Message::KeyframeRequest { slot: VIDEO_SLOT }) => {
                    self.chain.iter().for_each(Chain::request_keyframe);
                    Ok(())
                }
                Ok(_) => Ok(()),
                Err(error) => {
                    eprintln!("the daemon sent no message: {error}");
                    Ok(())
                }
            };
            if end.is_ok() {
                end = heard;
            }
        });
        end.and_then(|()| self.give_all(units))
    }

    /// A new epoch of the source.
    fn begin(&mut self, format: Format) -> Result<(), Failure> {
        let codec = format.codec;
        if codec.kind() != Kind::Video || codec == self.spec.to {
            (self.inlet, self.chain) = (None, None);
            return Ok(());
        }
        self.inlet = Some(Inlet::new(codec));
        self.meter = Meter::default();
        // a decoder takes the next epoch of its codec as it takes a new size
        if self.chain.as_ref().is_none_or(|chain| chain.from() != codec) {
            self.chain = None;
            self.build(codec)?;
        }
        Ok(())
    }

    fn build(&mut self, from: Codec) -> Result<(), Failure> {
        let choice = Choice::of(from, &self.spec)?;
        let uses = choice.hardware();
        if uses != self.uses {
            self.link.say(&FromWorker::Uses { elements: uses.clone() });
            self.uses = uses;
        }
        self.chain = Some(Chain::build(from, choice, &self.spec, &self.shared, &self.turns)?);
        Ok(())
    }

    fn packets(&mut self, captured_ns: u64, packets: PacketIter<'_>, units: &mut Vec<Unit>) {
        if let Some(inlet) = &mut self.inlet {
            let now = monotonic_ns();
            packets.for_each(|packet| inlet.push(now, captured_ns, packet, &mut |unit| units.push(unit)));
        }
    }

    /// Gives units that came together: the decoder's first pictures may be older than its last, and only these are worth encoding.
    fn give_all(&mut self, units: Vec<Unit>) -> Result<(), Failure> {
        if let (Some(chain), Some(last)) = (&self.chain, units.last()) {
            chain.expect(last.captured_ns);
        }
        units.into_iter().try_for_each(|unit| self.give(unit))
    }

    fn give(&mut self, unit: Unit) -> Result<(), Failure> {
        if let (None, Some(codec)) = (&self.chain, self.inlet.as_ref().map(Inlet::codec)) {
            self.build(codec)?;
        }
        let Some(chain) = &mut self.chain else { return Ok(()) };
        if let Some(pace) = self.meter.take(unit.captured_ns, unit.bytes.len()) {
            chain.follow(pace);
        }
        if chain.push(unit) == Err(Full) {
            self.dropped += 1;
            self.inlet.iter_mut().for_each(Inlet::start_again);
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), Failure> {
        let now = monotonic_ns();
        let mut units = Vec::new();
        if let Some(inlet) = &mut self.inlet {
            inlet.tick(now, &mut |unit| units.push(unit));
            if inlet.wants_keyframe(now) {
                let mut request = Vec::new();
                encode_keyframe_request(&mut request, VIDEO_SLOT);
                self.shared.media.send(&request);
            }
        }
        self.give_all(units)?;
        if let Some(text) = self.chain.as_ref().and_then(Chain::hangs) {
            self.turns.send(Turn::Failed(Failure { kind: FailureKind::Pipeline, text }));
        }
        if now.saturating_sub(self.reported) >= REPORT {
            self.reported = now;
            self.report();
        }
        Ok(())
    }

    fn report(&mut self) {
        self.link.say(&FromWorker::Alive);
        let table = [
            (std::mem::take(&mut self.dropped), "access units dropped: the decoder does not keep up"),
            (self.shared.take_dropped().unwrap_or(0), "access units dropped: the daemon does not take them"),
        ];
        for (count, what) in table.into_iter().filter(|(count, _)| *count > 0) {
            self.link.say(&FromWorker::Warning { text: format!("{count} {what}") });
        }
    }
}
