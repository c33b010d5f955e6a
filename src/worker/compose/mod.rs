//! The job that composes: what arrives by slots is decoded, arranged in cells, mixed, encoded and written to one file.
//!
//! | file | what |
//! |---|---|
//! | `folder` | the recording's folder: its lock, which file is written |
//! | `job` | the loop: what is said, what arrives, when it ends |
//! | `slots` | who takes part, and which cell each has |
//! | `leaving` | who left, until the film has come so far |
//! | `early` | what came for slots that are not announced yet. Pure |
//! | `timing` | the output's grid of pictures, a source's time line. Pure |
//! | `branch` | the elements of one slot |
//! | `stage` | the elements that are always there: mixers, encoders |
//! | `limiter` | mixed sound is no louder than a file can say. Pure |
//! | `cut` | the end of a mixer: only growing times, nothing behind the end |
//! | `codecs` | which decoders and encoders |
//! | `writer` | the thread that writes the file |
//!
//! The recording begins at the moment its spec names: black and silence grow from there, whoever comes. A process that takes the
//! place of a dead one begins where it is now, and leaves a gap in the same file. The recording ends at a picture of its grid:
//! what belongs before that moment and is still on its way is waited for, then the encoders are drained.

mod branch;
mod codecs;
mod cut;
mod early;
mod folder;
mod job;
mod leaving;
mod limiter;
mod slots;
mod stage;
mod timing;
mod writer;

use super::inlet;
use super::link::Link;
use super::pipeline::Pipeline;
use super::socket::MediaSocket;
use super::{Turn, bus, process};
use crate::clock::monotonic_ns;
use crate::mp4::Kind;
use crate::wire::compose::{ComposeSpec, Written};
use crate::wire::control::{Failure, FailureKind};
use folder::Folder;
use gstreamer::prelude::*;
use job::Job;
use slots::Slots;
use stage::Stage;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use timing::Grid;
use writer::Plan;

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

/// Events that may wait; the job takes them 25 times a second.
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
    // the mixers wait half a second for what is late
    process::work_in_batches();
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
    let stage = Stage::build(&pipeline, spec, began, grid, &inbox)?;
    drop(inbox);
    pipeline.play()?;
    let slots = Slots::new(began, spec.video, grid);
    let mut job = Job::new(began, grid, media, stage, slots);
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
