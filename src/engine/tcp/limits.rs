//! Who may be connected: strangers are few and have little time, whoever proved to belong to a peer may stay. Pure.
//!
//! A connection proves itself by an ICE check that its peer accepts, as a datagram does. Until then it is a stranger: anybody
//! can open connections, and none of them may cost the viewers theirs.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A connection that has not proved itself by then is closed; a client's first check comes with the connection.
pub const PROOF: Duration = Duration::from_secs(10);
/// Strangers at a time; one more costs the oldest of them its connection: who belongs to somebody proves it in a moment.
const STRANGERS: usize = 256;
/// Strangers at a time from one address, by the same rule. A router may stand for many clients.
const OF_ONE: usize = 64;

/// The strangers, oldest first.
#[derive(Default, Debug)]
pub struct Strangers {
    waiting: VecDeque<(u64, IpAddr, Instant)>,
    of_one: HashMap<IpAddr, usize>,
}

impl Strangers {
    /// One came in; gives who has to go for it.
    pub fn enter(&mut self, token: u64, from: IpAddr, now: Instant) -> Option<u64> {
        self.waiting.push_back((token, from, now));
        let of_one = self.of_one.entry(from).or_default();
        *of_one += 1;
        let too_many = if *of_one > OF_ONE { Some(from) } else { None };
        if too_many.is_none() && self.waiting.len() <= STRANGERS {
            return None;
        }
        self.waiting.iter().find(|(_, ip, _)| too_many.is_none_or(|from| from == *ip)).map(|(token, ..)| *token)
    }

    /// One proved itself, or is gone.
    pub fn leave(&mut self, token: u64) {
        let Some(at) = self.waiting.iter().position(|(waiting, ..)| *waiting == token) else { return };
        let Some((_, from, _)) = self.waiting.remove(at) else { return };
        if let Some(count) = self.of_one.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                self.of_one.remove(&from);
            }
        }
    }

    /// Somebody whose time is over.
    pub fn late(&self, now: Instant) -> Option<u64> {
        self.waiting.front().filter(|(.., since)| now.saturating_duration_since(*since) >= PROOF).map(|(token, ..)| *token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn from(number: u16) -> IpAddr {
        IpAddr::from([192, 0, (number >> 8) as u8, number as u8])
    }

    #[test]
    fn one_address_may_not_take_all_places() {
        let (mut strangers, now) = (Strangers::default(), Clock::System.now());
        assert_eq!(strangers.enter(1000, from(2), now), None);
        for token in 0..OF_ONE as u64 {
            assert_eq!(strangers.enter(token, from(1), now), None);
        }
        assert_eq!(strangers.enter(64, from(1), now), Some(0), "its own oldest, not the other one's");
        assert_eq!(strangers.enter(1001, from(2), now), None);
        (0..=64).chain([1000, 1001]).for_each(|token| strangers.leave(token));
        assert!(strangers.waiting.is_empty() && strangers.of_one.is_empty());
    }

    #[test]
    fn the_oldest_goes_for_one_too_many_and_after_its_time() {
        let (mut strangers, now) = (Strangers::default(), Clock::System.now());
        for token in 0..STRANGERS as u64 {
            assert_eq!(strangers.enter(token, from(token as u16), now + Duration::from_millis(token)), None);
        }
        assert_eq!(strangers.enter(1000, from(1000), now + Duration::from_secs(1)), Some(0));
        strangers.leave(0);
        assert_eq!(strangers.late(now + PROOF), None);
        assert_eq!(strangers.late(now + PROOF + Duration::from_millis(1)), Some(1));
    }
}
