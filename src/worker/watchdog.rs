//! Tells a source that hangs from one that is slow. Pure: what `rtspsrc` has for this does not notice a stopped camera.

/// Limit for the first packet, in ns.
const FIRST: u64 = 5_000_000_000;
/// Limit for each next packet, in ns.
const NEXT: u64 = 3_000_000_000;

/// Has the source been silent for too long? Times are CLOCK_MONOTONIC in ns; `last` is when the last packet came.
pub fn silent(started: u64, last: Option<u64>, now: u64) -> bool {
    match last {
        None => now.saturating_sub(started) >= FIRST,
        Some(last) => now.saturating_sub(last) >= NEXT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_packet_has_5_s_and_each_next_3_s() {
        const S: u64 = 1_000_000_000;
        let table = [
            (10 * S, None, 10 * S, false),
            (10 * S, None, 15 * S - 1, false),
            (10 * S, None, 15 * S, true),
            (10 * S, Some(14 * S), 16 * S, false),
            (10 * S, Some(14 * S), 17 * S, true),
            // packets may be stamped by another thread after `now` was read
            (10 * S, Some(20 * S), 19 * S, false),
        ];
        for (started, last, now, expected) in table {
            assert_eq!(silent(started, last, now), expected, "{started} {last:?} {now}");
        }
    }
}
