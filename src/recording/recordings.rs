//! All recordings that are being made: started here, each a task of its own; events of their composers find their way here.

use super::control::{self, Control};
use super::library::Library;
use super::plan::{Cast, Plan, thumbnail_name};
use super::recorder::{Progress, Recorder};
use super::recovery;
use super::thumbnails::{self, Thumbnails};
use super::told::Teller;
use crate::clock::Clock;
use crate::ids::{JobId, RecordingId, SessionId, SessionKey};
use crate::jobs::budget::{Load, Refused, Work};
use crate::{engine, jobs};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

/// Events that may wait for a recording. The router waits for a place, except with reports of progress, of which the next says more.
const EVENTS: usize = 64;
/// Between two tries to hand an order to a floor below whose queue is full.
const RETRY: Duration = Duration::from_millis(50);
const TRIES: u32 = 200;

/// Whose recording it is and what it shall hold.
#[derive(Clone, Debug)]
pub struct Request {
    pub session: SessionId,
    /// ms since 1970.
    pub session_created_at: u64,
    pub plan: Plan,
    /// Who publishes now.
    pub cast: Vec<Cast>,
}

/// The recordings of this box. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recordings {
    pub(super) shared: Arc<Shared>,
}

/// What all recordings share.
#[derive(Debug)]
pub(super) struct Shared {
    pub library: Arc<Library>,
    pub engine: engine::Handle,
    pub jobs: jobs::Handle,
    pub teller: Teller,
    pub thumbnails: Thumbnails,
    pub clock: Clock,
    pub steps: Steps,
    running: Mutex<Running>,
}

/// Passed by every recording's task. Production goes on; a test may stop the task there for good, as a kill of the daemon would.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// The task stops when it has done this one; 0 = never.
    #[cfg(test)]
    pub last: std::sync::atomic::AtomicU8,
    #[cfg(test)]
    pub is_stopped: std::sync::atomic::AtomicBool,
}

impl Steps {
    #[cfg(not(test))]
    pub async fn passed(&self, _step: u8) {}

    #[cfg(test)]
    pub async fn passed(&self, step: u8) {
        use std::sync::atomic::Ordering::Relaxed;
        if self.last.load(Relaxed) == step {
            self.is_stopped.store(true, Relaxed);
            std::future::pending::<()>().await;
        }
    }
}

#[derive(Debug, Default)]
struct Running {
    last: u32,
    events: HashMap<JobId, mpsc::Sender<jobs::Event>>,
    tasks: JoinSet<()>,
    /// The one of the tasks that never ends by itself.
    drawing: Option<AbortHandle>,
}

impl Recordings {
    /// None yet, over the two floors below; needs a tokio runtime. Recordings that the last run did not finish are finished from
    /// now on.
    pub fn new(library: Library, engine: engine::Handle, jobs: jobs::Handle, teller: Teller, clock: Clock) -> Recordings {
        let library = Arc::new(library);
        let (thumbnails, orders) = Thumbnails::channel();
        let shared = Arc::new(Shared {
            library: library.clone(),
            engine,
            jobs,
            teller: teller.clone(),
            thumbnails: thumbnails.clone(),
            clock,
            steps: Steps::default(),
            running: Mutex::default(),
        });
        let mut running = shared.running();
        running.tasks.spawn(recovery::recover(library, recovery::Listeners { teller, thumbnails }, clock));
        running.drawing = Some(running.tasks.spawn(thumbnails::run(shared.clone(), orders)));
        drop(running);
        Recordings { shared }
    }

    /// What there is on disk, finished or not.
    pub fn library(&self) -> &Arc<Library> {
        &self.shared.library
    }

    /// Begins a recording; waits for nothing. How it goes the recorder sees. Errors: the board cannot carry it.
    pub fn start(&self, request: Request) -> Result<Recorder, Refused> {
        let permit = self.shared.jobs.budget().admit(load(&request.plan))?;
        let (told, progress) = watch::channel(Progress::default());
        let (recorder, wanted) = Recorder::new(request.cast.clone(), progress);
        let (job, heard) = self.shared.register();
        let mut running = self.shared.running();
        while running.tasks.try_join_next().is_some() {}
        let control = Control::new(self.shared.clone(), (job, permit), told, wanted, heard);
        running.tasks.spawn(control::run(control, request));
        Ok(recorder)
    }

    /// Hands an event of a composer to its recording; one that is over hears nothing.
    pub async fn hear(&self, event: jobs::Event) {
        let events = self.shared.running().events.get(&event.job()).cloned();
        let Some(events) = events else { return };
        match event {
            jobs::Event::Written { .. } => drop(events.try_send(event)),
            event => drop(events.send(event).await),
        }
    }

    /// The file `name` of a finished recording; a thumbnail that is being made is waited for.
    pub async fn file(&self, id: RecordingId, name: String) -> Option<PathBuf> {
        if name == thumbnail_name(&id) {
            self.shared.thumbnails.settled(&id, self.shared.clock).await;
        }
        let library = self.shared.library.clone();
        tokio::task::spawn_blocking(move || library.file(&id, &name)).await.ok().flatten()
    }

    /// Waits until nothing is being recorded or recovered any more. For the stop of the box, when no session starts more; the next
    /// start makes thumbnails that are missing.
    pub async fn finished(&self) {
        let (mut tasks, drawing) = {
            let mut running = self.shared.running();
            (std::mem::take(&mut running.tasks), running.drawing.take())
        };
        drawing.iter().for_each(AbortHandle::abort);
        while tasks.join_next().await.is_some() {}
    }
}

fn load(plan: &Plan) -> Load {
    let pixels = plan.video.map_or(0, |picture| {
        let (width, height) = picture.resolution.even();
        u64::from(width) * u64::from(height) * u64::from(picture.frame_rate)
    });
    Load { work: Work::Compose, pixels }
}

impl Shared {
    /// The daemon is killed: no task does anything more.
    #[cfg(test)]
    pub async fn kill(&self) {
        let mut tasks = std::mem::take(&mut self.running().tasks);
        tasks.shutdown().await;
    }

    /// The next job of this room, and what becomes of it.
    pub fn register(&self) -> (JobId, mpsc::Receiver<jobs::Event>) {
        let (events, heard) = mpsc::channel(EVENTS);
        let mut running = self.running();
        running.last += 1;
        let job = JobId::new(SessionKey::RECORDINGS, running.last);
        running.events.insert(job, events);
        (job, heard)
    }

    /// Ends a job, and detaches its socket if the media thread has the other end. Orders that find a queue full are said again: what
    /// runs has to be ended.
    pub async fn end_job(&self, job: JobId, attached: bool) {
        self.running().events.remove(&job);
        let (mut stopped, mut detached) = (false, !attached);
        for _ in 0..TRIES {
            stopped = stopped || self.jobs.send(jobs::Command::Stop { job }).is_ok();
            detached = detached || self.engine.send(engine::Command::DetachSink { job }).is_ok();
            if stopped && detached {
                return;
            }
            self.clock.sleep(RETRY).await;
        }
        tracing::error!(?job, "the floors below did not take the end of a job");
    }

    // No critical section panics; one that did would still leave a table that is whole.
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
