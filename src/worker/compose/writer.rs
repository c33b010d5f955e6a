//! The thread that writes the file: takes what the encoders make, in their order, and puts it on disk twice a second. It sleeps
//! meanwhile; only the end wakes it.
//!
//! Encoders and writer meet at a bounded queue. When the disk does not keep up the encoders wait, then the mixers are late, and
//! only the recording suffers: nobody else waits for this process.

use super::codecs::AAC_PRIMING;
use super::folder::{Folder, Part, failure};
use super::timing::Grid;
use super::{Event, Events};
use crate::clock::monotonic_ns;
use crate::mp4::{Audio, Format, Kind, Sample, VIDEO_TIMESCALE, Video};
use crate::wire::compose::Written;
use crate::wire::control::{Failure, FailureKind};
use gstreamer::{BufferFlags, CapsRef, ClockTime, FlowError, FlowSuccess};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::Thread;
use std::time::Duration;

/// Pause between two writes, in ns: what a power cut may cost.
const FLUSH: u64 = 500_000_000;
/// Samples that may wait for the writer: about 7 s of picture and sound.
const QUEUE: usize = 512;
/// Samples that may wait for the other track's first. Both mixers begin at once.
const HELD: usize = 1024;

/// Samples of sound a second.
pub const AUDIO_RATE: u32 = 48_000;
const SECOND: u64 = 1_000_000_000;

/// What the encoders say.
#[derive(Debug)]
enum Word {
    Sample(Kind, gstreamer::Sample),
    End(Kind),
}

/// Where the encoders put what they made.
#[derive(Clone, Debug)]
pub struct Inbox {
    words: SyncSender<Word>,
    writer: Thread,
}

impl Inbox {
    /// Hands over a sample; waits when the writer does not keep up.
    pub fn sample(&self, kind: Kind, sample: &gstreamer::Sample) -> Result<FlowSuccess, FlowError> {
        self.words.send(Word::Sample(kind, sample.clone())).map(|()| FlowSuccess::Ok).map_err(|_| FlowError::Error)
    }

    /// The track has no more.
    pub fn end(&self, kind: Kind) {
        let _ = self.words.send(Word::End(kind));
        self.writer.unpark();
    }
}

/// What the writer has to know.
#[derive(Debug)]
pub struct Plan {
    pub folder: Folder,
    /// The tracks of the file.
    pub tracks: Vec<Kind>,
    pub grid: Grid,
    /// When this process begins, ns since the recording began; on the grid. It is there in a file that it goes on with.
    pub start: u64,
}

/// Starts the thread. It ends with [`Event::Finished`] when each track has ended, or with [`Event::Failed`]; what was written
/// until then is finished as well, so that it can be played.
pub fn start(plan: Plan, events: Events) -> std::io::Result<Inbox> {
    let (words, queue) = sync_channel(QUEUE);
    let writer = std::thread::Builder::new().name("writer".into()).spawn(move || {
        let end = Writer::new(plan, events.clone()).run(&queue);
        events.send_last(end.map_or_else(Event::Failed, |()| Event::Finished));
    })?;
    Ok(Inbox { words, writer: writer.thread().clone() })
}

struct Writer {
    plan: Plan,
    events: Events,
    state: State,
    /// Tracks that have not ended.
    open: Vec<Kind>,
    /// The AAC encoder's first frame is still to come.
    priming: bool,
}

/// The file can be described when each track has shown its format.
enum State {
    Waiting(Vec<(Kind, gstreamer::Sample)>),
    Writing {
        part: Part,
        /// Where this process begins in the file, ns.
        start: u64,
        /// End of the longest track, ms since the file's beginning.
        duration_ms: u64,
    },
}

impl Writer {
    fn new(plan: Plan, events: Events) -> Writer {
        let open = plan.tracks.clone();
        Writer { plan, events, state: State::Waiting(Vec::new()), open, priming: true }
    }

