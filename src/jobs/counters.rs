//! What became of all processes so far, counted for whoever watches the box. Written by the jobs, read by anybody; no lock is
//! held for longer than a few additions.

use super::strikes::Strikes;
use crate::wire::control::{FailureKind, Spec};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The counters. Cheap to clone; all clones count together.
#[derive(Clone, Default, Debug)]
pub struct Counters {
    books: Arc<Mutex<Books>>,
}

#[derive(Default, Debug)]
struct Books {
    counted: Counted,
    strikes: Strikes,
}

/// What was counted since the start, by kind of job (`camera`, `compose`, `transcode`, `thumbnail`).
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counted {
    /// Processes that run now.
    pub running: BTreeMap<&'static str, u64>,
    /// Processes that were started.
    pub started: BTreeMap<&'static str, u64>,
    /// Tries that failed, by cause; of a camera that is away, each look whether it is back.
    pub failed: BTreeMap<(&'static str, FailureKind), u64>,
    /// Elements of hardware that are left alone because they took their processes along.
    pub struck_out: BTreeSet<&'static str>,
}

/// The word for a kind of job.
pub fn word(spec: &Spec) -> &'static str {
    match spec {
        Spec::Camera(_) => "camera",
        Spec::Compose(_) => "compose",
        Spec::Transcode(_) => "transcode",
        Spec::Thumbnail(_) => "thumbnail",
    }
}

impl Counters {
    /// What is counted at this moment.
    pub fn read(&self) -> Counted {
        let books = self.lock();
        Counted { struck_out: books.strikes.out().clone(), ..books.counted.clone() }
    }

    pub(super) fn started(&self, kind: &'static str) {
        let counted = &mut self.lock().counted;
        *counted.started.entry(kind).or_default() += 1;
        *counted.running.entry(kind).or_default() += 1;
    }

    pub(super) fn ended(&self, kind: &'static str) {
        if let Some(running) = self.lock().counted.running.get_mut(kind) {
            *running = running.saturating_sub(1);
        }
    }

    pub(super) fn failed(&self, kind: &'static str, cause: FailureKind) {
        *self.lock().counted.failed.entry((kind, cause)).or_default() += 1;
    }

    /// A process that used these elements of hardware ended without a word. True when they are left alone from now on.
    pub(super) fn crashed(&self, elements: Vec<&'static str>, now: Instant) -> bool {
        self.lock().strikes.crashed(elements, now)
    }

    /// The elements of hardware that the next process shall leave alone.
    pub(super) fn struck_out(&self) -> Vec<String> {
        self.lock().strikes.out().iter().map(|element| (*element).to_owned()).collect()
    }

    // no critical section panics; one that did would still leave numbers
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together() {
        let counters = Counters::default();
        let other = counters.clone();
        counters.started("camera");
        other.started("camera");
        other.ended("camera");
        other.ended("compose");
        other.failed("camera", FailureKind::Refused);
        let counted = counters.read();
        assert_eq!((counted.started["camera"], counted.running["camera"]), (2, 1));
        assert_eq!(counted.failed, BTreeMap::from([(("camera", FailureKind::Refused), 1)]));
    }
}
