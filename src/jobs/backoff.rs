//! How long a job pauses before its next try. Pure.
//!
//! What decides is why it failed. A camera on the local network shall be seen within 2 s of its return, however long it was away,
//! and asking whether its port is open costs next to nothing. A wrong password does not heal by trying, and cameras lock
//! out who tries it often. An address that is not allowed is not tried again at all.

use crate::wire::control::FailureKind;
use std::time::{Duration, Instant};

/// The pauses of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pauses {
    /// Between two looks whether a camera that is away is back.
    pub probe: Duration,
    /// After the first failure of any other kind, where the next try may well succeed; doubles with each one that follows.
    pub first: Duration,
    /// The longest it gets.
    pub longest: Duration,
    /// The same where somebody has to mend something first: each try is a process, which others feel.
    pub first_hopeless: Duration,
    pub longest_hopeless: Duration,
    /// A process that lived this long after media flowed makes good for all that failed before it.
    pub settled: Duration,
}

impl Default for Pauses {
    fn default() -> Pauses {
        Pauses {
            probe: Duration::from_millis(500),
            first: Duration::from_millis(250),
            longest: Duration::from_secs(1),
            first_hopeless: Duration::from_secs(1),
            longest_hopeless: Duration::from_secs(10),
            settled: Duration::from_secs(10),
        }
    }
}

/// Counts what a job has gone through.
#[derive(Clone, Debug)]
pub struct Backoff {
    pauses: Pauses,
    /// Did media ever flow?
    known: bool,
    flows_since: Option<Instant>,
    failures: u32,
}

impl Backoff {
    pub fn new(pauses: Pauses) -> Backoff {
        Backoff { pauses, known: false, flows_since: None, failures: 0 }
    }

    /// Media flows.
    pub fn ready(&mut self, now: Instant) {
        self.known = true;
        self.flows_since.get_or_insert(now);
    }

    /// It failed; the pause before the next try, `None` when there shall be none.
    pub fn failed(&mut self, kind: FailureKind, now: Instant) -> Option<Duration> {
        let flowed = self.flows_since.take().map(|since| now.saturating_duration_since(since));
        if flowed.is_some_and(|span| span >= self.pauses.settled) {
            self.failures = 0;
        }
        let Pauses { first, longest, first_hopeless, longest_hopeless, .. } = self.pauses;
        let (first, longest) = match kind {
            FailureKind::Forbidden => return None,
            FailureKind::Refused | FailureKind::Unreachable => {
                // what is tried next is whether it is there, not whether it works
                self.failures = 0;
                return Some(self.pauses.probe);
            }
            FailureKind::UnknownHost => (first, longest),
            FailureKind::Unauthorized | FailureKind::Unsupported => (first_hopeless, longest_hopeless),
            // a camera that starts is silent first and knows its paths late, and a process that once worked will work again; one
            // that never did may be no camera at all, and floods us
            _ if self.known => (first, longest),
            _ if kind.theirs() => (first_hopeless, longest_hopeless),
            // whoever started it waits for it, and nobody is bothered by a quick second try
            _ => (first, longest_hopeless),
        };
        let doubled = 1u32.checked_shl(self.failures).and_then(|times| first.checked_mul(times));
        self.failures = self.failures.saturating_add(1);
        Some(doubled.map_or(longest, |pause| pause.min(longest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use FailureKind::{Crashed, Ended, Forbidden, NoPackets, NotFound, Refused, Unauthorized, Unreachable};

    fn pauses(backoff: &mut Backoff, kind: FailureKind, count: usize) -> Vec<u128> {
        let now = Clock::System.now();
        (0..count).map(|_| backoff.failed(kind, now).unwrap().as_millis()).collect()
    }

    fn fresh() -> Backoff {
        Backoff::new(Pauses::default())
    }

    #[test]
    fn what_somebody_has_to_mend_is_left_alone_for_longer_and_longer() {
        for kind in [Unauthorized, NotFound, NoPackets] {
            let mut backoff = fresh();
            assert_eq!(pauses(&mut backoff, kind, 6), [1000, 2000, 4000, 8000, 10_000, 10_000]);
            assert_eq!(pauses(&mut backoff, kind, 100).last(), Some(&10_000));
        }
        assert_eq!(pauses(&mut fresh(), Crashed, 8), [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    }

    #[test]
    fn what_was_alive_is_tried_each_second() {
        let mut backoff = fresh();
        backoff.ready(Clock::System.now());
        for kind in [NotFound, Crashed, Ended, NoPackets] {
            assert!(pauses(&mut backoff, kind, 9)[2..].iter().all(|pause| *pause == 1000), "{kind}");
        }
        assert_eq!(pauses(&mut backoff, Unauthorized, 9).last(), Some(&10_000), "a changed password locks nobody out");
    }

    #[test]
    fn a_forbidden_address_is_given_up() {
        assert_eq!(fresh().failed(Forbidden, Clock::System.now()), None);
    }

    #[test]
    fn one_that_dies_as_soon_as_it_flows_is_not_started_faster_and_faster() {
        let mut backoff = fresh();
        let mut now = Clock::System.now();
        let mut run = |span: u64| {
            backoff.ready(now);
            now += Duration::from_secs(span);
            backoff.failed(Crashed, now).unwrap().as_millis()
        };
        assert_eq!([run(1), run(1), run(1), run(1)], [250, 500, 1000, 1000]);
        assert_eq!([run(10), run(1)], [250, 500]);
    }

    /// A camera that is off for a day, its network too, and that starts for a minute before it works: nowhere a longer pause than
    /// the promise of 2 s leaves room for, and nowhere a busy loop.
    #[test]
    fn a_day_away_ends_as_soon_as_a_second_away() {
        let mut backoff = fresh();
        let start = Clock::System.now();
        let mut now = start;
        backoff.ready(now);
        let mut tries = 0;
        while now - start < Duration::from_secs(24 * 3600) {
            let kind = [Unreachable, Refused, Refused, NoPackets, NotFound][(now - start).as_secs() as usize / 60 % 5];
            let pause = backoff.failed(kind, now).unwrap();
            assert!((Duration::from_millis(250)..=Duration::from_secs(1)).contains(&pause), "{pause:?} after {:?}", now - start);
            assert!(!matches!(kind, Refused | Unreachable) || pause == Duration::from_millis(500));
            now += pause;
            tries += 1;
        }
        assert!(tries < 2 * 24 * 3600, "{tries} tries in a day");
    }
}
