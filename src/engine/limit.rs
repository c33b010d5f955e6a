//! How often a stranger is answered: so many times a second for each network, in a fixed amount of memory. Pure.
//!
//! Senders of datagrams can be forged; a port that answers everybody would be a lever against whoever is named as the sender.
//! Networks share a place when their hashes meet; the hash is seeded, so nobody can choose whom to meet.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Answers at once.
const BURST: u32 = 50;
/// One more after each of these: 20 a second.
const EVERY: Duration = Duration::from_millis(50);
const PLACES: usize = 1024;

/// The answers of the last moments.
#[derive(Debug)]
pub struct Limit {
    /// For each place, when its last answer would be paid for, at one answer per [`EVERY`].
    paid: Vec<Option<Instant>>,
    seed: RandomState,
    pub refused: u64,
}

impl Default for Limit {
    fn default() -> Self {
        Limit { paid: vec![None; PLACES], seed: RandomState::new(), refused: 0 }
    }
}

impl Limit {
    /// May this sender be answered now?
    pub fn admits(&mut self, from: IpAddr, now: Instant) -> bool {
        let place = self.seed.hash_one(network(from)) as usize % PLACES;
        let paid = self.paid[place].filter(|at| *at > now).unwrap_or(now) + EVERY;
        if paid > now + EVERY * BURST {
            self.refused += 1;
            return false;
        }
        self.paid[place] = Some(paid);
        true
    }
}

/// One IPv4 address, or the 64 bits of an IPv6 address that stand for one network.
fn network(ip: IpAddr) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_sender_is_answered_in_bursts_and_then_at_its_rate() {
        let (mut limit, start) = (Limit::default(), Clock::System.now());
        let from = IpAddr::from([192, 0, 2, 1]);
        assert_eq!((0..1000).filter(|_| limit.admits(from, start)).count() as u32, BURST);
        // 10 s of a thousand questions a second
        let answered = (0..10_000u64).filter(|ms| limit.admits(from, start + Duration::from_millis(*ms))).count();
        assert!((190..=201).contains(&answered), "{answered}");
        assert_eq!(limit.refused, 1000 - u64::from(BURST) + 10_000 - answered as u64);
        assert!(limit.admits(from, start + Duration::from_secs(60)));
    }

    #[test]
    fn many_senders_do_not_wait_for_each_other_and_a_network_of_ipv6_is_one() {
        let (mut limit, now) = (Limit::default(), Clock::System.now());
        let others = (0..500u16).filter(|n| limit.admits(IpAddr::from([10, 0, (n >> 8) as u8, *n as u8]), now)).count();
        assert_eq!(others, 500);
        let of_one_network = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, n]);
        assert!((0..1000).filter(|n| limit.admits(of_one_network(*n), now)).count() as u32 <= BURST);
    }
}
