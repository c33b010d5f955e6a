//! The composer's loop: what the daemon says, what arrives, what the pipeline and the writer report; and how it ends.
//!
//! ```text
//! Running ── Stop, or the control socket closed ──> Ending ── mixers have passed the end ──> Draining ── file finished ──> over
//! ```
//!
//! One thread; it owns all state of the job and never waits for anything but its control socket, and for that a moment at most.

use super::Event;
use super::slots::{Note, Slots};
use super::stage::Stage;
use super::timing::Grid;
use crate::clock::monotonic_ns;
use crate::wire::control::{Failure, FailureKind, FromWorker, ToWorker};
use crate::wire::media::{Message, encode_keyframe_request};
use crate::worker::Turn;
use crate::worker::link::Link;
use crate::worker::socket::MediaSocket;
use std::sync::mpsc::Receiver;

/// How often the job looks at its media, in ms: a picture's time. Whatever came meanwhile is taken at once, so that threads are woken
/// seldom and find more to do; the mixers wait longer than that by far.
const TICK_MS: u8 = 40;
/// How long the mixers may take to pass the end, in ns: they are late by half a second, on a machine that cannot keep up by more.
const ENDING: u64 = 3_000_000_000;
/// How long encoders and writer may take to finish, in ns. Then the file is left as it is: playable, and to be recovered.
const DRAINING: u64 = 5_000_000_000;
/// Pause between two reports of what was lost, in ns.
const REPORT: u64 = 1_000_000_000;

/// How far the recording is; lives only move forward.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Running,
    /// The end is fixed; the mixers have until then (ns).
    Ending {
        until: u64,
    },
    /// Encoders and writer finish; they have until then (ns).
    Draining {
        until: u64,
    },
}

/// A recording that runs.
pub struct Job {
    /// First moment of this process, CLOCK_MONOTONIC in ns.
    began: u64,
    grid: Grid,
    media: MediaSocket,
    stage: Stage,
    slots: Slots,
    phase: Phase,
    ready: bool,
    /// When losses were reported last.
    reported: u64,
}

impl Job {
    /// `began` is the first moment of this process, CLOCK_MONOTONIC in ns.
    pub fn new(began: u64, grid: Grid, media: MediaSocket, stage: Stage, slots: Slots) -> Job {
        Job { began, grid, media, stage, slots, phase: Phase::Running, ready: false, reported: monotonic_ns() }
    }

    /// Works until the file is finished (`Ok`) or the recording cannot go on.
    pub fn work(&mut self, heard: &Receiver<Event>, queue: &Receiver<Turn>, link: &mut Link) -> Result<(), Failure> {
        loop {
            link.wait(TICK_MS);
            while let Ok(turn) = queue.try_recv() {
                self.on_turn(turn, link)?;
            }
            while let Some(line) = link.try_read().map_err(|error| Failure { kind: FailureKind::Crashed, text: error.to_string() })? {
                self.on_line(line);
            }
            self.take_media();
            while let Ok(event) = heard.try_recv() {
                match event {
                    Event::Finished => return Ok(()),
                    event => self.on_event(event, link)?,
                }
            }
            self.on_tick(link)?;
        }
    }

    fn on_turn(&mut self, turn: Turn, link: &mut Link) -> Result<(), Failure> {
        match turn {
            Turn::Stop => self.stop(),
            Turn::Warning(text) => link.say(&FromWorker::Warning { text }),
            Turn::Failed(failure) => return Err(failure),
            Turn::Ready => {}
        }
        Ok(())
    }

    fn on_line(&mut self, line: ToWorker) {
        match line {
            ToWorker::AddSlot(slot) => self.slots.add(slot, &self.stage, monotonic_ns()),
            ToWorker::RemoveSlot { slot } => {
                // what came before it left
                self.take_media();
                self.slots.remove(slot, &self.stage, monotonic_ns());
            }
            ToWorker::Layout { order } => self.slots.set_order(order),
            ToWorker::Stop => self.stop(),
            // the job is the first line, and there is one
            ToWorker::Start { .. } => {}
        }
    }

    fn take_media(&mut self) {
        let Job { media, slots, stage, .. } = self;
        media.drain(|bytes| match Message::parse(bytes) {
            Ok(message) => slots.hear(message, stage, monotonic_ns()),
            Err(error) => eprintln!("the daemon sent no message: {error}"),
        });
    }

    fn on_event(&mut self, event: Event, link: &mut Link) -> Result<(), Failure> {
        match event {
            Event::Failed(failure) => return Err(failure),
            Event::Branch { name, text } => self.slots.failed(&name, text, &self.stage, monotonic_ns()),
            Event::Written(written) => {
                link.say(&FromWorker::Written(written));
                if !std::mem::replace(&mut self.ready, true) {
                    link.say(&FromWorker::Ready);
                }
            }
            Event::Finished => {}
        }
        Ok(())
    }

    fn on_tick(&mut self, link: &mut Link) -> Result<(), Failure> {
        let now = monotonic_ns();
        self.slots.tick(&self.stage, now);
        for note in self.slots.take_notes() {
            match note {
                Note::KeyframeWanted(slot) => {
                    let mut request = Vec::new();
                    encode_keyframe_request(&mut request, slot);
                    self.media.send(&request);
                }
                Note::Warning(text) => link.say(&FromWorker::Warning { text }),
            }
        }
        if now.saturating_sub(self.reported) >= REPORT {
            self.reported = now;
            self.report(link);
        }
        match self.phase {
            Phase::Ending { until } if self.stage.is_complete() || now >= until => {
                self.phase = Phase::Draining { until: now + DRAINING };
                self.stage.drain();
            }
            Phase::Draining { until } if now >= until => {
                return Err(Failure { kind: FailureKind::Pipeline, text: "the encoders do not end".into() });
            }
            _ => {}
        }
        Ok(())
    }

    fn report(&mut self, link: &mut Link) {
        let (dropped, holes) = self.slots.take_losses();
        let backwards = self.stage.take_backwards();
        let table = [
            (dropped, "access units dropped: the decoders do not keep up"),
            (holes, "holes in what arrives"),
            (backwards, "mixed buffers dropped: their time did not grow"),
        ];
        for (count, what) in table.into_iter().filter(|(count, _)| *count > 0) {
            link.say(&FromWorker::Warning { text: format!("{count} {what}") });
        }
    }

    /// Fixes the end of the recording: now, to the next picture.
    fn stop(&mut self) {
        if self.phase == Phase::Running {
            let now = monotonic_ns();
            let end = self.grid.at_or_after(now.saturating_sub(self.began)).max(1);
            self.stage.end_at(self.grid.time(end));
            self.phase = Phase::Ending { until: now + ENDING };
        }
    }
}
