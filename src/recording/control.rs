//! One recording being made: a task that owns its composer, its slots and its folder, from the request to `ready` or `failed`.
//! It may outlive its session, which only says who is shown and when to stop.
//!
//! # Steps
//!
//! - **C1** make folder and metadata, status `starting` (L1 to L4 of [`super::library`]).
//! - **C2** start the composer with a media socket of its own; the media thread has the other end.
//! - **C3** each time a process says that it listens, tell it and the media thread who is shown; a new process gets new slots.
//! - **C4** the composer reports that the file exists and grows: save `started`.
//! - **C5** asked to stop, or in trouble: save `stopped` (size and duration 0), tell the composer to end.
//! - **C6** the composer has finished, or is given up: end its job, detach its socket.
//! - **C7** take the folder's lock, finish and name the files (P1 to P3 of [`super::parts`]).
//! - **C8** save `ready` with size and duration; `failed` if it was trouble, or if there is nothing to play. Its thumbnail is ordered
//!   before, so that whoever hears of the end can ask for it, and made behind everybody's back ([`super::thumbnails`]).
//!
//! The daemon killed after C1: nothing was recorded, the recovery says `failed`. After C2 to C7: the composer ends by itself when
//! its control socket closes, and finishes its file; the recovery does C7 and C8. The composer killed: its successor goes on with
//! the file, from C3. Both killed: what the file's last sync kept is recovered.

use super::library::Library;
use super::metadata::is_word;
use super::plan::{Picture, Recording, Status, StopReason};
use super::recorder::{Progress, Wanted};
use super::recordings::{Request, Shared};
use super::recovery;
use super::slots::{Slot, Slots};
use crate::causes::with_causes;
use crate::clock::{Clock, monotonic_ns};
use crate::events::Record;
use crate::ids::JobId;
use crate::jobs::budget::Permit;
use crate::wire::compose::{ComposeSlot, ComposeSpec, ComposedAudio, ComposedVideo};
use crate::wire::control::{FailureKind, Spec, ToWorker};
use crate::wire::media;
use crate::{engine, jobs};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// A recording whose file does not grow for so long has failed, be it at its start (rest.md §10.2) or later.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a composer may take to finish its file when it is told to.
const FINISHING: Duration = Duration::from_secs(10);
/// kbit/s of the sound.
const AUDIO_KBPS: u32 = 128;

/// What a recording's task owns. Fields: settings, state, in, out.
pub(super) struct Control {
    shared: Arc<Shared>,
    job: JobId,
    /// The composer's share of the board, until it is started.
    permit: Option<Permit>,

    slots: Slots,
    /// Does a process listen?
    listens: bool,
    /// When the file must have grown.
    deadline: Instant,
    /// Bytes the composer reported last.
    written: u64,

    wanted: watch::Receiver<Wanted>,
    events: mpsc::Receiver<jobs::Event>,

    told: watch::Sender<Progress>,
}

/// Why a recording ends.
enum End {
    Asked(StopReason),
    Failed(String),
}

/// Makes one recording: C1 to C8.
pub(super) async fn run(mut control: Control, request: Request) {
    let (library, clock) = (control.shared.library.clone(), control.shared.clock);
    let recording = match create(library.clone(), clock, &request).await {
        Ok(recording) => recording,
        Err(fault) => {
            tracing::error!(session = %request.session, fault, "a recording cannot be started");
            control.told.send_replace(Progress { recording: None, fault: Some(fault) });
            return;
        }
    };
    tracing::info!(recording = %recording.id, "recording is starting");
    control.tell(&recording, None);
    control.passed(1).await;
    let began = clock.now();
    let (recording, end) = control.record(recording).await;
    let fault = match &end {
        End::Asked(reason) => {
            tracing::info!(recording = %recording.id, reason = reason.as_str(), "recording stops");
            None
        }
        End::Failed(fault) => {
            tracing::error!(recording = %recording.id, fault, "recording failed");
            Some(fault.clone())
        }
    };
    let reason = stop_reason(&end, recording.status);
    let known = recording.status == Status::Started;
    let stopped = Recording { status: Status::Stopped, ..recording };
    // the world has not heard of one that never began to record
    let record = known.then(|| control.record_of(&stopped, reason)).flatten();
    control.save(stopped.clone(), fault.clone(), record).await;
    if matches!(end, End::Asked(_)) {
        control.finish().await;
    }
    control.shared.end_job(control.job, true).await;
    control.passed(6).await;
    let films = recovery::films(&library, &stopped, clock).await;
    control.passed(7).await;
    let fault = fault.or_else(|| films.fault.clone()).or_else(|| (films.count == 0).then(|| "nothing was recorded".to_owned()));
    let ended = recovery::ended(&stopped, &films, fault.is_some());
    let seconds = clock.now().duration_since(began).as_secs();
    tracing::info!(recording = %ended.id, status = ended.status.as_str(), bytes = ended.size, seconds, "recording has ended");
    control.shared.thumbnails.order(&ended);
    let record = control.record_of(&ended, reason);
    control.save(ended, fault, record).await;
    control.passed(8).await;
}

