//! The pictures that stand for films: `<id>.jpg` beside a film with pictures, 480 px wide, from its middle (rest.md §10.9, §11.1).
//!
//! They are made when nobody waits for the recording any more, one after the other, by a worker process each. A recording is as good
//! without: what goes wrong is a line in the log, and the next start tries again.
//!
//! # Steps, for each recording that has ended with a picture
//!
//! - **T1** a worker writes the picture under a temporary name of its own, and syncs it: the worker of a daemon that was killed may
//!   still be at it.
//! - **T2** rename it to its own name, sync the folder; but only if the recording is still the one that was asked for: it may have been
//!   deleted, and another may have its id by now.
//!
//! Killed between them, the next start does both again: at its beginning every film without a picture gets one, the newest first.

use super::library::Library;
use super::plan::Recording;
use super::recordings::Shared;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::ids::RecordingId;
use crate::jobs;
use crate::wire::control::Spec;
use crate::wire::media;
use crate::wire::thumbnail::ThumbnailSpec;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// px
const WIDTH: u32 = 480;
/// How long a worker may take; the supervisor ends one that says nothing for so long even earlier.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait of somebody who asks for a picture that is being made.
const SOON: Duration = Duration::from_secs(5);
/// Recordings that may wait for their pictures. For one more the next start makes it.
const ORDERS: usize = 256;

/// Takes orders, and knows which are open. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Thumbnails {
    orders: mpsc::Sender<Recording>,
    open: Arc<watch::Sender<BTreeSet<RecordingId>>>,
}

impl Thumbnails {
    /// The counter, and where its orders come out.
    pub fn channel() -> (Thumbnails, mpsc::Receiver<Recording>) {
        let (orders, taken) = mpsc::channel(ORDERS);
        (Thumbnails { orders, open: Arc::default() }, taken)
    }

    /// Orders the picture of a recording whose files have their names. Who asks for it from now on waits for it.
    pub fn order(&self, recording: &Recording) {
        if !recording.has_picture() {
            return;
        }
        let id = recording.id.clone();
        self.open.send_modify(|open| {
            open.insert(id);
        });
        if self.orders.try_send(recording.clone()).is_err() {
            self.close(&recording.id);
        }
    }

    fn close(&self, id: &RecordingId) {
        self.open.send_modify(|open| {
            open.remove(id);
        });
    }

    /// Waits until no order of that recording is open, or for a while.
    pub async fn settled(&self, id: &RecordingId, clock: Clock) {
        let mut open = self.open.subscribe();
        tokio::select! {
            // never an error: the sender is in `self`
            _ = open.wait_for(|open| !open.contains(id)) => {}
            () = clock.sleep(SOON) => {}
        }
    }
}

/// Makes pictures for ever: what is ordered, and in between what earlier runs owe.
pub(super) async fn run(shared: Arc<Shared>, mut orders: mpsc::Receiver<Recording>) {
    let library = shared.library.clone();
    let mut owed = tokio::task::spawn_blocking(move || library.without_thumbnail()).await.unwrap_or_default();
    loop {
        let next = match orders.try_recv() {
            Ok(recording) => Some(recording),
            Err(_) => owed.pop(),
        };
        let Some(recording) = (match next {
            Some(recording) => Some(recording),
            None => orders.recv().await,
        }) else {
            return;
        };
        match make(&shared, &recording).await {
            Ok(()) => tracing::debug!(recording = %recording.id, "it has its thumbnail"),
            Err(why) if shared.library.has(&recording) => tracing::warn!(recording = %recording.id, why, "the recording has no thumbnail"),
            Err(_) => tracing::debug!(recording = %recording.id, "deleted before it had its thumbnail"),
        }
        shared.thumbnails.close(&recording.id);
    }
}

/// T1 and T2.
async fn make(shared: &Arc<Shared>, recording: &Recording) -> Result<(), String> {
    let begun = with_library(shared, recording, |library, recording| library.begin_thumbnail(recording));
    let Some(picture) = begun.await? else { return Ok(()) };
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let spec = ThumbnailSpec { film: text(&shared.library.film(recording)), picture: text(&picture), width: WIDTH };
    drawn(shared, recording, spec).await?;
    let kept = with_library(shared, recording, move |library, recording| library.keep_thumbnail(recording, &picture));
    kept.await?.map_err(|error| with_causes(&error))
}

/// Does what waits for the disk.
async fn with_library<R: Send + 'static>(
    shared: &Arc<Shared>,
    recording: &Recording,
    work: impl FnOnce(&Library, &Recording) -> R + Send + 'static,
) -> Result<R, String> {
    let (library, recording) = (shared.library.clone(), recording.clone());
    tokio::task::spawn_blocking(move || work(&library, &recording)).await.map_err(|error| error.to_string())
}

/// T1: one process, and no second try.
async fn drawn(shared: &Arc<Shared>, recording: &Recording, spec: ThumbnailSpec) -> Result<(), String> {
    // nothing is said on it
    let (_ours, media) = media::pair().map_err(|error| format!("no media socket: {error}"))?;
    let (job, mut events) = shared.register();
    let name = format!("thumbnail of recording {}", recording.id);
    let start = jobs::Command::Start { job, name, spec: Spec::Thumbnail(spec), media, permit: None };
    let ended = match shared.jobs.send(start) {
        Ok(()) => tokio::select! {
            ended = end(&mut events) => ended,
            () = shared.clock.sleep(PATIENCE) => Err(format!("it was not made within {} s", PATIENCE.as_secs())),
        },
        Err(error) => Err(error.to_string()),
    };
    shared.end_job(job, false).await;
    ended
}

async fn end(events: &mut mpsc::Receiver<jobs::Event>) -> Result<(), String> {
    while let Some(event) = events.recv().await {
        match event {
            jobs::Event::Finished { .. } => return Ok(()),
            jobs::Event::Down { failure, .. } => return Err(failure.to_string()),
            jobs::Event::Started { .. } | jobs::Event::Ready { .. } | jobs::Event::Written { .. } => {}
        }
    }
    Err("the box stops".into())
}
