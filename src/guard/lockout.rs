//! Wrong secrets: after [`FREE`] of them from one address its next try is not looked at for a while, twice as long after each
//! further one, up to [`LONGEST`]. A right one forgives all. Other addresses notice nothing.
//!
//! A try is what carries credentials: a request without any asks for the challenge, as the Java client does before each call. The
//! same wrong secret again is no further guess, so a program that was told a wrong one and repeats it waits [`FIRST`] each time
//! and no longer: beside a right one behind the same router it must not shut that out for minutes.
//!
//! The table is bounded. When it is full the address with the fewest wrong ones is forgotten: who has many addresses has [`FREE`]
//! guesses from each in any case.

use super::network;
use crate::clock::Clock;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Wrong secrets that cost no wait.
const FREE: u32 = 5;
/// The wait after the last of these.
const FIRST: Duration = Duration::from_secs(1);
/// No wait is longer.
const LONGEST: Duration = Duration::from_secs(60);
/// An address that has been wrong for the last time so long ago has never been.
const FORGET: Duration = Duration::from_secs(3600);
/// Addresses that are remembered.
const ADDRESSES: usize = 4096;

/// The try was not looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("too many wrong credentials came from this address; try again in {seconds} s")]
pub struct Locked {
    /// The wait that is left, rounded up.
    pub seconds: u64,
}

/// Who has been wrong. Shared by all doors; cheap to clone.
#[derive(Clone)]
pub struct Lockout {
    clock: Clock,
    /// Keyed by chance: a guess cannot be found from what is kept of it.
    hasher: RandomState,
    table: Arc<Mutex<Table>>,
}

impl Lockout {
    /// Nobody has been wrong yet.
    pub fn new(clock: Clock) -> Lockout {
        Lockout { clock, hasher: RandomState::new(), table: Arc::default() }
    }

    /// `client` tries `credentials`: gives what `verify` says of them, which is remembered. `verify` must not block: others wait for
    /// it, so that guesses that come at the same time are counted one by one. Errors: it has to wait, and nothing was verified.
    pub fn attempt<T>(&self, client: IpAddr, credentials: &str, verify: impl FnOnce() -> Option<T>) -> Result<Option<T>, Locked> {
        let (who, now) = (network(client), self.clock.now());
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = table.wait(who, now) {
            return Err(Locked { seconds: left.as_secs() + u64::from(left.subsec_nanos() > 0) });
        }
        let verified = verify();
        match verified {
            Some(_) => table.right(who),
            None => {
                let wait = table.wrong(who, self.hasher.hash_one(credentials), now);
                drop(table);
                if let Some(wait) = wait {
                    tracing::warn!(address = %client, "wrong credentials again: nothing more is taken from there for {} s", wait.as_secs());
                }
            }
        }
        Ok(verified)
    }
}

impl fmt::Debug for Lockout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lockout")
    }
}

/// What is remembered. Pure.
#[derive(Default)]
struct Table(HashMap<IpAddr, Wrong>);

#[derive(Clone, Copy)]
struct Wrong {
    /// Guesses.
    count: u32,
    /// Hash of the last one.
    guess: u64,
    last: Instant,
    /// When the next try is looked at.
    until: Instant,
}

impl Table {
    /// How long `who` still has to wait.
    fn wait(&self, who: IpAddr, now: Instant) -> Option<Duration> {
        let left = self.0.get(&who)?.until.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    fn right(&mut self, who: IpAddr) {
        self.0.remove(&who);
    }

    /// `who` was wrong; gives how long it has to wait now.
    fn wrong(&mut self, who: IpAddr, guess: u64, now: Instant) -> Option<Duration> {
        let before = self.0.get(&who).filter(|wrong| now.saturating_duration_since(wrong.last) < FORGET).copied();
        let repeated = before.is_some_and(|wrong| wrong.guess == guess && wrong.count >= FREE);
        let count = before.map_or(0, |wrong| wrong.count).saturating_add(u32::from(!repeated));
        let wait = match count.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(_) if repeated => FIRST,
            Some(further) => FIRST.saturating_mul(1 << further.min(16)).min(LONGEST),
        };
        if before.is_none() {
            self.make_room(now);
        }
        self.0.insert(who, Wrong { count, guess, last: now, until: now + wait });
        (!wait.is_zero()).then_some(wait)
    }

