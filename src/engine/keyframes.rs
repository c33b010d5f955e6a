//! When a track asks its source for a key frame: however many viewers ask, the source hears it at most every 500 ms, and again
//! as long as none has come. Pure; written by its track.

use std::time::{Duration, Instant};

/// Shortest time between two requests. A key frame costs the source many times an ordinary one.
const INTERVAL: Duration = Duration::from_millis(500);

/// The requests of one track.
#[derive(Default, Debug)]
pub struct KeyframeRequests {
    wanted: bool,
    asked: Option<Instant>,
}

impl KeyframeRequests {
    /// Somebody needs a key frame.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// One has begun: whoever asked before is served by it.
    pub fn arrived(&mut self) {
        self.wanted = false;
    }

    /// Another source: it has heard nothing yet.
    pub fn restart(&mut self) {
        self.asked = None;
    }

    /// Shall the source be asked now? Counts as asked.
    pub fn due(&mut self, now: Instant) -> bool {
        let due = self.wanted && self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= INTERVAL);
        if due {
            self.asked = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn many_viewers_are_one_request_repeated_until_the_key_frame_comes() {
        let start = Clock::System.now();
        let ms = |n| start + Duration::from_millis(n);
        let mut requests = KeyframeRequests::default();
        assert!(!requests.due(ms(0)));
        (0..50).for_each(|_| requests.want());
        assert!(requests.due(ms(0)));
        requests.want();
        assert!(!requests.due(ms(499)));
        assert!(requests.due(ms(500)));
        requests.arrived();
        assert!(!requests.due(ms(5000)));
        requests.want();
        assert!(requests.due(ms(5000)));
        requests.restart();
        assert!(requests.due(ms(5001)));
    }
}
