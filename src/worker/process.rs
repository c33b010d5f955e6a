//! What a worker asks of the operating system and of its allocator for itself, before it has a second thread. Best effort: a worker
//! does its job without any of it.

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};

/// What every worker does.
pub fn settle() {
    ignore_signals();
    keep_memory();
}

/// Ctrl-C and the like are for the daemon, which then ends its workers.
fn ignore_signals() {
    for which in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: no handler function is installed; ignoring a signal runs no code of ours.
        if let Err(error) = unsafe { signal(which, SigHandler::SigIgn) } {
            eprintln!("worker cannot ignore {which}: {error}");
        }
    }
}

/// For a job that has time: its threads interrupt nobody, each other included, and so work in longer stretches on warmer caches: a
/// composer takes a twelfth less processor time. Threads inherit it from the one that makes them.
pub fn work_in_batches() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: a system call that reads one number behind a pointer to a living value.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) } != 0 {
        eprintln!("worker does not work in batches: {}", Errno::last());
    }
}

/// glibc's allocator shall keep what decoders allocate and free with each picture. By default it may map each picture anew, and
/// clearing those pages costs a tenth of what decoding costs. It keeps it in few places: were each thread that comes and goes
/// given one of its own, a recording would grow with everybody who joins.
#[cfg(target_env = "gnu")]
fn keep_memory() {
    const LARGEST_KEPT: i32 = 32 * 1024 * 1024;
    const KEPT_IN_ALL: i32 = 64 * 1024 * 1024;
    const PLACES: i32 = 2;
    let options = [(libc::M_MMAP_THRESHOLD, LARGEST_KEPT), (libc::M_TRIM_THRESHOLD, KEPT_IN_ALL), (libc::M_ARENA_MAX, PLACES)];
    for (option, value) in options {
        // SAFETY: sets a number of the allocator, which takes its own lock. One that it refuses (on 32 bits) changes nothing.
        unsafe { libc::mallopt(option, value) };
    }
}

#[cfg(not(target_env = "gnu"))]
fn keep_memory() {}
