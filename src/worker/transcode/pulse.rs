//! Does an element still work? It owes something from the moment it was given something; a driver that hangs owes it for ever.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How long an element may owe, in ns. A busy machine needs some.
const PATIENCE: u64 = 5_000_000_000;

/// One element's debt. Shared by the threads before and behind it. Times are CLOCK_MONOTONIC in ns.
#[derive(Default, Debug)]
pub struct Pulse {
    /// 0: nothing.
    owes_since: AtomicU64,
}

impl Pulse {
    /// Something went in.
    pub fn given(&self, now: u64) {
        let _ = self.owes_since.compare_exchange(0, now.max(1), Relaxed, Relaxed);
    }

    /// Something came out.
    pub fn came(&self) {
        self.owes_since.store(0, Relaxed);
    }

    /// Has it owed for too long?
    pub fn hangs(&self, now: u64) -> bool {
        let since = self.owes_since.load(Relaxed);
        since != 0 && now.saturating_sub(since) >= PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_given_nothing_owes_nothing() {
        const S: u64 = 1_000_000_000;
        let pulse = Pulse::default();
        assert!(!pulse.hangs(100 * S));
        pulse.given(100 * S);
        pulse.given(104 * S);
        assert!(!pulse.hangs(105 * S - 1) && pulse.hangs(105 * S));
        pulse.came();
        assert!(!pulse.hangs(200 * S));
        pulse.given(200 * S);
        assert!(!pulse.hangs(204 * S));
    }
}
