//! A recording as others see it: the session that has it made, and whoever waits for what becomes of it.
//!
//! Both directions carry states and not messages, so nothing queues up and nothing is lost: what is wanted (who is shown, whether
//! to stop), and how far the recording is.

use super::plan::{Cast, Recording, Status, StopReason};
use crate::clock::Clock;
use crate::ids::StreamId;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What a session wants of its recording.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Wanted {
    /// Who is shown, in the order of arrival.
    pub cast: Vec<Cast>,
    pub stop: Option<StopReason>,
}

/// How far a recording is.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Progress {
    /// `None` until it has its id and folder, and for good if it cannot have them.
    pub recording: Option<Arc<Recording>>,
    /// Why it failed.
    pub fault: Option<String>,
}

impl Progress {
    /// Its status; one that cannot even begin has failed.
    pub fn status(&self) -> Status {
        match (&self.recording, &self.fault) {
            (Some(recording), _) => recording.status,
            (None, None) => Status::Starting,
            (None, Some(_)) => Status::Failed,
        }
    }
}

/// A session's hold on its recording. Dropped, it stops the recording.
#[derive(Debug)]
pub struct Recorder {
    wanted: watch::Sender<Wanted>,
    follower: Follower,
}

impl Recorder {
    pub(super) fn new(cast: Vec<Cast>, progress: watch::Receiver<Progress>) -> (Recorder, watch::Receiver<Wanted>) {
        let (wanted, heard) = watch::channel(Wanted { cast, stop: None });
        (Recorder { wanted, follower: Follower { progress } }, heard)
    }

    /// A stream begins.
    pub fn joined(&self, cast: Cast) {
        self.wanted.send_modify(|wanted| wanted.cast.push(cast));
    }

    /// A stream ended.
    pub fn left(&self, stream: &StreamId) {
        self.wanted.send_modify(|wanted| wanted.cast.retain(|cast| cast.stream != *stream));
    }

    /// Ends the recording; what becomes of it the follower sees.
    pub fn stop(self, reason: StopReason) -> Follower {
        self.wanted.send_modify(|wanted| wanted.stop = Some(reason));
        self.follower
    }

    /// One more who follows it.
    pub fn follower(&self) -> Follower {
        self.follower.clone()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.follower.progress()
    }

    /// Waits for the next step. May be cancelled. After the last step it waits for ever.
    pub async fn changed(&mut self) {
        if self.follower.progress.changed().await.is_err() {
            pending().await
        }
    }
}

/// Sees what becomes of a recording.
#[derive(Clone, Debug)]
pub struct Follower {
    progress: watch::Receiver<Progress>,
}

impl Follower {
    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Waits until it is `status` or further.
    pub async fn reaches(&mut self, status: Status) -> Progress {
        // an error: its task is gone, so this is how far it came
        let _ = self.progress.wait_for(|progress| progress.status() >= status).await.map(drop);
        self.progress()
    }

    /// Waits until it has ended, or for `patience`.
    pub async fn ends_within(&mut self, patience: Duration, clock: Clock) -> Progress {
        tokio::select! {
            progress = self.reaches(Status::Ready) => progress,
            () = clock.sleep(patience) => self.progress(),
        }
    }
}