/// The word for why a recording stopped; none for one that could not begin. Trouble is nobody's wish.
fn stop_reason(end: &End, status: Status) -> Option<&'static str> {
    match end {
        End::Asked(reason) => Some(reason.as_str()),
        End::Failed(_) => (status == Status::Started).then_some(StopReason::AutomaticStop.as_str()),
    }
}

impl Control {
    pub fn new(
        shared: Arc<Shared>,
        (job, permit): (JobId, Permit),
        told: watch::Sender<Progress>,
        wanted: watch::Receiver<Wanted>,
        events: mpsc::Receiver<jobs::Event>,
    ) -> Control {
        let deadline = shared.clock.now() + PATIENCE;
        Control { shared, job, permit: Some(permit), slots: Slots::default(), listens: false, deadline, written: 0, wanted, events, told }
    }

    /// C2 to C4, until it has to end.
    async fn record(&mut self, mut recording: Recording) -> (Recording, End) {
        if let Err(fault) = self.start(&recording) {
            return (recording, End::Failed(fault));
        }
        self.passed(2).await;
        let clock = self.shared.clock;
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            if let Some(reason) = wanted.stop {
                return (recording, End::Asked(reason));
            }
            self.cast(&recording, &wanted);
            if self.listens {
                self.passed(3).await;
            }
            tokio::select! {
                changed = self.wanted.changed() => {
                    if changed.is_err() {
                        // its session is gone, and said nothing
                        return (recording, End::Asked(StopReason::SessionClosedByServer));
                    }
                }
                event = self.events.recv() => {
                    if let Some(end) = event.and_then(|event| self.on_event(&event)) {
                        return (recording, end);
                    }
                }
                () = clock.sleep_until(self.deadline) => {
                    return (recording, End::Failed(format!("the file did not grow for {} s", PATIENCE.as_secs())));
                }
            }
            if self.written > 0 && recording.status == Status::Starting {
                recording.status = Status::Started;
                tracing::info!(recording = %recording.id, "recording");
                let record = self.record_of(&recording, None);
                self.save(recording.clone(), None, record).await;
                self.passed(4).await;
            }
        }
    }

    fn start(&mut self, recording: &Recording) -> Result<(), String> {
        let (ours, theirs) = media::pair().map_err(|error| format!("no media socket: {error}"))?;
        let job = self.job;
        self.shared.engine.send(engine::Command::AttachSink { job, socket: ours }).map_err(|error| error.to_string())?;
        let (name, spec) = (format!("recording {}", recording.id), spec(recording, &self.shared.library));
        self.shared
            .jobs
            .send(jobs::Command::Start { job, name, spec, media: theirs, permit: self.permit.take() })
            .map_err(|error| error.to_string())
    }

    /// What the supervisor said; `Some` when that is the end.
    fn on_event(&mut self, event: &jobs::Event) -> Option<End> {
        match event {
            jobs::Event::Started { .. } => self.listens = true,
            jobs::Event::Ready { .. } => {}
            jobs::Event::Written { written, .. } => {
                if written.bytes > self.written {
                    self.deadline = self.shared.clock.now() + PATIENCE;
                }
                self.written = written.bytes;
            }
            jobs::Event::Down { failure, .. } => {
                self.listens = false;
                self.release_slots();
                // its successor counts from what is in the file, or from nothing in the next
                self.written = self.written.min(1);
                if failure.kind == FailureKind::Disk {
                    return Some(End::Failed(failure.to_string()));
                }
            }
            jobs::Event::Finished { .. } => return Some(End::Failed("the composer ended unasked".into())),
        }
        None
    }

    /// Tells composer and media thread who is shown.
    fn cast(&mut self, recording: &Recording, wanted: &Wanted) {
        if !self.listens {
            return;
        }
        let change = self.slots.become_those_of(&wanted.cast, recording.audio, recording.video.is_some());
        let job = self.job;
        for Slot { number: slot, .. } in change.removed {
            self.order(engine::Command::RemoveSlot { job, slot });
            self.say(ToWorker::RemoveSlot { slot });
        }
        for Slot { number: slot, source, track, kind } in change.added {
            self.say(ToWorker::AddSlot(ComposeSlot { slot, source: source.to_string(), kind, format: None }));
            self.order(engine::Command::AddSlot { job, slot, track });
        }
        if change.refused > 0 {
            tracing::warn!(recording = %recording.id, tracks = change.refused, "more tracks than a composer takes; these are not recorded");
        }
    }

    fn release_slots(&mut self) {
        for Slot { number: slot, .. } in self.slots.clear() {
            self.order(engine::Command::RemoveSlot { job: self.job, slot });
        }
    }

    /// A slot that could not be ordered is missing in the film; the media thread that takes no more has other troubles.
    fn order(&self, command: engine::Command) {
        if let Err(error) = self.shared.engine.send(command) {
            tracing::warn!(job = ?self.job, %error, "a slot of a recording is lost");
        }
    }

    fn say(&self, message: ToWorker) {
        if let Err(error) = self.shared.jobs.send(jobs::Command::Tell { job: self.job, message }) {
            tracing::warn!(job = ?self.job, %error, "a word to the composer is lost");
        }
    }

    /// C5: the composer finishes the file. One that is down has nothing to finish with: the files are, without it.
    async fn finish(&mut self) {
        if !self.listens {
            return;
        }
        self.say(ToWorker::Stop);
        self.passed(5).await;
        let until = self.shared.clock.now() + FINISHING;
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    None | Some(jobs::Event::Finished { .. } | jobs::Event::Down { .. }) => return,
                    Some(_) => {}
                },
                () = self.shared.clock.sleep_until(until) => {
                    tracing::warn!(job = ?self.job, "the composer did not finish within {} s", FINISHING.as_secs());
                    return;
                }
            }
        }
    }

    /// Step C`step` is done.
    async fn passed(&self, step: u8) {
        self.shared.steps.passed(step).await;
    }

    /// Keeps a step, and tells the world before anybody who waits for it: the session that ends with its recording tells of that next.
    async fn save(&self, recording: Recording, fault: Option<String>, record: Option<Record>) {
        recovery::save(&self.shared.library, recording.clone()).await;
        if let Some(record) = record {
            self.shared.teller.say(record);
        }
        self.tell(&recording, fault);
    }

    fn record_of(&self, recording: &Recording, reason: Option<&'static str>) -> Option<Record> {
        self.shared.teller.record(recording, reason, self.shared.clock.unix_ms())
    }

    fn tell(&self, recording: &Recording, fault: Option<String>) {
        self.told.send_replace(Progress { recording: Some(Arc::new(recording.clone())), fault });
    }
}

