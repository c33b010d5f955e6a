//! The seam between the sessions and the supervisor: commands, events, and the handle that carries them.

use crate::ids::{JobId, SessionKey};
use crate::wire::control::{Failure, Spec};
use std::os::fd::OwnedFd;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc;

/// What floor 4 asks of the supervisor.
#[derive(Debug)]
pub enum Command {
    /// Start a job and keep it running until [`Command::Stop`]. `media` is the worker's end of its media socket; `name` (a
    /// connection id) is what log lines call it.
    Start { job: JobId, name: String, spec: Spec, media: OwnedFd },
    /// End a job: polite for 1 s, then killed. No further event of it follows.
    Stop { job: JobId },
}

/// What the supervisor reports.
#[derive(Clone, Debug)]
pub enum Event {
    /// Media flows (again).
    Ready { job: JobId },
    /// The process ended; the next one starts after `retry_in`.
    Down { job: JobId, failure: Failure, retry_in: Duration },
}

impl Event {
    /// The session this event belongs to.
    pub fn session(&self) -> SessionKey {
        match self {
            Event::Ready { job } | Event::Down { job, .. } => job.session(),
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
}

/// Commands that may wait for the supervisor.
const COMMANDS: usize = 1024;

impl Handle {
    /// A handle and the receiving end that the supervisor (or a test in its place) serves.
    pub fn channel() -> (Handle, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        (Handle { commands }, receiver)
    }

    /// Hands a command over.
    pub fn send(&self, command: Command) -> Result<(), Overloaded> {
        self.commands.try_send(command).map_err(|_| Overloaded)
    }
}
