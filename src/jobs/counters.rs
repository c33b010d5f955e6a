//! What became of all processes so far, counted for whoever watches the box. Written by the jobs, read by anybody; no lock is
//! held for longer than a few additions.

use crate::wire::control::{FailureKind, Spec};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counters. Cheap to clone; all clones count together.
#[derive(Clone, Default, Debug)]
pub struct Counters {
    counted: Arc<Mutex<Counted>>,
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
        self.lock().clone()
    }

    pub(super) fn started(&self, kind: &'static str) {
        let mut counted = self.lock();
        *counted.started.entry(kind).or_default() += 1;
        *counted.running.entry(kind).or_default() += 1;
    }

    pub(super) fn ended(&self, kind: &'static str) {
        if let Some(running) = self.lock().running.get_mut(kind) {
            *running = running.saturating_sub(1);
        }
    }

    pub(super) fn failed(&self, kind: &'static str, cause: FailureKind) {
        *self.lock().failed.entry((kind, cause)).or_default() += 1;
    }

    // no critical section panics; one that did would still leave numbers
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
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
