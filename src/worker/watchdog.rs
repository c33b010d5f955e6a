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

/// Limit for something that viewers can be shown, in ns: longer than any sane distance of keyframes.
const FRUIT: u64 = 90_000_000_000;

/// Does the source send what nothing can be made of? `last` is when the last access unit was made.
pub fn fruitless(started: u64, last: Option<u64>, now: u64) -> bool {
    now.saturating_sub(last.unwrap_or(started)) >= FRUIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_that_make_no_picture_are_borne_for_90_s() {
        const S: u64 = 1_000_000_000;
        for (started, last, now, expected) in
            [(S, None, 90 * S, false), (S, None, 91 * S, true), (S, Some(50 * S), 91 * S, false), (S, Some(50 * S), 140 * S, true)]
        {
            assert_eq!(fruitless(started, last, now), expected, "{started} {last:?} {now}");
        }
    }

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
