//! The next start: every recording that was not finished is, so that each is `ready` or `failed`.
//!
//! # Steps, for each recording whose metadata does not say `ready` or `failed`
//!
//! - **R1** wait for the folder's lock: a composer that outlived its daemon finishes its file within seconds, and has it as long.
//! - **R2** finish and name the files (P1 to P3 of [`super::parts`]).
//! - **R3** save the metadata: `ready`, or `failed` if there is nothing to play. Its thumbnail is ordered, as at C8.
//!
//! Killed between two of them, the next start does them again; one that was killed after R3 finds the thumbnail missing.

use super::library::Library;
use super::parts::{self, Films};
use super::plan::{Recording, Status};
use super::recordings::Steps;
use super::thumbnails::Thumbnails;
use super::told::Teller;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::disk::{self, FolderLock};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long a lock is waited for. Whoever has it is killed before by its supervisor, or has ended by itself.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// Why a recording stopped that the last run did not stop.
const CRASHED: &str = "nodeCrashed";
/// Why one stopped whose end the last run did not see.
const STOPPED: &str = "openviduServerStopped";

/// Who is told of what was recovered.
pub struct Listeners {
    /// The world.
    pub teller: Teller,
    pub thumbnails: Thumbnails,
}

/// Does R1 to R3 for every recording that needs them at the time of the call, one after the other.
pub fn recover(library: Arc<Library>, listeners: Listeners, clock: Clock) -> impl Future<Output = ()> + Send + 'static {
    recover_stepwise(library, listeners, clock, Arc::default())
}

/// The same; a test may stop it after a step, as a kill would.
pub fn recover_stepwise(
    library: Arc<Library>,
    listeners: Listeners,
    clock: Clock,
    steps: Arc<Steps>,
) -> impl Future<Output = ()> + Send + 'static {
    // now, and not when the task first runs: what is started after this call has its own task
    let unfinished = library.list().into_iter().filter(|recording| !recording.status.is_final()).collect();
    finish_all(library, unfinished, listeners, clock, steps)
}

async fn finish_all(library: Arc<Library>, unfinished: Vec<Arc<Recording>>, listeners: Listeners, clock: Clock, steps: Arc<Steps>) {
    for recording in unfinished {
        let found = films_stepwise(&library, &recording, clock, &steps).await;
        steps.passed(2).await;
        let ended = ended(&recording, &found, false);
        tracing::info!(recording = %ended.id, status = ended.status.as_str(), "an unfinished recording was found and finished");
        listeners.thumbnails.order(&ended);
        save(&library, ended.clone()).await;
        steps.passed(3).await;
        // the last run told of its beginning; if it came to stop it, it was going down itself
        let reason = if recording.status == Status::Stopped { STOPPED } else { CRASHED };
        if let Some(record) = listeners.teller.record(&ended, Some(reason), clock.unix_ms()) {
            listeners.teller.say(record);
        }
    }
}

/// R1 and R2, for a recording that ended just now or before the last start.
pub async fn films(library: &Library, recording: &Recording, clock: Clock) -> Films {
    films_stepwise(library, recording, clock, &Steps::default()).await
}

async fn films_stepwise(library: &Library, recording: &Recording, clock: Clock, steps: &Steps) -> Films {
    let lock = match lock(library.folder(&recording.id), clock).await {
        Ok(lock) => lock,
        Err(error) => return Films { fault: Some(with_causes(&error)), ..Films::default() },
    };
    steps.passed(1).await;
    let name = recording.name.clone();
    let found = tokio::task::spawn_blocking(move || parts::finish(&lock, &name)).await;
    match found {
        Ok(Ok(films)) => films,
        Ok(Err(error)) => Films { fault: Some(with_causes(&error)), ..Films::default() },
        Err(error) => Films { fault: Some(error.to_string()), ..Films::default() },
    }
}

