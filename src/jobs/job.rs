//! One job's task: runs a process, reports its end, pauses, runs the next, until it is told to stop.

use super::api::Event;
use super::backoff::Backoff;
use super::health::{Health, Warnings};
use super::output;
use super::process::{Broken, Process};
use super::supervisor::Settings;
use crate::clock::Clock;
use crate::ids::JobId;
use crate::wire::control::{Failure, FailureKind, FromWorker, Spec};
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How long what an ended process printed is waited for: somebody else may hold the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// One job: what it is, how it fares, where its reports go.
pub struct Job {
    pub job: JobId,
    pub name: String,
    pub spec: Spec,
    pub media: OwnedFd,
    pub settings: Settings,
    pub clock: Clock,
    pub events: mpsc::Sender<Event>,
    pub backoff: Backoff,
    pub health: Health,
    pub warnings: Warnings,
}

impl Job {
    /// Runs until `stop` is sent or dropped; then the process is gone and reaped.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        loop {
            let failure = match Process::spawn(&self.settings.program, &self.media) {
                Ok((process, stderr)) => {
                    let prints = stderr.map(|stderr| tokio::spawn(output::log(self.name.clone(), stderr, self.secrets())));
                    let end = self.attend(process, &mut stop).await;
                    if let Some(mut prints) = prints
                        && timeout(LAST_WORDS, &mut prints).await.is_err()
                    {
                        prints.abort();
                    }
                    let Some(failure) = end else { return };
                    failure
                }
                Err(error) => Failure { kind: FailureKind::Crashed, text: format!("worker does not start: {error}") },
            };
            let retry_in = self.down(&failure);
            let clock = self.clock;
            let pause = async {
                self.report(Event::Down { job: self.job, failure, retry_in }).await;
                clock.sleep(retry_in).await;
            };
            tokio::select! {
                _ = &mut stop => return,
                () = pause => {}
            }
        }
    }

    /// Listens to one process until it ends. `None` when the job was stopped.
    async fn attend(&mut self, mut process: Process, stop: &mut oneshot::Receiver<()>) -> Option<Failure> {
        let end = tokio::select! {
            _ = stop => None,
            end = self.listen(&mut process) => Some(end),
        };
        let status = process.end().await;
        end.map(|end| {
            end.unwrap_or_else(|| Failure {
                kind: FailureKind::Crashed,
                text: status.map_or_else(|error| error.to_string(), |status| format!("worker ended without a word: {status}")),
            })
        })
    }

    /// Takes lines until the last; `None` when there was no last word.
    async fn listen(&mut self, process: &mut Process) -> Option<Failure> {
        let crashed = |text: String| Some(Failure { kind: FailureKind::Crashed, text });
        if process.start(self.spec.clone()).await.is_err() {
            return None;
        }
        self.warnings.next_process();
        let mut spoken = false;
        loop {
            let (clock, first_word) = (self.clock, self.settings.first_word);
            let line = tokio::select! {
                line = process.next() => line,
                () = clock.sleep(first_word), if !spoken => return crashed("worker hangs: not a word from it".into()),
            };
            match line {
                Ok(Some(FromWorker::Ready)) => {
                    spoken = true;
                    self.ready().await;
                }
                Ok(Some(FromWorker::Warning { text })) => self.warn(&text),
                // whoever runs a recorder listens to it directly
                Ok(Some(FromWorker::Written(_))) => {}
                Ok(Some(FromWorker::Failed { failure })) => return Some(failure),
                Ok(Some(FromWorker::Finished)) => return Some(Failure { kind: FailureKind::Ended, text: "finished unasked".into() }),
                Ok(None) | Err(Broken::Io(_)) => return None,
                Err(Broken::Line(error)) => return crashed(error.to_string()),
            }
        }
    }

    async fn ready(&mut self) {
        self.backoff.ready();
        if self.health.ready() {
            tracing::info!("camera {}: media flows", self.name);
        }
        self.report(Event::Ready { job: self.job }).await;
    }

    fn warn(&mut self, text: &str) {
        if self.warnings.news(text) {
            tracing::warn!("camera {}: {text}", self.name);
        }
    }

    fn down(&mut self, failure: &Failure) -> Duration {
        let retry_in = self.backoff.failed();
        if self.health.failed(failure) {
            tracing::warn!("camera {}: {failure}; retrying", self.name);
        }
        retry_in
    }

    /// Waits for room: what happens to one job waits for nobody but itself. A daemon that stopped listening is about to end.
    async fn report(&self, event: Event) {
        let _ = self.events.send(event).await;
    }

    fn secrets(&self) -> Vec<String> {
        match &self.spec {
            Spec::Camera(spec) => spec.secrets(),
            Spec::Compose(_) => Vec::new(),
        }
    }
}
