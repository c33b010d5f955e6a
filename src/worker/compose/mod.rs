//! The job that composes: what arrives by slots is decoded, arranged in cells, mixed, encoded and written to one file.
//!
//! | file | what |
//! |---|---|
//! | `folder` | the recording's folder: its lock, which file is written |
//! | `slots` | who takes part, and which cell each has |
//! | `inlet` | a slot's packets: order, whole units, keyframe first. Pure |
//! | `timing` | the output's grid of pictures, a source's time line. Pure |
//! | `branch` | the elements of one slot |
//! | `stage` | the elements that are always there: mixers, encoders |
//! | `cut` | the end of a mixer: only growing times, nothing behind the end |
//! | `codecs` | which decoders and encoders |
//! | `writer` | the thread that writes the file |
//!
//! The recording begins at the moment its spec names: black and silence grow from there, whoever comes. A process that takes the
//! place of a dead one begins where it is now, and leaves a gap in the same file. The recording ends at a picture of
//! its grid: what belongs before that moment and is still on its way is waited for, then the encoders are drained.
//!
//! ```text
//! Running ── Stop, or the control socket closed ──> Ending ── mixers have passed the end ──> Draining ── file finished ──> over
//! ```

mod branch;
mod codecs;
mod cut;
mod folder;
mod inlet;
mod slots;
mod stage;
mod timing;
mod writer;

use super::link::Link;
use super::pipeline::Pipeline;
use super::socket::MediaSocket;
use super::{Turn, bus};
use crate::clock::monotonic_ns;
use crate::mp4::Kind;
use crate::wire::compose::{ComposeSpec, Written};
use crate::wire::control::{Failure, FailureKind, FromWorker, ToWorker};
use crate::wire::media::{Message, encode_keyframe_request};
use folder::Folder;
use gstreamer::prelude::*;
use slots::{Note, Slots};
use stage::Stage;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use timing::Grid;
use writer::Plan;

/// How long the job waits for its sockets before it looks at everything else.
const TICK_MS: u8 = 20;
/// How long the mixers may take to pass the end, in ns; they are late by half a second at most.
const ENDING: u64 = 1_000_000_000;
/// Pause between two reports of what was lost, in ns.
const REPORT: u64 = 1_000_000_000;
/// Grid of a recording without pictures: its end is on it.
const SOUND_GRID: u32 = 100;

/// What the pipeline and the writer say to the job.
#[derive(Debug)]
pub enum Event {
    /// The recording cannot go on.
    Failed(Failure),
    /// The elements of one slot cannot go on.
    Branch { name: String, text: String },
    /// So much is on disk.
    Written(Written),
    /// The file is finished.
    Finished,
}

/// Where [`Event`]s come from. Holds no GStreamer object.
#[derive(Clone, Debug)]
pub struct Events {
    queue: SyncSender<Event>,
}

/// Events that may wait; the job takes them fifty times a second.
const EVENTS: usize = 256;

impl Events {
    fn channel() -> (Events, Receiver<Event>) {
        let (queue, events) = sync_channel(EVENTS);
        (Events { queue }, events)
    }

    /// Never blocks: it is called by streaming threads, which the job waits for when it removes their elements.
    pub fn send(&self, event: Event) {
        if let Err(TrySendError::Full(event)) = self.queue.try_send(event) {
            eprintln!("composer is stuck, lost {event:?}");
        }
    }

    /// For the writer's last words, which must not be lost; the job never waits for the writer.
    pub fn send_last(&self, event: Event) {
        let _ = self.queue.send(event);
    }
}

/// Composes until it is told to stop (`Ok`: the file is finished) or the recording cannot go on.
pub fn run(spec: &ComposeSpec, media: MediaSocket, queue: &Receiver<Turn>, link: &mut Link) -> Result<(), Failure> {
    gstreamer::init().map_err(|error| Failure { kind: FailureKind::Pipeline, text: error.to_string() })?;
    let folder = Folder::open(Path::new(&spec.folder))?;
    let (events, heard) = Events::channel();
    let pipeline = Pipeline::hearing("composer", hear_bus(events.clone()))?;
    let rate = spec.video.map_or(SOUND_GRID, |video| video.frame_rate);
    let grid = Grid::new(rate);
    let tracks = [spec.video.map(|_| Kind::Video), spec.audio.map(|_| Kind::Audio)].into_iter().flatten().collect();
    let start = if folder.is_used() { grid.time(grid.at_or_after(monotonic_ns().saturating_sub(spec.began_ns))) } else { 0 };
    let began = spec.began_ns + start;
    let plan = Plan { folder, tracks, grid, start };
    let inbox = writer::start(plan, events).map_err(|error| Failure { kind: FailureKind::Pipeline, text: error.to_string() })?;
    let stage = Stage::build(&pipeline, spec, began, &inbox)?;
    drop(inbox);
    pipeline.play()?;
    let slots = Slots::new(began, spec.video, grid);
    let mut job = Job { began, grid, media, stage, slots, phase: Phase::Running, ready: false, reported: monotonic_ns() };
    let end = job.work(&heard, queue, link);
    if end.is_err() {
        pipeline.dump("failed");
    }
    end
}

/// Tells the trouble of one slot from that of the whole recording. Runs in the thread that has the trouble.
fn hear_bus(events: Events) -> impl Fn(&gstreamer::Message) + Send + Sync {
    move |message| {
        let Some(failure) = bus::translate(message) else { return };
        let mut source = message.src().cloned();
        while let Some(object) = source {
            if object.name().starts_with(branch::PREFIX) {
                return events.send(Event::Branch { name: object.name().into(), text: failure.to_string() });
            }
            source = object.parent();
        }
        // the writer says when all outputs have ended
        if !matches!(message.view(), gstreamer::MessageView::Eos(_)) {
            events.send(Event::Failed(failure));
        }
    }
}

/// How far the recording is; lives only move forward.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Running,
    /// The end is fixed; the mixers have until then (ns).
    Ending {
        until: u64,
    },
    /// Encoders and writer finish.
    Draining,
}

struct Job {
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
    fn work(&mut self, heard: &Receiver<Event>, queue: &Receiver<Turn>, link: &mut Link) -> Result<(), Failure> {
        loop {
            link.wait_with(&self.media, TICK_MS);
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
            self.on_tick(link);
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
            ToWorker::RemoveSlot { slot } => self.slots.remove(slot, &self.stage),
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

    fn on_tick(&mut self, link: &mut Link) {
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
        if let Phase::Ending { until } = self.phase
            && (self.stage.is_complete() || now >= until)
        {
            self.phase = Phase::Draining;
            self.stage.drain();
        }
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
