//! The only clock: now, wall time and sleep. Nothing else may ask the system for the time (clippy's `disallowed-methods`).
//!
//! The simulated twin is tokio's paused time: under `#[tokio::test(start_paused = true)]` [`Clock::now`], the
//! [`Clock::unix_ms`] of a simulated clock and [`Clock::sleep_until`] all follow the same simulated time. Pure code takes `now` as an argument instead.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where wall time comes from. Cheap to copy; every owner of timers holds one.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's clocks.
    System,
    /// Wall time counts on from `unix_ms` as tokio's (paused) time advances from `from`.
    Simulated {
        /// Wall time at `from`, in ms since 1970.
        unix_ms: u64,
        /// The moment of tokio's time at which wall time was `unix_ms`.
        from: tokio::time::Instant,
    },
}

impl Clock {
    /// A clock for tests with paused time; its wall time begins at `unix_ms`. Needs a tokio runtime.
    pub fn simulated(unix_ms: u64) -> Clock {
        Clock::Simulated { unix_ms, from: tokio::time::Instant::now() }
    }

    /// Monotonic time.
    pub fn now(&self) -> Instant {
        match self {
            Clock::System => Instant::now(),
            Clock::Simulated { .. } => tokio::time::Instant::now().into_std(),
        }
    }

    /// Wall time in ms since 1970, as the API sends it.
    pub fn unix_ms(&self) -> u64 {
        match self {
            Clock::System => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64),
            Clock::Simulated { unix_ms, from } => unix_ms + from.elapsed().as_millis() as u64,
        }
    }

    /// Sleeps until the monotonic moment `at`.
    pub async fn sleep_until(&self, at: Instant) {
        tokio::time::sleep_until(at.into()).await;
    }

    /// Sleeps for `span`.
    pub async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// CLOCK_MONOTONIC in ns: the time base daemon and workers share. [`Instant`] is the same clock on Linux, but opaque.
pub fn monotonic_ns() -> u64 {
    let t = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap_or(nix::sys::time::TimeSpec::new(0, 0));
    t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64
}