    fn run(mut self, queue: &Receiver<Word>) -> Result<(), Failure> {
        let end = self.take_all(queue);
        let finished = self.finish(end.is_ok());
        end.and(finished)
    }

    fn take_all(&mut self, queue: &Receiver<Word>) -> Result<(), Failure> {
        let mut due = monotonic_ns() + FLUSH;
        while !self.open.is_empty() {
            match queue.try_recv() {
                Ok(Word::Sample(kind, sample)) => self.take(kind, sample)?,
                Ok(Word::End(kind)) => self.open.retain(|open| *open != kind),
                Err(TryRecvError::Empty) => due = self.flush_or_sleep(due)?,
                Err(TryRecvError::Disconnected) => break,
            }
        }
        Ok(())
    }

    /// Writes what was taken if that is `due`, else sleeps until then. Returns when the next write is due.
    fn flush_or_sleep(&mut self, due: u64) -> Result<u64, Failure> {
        let now = monotonic_ns();
        if now < due {
            std::thread::park_timeout(Duration::from_nanos(due - now));
            return Ok(due);
        }
        self.flush()?;
        Ok(now + FLUSH)
    }

    fn take(&mut self, kind: Kind, sample: gstreamer::Sample) -> Result<(), Failure> {
        match &mut self.state {
            State::Writing { .. } => return self.write(kind, &sample),
            State::Waiting(held) if held.len() < HELD => held.push((kind, sample)),
            State::Waiting(_) => return Err(pipeline("an encoder gives nothing")),
        }
        let State::Waiting(held) = &self.state else { return Ok(()) };
        if self.plan.tracks.iter().all(|kind| held.iter().any(|(its, _)| its == kind)) {
            self.begin()?;
        }
        Ok(())
    }

    /// Opens the file with the tracks that have shown their format, and writes what waited for it.
    fn begin(&mut self) -> Result<(), Failure> {
        let State::Waiting(held) = &mut self.state else { return Ok(()) };
        let held = std::mem::take(held);
        let caps = |kind| held.iter().find(|(its, _)| *its == kind).and_then(|(_, sample)| sample.caps());
        let format = Format { video: caps(Kind::Video).map(video).transpose()?, audio: caps(Kind::Audio).map(audio).transpose()? };
        let part = self.plan.folder.part(&format)?;
        let start = if part.resumed { self.plan.start } else { 0 };
        self.state = State::Writing { part, start, duration_ms: 0 };
        held.iter().try_for_each(|(kind, sample)| self.write(*kind, sample))
    }

    fn write(&mut self, kind: Kind, sample: &gstreamer::Sample) -> Result<(), Failure> {
        let State::Writing { part, start, duration_ms } = &mut self.state else { return Ok(()) };
        let buffer = sample.buffer().ok_or_else(|| pipeline("an encoder gave an empty sample"))?;
        // encoders count from where they like; the segment tells
        let segment = sample.segment().and_then(|segment| segment.downcast_ref::<ClockTime>());
        let running = buffer.pts().and_then(|pts| segment.and_then(|segment| segment.to_running_time(pts)));
        let odd = || pipeline(&format!("{kind}: no time in a sample at {:?} of {segment:?}", buffer.pts()));
        let time = running.ok_or_else(odd)?.nseconds() + *start;
        let (dts, duration, rate) = match kind {
            Kind::Video => video_time(self.plan.grid, time),
            Kind::Audio if std::mem::take(&mut self.priming) => return Ok(()),
            Kind::Audio => audio_time(time),
        };
        let data = buffer.map_readable().map_err(|error| pipeline(&error.to_string()))?;
        let key = !buffer.flags().contains(BufferFlags::DELTA_UNIT);
        part.writer.push(Sample { kind, dts, pts: dts, duration, key, data: &data }).map_err(|error| failure(&error))?;
        *duration_ms = (*duration_ms).max((dts + u64::from(duration)) * 1000 / u64::from(rate));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let State::Writing { part, duration_ms, .. } = &mut self.state else { return Ok(()) };
        part.writer.flush().map_err(|error| failure(&error))?;
        let bytes = part.writer.size();
        self.events.send(Event::Written(Written { part: part.number, bytes, duration_ms: *duration_ms }));
        Ok(())
    }

