//! The owner of a pipeline: its clock, its start and its safe end.

use super::{Turn, Turns, bus};
use crate::wire::control::{Failure, FailureKind};
use gstreamer::prelude::*;
use gstreamer::{BusSyncReply, DebugGraphDetails, Message, State, SystemClock};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// How long setting a pipeline to NULL may take; a hung camera takes 0.1 s.
const END: Duration = Duration::from_secs(1);

/// Owns a pipeline. Dropping it sets the pipeline to NULL from a thread of its own and waits [`END`] at most, so that an element
/// that hangs holds up nobody but that thread.
#[derive(Debug)]
pub struct Pipeline {
    pipeline: gstreamer::Pipeline,
}

impl Pipeline {
    /// An empty pipeline that runs on CLOCK_MONOTONIC, so that base time + running time is a time the daemon understands. What
    /// its bus says becomes [`Turn`]s at once, in the thread that says it; nothing is left in the bus.
    pub fn new(name: &str, turns: Turns) -> Result<Pipeline, Failure> {
        Pipeline::hearing(name, move |message| {
            if let Some(failure) = bus::translate(message) {
                turns.send(Turn::Failed(failure));
            }
        })
    }

    /// The same for a job that wants to hear its bus itself: `hear` gets each message, in the thread that says it.
    pub fn hearing(name: &str, hear: impl Fn(&Message) + Send + Sync + 'static) -> Result<Pipeline, Failure> {
        let pipeline = gstreamer::Pipeline::with_name(name);
        pipeline.use_clock(Some(&SystemClock::obtain()));
        let bus = pipeline.bus().ok_or_else(|| failure("the pipeline has no bus"))?;
        bus.set_sync_handler(move |_, message| {
            hear(message);
            BusSyncReply::Drop
        });
        Ok(Pipeline { pipeline })
    }

    /// The pipeline itself, to add elements. Closures hold it by weak reference only.
    pub fn gst(&self) -> &gstreamer::Pipeline {
        &self.pipeline
    }

    /// Starts it. Errors that come later arrive as turns.
    pub fn play(&self) -> Result<(), Failure> {
        self.pipeline.set_state(State::Playing).map(drop).map_err(|error| failure(&error.to_string()))
    }

    /// Writes a dot file to `GST_DEBUG_DUMP_DOT_DIR`, when that is set. Without properties: one of them is a password.
    pub fn dump(&self, reason: &str) {
        let details = DebugGraphDetails::MEDIA_TYPE | DebugGraphDetails::CAPS_DETAILS | DebugGraphDetails::STATES;
        self.pipeline.debug_to_dot_file_with_ts(details, format!("{}-{reason}", self.pipeline.name()));
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let pipeline = self.pipeline.clone();
        let (done, ended) = sync_channel(1);
        let ender = std::thread::Builder::new().name("pipeline-end".into()).spawn(move || {
            let end = pipeline.set_state(State::Null);
            if let Some(bus) = pipeline.bus() {
                bus.unset_sync_handler();
            }
            drop(pipeline);
            let _ = done.send(end);
        });
        match ender.map(|_| ended.recv_timeout(END)) {
            Ok(Ok(Ok(_))) => {}
            Ok(Ok(Err(error))) => eprintln!("pipeline {} did not stop: {error}", self.pipeline.name()),
            Ok(Err(_)) => eprintln!("pipeline {} still stops after {END:?}", self.pipeline.name()),
            Err(error) => eprintln!("pipeline {} is not stopped: {error}", self.pipeline.name()),
        }
    }
}

fn failure(text: &str) -> Failure {
    Failure { kind: FailureKind::Pipeline, text: text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic_ns;

    #[test]
    fn a_dropped_pipeline_is_gone_and_runs_on_the_monotonic_clock() {
        gstreamer::init().unwrap();
        let (turns, _queue) = Turns::channel();
        let pipeline = Pipeline::new("test", turns).unwrap();
        let source = gstreamer::parse::bin_from_description("audiotestsrc is-live=true ! fakesink", false).unwrap();
        pipeline.gst().add(&source).unwrap();
        let before = monotonic_ns();
        pipeline.play().unwrap();
        pipeline.gst().state(gstreamer::ClockTime::from_seconds(5)).0.unwrap();
        let base = pipeline.gst().base_time().unwrap().nseconds();
        assert!((before..=monotonic_ns()).contains(&base), "{before} {base}");
        let weak = pipeline.gst().downgrade();
        drop(source);
        drop(pipeline);
        assert!(weak.upgrade().is_none(), "something keeps the pipeline alive");
    }

    #[test]
    fn what_fails_in_the_pipeline_becomes_a_turn() {
        gstreamer::init().unwrap();
        let (turns, queue) = Turns::channel();
        let pipeline = Pipeline::new("test", turns).unwrap();
        let source = gstreamer::parse::bin_from_description("audiotestsrc num-buffers=1 ! fakesink", false).unwrap();
        pipeline.gst().add(&source).unwrap();
        pipeline.play().unwrap();
        let turn = queue.recv_timeout(Duration::from_secs(5)).unwrap();
        assert!(matches!(&turn, Turn::Failed(failure) if failure.kind == FailureKind::Ended), "{turn:?}");
    }
}
