//! How lives move on: the states of a session, and the timers of everything in it. Pure; `now` is an argument.
//!
//! ```text
//! session:  Pending ──first join or camera──> Active ──last one left (recorded: and Timer::Autostop), or closed──> Gone
//!              └──────────────────closed──────────────────────────────────────────┘
//! client:   Attached ──socket lost──> Away ──10 s──> gone          (Timer::Grace; links.rs)
//!              └<─────────rejoin───────┘
//! camera:   Idle ──first viewer──> Running ──last one left──> Lingering ──5 s──> Idle   (Timer::Camera; camera.rs)
//! rendition: Made ──last viewer left──> Lingering ──5 s──> gone               (Timer::Rendition; rendition.rs)
//! offer:    on hold ──answered, refused, or 10 s──> done           (Timer::Hold; holds.rs)
//! ```
//!
//! One actor owns each value; nobody else writes it. Nothing here sleeps or acts.

use crate::ids::{ConnectionId, PeerId};
use crate::rtp::Codec;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// State of a session; it only moves forward.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    /// Nobody has joined yet.
    Pending,
    /// Somebody joined; it ends when the last participant leaves.
    Active,
    /// It has ended and takes nothing more.
    Gone,
}

impl Life {
    /// A participant joined.
    pub fn joined(&mut self) {
        if *self == Life::Pending {
            *self = Life::Active;
        }
    }

    /// A participant left and `remaining` are there: is this the end of the session?
    pub fn ends_with(self, remaining: usize) -> bool {
        self == Life::Active && remaining == 0
    }
}

/// What a session waits for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// A client without a socket must be back.
    Grace(ConnectionId),
    /// A camera that nobody watches stops, or one that could not be started is tried again.
    Camera(ConnectionId),
    /// A rendition that nobody watches ends.
    Rendition(ConnectionId, Codec),
    /// The engine must have answered an offer.
    Hold(PeerId),
    /// A recording of nobody stops.
    Autostop,
    /// What the floors below had no room for is said again.
    Unsaid,
}

/// The timers that run. Each has one deadline; setting it again moves it.
#[derive(Default, Debug)]
pub(super) struct Timers {
    at: BTreeMap<Timer, Instant>,
    queue: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    /// `timer` fires at `at`, and not when it would have before.
    pub fn set(&mut self, timer: Timer, at: Instant) {
        self.clear(&timer);
        self.at.insert(timer.clone(), at);
        self.queue.insert((at, timer));
    }

    /// `timer` does not fire.
    pub fn clear(&mut self, timer: &Timer) {
        if let Some(at) = self.at.remove(timer) {
            self.queue.remove(&(at, timer.clone()));
        }
    }

    /// No timer fires.
    pub fn clear_all(&mut self) {
        *self = Timers::default();
    }

    /// When the next one fires.
    pub fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes one that is due at `now`, the oldest first.
    pub fn take_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.queue.pop_first()?;
        self.at.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::ids::SessionKey;
    use proptest::prelude::*;
    use std::time::Duration;

    fn hold(n: u32) -> Timer {
        Timer::Hold(PeerId::new(SessionKey(1), n))
    }

    #[test]
    fn a_session_ends_with_its_last_participant_but_not_before_its_first() {
        let mut life = Life::Pending;
        assert!(!life.ends_with(0));
        life.joined();
        assert_eq!(life, Life::Active);
        assert!(!life.ends_with(1));
        assert!(life.ends_with(0));
        let mut gone = Life::Gone;
        gone.joined();
        assert_eq!(gone, Life::Gone);
    }

    proptest! {
        #[test]
        fn timers_fire_once_in_order_at_their_last_deadline(steps in proptest::collection::vec((0u32..6, 0u64..50, any::<bool>()), 0..60)) {
            let start = Clock::System.now();
            let mut timers = Timers::default();
            let mut model = BTreeMap::new();
            for (n, ms, set) in steps {
                if set {
                    timers.set(hold(n), start + Duration::from_millis(ms));
                    model.insert(hold(n), ms);
                } else {
                    timers.clear(&hold(n));
                    model.remove(&hold(n));
                }
                prop_assert_eq!(timers.next(), model.values().min().map(|ms| start + Duration::from_millis(*ms)));
            }
            let due_at = |ms: u64| start + Duration::from_millis(ms);
            let mut fired = Vec::new();
            for ms in 0..50 {
                while let Some(timer) = timers.take_due(due_at(ms)) {
                    fired.push((timer, ms));
                }
            }
            let mut expected: Vec<_> = model.into_iter().collect();
            expected.sort_by_key(|(timer, ms)| (*ms, timer.clone()));
            prop_assert_eq!(fired, expected);
        }
    }
}
