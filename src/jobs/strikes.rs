//! Which elements of hardware are left alone: those that took their process along again and again. Pure.
//!
//! A driver that crashes or hangs takes its whole worker with it, so the worker cannot go on in software by itself, and its
//! successor would choose the same element and end in the same way for ever. Who crashed cannot be seen from outside: all elements
//! that were in use get the strike. After [`ENOUGH`] of them within [`WINDOW`] they are out for every job of this box, and what comes
//! next in the tables of [`crate::hardware`] takes their place, in the end software. Nothing is written down: an update of the
//! driver ends with a restart, and then it is tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Ends that strike elements out.
const ENOUGH: usize = 2;
/// They count together when they are no further apart.
const WINDOW: Duration = Duration::from_secs(60);

/// Elements that were in use together, sorted, by their names in the tables.
type Choice = Vec<&'static str>;

/// What is held against each choice of elements.
#[derive(Default, Debug)]
pub struct Strikes {
    ends: BTreeMap<Choice, Vec<Instant>>,
    out: BTreeSet<&'static str>,
}

impl Strikes {
    /// A process that used these elements ended without a word. True when that strikes them out.
    pub fn crashed(&mut self, mut elements: Choice, now: Instant) -> bool {
        elements.sort_unstable();
        if elements.is_empty() || elements.iter().all(|element| self.out.contains(element)) {
            return false;
        }
        let ends = self.ends.entry(elements.clone()).or_default();
        ends.retain(|end| now.saturating_duration_since(*end) < WINDOW);
        ends.push(now);
        if ends.len() < ENOUGH {
            return false;
        }
        self.ends.remove(&elements);
        self.out.extend(elements);
        true
    }

    /// The elements that are out.
    pub fn out(&self) -> &BTreeSet<&'static str> {
        &self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn two_ends_within_a_minute_strike_out_what_was_in_use() {
        const BOTH: [&str; 2] = ["v4l2h264enc", "v4l2slvp8dec"];
        let start = Clock::System.now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut strikes = Strikes::default();
        // when, what was in use, is it out with that?
        for (s, elements, out) in [
            (0, BOTH.to_vec(), false),
            (1, vec!["mppvp8enc"], false),
            (2, vec![], false),
            (3, vec![], false),
            // too late, and the first of the next two
            (60, BOTH.to_vec(), false),
            (90, vec!["v4l2slvp8dec", "v4l2h264enc"], true),
            // one that had begun before they were struck out
            (91, BOTH.to_vec(), false),
            (92, BOTH.to_vec(), false),
        ] {
            assert_eq!(strikes.crashed(elements.clone(), at(s)), out, "{elements:?} at {s} s");
        }
        assert_eq!(strikes.out().iter().copied().collect::<Vec<_>>(), BOTH);
        assert_eq!(strikes.ends.len(), 1, "what is out is not kept");
    }

    #[test]
    fn what_crashes_once_a_minute_is_borne() {
        let start = Clock::System.now();
        let mut strikes = Strikes::default();
        assert!((0..100).all(|minute| !strikes.crashed(vec!["vah264enc"], start + minute * WINDOW)));
        assert!(strikes.out().is_empty());
    }
}
