//! What happened, told to the world: call detail records in files, and posts to a webhook (events.md §1 to §6).
//!
//! A [`Record`] is made where the thing happens and goes over the [`Bus`] to every listener; nobody waits for them. Each listener is a
//! task of its own that ends with [`Events::end`], after what was said before.
//!
//! | file | what lives there |
//! |---|---|
//! | `record` | the events, plain data |
//! | `json` | their form on the wire, field by field. Pure |
//! | `chronicle` | a session's side: every beginning told once, with exactly one end |
//! | `bus` | from whoever knows to whoever is told |
//! | `follow` | those who hear what happens as it happens, and come and go |
//! | `cdr` | listener: files that are rotated and bounded |
//! | `webhook` | listener: one post after the other, until each is taken |
//! | `queue`, `journal` | what waits for the endpoint: its order and bound (pure), and its file |
//! | `post` | one post, and what its answer means |

mod bus;
mod cdr;
mod chronicle;
mod follow;
mod journal;
mod json;
mod post;
mod queue;
pub mod record;
mod webhook;

pub use bus::Bus;
#[cfg(test)]
pub use bus::Ear;
pub use cdr::Settings as CdrSettings;
pub use chronicle::Chronicle;
#[cfg(test)]
pub use chronicle::tests::check;
pub use follow::Follower;
#[cfg(test)]
pub use json::lines;
pub use post::{BadTarget, ID_HEADER, Target};
pub use record::Record;

use crate::clock::Clock;
use crate::disk;
use cdr::Cdr;
use journal::Journal;
use post::Http;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use thiserror::Error;
use tokio::task::JoinSet;
use webhook::{Counters, Webhook};

/// How large the journal may be, compared with what may wait: it holds endings too.
const JOURNAL: u64 = 3;

/// Who is told; `None`: nobody of that kind.
#[derive(Clone, Default)]
pub struct Settings {
    pub cdr: Option<CdrSettings>,
    pub webhook: Option<WebhookSettings>,
}

/// Which events are posted, where, and what may wait.
#[derive(Clone)]
pub struct WebhookSettings {
    pub target: Target,
    /// Names of events.
    pub events: Vec<String>,
    /// What may wait for the endpoint, in bytes.
    pub queue_bytes: usize,
    /// Where it waits.
    pub journal: PathBuf,
}

/// Why nobody can be told.
#[derive(Debug, Error)]
pub enum Error {
    #[error("{error} ({})", error.source)]
    Cdr { error: disk::Error },
    #[error(transparent)]
    Target(#[from] BadTarget),
    #[error("{error} ({})", error.source)]
    Journal { error: disk::Error },
}

/// What became of events so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Call detail records that could not be written.
    pub cdr_lost: u64,
    /// Posts the endpoint took.
    pub webhook_delivered: u64,
    /// Events the endpoint did not want, or failed on for too long.
    pub webhook_refused: u64,
    /// Events dropped because too many waited.
    pub webhook_dropped: u64,
    /// Events that wait now.
    pub webhook_waiting: u64,
    /// Events that a listener never heard because it was far behind.
    pub unheard: u64,
    /// Those who follow what happens, now.
    pub followers: u64,
    /// Those who were let go because they did not keep up.
    pub followers_lost: u64,
}

/// Reads the counters. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Meter {
    bus: Bus,
    cdr_lost: Arc<AtomicU64>,
    webhook: Arc<Counters>,
}

/// The listeners.
#[derive(Debug)]
pub struct Events {
    meter: Meter,
    tasks: JoinSet<()>,
}

impl Events {
    /// Starts who is to be told; needs a tokio runtime. Blocks on the disk.
    pub fn start(settings: Settings, clock: Clock) -> Result<Events, Error> {
        let (cdr_lost, counters, mut tasks) = <(Arc<AtomicU64>, Arc<Counters>, JoinSet<()>)>::default();
        let mut bus = Bus::default();
        if let Some(settings) = settings.cdr {
            let cdr = Cdr::open(settings, clock, cdr_lost.clone()).map_err(|error| Error::Cdr { error })?;
            let heard = bus.listen("call detail records");
            tasks.spawn_blocking(move || cdr.run(heard));
        }
        if let Some(WebhookSettings { target, events, queue_bytes, journal }) = settings.webhook {
            let endpoint = Http::new(&target, clock)?;
            let journal = Journal::open(journal, JOURNAL * queue_bytes as u64).map_err(|error| Error::Journal { error })?;
            let heard = bus.listen("webhook");
            tasks.spawn(Webhook::new(events, endpoint, clock, counters.clone(), queue_bytes, journal, heard).run());
        }
        Ok(Events { meter: Meter { bus, cdr_lost, webhook: counters }, tasks })
    }

    /// The way to all listeners.
    pub fn bus(&self) -> Bus {
        self.meter.bus.clone()
    }

    /// Who reads the counters.
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// Tells what was said so far, as far as that needs no waiting for an endpoint that is away, and ends.
    pub async fn end(mut self) {
        self.meter.bus.end().await;
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Meter {
    /// The counters now.
    pub fn counts(&self) -> Counts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            cdr_lost: load(&self.cdr_lost),
            webhook_delivered: load(&self.webhook.delivered),
            webhook_refused: load(&self.webhook.refused),
            webhook_dropped: load(&self.webhook.dropped),
            webhook_waiting: load(&self.webhook.waiting),
            unheard: self.bus.lost().iter().map(|(_, lost)| lost).sum(),
            followers: self.bus.followers.count() as u64,
            followers_lost: self.bus.followers.lost(),
        }
    }
}
