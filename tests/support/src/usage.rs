//! What a process has used of the machine, as /proc says.

use std::io::Result;

/// What a process has used.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Usage {
    /// User and system time of all its threads, in s.
    pub cpu: f64,
    pub threads: u64,
    /// Resident memory in MB.
    pub memory: f64,
}

impl Usage {
    /// Of the process `pid`, up to now. An error: there is none.
    pub fn of(pid: i32) -> Result<Usage> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // the name in brackets may hold blanks; the rest begins behind it
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |key: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(key)).unwrap_or("");
            line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)
        };
        // 100 ticks a second is fixed in the kernel's interface to user space
        Ok(Usage { cpu: (ticks(11) + ticks(12)) / 100.0, threads: field("Threads:"), memory: field("VmRSS:") as f64 / 1024.0 })
    }
}
