//! What is worth a log line: exactly one for each change of a job's state, none for each try. Pure.
//!
//! ```text
//!             ready                failed(kind)
//!   Unknown ────────> Up <───────────────────────> Down(kind) ──> Down(other kind)
//! ```
//!
//! A camera that starts is refused, then silent, then lets nobody in, and in the end is back: each of that is a line, and it
//! tells the story. One that wavers between two causes would fill the log; the second time round it is left to the state that
//! readers see:
//!
//! ```text
//!   Down(a) ──b──> Down(b) ──a──> Down(a): no line, until media flows or a third cause comes
//! ```

use crate::wire::control::{Failure, FailureKind};
use std::collections::HashSet;

/// How a job is, as the log last said.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Health {
    #[default]
    Unknown,
    Up,
    /// For the second cause now, after the first; both were said.
    Down(FailureKind, Option<FailureKind>),
}

impl Health {
    /// Media flows. True when that is news.
    pub fn ready(&mut self) -> bool {
        std::mem::replace(self, Health::Up) != Health::Up
    }

    /// The process ended. True when that is news: it was not down, or for other reasons.
    pub fn failed(&mut self, failure: &Failure) -> bool {
        match *self {
            Health::Down(now, _) if now == failure.kind => false,
            Health::Down(now, Some(before)) if before == failure.kind => {
                *self = Health::Down(before, Some(now));
                false
            }
            Health::Down(now, _) => {
                *self = Health::Down(failure.kind, Some(now));
                true
            }
            Health::Unknown | Health::Up => {
                *self = Health::Down(failure.kind, None);
                true
            }
        }
    }
}

/// Warnings that are remembered of one process; more are said each time.
const WARNINGS: usize = 16;

/// Keeps a job from saying the same warnings with each of its processes.
#[derive(Default, Debug)]
pub struct Warnings {
    before: HashSet<String>,
    now: HashSet<String>,
}

impl Warnings {
    /// A process warns. True when its predecessor did not say the same.
    pub fn news(&mut self, text: &str) -> bool {
        if self.now.len() < WARNINGS {
            self.now.insert(text.to_owned());
        }
        !self.before.contains(text)
    }

    /// The next process begins.
    pub fn next_process(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FailureKind::{Ended, Refused, Unauthorized};

    #[test]
    fn only_changes_are_news() {
        let down = |kind| Some(Failure { kind, text: "x".into() });
        let table = [
            (down(Refused), true),
            (down(Refused), false),
            (down(Unauthorized), true),
            (down(Unauthorized), false),
            (None, true),
            (None, false),
            (down(Ended), true),
            (down(Refused), true),
            (down(Refused), false),
            (down(Ended), false),
            (down(Unauthorized), true),
            (down(Ended), false),
            (down(Refused), true),
            (None, true),
        ];
        let mut health = Health::default();
        for (step, (event, news)) in table.into_iter().enumerate() {
            let got = match &event {
                Some(failure) => health.failed(failure),
                None => health.ready(),
            };
            assert_eq!(got, news, "step {step}: {event:?}");
        }
    }

    #[test]
    fn a_warning_is_not_repeated_by_the_next_process() {
        let mut warnings = Warnings::default();
        assert!(warnings.news("a") && warnings.news("a") && warnings.news("b"));
        warnings.next_process();
        assert!(!warnings.news("a") && warnings.news("c"));
        warnings.next_process();
        assert!(!warnings.news("a") && !warnings.news("c") && warnings.news("b"));
        for number in 0..1000 {
            warnings.news(&number.to_string());
        }
        assert_eq!(warnings.now.len(), WARNINGS);
    }
}
