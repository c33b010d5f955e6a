//! The thread that writes the file: takes what the encoders make, in their order, and puts it on disk twice a second.
//!
//! Encoders and writer meet at a bounded queue. When the disk does not keep up the encoders wait, then the mixers are late, and
//! only the recording suffers: nobody else waits for this process.

use super::codecs::AAC_PRIMING;
use super::file::{File, Format, Sample};
use super::timing::Grid;
use super::{Event, Events};
use crate::clock::monotonic_ns;
use crate::wire::control::{Failure, FailureKind};
use gstreamer::{BufferFlags, ClockTime, FlowError, FlowSuccess};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// One of a recording's two tracks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Track {
    Video,
    Audio,
}

/// Pause between two writes, in ns: what a power cut may cost.
const FLUSH: u64 = 500_000_000;
/// Samples that may wait for the writer: about 7 s of picture and sound.
const QUEUE: usize = 512;
/// Samples that may wait for the other track's first. Both mixers begin at once.
const HELD: usize = 1024;

/// Ticks a second of the tracks' times.
const VIDEO_TICKS: u64 = 90_000;
const AUDIO_TICKS: u64 = 48_000;

/// What the encoders say.
#[derive(Debug)]
enum Word {
    Sample(Track, gstreamer::Sample),
    End(Track),
}

/// Where the encoders put what they made.
#[derive(Clone, Debug)]
pub struct Inbox {
    words: SyncSender<Word>,
}

impl Inbox {
    /// Hands over a sample; waits when the writer does not keep up.
    pub fn sample(&self, track: Track, sample: &gstreamer::Sample) -> Result<FlowSuccess, FlowError> {
        self.words.send(Word::Sample(track, sample.clone())).map(|()| FlowSuccess::Ok).map_err(|_| FlowError::Error)
    }

    /// The track has no more.
    pub fn end(&self, track: Track) {
        let _ = self.words.send(Word::End(track));
    }
}

/// What the writer has to know.
#[derive(Debug)]
pub struct Plan {
    pub path: PathBuf,
    /// The tracks of the file.
    pub tracks: Vec<Track>,
    pub grid: Grid,
}

/// Starts the thread. It ends with [`Event::Finished`] when each track has ended, or with [`Event::Failed`].
pub fn start(plan: Plan, events: Events) -> std::io::Result<Inbox> {
    let (words, queue) = sync_channel(QUEUE);
    std::thread::Builder::new().name("writer".into()).spawn(move || {
        let end = Writer::new(plan, events.clone()).run(&queue);
        events.send_last(end.map_or_else(Event::Failed, |()| Event::Finished));
    })?;
    Ok(Inbox { words })
}

struct Writer {
    plan: Plan,
    events: Events,
    state: State,
    /// Tracks that have not ended.
    open: Vec<Track>,
    /// The AAC encoder's first frame is still to come.
    priming: bool,
    /// End of the longest track, ms.
    duration_ms: u64,
}

/// The file can be described when each track has shown its format.
enum State {
    Waiting(Vec<(Track, gstreamer::Sample)>),
    Writing(File),
}

impl Writer {
    fn new(plan: Plan, events: Events) -> Writer {
        let open = plan.tracks.clone();
        Writer { plan, events, state: State::Waiting(Vec::new()), open, priming: true, duration_ms: 0 }
    }

