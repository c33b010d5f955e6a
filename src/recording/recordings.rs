//! All recordings that are being made: started here, each a task of its own; events of their composers find their way here.

use super::control::{self, Control};
use super::library::Library;
use super::plan::{Cast, Plan};
use super::recorder::{Progress, Recorder};
use super::recovery;
use crate::clock::Clock;
use crate::events::Bus;
use crate::ids::{JobId, SessionId, SessionKey};
use crate::{engine, jobs};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Events that may wait for a recording. The router waits for a place, except with reports of progress, of which the next says more.
const EVENTS: usize = 64;

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
    shared: Arc<Shared>,
}

/// What all recordings share.
#[derive(Debug)]
pub(super) struct Shared {
    pub library: Arc<Library>,
    pub engine: engine::Handle,
    pub jobs: jobs::Handle,
    /// The way to the world.
    pub events: Bus,
    pub clock: Clock,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    last: u32,
    events: HashMap<JobId, mpsc::Sender<jobs::Event>>,
    tasks: JoinSet<()>,
}

impl Recordings {
    /// None yet, over the two floors below; needs a tokio runtime. Recordings that the last run did not finish are finished from
    /// now on.
    pub fn new(library: Library, engine: engine::Handle, jobs: jobs::Handle, events: Bus, clock: Clock) -> Recordings {
        let library = Arc::new(library);
        let shared = Arc::new(Shared { library: library.clone(), engine, jobs, events: events.clone(), clock, running: Mutex::default() });
        shared.running().tasks.spawn(recovery::recover(library, events, clock));
        Recordings { shared }
    }

    /// What there is on disk, finished or not.
    pub fn library(&self) -> &Arc<Library> {
        &self.shared.library
    }

    /// Begins a recording; waits for nothing. How it goes the recorder sees.
    pub fn start(&self, request: Request) -> Recorder {
        let (events, heard) = mpsc::channel(EVENTS);
        let (told, progress) = watch::channel(Progress::default());
        let (recorder, wanted) = Recorder::new(request.cast.clone(), progress);
        let mut running = self.shared.running();
        running.last += 1;
        let job = JobId::new(SessionKey::RECORDINGS, running.last);
        running.events.insert(job, events);
        while running.tasks.try_join_next().is_some() {}
        let control = Control::new(self.shared.clone(), job, told, wanted, heard);
        running.tasks.spawn(control::run(control, request));
        recorder
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

    /// Waits until nothing is being recorded or recovered any more. For the stop of the box, when no session starts more.
    pub async fn finished(&self) {
        let mut tasks = std::mem::take(&mut self.shared.running().tasks);
        while tasks.join_next().await.is_some() {}
    }
}

impl Shared {
    /// A recording is over.
    pub fn forget(&self, job: JobId) {
        self.running().events.remove(&job);
    }

    // No critical section panics; one that did would still leave a table that is whole.
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
