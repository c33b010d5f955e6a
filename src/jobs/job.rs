//! One job's task: runs a process, reports its end, pauses, runs the next, until it is told to stop.
//!
//! ```text
//!   look (a camera: is it there?) ──> run a process ──failed──> pause ──> look …
//!        └──────────failed: no process─────────────────────────^  └──forbidden──> wait to be stopped
//! ```

use super::api::Event;
use super::backoff::Backoff;
use super::budget::Permit;
use super::counters::word;
use super::cpu::Reading;
use super::health::{Health, Warnings};
use super::output;
use super::process::{Broken, POLITE, POLITE_RECORDER, Process};
use super::reach;
use super::starting::{BEGINNING, Beginning, Starting};
use super::supervisor::Settings;
use crate::clock::Clock;
use crate::hardware;
use crate::ids::JobId;
use crate::wire::camera::{CameraSpec, Transport};
use crate::wire::control::{Failure, FailureKind, FromWorker, Spec, ToWorker};
use crate::wire::transcode::TranscodeSpec;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How long what an ended process printed is waited for: somebody else may hold the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// How long a worker may take to read a line.
const READING: Duration = Duration::from_secs(1);

/// How often the processor time of one that has a permit is read.
const SAMPLE: Duration = Duration::from_secs(2);

/// One job: what it is, how it fares, where its reports go.
pub struct Job {
    pub job: JobId,
    pub name: String,
    pub spec: Spec,
    pub media: OwnedFd,
    /// Its share of the board, for as long as the job lives.
    pub permit: Option<Permit>,
    pub settings: Settings,
    pub starting: Starting,
    pub clock: Clock,
    pub events: mpsc::Sender<Event>,
    /// Lines for the process that runs; those that find none are dropped.
    pub messages: mpsc::Receiver<ToWorker>,
    pub backoff: Backoff,
    pub health: Health,
    pub warnings: Warnings,
    pub learnt: Learnt,
}

/// What its processes said, and the next one shall not have to find out again.
#[derive(Default, Debug)]
pub struct Learnt {
    /// How a camera's packets come, where that is not as it was asked for.
    transport: Option<Transport>,
    /// Elements of hardware that the present process uses.
    uses: Vec<&'static str>,
}

/// How it went with one process.
enum End {
    /// The job was stopped.
    Stopped,
    /// The worker was told to stop, and did; or it has done what it was for.
    Finished,
    Failed(Failure),
}

