//! What a process has of its system: descriptors, threads, children, memory. Tests compare it before and after.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// What a process has at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holdings {
    /// How many descriptors of each kind: `socket`, `pipe`, `anon_inode`, or the path of a file.
    pub descriptors: BTreeMap<String, usize>,
    pub threads: usize,
    pub children: Vec<i32>,
    /// Resident memory in KiB.
    pub resident: u64,
}

impl Holdings {
    /// Of a process that is alive.
    pub fn of(pid: i32) -> Holdings {
        let mut descriptors = BTreeMap::new();
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is alive and ours");
        // one that is closed while we look counts as gone
        for target in entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()) {
            let text = target.to_string_lossy();
            let kind = if text.starts_with('/') { &text } else { text.split(':').next().unwrap_or_default() };
            *descriptors.entry(kind.to_owned()).or_default() += 1;
        }
        let tasks: Vec<_> = fs::read_dir(format!("/proc/{pid}/task")).expect("it is alive").flatten().collect();
        let lists = tasks.iter().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let mut children: Vec<i32> =
            lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect();
        children.sort_unstable();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it is alive");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
        Holdings { descriptors, threads: tasks.len(), children, resident: resident.unwrap_or_default() }
    }

    /// What it has once nothing of that has changed for a second: what the start, or those who were served before, left for later
    /// is done. Panics when it does not come to rest within `span`.
    pub async fn at_rest(pid: i32, span: Duration) -> Holdings {
        let deadline = Instant::now() + span;
        let (mut held, mut since) = (Holdings::of(pid), Instant::now());
        while since.elapsed() < Duration::from_secs(1) {
            assert!(Instant::now() < deadline, "no rest within {span:?}: {held:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = Holdings::of(pid);
            if (&now.descriptors, now.threads, &now.children) != (&held.descriptors, held.threads, &held.children) {
                since = Instant::now();
            }
            held = now;
        }
        held
    }

    /// Has it what it had `before`: the same descriptors and children, as many threads but for two? Memory is another question.
    pub fn returned_to(&self, before: &Holdings) -> bool {
        self.descriptors == before.descriptors && self.children == before.children && self.threads.abs_diff(before.threads) <= 2
    }

    /// Waits until the process has what it had `before`; what it has then. Panics with both after `span`.
    pub async fn wait_for(pid: i32, before: &Holdings, span: Duration) -> Holdings {
        let deadline = Instant::now() + span;
        loop {
            let now = Holdings::of(pid);
            if now.returned_to(before) {
                return now;
            }
            assert!(Instant::now() < deadline, "not within {span:?}: as before; it was {before:?}, it is {now:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
