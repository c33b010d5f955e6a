//! How many processors there are, and how much of their time a worker uses, by `/proc`.

use std::num::NonZero;
use std::time::{Duration, Instant};

/// Processors that this process may use, at least one.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// What a process had used at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    at: Instant,
    used: Duration,
}

impl Reading {
    /// Reads it; `None` when the process is gone. A file of `/proc` is memory: this does not wait for a disk.
    pub fn of(pid: u32, now: Instant) -> Option<Reading> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
        let nanos = u128::from(ticks(&stat)?) * 1_000_000_000 / u128::try_from(per_second).ok()?.max(1);
        Some(Reading { at: now, used: Duration::from_nanos(u64::try_from(nanos).ok()?) })
    }

    /// Thousandths of a core used on average since an earlier reading; `None` when no time has passed.
    pub fn since(&self, earlier: &Reading) -> Option<u32> {
        let span = self.at.saturating_duration_since(earlier.at).as_micros();
        let used = self.used.saturating_sub(earlier.used).as_micros();
        u32::try_from((used * 1000).checked_div(span)?).ok()
    }
}

/// Ticks in user and kernel mode of all threads: fields 14 and 15 of `proc_pid_stat(5)`. The name before them may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    next()?.checked_add(next()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use proptest::prelude::*;

    #[test]
    fn both_modes_are_counted_whatever_the_name_is() {
        let stat = "77 (od) d) name) S 1 77 77 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 1 2 3";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("77 (x) S 1"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn a_process_that_works_is_seen_to() {
        let begin = Clock::System.now();
        let first = Reading::of(std::process::id(), begin).unwrap();
        while Clock::System.now() - begin < Duration::from_millis(200) {
            std::hint::spin_loop();
        }
        let second = Reading::of(std::process::id(), Clock::System.now()).unwrap();
        assert!(second.since(&first).unwrap() > 50);
        assert_eq!(second.since(&second), None);
        assert!(Reading::of(u32::MAX, begin).is_none());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            ticks(&text);
        }
    }
}
