//! What systemd is told (sd_notify(3)): ready, stopping, and alive as long as the media thread answers.

use crate::clock::Clock;
use crate::engine;
use crate::rest::health::engine_answers;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;
use systemd::daemon::{STATE_READY, STATE_RELOADING, STATE_STOPPING, STATE_WATCHDOG, notify, watchdog_enabled};

/// The daemon serves.
pub fn ready() {
    tell(&[(STATE_READY, "1")]);
}

/// The daemon reads its configuration again, or begins anew in the same process; [`ready`] follows.
pub fn reloading() {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |t| t.tv_sec() * 1_000_000 + t.tv_nsec() / 1000);
    tell(&[(STATE_RELOADING, "1"), ("MONOTONIC_USEC", &now.to_string())]);
}

/// The daemon is about to end.
pub fn stopping() {
    tell(&[(STATE_STOPPING, "1")]);
}

/// Feeds the watchdog, if the unit asks for one, while the media thread answers. Never returns.
pub async fn watchdog(engine: engine::Handle, clock: Clock) {
    let Some(period) = watchdog_enabled().ok().filter(|us| *us > 0).map(Duration::from_micros) else {
        return std::future::pending().await;
    };
    loop {
        if engine_answers(&engine).await {
            tell(&[(STATE_WATCHDOG, "1")]);
        } else {
            tracing::error!("the media thread does not answer; the watchdog goes hungry");
        }
        clock.sleep(period / 3).await;
    }
}

fn tell(state: &[(&str, &str)]) {
    if let Err(error) = notify(state.iter()) {
        tracing::warn!(%error, ?state, "systemd could not be told");
    }
}