/// What a recording is after its end. `failed`: it did not end as it should.
pub fn ended(recording: &Recording, films: &Films, failed: bool) -> Recording {
    if let Some(fault) = &films.fault {
        tracing::warn!(recording = %recording.id, fault, "a file of the recording is not finished");
    }
    let good = !failed && films.count > 0 && films.fault.is_none();
    let mut recording = recording.clone();
    recording.status = if good { Status::Ready } else { Status::Failed };
    recording.files = films.count;
    (recording.size, recording.duration_ms) = (films.size, u64::try_from(films.duration.as_millis()).unwrap_or(u64::MAX));
    if films.count > 0 {
        recording.audio = films.audio;
        recording.video = recording.video.filter(|_| films.video);
    }
    recording
}

/// Saves; what the disk does not take is logged, and done again at the next start.
pub async fn save(library: &Arc<Library>, recording: Recording) {
    let (library, id) = (library.clone(), recording.id.clone());
    match tokio::task::spawn_blocking(move || library.save(recording)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(recording = %id, error = with_causes(&error), "the metadata cannot be written"),
        Err(error) => tracing::error!(recording = %id, %error, "the metadata is not written"),
    }
}

async fn lock(folder: PathBuf, clock: Clock) -> Result<FolderLock, disk::Error> {
    let until = clock.now() + PATIENCE;
    loop {
        // takes no time: it never waits for its holder
        match FolderLock::try_take(&folder) {
            Err(error) if error.kind == disk::Kind::Locked && clock.now() < until => clock.sleep(PAUSE).await,
            result => return result,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::ids::{RecordingId, SessionId};
    use crate::recording::metadata::tests::recording;
    use crate::recording::parts::tests::write_part;
    use std::path::Path;

    /// Nobody is told of anything.
    pub fn nobody() -> Listeners {
        Listeners { teller: Teller::default(), thumbnails: Thumbnails::channel().0 }
    }

    fn library(root: &Path) -> Arc<Library> {
        Arc::new(Library::open(root, "https://box".into()).unwrap())
    }

    fn create(library: &Library, status: Status) -> RecordingId {
        let session = SessionId::from("A");
        library.create(&session, |id| Recording { id, session: session.clone(), ..recording(status) }).unwrap().id.clone()
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_start_leaves_nothing_unfinished() {
        let root = tempfile::tempdir().unwrap();
        let before = library(root.path());
        let mut expected = Vec::new();
        for status in [Status::Starting, Status::Started, Status::Stopped] {
            for fragments in [None, Some(0), Some(2)] {
                for finished in [false, true] {
                    if fragments != Some(2) && finished {
                        continue;
                    }
                    let id = create(&before, status);
                    if let Some(fragments) = fragments {
                        write_part(&before.folder(&id), 1, fragments, finished);
                    }
                    expected.push((id, if fragments == Some(2) { (Status::Ready, 2000) } else { (Status::Failed, 0) }));
                }
            }
        }
        for _ in 0..2 {
            let after = library(root.path());
            recover(after.clone(), nobody(), Clock::simulated(0)).await;
            for (id, (status, duration_ms)) in &expected {
                let recording = after.get(id).unwrap();
                assert_eq!((recording.status, recording.duration_ms), (*status, *duration_ms), "{id}");
                assert_eq!(after.file(id, "lobby.mp4").is_some(), *status == Status::Ready);
                assert_eq!(recording.video.is_some(), *status == Status::Failed, "there was sound only");
            }
        }
    }

    #[tokio::test]
    async fn a_composer_that_outlived_its_daemon_is_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let library = library(root.path());
        let id = create(&library, Status::Started);
        write_part(&library.folder(&id), 1, 1, false);
        let composer = FolderLock::try_take(&library.folder(&id)).unwrap();
        let recovery = tokio::spawn(recover(library.clone(), nobody(), Clock::System));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(library.get(&id).unwrap().status, Status::Started);
        drop(composer);
        recovery.await.unwrap();
        assert_eq!(library.get(&id).unwrap().status, Status::Ready);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_is_never_given_back_is_a_failure_and_no_hang() {
        let root = tempfile::tempdir().unwrap();
        let library = library(root.path());
        let id = create(&library, Status::Started);
        let _held = FolderLock::try_take(&library.folder(&id)).unwrap();
        recover(library.clone(), nobody(), Clock::simulated(0)).await;
        assert_eq!(library.get(&id).unwrap().status, Status::Failed);
    }
}