impl Job {
    /// Runs until `stop` is sent or dropped, or the worker has finished as it was told; then the process is gone and reaped.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        loop {
            let found = tokio::select! {
                _ = &mut stop => return,
                found = self.look() => found,
            };
            let end = match found {
                Ok(spec) => self.run_process(spec, &mut stop).await,
                Err(failure) => End::Failed(failure),
            };
            let over = match end {
                End::Stopped => return,
                End::Finished => true,
                End::Failed(failure) => {
                    tokio::select! {
                        _ = &mut stop => return,
                        over = self.pause(failure) => over,
                    }
                }
            };
            if over {
                return self.report(Event::Finished { job: self.job }).await;
            }
        }
    }

    /// What the process is told to do: a camera is looked for first, and is known to the process by the address that was found;
    /// a transcoder is told which hardware to leave alone.
    async fn look(&self) -> Result<Spec, Failure> {
        match &self.spec {
            Spec::Camera(camera) => {
                let found = reach::find(camera, self.clock).await?;
                Ok(Spec::Camera(CameraSpec { transport: self.learnt.transport.unwrap_or(found.transport), ..found }))
            }
            Spec::Compose(_) | Spec::Thumbnail(_) => Ok(self.spec.clone()),
            Spec::Transcode(spec) => Ok(Spec::Transcode(TranscodeSpec { avoid: self.settings.counters.struck_out(), ..spec.clone() })),
        }
    }

    /// A camera waits until its process may begin. Recorders and transcoders are few, and somebody waits for them.
    async fn turn(&self) -> Option<Beginning> {
        match &self.spec {
            Spec::Camera(_) => Some(self.starting.turn().await),
            Spec::Compose(_) | Spec::Transcode(_) | Spec::Thumbnail(_) => None,
        }
    }

    /// Runs one process to its end.
    async fn run_process(&mut self, spec: Spec, stop: &mut oneshot::Receiver<()>) -> End {
        let beginning = tokio::select! {
            _ = &mut *stop => return End::Stopped,
            turn = self.turn() => turn,
        };
        let (process, stderr) = match Process::spawn(&self.settings.program, &self.media).await {
            Ok(spawned) => spawned,
            Err(error) => {
                let text = format!("worker does not start: {error}");
                return End::Failed(Failure { kind: FailureKind::Crashed, text });
            }
        };
        let kind = word(&self.spec);
        self.settings.counters.started(kind);
        self.learnt.uses.clear();
        let prints = stderr.map(|stderr| tokio::spawn(output::log(self.name.clone(), stderr, self.secrets())));
        let end = self.attend(process, spec, beginning, stop).await;
        self.settings.counters.ended(kind);
        if let Some(mut prints) = prints
            && timeout(LAST_WORDS, &mut prints).await.is_err()
        {
            prints.abort();
        }
        end
    }

    /// Listens to one process until it ends.
    async fn attend(&mut self, mut process: Process, spec: Spec, beginning: Option<Beginning>, stop: &mut oneshot::Receiver<()>) -> End {
        let end = tokio::select! {
            _ = stop => Some(End::Stopped),
            end = self.listen(&mut process, spec, beginning) => end,
        };
        let status = process.end(self.polite()).await;
        end.unwrap_or_else(|| {
            let text = status.map_or_else(|error| error.to_string(), |status| format!("worker ended without a word: {status}"));
            End::Failed(Failure { kind: FailureKind::Crashed, text })
        })
    }

    /// Takes lines until the last; `None` when there was no last word. With the first, or after a while, the process has begun.
    async fn listen(&mut self, process: &mut Process, spec: Spec, mut beginning: Option<Beginning>) -> Option<End> {
        let failed = |kind, text: String| Some(End::Failed(Failure { kind, text }));
        if process.tell(&ToWorker::Start { spec }).await.is_err() {
            return None;
        }
        // they were for its predecessor
        let mut stopping = false;
        while let Ok(message) = self.messages.try_recv() {
            stopping |= message == ToWorker::Stop;
        }
        if stopping {
            return Some(End::Finished);
        }
        self.report(Event::Started { job: self.job }).await;
        self.warnings.next_process();
        let clock = self.clock;
        // until when it may be silent: to its first word, and from one beat of its heart to the next once it has one
        let (mut patience, mut beats) = (Some(clock.now() + self.settings.first_word), false);
        // what a process needs to begin says nothing: the first reading is only compared with
        let (mut used, mut sample) = (None, clock.now() + SAMPLE);
        let begun = clock.now() + BEGINNING;
        loop {
            let line = tokio::select! {
                // what it said while the daemon did not run counts before the time that has passed
                biased;
                line = process.next() => line,
                Some(message) = self.messages.recv() => {
                    stopping |= message == ToWorker::Stop;
                    if !matches!(timeout(READING, process.tell(&message)).await, Ok(Ok(()))) {
                        return failed(FailureKind::Crashed, "worker does not read".into());
                    }
                    continue;
                }
                () = clock.sleep_until(begun), if beginning.is_some() => {
                    beginning = None;
                    continue;
                }
                () = clock.sleep_until(sample), if self.permit.is_some() => {
                    used = self.measure(process, used);
                    sample = clock.now() + SAMPLE;
                    continue;
                }
                () = clock.sleep_until(patience.unwrap_or(sample)), if patience.is_some() => {
                    return failed(FailureKind::Crashed, "worker hangs: not a word from it".into());
                }
            };
            beginning = None;
            beats |= matches!(line, Ok(Some(FromWorker::Alive)));
            patience = beats.then(|| clock.now() + self.settings.silence);
            match line {
                Ok(Some(FromWorker::Alive | FromWorker::Listening)) => {}
                Ok(Some(FromWorker::Ready)) => self.ready().await,
                Ok(Some(FromWorker::Warning { text })) => self.warn(&text),
                Ok(Some(FromWorker::Sends { transport })) => self.learnt.transport = Some(transport),
                Ok(Some(FromWorker::Uses { elements })) => {
                    self.learnt.uses = elements.iter().filter_map(|element| hardware::named(element)).collect();
                }
                Ok(Some(FromWorker::Written(written))) => self.report(Event::Written { job: self.job, written }).await,
                Ok(Some(FromWorker::Failed { failure })) => return Some(End::Failed(failure)),
                Ok(Some(FromWorker::Finished)) if stopping || self.spec.ends_by_itself() => return Some(End::Finished),
                Ok(Some(FromWorker::Finished)) => return failed(FailureKind::Ended, "finished unasked".into()),
                Ok(None) | Err(Broken::Io(_)) => return None,
                Err(Broken::Line(error)) => return failed(FailureKind::Crashed, error.to_string()),
            }
        }
    }

    /// Reports a failure and waits for the time of the next try, for ever if there shall be none. True when the job was told to stop.
    async fn pause(&mut self, failure: Failure) -> bool {
        let now = self.clock.now();
        let retry_in = self.down(&failure, now);
        let again_at = now + retry_in.unwrap_or_default();
        self.report(Event::Down { job: self.job, failure, retry_in }).await;
        loop {
            tokio::select! {
                Some(message) = self.messages.recv() => {
                    if message == ToWorker::Stop {
                        return true;
                    }
                }
                () = self.clock.sleep_until(again_at), if retry_in.is_some() => return false,
                else => std::future::pending().await,
            }
        }
    }

    /// How long a process may take to end when its socket is closed: recorders have a file to finish.
    fn polite(&self) -> Duration {
        match &self.spec {
            Spec::Camera(_) | Spec::Transcode(_) | Spec::Thumbnail(_) => POLITE,
            Spec::Compose(_) => POLITE_RECORDER,
        }
    }

    /// Reads what the process has used, and tells the budget what that is since `before`.
    fn measure(&self, process: &Process, before: Option<Reading>) -> Option<Reading> {
        let reading = Reading::of(process.id()?, self.clock.now())?;
        if let (Some(permit), Some(used)) = (&self.permit, before.and_then(|before| reading.since(&before))) {
            permit.measured(used);
        }
        Some(reading)
    }

    async fn ready(&mut self) {
        self.backoff.ready(self.clock.now());
        self.permit.iter().for_each(Permit::works);
        if self.health.ready() {
            tracing::info!("{}: {}", self.name, self.news());
        }
        self.report(Event::Ready { job: self.job }).await;
    }

    fn warn(&mut self, text: &str) {
        if self.warnings.news(text) {
            tracing::warn!("{}: {text}", self.name);
        }
    }

    fn down(&mut self, failure: &Failure, now: Instant) -> Option<Duration> {
        let retry_in = self.backoff.failed(failure.kind, now);
        self.settings.counters.failed(word(&self.spec), failure.kind);
        if let (Some(permit), FailureKind::Unsupported) = (&self.permit, failure.kind) {
            permit.missing(&failure.text);
        }
        if failure.kind == FailureKind::Crashed {
            self.strike(failure, now);
        }
        if self.health.failed(failure) {
            let next = if retry_in.is_some() { "retrying" } else { "given up" };
            tracing::warn!("{}: {failure}; {next}", self.name);
        }
        retry_in
    }

    /// Holds the end of a process against the hardware it used.
    fn strike(&mut self, failure: &Failure, now: Instant) {
        let uses = std::mem::take(&mut self.learnt.uses);
        if self.settings.counters.crashed(uses.clone(), now) {
            let uses = uses.join(" and ");
            tracing::warn!("{}: {uses} took its process along again ({failure}); it is left alone until the next start", self.name);
        }
    }

    /// Waits for room: what happens to one job waits for nobody but itself. A daemon that stopped listening is about to end.
    async fn report(&self, event: Event) {
        let _ = self.events.send(event).await;
    }

    /// What "ready" means for the log.
    fn news(&self) -> &'static str {
        match &self.spec {
            Spec::Camera(_) => "media flows",
            Spec::Compose(_) => "the file grows",
            Spec::Transcode(_) => "transcoded media flows",
            Spec::Thumbnail(_) => "the picture is made",
        }
    }

    fn secrets(&self) -> Vec<String> {
        match &self.spec {
            Spec::Camera(spec) => spec.secrets(),
            Spec::Compose(_) | Spec::Transcode(_) | Spec::Thumbnail(_) => Vec::new(),
        }
    }
}