    fn run(mut self, queue: &Receiver<Word>) -> Result<(), Failure> {
        let mut due = monotonic_ns() + FLUSH;
        while !self.open.is_empty() {
            let now = monotonic_ns();
            if now >= due {
                due = now + FLUSH;
                self.flush()?;
            }
            match queue.recv_timeout(Duration::from_nanos(due.saturating_sub(now))) {
                Ok(Word::Sample(track, sample)) => self.take(track, sample)?,
                Ok(Word::End(track)) => self.open.retain(|open| *open != track),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.finish()
    }

    fn take(&mut self, track: Track, sample: gstreamer::Sample) -> Result<(), Failure> {
        match &mut self.state {
            State::Writing(_) => return self.write(track, &sample),
            State::Waiting(held) if held.len() < HELD => held.push((track, sample)),
            State::Waiting(_) => return Err(pipeline("an encoder gives nothing")),
        }
        let State::Waiting(held) = &self.state else { return Ok(()) };
        if self.plan.tracks.iter().all(|track| held.iter().any(|(its, _)| its == track)) {
            self.begin()?;
        }
        Ok(())
    }

    /// Creates the file with the tracks that have shown their format, and writes what waited for it.
    fn begin(&mut self) -> Result<(), Failure> {
        let State::Waiting(held) = &mut self.state else { return Ok(()) };
        let held = std::mem::take(held);
        let caps = |track| held.iter().find(|(its, _)| *its == track).and_then(|(_, sample)| sample.caps_owned());
        let format = Format { video: caps(Track::Video), audio: caps(Track::Audio) };
        self.state = State::Writing(File::create(&self.plan.path, &format)?);
        held.iter().try_for_each(|(track, sample)| self.write(*track, sample))
    }

    fn write(&mut self, track: Track, sample: &gstreamer::Sample) -> Result<(), Failure> {
        let State::Writing(file) = &mut self.state else { return Ok(()) };
        let buffer = sample.buffer().ok_or_else(|| pipeline("an encoder gave an empty sample"))?;
        // encoders count from where they like; the segment tells
        let segment = sample.segment().and_then(|segment| segment.downcast_ref::<ClockTime>());
        let running = buffer.pts().and_then(|pts| segment.and_then(|segment| segment.to_running_time(pts)));
        let pts = running.ok_or_else(|| pipeline("an encoder gave a sample without time"))?.nseconds();
        let (time, duration) = match track {
            Track::Video => video_time(self.plan.grid, pts),
            Track::Audio if std::mem::take(&mut self.priming) => return Ok(()),
            Track::Audio => audio_time(pts),
        };
        let data = buffer.map_readable().map_err(|error| pipeline(&error.to_string()))?;
        let keyframe = track == Track::Audio || !buffer.flags().contains(BufferFlags::DELTA_UNIT);
        file.sample(track, &Sample { time, duration, keyframe, data: &data })?;
        let rate = if track == Track::Video { VIDEO_TICKS } else { AUDIO_TICKS };
        self.duration_ms = self.duration_ms.max((time + duration) * 1000 / rate);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let State::Writing(file) = &mut self.state else { return Ok(()) };
        let bytes = file.flush()?;
        self.events.send(Event::Written { bytes, duration_ms: self.duration_ms });
        Ok(())
    }

    fn finish(mut self) -> Result<(), Failure> {
        if let State::Waiting(_) = self.state {
            self.begin()?;
        }
        let State::Writing(file) = self.state else { return Ok(()) };
        let bytes = file.finish()?;
        self.events.send_last(Event::Written { bytes, duration_ms: self.duration_ms });
        Ok(())
    }
}

/// Time and duration of the picture at `pts` ns, in 1/[`VIDEO_TICKS`] s.
fn video_time(grid: Grid, pts: u64) -> (u64, u64) {
    let index = grid.nearest(pts);
    let start = grid.ticks(index, VIDEO_TICKS);
    (start, grid.ticks(index + 1, VIDEO_TICKS) - start)
}

/// Time and duration of the AAC frame at `pts` ns, in samples; the encoder is late by its priming.
fn audio_time(pts: u64) -> (u64, u64) {
    let samples = (u128::from(pts) * u128::from(AUDIO_TICKS) + 500_000_000) / 1_000_000_000;
    ((samples as u64).saturating_sub(AAC_PRIMING), AAC_PRIMING)
}

fn pipeline(text: &str) -> Failure {
    Failure { kind: FailureKind::Pipeline, text: text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_in_ticks() {
        let grid = Grid::new(25);
        assert_eq!(video_time(grid, 40_000_000), (3600, 3600));
        assert_eq!(video_time(Grid::new(30), 33_333_333), (3000, 3000));
        assert_eq!(video_time(Grid::new(30), 100_000_000), (9000, 3000));
        assert_eq!(audio_time(21_333_333), (0, 1024));
        assert_eq!(audio_time(42_666_666), (1024, 1024));
        assert_eq!(audio_time(0), (0, 1024));
    }
}
