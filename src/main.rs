//! The binary: `viduct [--config FILE] [--demo]` is the daemon, `viduct worker` (started by the daemon) runs one media job.

use std::process::ExitCode;

fn main() -> ExitCode {
    viduct::daemon::main(std::env::args_os().skip(1))
}
