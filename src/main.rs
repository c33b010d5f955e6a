//! The binary: `viduct [--config FILE] [--demo]` is the daemon, `viduct worker` (started by the daemon) runs one media job.

fn main() {}