/// C1.
async fn create(library: Arc<Library>, clock: Clock, request: &Request) -> Result<Recording, String> {
    let Request { session, session_created_at, plan, .. } = request.clone();
    let created_at = clock.unix_ms();
    let made = tokio::task::spawn_blocking(move || {
        let unique_session = format!("{session}_{session_created_at}");
        library.create(&session.clone(), |id| {
            let name = plan.name.filter(|name| is_word(name)).unwrap_or_else(|| id.to_string());
            let (audio, video, status) = (plan.audio, plan.video, Status::Starting);
            Recording { id, session, unique_session, name, created_at, audio, video, status, files: 0, size: 0, duration_ms: 0 }
        })
    });
    match made.await {
        Ok(Ok(recording)) => Ok((*recording).clone()),
        Ok(Err(error)) => Err(with_causes(&error)),
        Err(error) => Err(error.to_string()),
    }
}

fn spec(recording: &Recording, library: &Library) -> Spec {
    let folder = library.folder(&recording.id).to_string_lossy().into_owned();
    let audio = recording.audio.then_some(ComposedAudio { kbps: AUDIO_KBPS });
    let video = recording.video.map(|Picture { resolution, frame_rate }| {
        let (width, height) = resolution.even();
        ComposedVideo { width, height, frame_rate, kbps: video_kbps(width, height, frame_rate) }
    });
    Spec::Compose(ComposeSpec { folder, began_ns: monotonic_ns(), video, audio })
}

/// A tenth of a bit for each px of each picture, 2.3 Mbit/s for 720p at 25; within what is sensible.
fn video_kbps(width: u32, height: u32, frame_rate: u32) -> u32 {
    (width * height / 1000 * frame_rate / 10).clamp(300, 8000)
}
