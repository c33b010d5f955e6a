//! Does an element still work? It owes something from the moment it was given something; one that hangs is given more and more, and
//! gives nothing. One that holds back a picture until the next comes does not hang when none comes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How long an element may owe, in ns. A busy machine needs some.
const PATIENCE: u64 = 5_000_000_000;

/// One element's debt. Shared by the threads before and behind it. Times are CLOCK_MONOTONIC in ns.
#[derive(Default, Debug)]
pub struct Pulse {
    /// 0: nothing.
    owes_since: AtomicU64,
    /// When something went in last.
    last: AtomicU64,
}

impl Pulse {
    /// Something went in.
    pub fn given(&self, now: u64) {
        self.last.store(now, Relaxed);
        let _ = self.owes_since.compare_exchange(0, now.max(1), Relaxed, Relaxed);
    }

    /// Something came out.
    pub fn came(&self) {
        self.owes_since.store(0, Relaxed);
    }

    /// Was it given something for so long, and gave nothing?
    pub fn hangs(&self) -> bool {
        let since = self.owes_since.load(Relaxed);
        since != 0 && self.last.load(Relaxed).saturating_sub(since) >= PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_given_nothing_owes_nothing() {
        const S: u64 = 1_000_000_000;
        let pulse = Pulse::default();
        assert!(!pulse.hangs());
        for (at, hangs) in [(100 * S, false), (104 * S, false), (105 * S - 1, false), (105 * S, true)] {
            pulse.given(at);
            assert_eq!(pulse.hangs(), hangs, "{at}");
        }
        pulse.came();
        assert!(!pulse.hangs());
        // a source that paused
        pulse.given(200 * S);
        assert!(!pulse.hangs());
        pulse.came();
        pulse.given(300 * S);
        assert!(!pulse.hangs());
    }
}
