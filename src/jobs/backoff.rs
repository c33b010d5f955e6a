//! How long a job pauses before its next process. Pure.

use std::time::Duration;

/// The pauses of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pauses {
    /// After the first failure; doubles with each one that follows.
    pub first: Duration,
    /// Longest for a source that was alive once: it shall be seen within 2 s of its return.
    pub longest_known: Duration,
    /// Longest for a source that never was: a wrong address or password does not heal by trying.
    pub longest_unknown: Duration,
}

impl Default for Pauses {
    fn default() -> Pauses {
        Pauses { first: Duration::from_millis(250), longest_known: Duration::from_secs(1), longest_unknown: Duration::from_secs(10) }
    }
}

/// Counts what a job has gone through.
#[derive(Clone, Debug)]
pub struct Backoff {
    pauses: Pauses,
    known: bool,
    failures: u32,
}

impl Backoff {
    pub fn new(pauses: Pauses) -> Backoff {
        Backoff { pauses, known: false, failures: 0 }
    }

    /// Media flows.
    pub fn ready(&mut self) {
        self.known = true;
        self.failures = 0;
    }

    /// The process ended; the pause before the next.
    pub fn failed(&mut self) -> Duration {
        let longest = if self.known { self.pauses.longest_known } else { self.pauses.longest_unknown };
        let doubled = 1u32.checked_shl(self.failures).and_then(|times| self.pauses.first.checked_mul(times));
        self.failures = self.failures.saturating_add(1);
        doubled.map_or(longest, |pause| pause.min(longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(backoff: &mut Backoff, count: usize) -> Vec<u128> {
        (0..count).map(|_| backoff.failed().as_millis()).collect()
    }

    #[test]
    fn a_source_that_never_was_is_left_alone_for_longer_and_longer() {
        let mut backoff = Backoff::new(Pauses::default());
        assert_eq!(pauses(&mut backoff, 8), [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        assert_eq!(pauses(&mut backoff, 100).last(), Some(&10_000));
    }

    #[test]
    fn one_that_was_alive_is_tried_each_second() {
        let mut backoff = Backoff::new(Pauses::default());
        pauses(&mut backoff, 5);
        backoff.ready();
        assert_eq!(pauses(&mut backoff, 4), [250, 500, 1000, 1000]);
        backoff.ready();
        assert_eq!(pauses(&mut backoff, 1), [250]);
    }
}
