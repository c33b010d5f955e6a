//! When a packet's content was captured, on our clock. Sender reports towards viewers are made from it, and with them lip sync.
//!
//! A browser tells by its sender reports which RTP time of each track is which time of its own clock. That clock is tied to ours
//! **once per publisher**, not per track: so the distance between sound and picture survives forwarding, whatever the delay.
//! A worker's clock is ours already.

use std::time::{Duration, Instant, SystemTime};

/// One sender report (RFC 3550 §6.4.1): at `wall` of the sender's clock its track was at `timestamp`.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    pub wall: SystemTime,
    pub timestamp: u32,
}

/// Ties a publisher's clock to ours.
#[derive(Default, Debug)]
pub struct Anchor {
    at: Option<(SystemTime, Instant)>,
}

impl Anchor {
    /// Capture time of the packet with `timestamp` that came at `arrived`; `rate` in Hz. Without a report it is the arrival.
    /// Never later than `arrived`: when it would be, the tie was made on a delayed packet and is made anew.
    pub fn captured(&mut self, report: Option<Report>, rate: u32, timestamp: u32, arrived: Instant) -> Instant {
        let Some(report) = report else { return arrived };
        let Some(wall) = moved(report.wall, timestamp.wrapping_sub(report.timestamp) as i32, rate) else { return arrived };
        let (anchor_wall, anchor) = *self.at.get_or_insert((wall, arrived));
        let captured = match wall.duration_since(anchor_wall) {
            Ok(after) => anchor.checked_add(after),
            Err(before) => anchor.checked_sub(before.duration()),
        };
        match captured {
            Some(captured) if captured <= arrived => captured,
            _ => {
                self.at = Some((wall, arrived));
                arrived
            }
        }
    }
}

/// `wall` moved by `ticks` of a clock of `rate` Hz; a packet may be older than the report.
fn moved(wall: SystemTime, ticks: i32, rate: u32) -> Option<SystemTime> {
    let span = ticks_to_span(ticks.unsigned_abs(), rate);
    if ticks >= 0 { wall.checked_add(span) } else { wall.checked_sub(span) }
}

/// `ticks` of a clock of `rate` Hz as time.
pub fn ticks_to_span(ticks: u32, rate: u32) -> Duration {
    Duration::from_nanos(u64::from(ticks) * 1_000_000_000 / u64::from(rate.max(1)))
}

/// `span` in ticks of a clock of `rate` Hz, modulo 2^32 as RTP counts.
pub fn span_to_ticks(span: Duration, rate: u32) -> u32 {
    (span.as_nanos() * u128::from(rate) / 1_000_000_000) as u32
}

/// Two readings of the same clock: [`Instant`], and CLOCK_MONOTONIC in ns as the workers say it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: Instant,
    pub monotonic_ns: u64,
}

impl Moment {
    /// The [`Instant`] of a worker's capture time; never in the future.
    pub fn instant(&self, captured_ns: u64) -> Instant {
        let age = Duration::from_nanos(self.monotonic_ns.saturating_sub(captured_ns));
        self.now.checked_sub(age).unwrap_or(self.now)
    }

    /// A time as workers say it, also one after this moment: both readings count on at the same pace.
    pub fn nanoseconds(&self, at: Instant) -> u64 {
        let span = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        match at.checked_duration_since(self.now) {
            Some(after) => self.monotonic_ns.saturating_add(span(after)),
            None => self.monotonic_ns.saturating_sub(span(self.now.saturating_duration_since(at))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::time::UNIX_EPOCH;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn sound_and_picture_keep_their_distance_whatever_their_delay() {
        let start = Clock::System.now();
        let wall = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let mut anchor = Anchor::default();
        let audio = Some(Report { wall, timestamp: 4_000_000_000 });
        let video = Some(Report { wall: wall + 500 * MS, timestamp: 77 });
        // both were captured 1 s after `wall`; the sound arrives 20 ms later, the picture 90 ms
        let heard = anchor.captured(audio, 48_000, 4_000_000_000u32.wrapping_add(48_000), start + 1020 * MS);
        let seen = anchor.captured(video, 90_000, 77 + 45_000, start + 1090 * MS);
        assert_eq!(heard, seen);
        // one second later still
        assert_eq!(anchor.captured(video, 90_000, 77 + 135_000, start + 2090 * MS), heard + 1000 * MS);
        // a packet older than its report
        assert_eq!(anchor.captured(video, 90_000, 77u32.wrapping_sub(45_000), start + 2090 * MS), heard - 1000 * MS);
    }

    #[test]
    fn it_is_never_in_the_future() {
        let start = Clock::System.now();
        let wall = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let mut anchor = Anchor::default();
        let report = Some(Report { wall, timestamp: 0 });
        anchor.captured(report, 90_000, 0, start + 500 * MS);
        // 90 ms of media in 40 ms: the first packet had been delayed
        let second = anchor.captured(report, 90_000, 8100, start + 540 * MS);
        assert_eq!(second, start + 540 * MS);
        assert_eq!(anchor.captured(report, 90_000, 9000, start + 560 * MS), start + 550 * MS);
        assert_eq!(anchor.captured(None, 90_000, 0, start + 600 * MS), start + 600 * MS);
    }

    #[test]
    fn a_workers_time_is_ours() {
        let now = Clock::System.now() + Duration::from_secs(10);
        let moment = Moment { now, monotonic_ns: 5_000_000_000 };
        assert_eq!(moment.instant(4_990_000_000), now - 10 * MS);
        assert_eq!(moment.instant(6_000_000_000), now);
        for at in [now - 10 * MS, now, now + 3000 * MS] {
            let later = Moment { now: now + 5000 * MS, monotonic_ns: 10_000_000_000 };
            assert_eq!(later.instant(moment.nanoseconds(at)), at);
        }
    }
}
