//! The binary: `viduct [--config FILE] [--demo]` is the daemon, `viduct worker` (started by the daemon) runs one media job.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("worker") => viduct::worker::run(),
        _ => ExitCode::from(2),
    }
}