    /// `whole`: nothing has failed, and what waited for the other track's format belongs into the file.
    fn finish(mut self, whole: bool) -> Result<(), Failure> {
        if whole && let State::Waiting(_) = self.state {
            self.begin()?;
        }
        let State::Writing { part, .. } = self.state else { return Ok(()) };
        let summary = part.writer.finish().map_err(|error| failure(&error))?;
        let duration_ms = u64::try_from(summary.duration.as_millis()).unwrap_or(u64::MAX);
        self.events.send_last(Event::Written(Written { part: part.number, bytes: summary.size, duration_ms }));
        Ok(())
    }
}

/// Time and duration of the picture at `time` ns in ticks, and ticks a second.
fn video_time(grid: Grid, time: u64) -> (u64, u32, u32) {
    let index = grid.nearest(time);
    let start = grid.ticks(index, VIDEO_TIMESCALE.into());
    let duration = grid.ticks(index + 1, VIDEO_TIMESCALE.into()) - start;
    (start, u32::try_from(duration).unwrap_or(u32::MAX), VIDEO_TIMESCALE)
}

/// The same of the AAC frame at `time` ns, in samples; the encoder is late by its priming.
fn audio_time(time: u64) -> (u64, u32, u32) {
    let samples = (u128::from(time) * u128::from(AUDIO_RATE) + u128::from(SECOND / 2)) / u128::from(SECOND);
    let start = u64::try_from(samples).unwrap_or(u64::MAX).saturating_sub(AAC_PRIMING.into());
    (start, AAC_PRIMING, AUDIO_RATE)
}

/// What the caps of an encoder say of its pictures.
fn video(caps: &CapsRef) -> Result<Video, Failure> {
    let structure = caps.structure(0).ok_or_else(|| pipeline("caps without content"))?;
    let side = |field: &str| structure.get::<i32>(field).ok().and_then(|side| u16::try_from(side).ok()).unwrap_or(0);
    Video::from_avcc(&configuration(caps)?, side("width"), side("height")).map_err(|error| failure(&error))
}

/// What they say of its sound.
fn audio(caps: &CapsRef) -> Result<Audio, Failure> {
    let channels = caps.structure(0).and_then(|structure| structure.get::<i32>("channels").ok());
    let channels = channels.and_then(|channels| u16::try_from(channels).ok()).unwrap_or(0);
    Audio::from_config(&configuration(caps)?, AUDIO_RATE, channels).map_err(|error| failure(&error))
}

fn configuration(caps: &CapsRef) -> Result<Vec<u8>, Failure> {
    let data = caps.structure(0).and_then(|structure| structure.get::<gstreamer::Buffer>("codec_data").ok());
    let data = data.ok_or_else(|| pipeline("an encoder does not describe its stream"))?;
    data.map_readable().map(|map| map.to_vec()).map_err(|error| pipeline(&error.to_string()))
}

fn pipeline(text: &str) -> Failure {
    Failure { kind: FailureKind::Pipeline, text: text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_in_ticks() {
        const MS: u64 = 1_000_000;
        assert_eq!(video_time(Grid::new(25), 40 * MS), (3600, 3600, 90_000));
        assert_eq!(video_time(Grid::new(30), 33_333_333), (3000, 3000, 90_000));
        assert_eq!(video_time(Grid::new(30), 100 * MS), (9000, 3000, 90_000));
        for (time, samples) in [(0, 0), (21_333_333, 0), (42_666_666, 1024), (1_000_000 * 1024 * MS / 48, 1_023_998_976)] {
            assert_eq!(audio_time(time), (samples, 1024, 48_000));
        }
    }
}
