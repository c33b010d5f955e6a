//! The seam between the sessions and the supervisor: commands, events, and the handle that carries them.

use super::budget::{Budget, Permit};
use super::counters::Counters;
use crate::clock::Clock;
use crate::ids::{JobId, SessionKey};
use crate::wire::compose::Written;
use crate::wire::control::{Failure, Spec, ToWorker};
use std::os::fd::OwnedFd;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc;

/// What floor 4 asks of the supervisor.
#[derive(Debug)]
pub enum Command {
    /// Start a job and keep it running until [`Command::Stop`]. `media` is the worker's end of its media socket; `name` (its
    /// kind and an id, as in `camera ipc_…`) is what log lines call it. A job that costs processor time worth counting has its
    /// `permit` from [`Handle::budget`].
    Start { job: JobId, name: String, spec: Spec, media: OwnedFd, permit: Option<Permit> },
    /// Say something to the process that runs; without one it is dropped. Slots have to be told to each process anew, after its
    /// [`Event::Started`]. After [`ToWorker::Stop`] comes [`Event::Finished`], if only because no process runs that could do it.
    Tell { job: JobId, message: ToWorker },
    /// End a job: polite for 1 s (recorders 5 s), then killed. No further event of it follows.
    Stop { job: JobId },
}

/// What the supervisor reports.
#[derive(Clone, Debug)]
pub enum Event {
    /// A process (the first, or the next) has its job and listens.
    Started { job: JobId },
    /// So much of a recording is on disk.
    Written { job: JobId, written: Written },
    /// The process has ended as it was told by [`ToWorker::Stop`], or because it was done; the job is over. It still has to be
    /// stopped.
    Finished { job: JobId },
    /// Media flows (again).
    Ready { job: JobId },
    /// The process ended, or none could be started; the next try is made after `retry_in`. `None`: it is given up, the job
    /// waits to be stopped.
    Down { job: JobId, failure: Failure, retry_in: Option<Duration> },
}

impl Event {
    /// The session this event belongs to.
    pub fn session(&self) -> SessionKey {
        self.job().session()
    }

    /// The job this event is about.
    pub fn job(&self) -> JobId {
        match self {
            Event::Started { job }
            | Event::Written { job, .. }
            | Event::Finished { job }
            | Event::Ready { job }
            | Event::Down { job, .. } => *job,
        }
    }
}

/// The supervisor takes no more commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the job supervisor takes no more commands")]
pub struct Overloaded;

/// Sends commands to the supervisor. Cheap to clone, never blocks.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    budget: Budget,
    counters: Counters,
}

/// Commands that may wait for the supervisor.
const COMMANDS: usize = 1024;

impl Handle {
    /// A handle and the receiving end that the supervisor (or a test in its place) serves; no job is refused.
    pub fn channel() -> (Handle, mpsc::Receiver<Command>) {
        Handle::with(Budget::new(Some(u32::MAX), Clock::System))
    }

    /// The same with a budget.
    pub fn with(budget: Budget) -> (Handle, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        (Handle { commands, budget, counters: Counters::default() }, receiver)
    }

    /// What the board can carry.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What became of all processes so far: give it to [`Settings`](super::Settings), and read it anywhere.
    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }

    /// Hands a command over.
    pub fn send(&self, command: Command) -> Result<(), Overloaded> {
        self.commands.try_send(command).map_err(|_| Overloaded)
    }
}