    fn make_room(&mut self, now: Instant) {
        if self.0.len() < ADDRESSES {
            return;
        }
        self.0.retain(|_, wrong| now.saturating_duration_since(wrong.last) < FORGET);
        if self.0.len() >= ADDRESSES {
            let least = self.0.iter().min_by_key(|(_, wrong)| (wrong.count, wrong.last)).map(|(who, _)| *who);
            least.map(|who| self.0.remove(&who));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = "right";

    fn address(n: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(n).into()
    }

    fn lockout() -> Lockout {
        Lockout::new(Clock::simulated(0))
    }

    /// 200, 401 or the seconds to wait, as a door would answer.
    fn try_one(lockout: &Lockout, client: &str, credentials: &str) -> Result<bool, u64> {
        let tried = lockout.attempt(client.parse().unwrap(), credentials, || (credentials == RIGHT).then_some(()));
        tried.map(|verified| verified.is_some()).map_err(|locked| locked.seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_a_right_one_forgives() {
        let lockout = lockout();
        let mut waits = Vec::new();
        for n in 0..14 {
            assert_eq!(try_one(&lockout, "192.0.2.1", &format!("guess {n}")), Ok(false), "{n}");
            match try_one(&lockout, "192.0.2.1", RIGHT) {
                Err(seconds) => {
                    waits.push(seconds);
                    Clock::simulated(0).sleep(Duration::from_secs(seconds)).await;
                }
                // before there is a lock it would forgive
                Ok(right) => {
                    assert!(right && n == 0);
                    (1..FREE).for_each(|n| assert_eq!(try_one(&lockout, "192.0.2.1", &format!("free {n}")), Ok(false)));
                }
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 60]);
        assert_eq!(try_one(&lockout, "192.0.2.1", RIGHT), Ok(true));
        assert_eq!(try_one(&lockout, "192.0.2.1", "guess"), Ok(false));
        assert_eq!(try_one(&lockout, "192.0.2.1", RIGHT), Ok(true), "nothing is left of it");
    }

    #[tokio::test(start_paused = true)]
    async fn other_addresses_notice_nothing_and_a_customer_is_one() {
        let lockout = lockout();
        for n in 0..FREE {
            assert_eq!(try_one(&lockout, &format!("2001:db8::{n}"), &n.to_string()), Ok(false));
        }
        assert_eq!(try_one(&lockout, "2001:db8::ffff", RIGHT), Err(1));
        assert_eq!(try_one(&lockout, "2001:db8:0:1::1", RIGHT), Ok(true));
        assert_eq!(try_one(&lockout, "192.0.2.1", RIGHT), Ok(true));
    }

    #[tokio::test(start_paused = true)]
    async fn who_repeats_one_mistake_is_not_shut_out_for_long() {
        let lockout = lockout();
        let mut seconds = 0;
        for _ in 0..1000 {
            if try_one(&lockout, "127.0.0.1", "old secret").is_err() {
                Clock::simulated(0).sleep(Duration::from_secs(1)).await;
                seconds += 1;
                assert_eq!(try_one(&lockout.clone(), "192.0.2.1", RIGHT), Ok(true));
            }
        }
        assert!(seconds > 400, "it waits all the same: {seconds}");
        Clock::simulated(0).sleep(Duration::from_secs(1)).await;
        assert_eq!(try_one(&lockout, "127.0.0.1", RIGHT), Ok(true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_of_guessing_gives_few_guesses() {
        let (lockout, clock) = (lockout(), Clock::simulated(0));
        let mut guesses = 0;
        while clock.unix_ms() < 24 * 3600 * 1000 {
            match try_one(&lockout, "192.0.2.1", &guesses.to_string()) {
                Ok(_) => guesses += 1,
                Err(seconds) => clock.sleep(Duration::from_secs(seconds)).await,
            }
        }
        assert!((1000..1500).contains(&guesses), "{guesses}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_long_ago_is_forgotten() {
        let lockout = lockout();
        (0..FREE - 1).for_each(|n| assert_eq!(try_one(&lockout, "192.0.2.1", &n.to_string()), Ok(false)));
        Clock::simulated(0).sleep(FORGET).await;
        (0..FREE).for_each(|n| assert_eq!(try_one(&lockout, "192.0.2.1", &n.to_string()), Ok(false)));
        assert_eq!(try_one(&lockout, "192.0.2.1", RIGHT), Err(1));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_who_guesses_most() {
        let (mut table, now) = (Table::default(), Clock::System.now());
        for guess in 0..20 {
            table.wrong(address(0), guess, now);
        }
        for n in 1..3 * ADDRESSES as u32 {
            table.wrong(address(n), 0, now);
        }
        assert_eq!(table.0.len(), ADDRESSES);
        assert_eq!(table.wait(address(0), now), Some(LONGEST));
    }

    #[test]
    fn guesses_at_the_same_time_are_counted_one_by_one() {
        let lockout = Lockout::new(Clock::System);
        let looked_at: usize = std::thread::scope(|scope| {
            let guess = |n: usize| {
                let lockout = lockout.clone();
                scope.spawn(move || usize::from(try_one(&lockout, "192.0.2.1", &n.to_string()).is_ok()))
            };
            let threads: Vec<_> = (0..64).map(guess).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        // a machine under load may need longer than the first wait for them all
        assert!((5..12).contains(&looked_at), "{looked_at} of 64 were looked at");
    }
}
