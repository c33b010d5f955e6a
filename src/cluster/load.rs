//! How busy this machine is, from `/proc`. The parsers are pure.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// CPU load of this machine in percent of all its cores, as it was in the last interval between two [`Load::sample`]s.
#[derive(Clone, Default, Debug)]
pub struct Load(Arc<AtomicU64>);

/// Ticks since the machine started.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Ticks {
    idle: u64,
    all: u64,
}

impl Load {
    /// 0 to 100.
    pub fn percent(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Looks at the machine, and notes how busy it was since `last`. Returns what `last` is the next time.
    pub fn sample(&self, last: Ticks) -> Ticks {
        let now = std::fs::read_to_string("/proc/stat").ok().and_then(|text| parse_stat(&text)).unwrap_or(last);
        if let Some(percent) = percent(last, now) {
            self.0.store(percent.to_bits(), Ordering::Relaxed);
        }
        now
    }
}

/// Share of the time between two looks that was not idle, rounded to two places; `None` when no time passed.
fn percent(last: Ticks, now: Ticks) -> Option<f64> {
    let all = now.all.checked_sub(last.all).filter(|ticks| *ticks > 0)?;
    let idle = now.idle.saturating_sub(last.idle).min(all);
    Some(((all - idle) as f64 * 10_000.0 / all as f64).round() / 100.0)
}

/// The line of all cores in `/proc/stat` (proc_stat(5)): user, nice, system, idle, iowait, irq, softirq, steal; what guests
/// take is in user already.
fn parse_stat(text: &str) -> Option<Ticks> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let idle = ticks.get(3)?.saturating_add(ticks.get(4).copied().unwrap_or(0));
    Some(Ticks { idle, all: ticks.iter().fold(0, |sum, n| sum.saturating_add(*n)) })
}

/// Memory this process holds, in KiB (`VmRSS` of proc_pid_status(5)); 0 where that is not told.
pub fn resident_kib() -> u64 {
    std::fs::read_to_string("/proc/self/status").ok().and_then(|text| parse_status(&text)).unwrap_or(0)
}

fn parse_status(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_load_is_what_was_not_idle() {
        let first = parse_stat("cpu  100 0 50 800 50 0 0 0 90 0\ncpu0 1 2 3 4\n").unwrap();
        assert_eq!(first, Ticks { idle: 850, all: 1000 });
        let second = parse_stat("intr 1\ncpu  130 0 70 845 55 0 0 0 0 0\n").unwrap();
        assert_eq!(percent(first, second), Some(50.0));
        assert_eq!(percent(second, second), None);
        assert_eq!(percent(second, first), None, "a clock that went back");
        for odd in ["", "cpu", "cpu  1 2 x 4", "cpu0 1 2 3 4", "cpu  1 2 3"] {
            assert_eq!(parse_stat(odd), None, "{odd}");
        }
    }

    #[test]
    fn this_machine_tells() {
        assert!(resident_kib() > 100);
        assert_eq!(parse_status("VmPeak:\t 1 kB\nVmRSS:\t  4321 kB\n"), Some(4321));
        let load = Load::default();
        let first = load.sample(Ticks::default());
        assert!(first.all > 0);
        assert!((0.0..=100.0).contains(&load.percent()));
    }

    proptest! {
        #[test]
        fn a_load_is_between_0_and_100(a in any::<[u64; 2]>(), b in any::<[u64; 2]>()) {
            let ticks = |[idle, all]: [u64; 2]| Ticks { idle, all };
            if let Some(percent) = percent(ticks(a), ticks(b)) {
                prop_assert!((0.0..=100.0).contains(&percent));
            }
        }
    }
}
