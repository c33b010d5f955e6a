//! What the board can carry: whoever starts a composer or a transcoder asks here first, and is refused before those that run
//! suffer.
//!
//! Everything is counted in thousandths of a core. A job is expected to cost what its kind costs for each megapixel a second,
//! measured on this board as soon as one has run, and guessed before that. While it runs it is counted with what its process
//! uses. `Ledger` is pure; a [`Permit`] gives its share back when it is dropped, whatever became of the job.
//!
//! **Why nothing is encoded for a trial at the start.** It would tell what an idle and cool board does with a made-up picture, by one
//! of the elements that may be chosen. A job that runs is measured each 2 s with the picture, the size and the element that it
//! has, so a guess counts only for the first of a kind, and for those that come in its first seconds. There it errs on the dear
//! side: cores of boards are taken to be slow, and a guess has the same margin as what was measured. Too dear is a refusal that
//! will be none a moment later; too cheap would make those that run late. Only where no other job runs, a guess is taken as it is.
//!
//! A conversion that this box lacks an element for is remembered here too, for a while: the next viewer is told at once.

use super::cpu::processors;
use crate::clock::Clock;
use crate::rtp::Codec;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Share of all cores that is given to jobs, in percent. The rest is for the media thread, the cameras and the system.
const SHARE: u32 = 85;
/// What was measured or guessed is counted with this share on top, in percent: pictures grow harder, guesses are wrong.
const MARGIN: u32 = 20;
/// How much of what was expected is counted at least, in percent: a job that rests now may work in a moment.
const AT_LEAST: u32 = 50;
/// Bounds of what is learnt, in percent of the guess: a job that has rested for long must not make others look free.
const LEARNT: (u32, u32) = (25, 500);
/// A job teaches nothing whose pictures are expected to cost less: what is measured of it is something else.
const TEACHES: u32 = 100;
/// How long a missing element is remembered: somebody may install it.
const MISSING: Duration = Duration::from_secs(60);

/// How much longer a core of a board takes for the same work than those on which the guesses were measured. Not measured: between
/// what is told of Cortex-A76 (less) and Cortex-A72 (more).
const SLOWER: u32 = if cfg!(target_arch = "x86_64") { 1 } else { 4 };

/// Kinds of work that need a share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Work {
    /// Mixing into a file.
    Compose,
    /// Making this codec of another.
    Transcode(Codec),
}

/// How much of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Load {
    pub work: Work,
    /// Pixels a second that are encoded; 0 for sound alone.
    pub pixels: u64,
}

/// Why a job is not started.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Refused {
    /// There is no room.
    #[error(
        "no processor time is left for {what}: it needs about {} of a core, {} of {} are in use (VIDUCT_CPU_BUDGET)",
        cores(*.needs), cores(*.used), cores(*.limit)
    )]
    Full { what: &'static str, needs: u32, used: u32, limit: u32 },
    /// An element is missing.
    #[error("{0}")]
    Missing(String),
}

fn cores(thousandths: u32) -> String {
    format!("{}.{:02}", thousandths / 1000, thousandths % 1000 / 10)
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Work::Compose => "another composed recording",
            Work::Transcode(_) => "another transcoder",
        }
    }

    /// What it costs without pictures: a composer mixes and encodes sound.
    fn fixed(self) -> u32 {
        let x86 = match self {
            Work::Compose => 60,
            Work::Transcode(_) => 20,
        };
        x86 * SLOWER
    }

    /// What a megapixel a second costs on a core that nobody has measured yet.
    fn guess(self) -> u32 {
        let x86 = match self {
            Work::Compose => 13,
            Work::Transcode(Codec::H264) => 16,
            Work::Transcode(_) => 20,
        };
        x86 * SLOWER
    }
}

/// A job that runs, or is about to.
#[derive(Clone, Debug)]
struct Entry {
    load: Load,
    expected: u32,
    measured: Option<u32>,
}

impl Entry {
    fn cost(&self) -> u32 {
        match self.measured {
            None => self.expected,
            Some(measured) => percent(measured, 100 + MARGIN).max(percent(self.expected, AT_LEAST)),
        }
    }
}

fn percent(of: u32, percent: u32) -> u32 {
    u32::try_from(u64::from(of) * u64::from(percent) / 100).unwrap_or(u32::MAX)
}

/// All jobs that have a share.
#[derive(Clone, Debug)]
struct Ledger {
    limit: u32,
    next: u64,
    entries: BTreeMap<u64, Entry>,
    /// What a kind of work costs here, in percent of the guess.
    learnt: BTreeMap<Work, u32>,
    missing: BTreeMap<Work, (Instant, String)>,
}

impl Ledger {
    fn new(limit: u32) -> Ledger {
        Ledger { limit, next: 0, entries: BTreeMap::new(), learnt: BTreeMap::new(), missing: BTreeMap::new() }
    }

    fn used(&self) -> u32 {
        self.entries.values().fold(0, |sum: u32, entry| sum.saturating_add(entry.cost()))
    }

    fn expect(&self, load: Load) -> u32 {
        let guess = guess(load);
        load.work.fixed().saturating_add(self.learnt.get(&load.work).map_or(guess, |learnt| percent(guess, *learnt)))
    }

    fn admit(&mut self, load: Load, now: Instant) -> Result<u64, Refused> {
        if let Some((_, text)) = self.missing.get(&load.work).filter(|(until, _)| now < *until) {
            return Err(Refused::Missing(text.clone()));
        }
        let (expected, used) = (self.expect(load), self.used());
        let needs = if self.entries.is_empty() { expected } else { percent(expected, 100 + MARGIN) };
        if used.saturating_add(needs) > self.limit {
            return Err(Refused::Full { what: load.work.name(), needs, used, limit: self.limit });
        }
        self.next += 1;
        self.entries.insert(self.next, Entry { load, expected: needs, measured: None });
        Ok(self.next)
    }

    /// A job's process used so much on average since the last time.
    fn measured(&mut self, number: u64, used: u32) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        let smoothed = entry.measured.map_or(used, |before| before / 2 + used / 2);
        entry.measured = Some(smoothed);
        let (work, guess) = (entry.load.work, guess(entry.load));
        if guess < TEACHES {
            return;
        }
        let seen = u64::from(smoothed.saturating_sub(work.fixed())) * 100 / u64::from(guess);
        let seen = u32::try_from(seen).unwrap_or(u32::MAX).clamp(LEARNT.0, LEARNT.1);
        // what is dearer than thought is believed sooner than what is cheaper
        let learnt = self.learnt.entry(work).or_insert(100);
        *learnt = if seen > *learnt { (*learnt + seen) / 2 } else { (*learnt * 7 + seen).div_ceil(8) };
    }

    fn release(&mut self, number: u64) {
        self.entries.remove(&number);
    }
}

fn guess(load: Load) -> u32 {
    u32::try_from(load.pixels.saturating_mul(load.work.guess().into()) / 1_000_000).unwrap_or(u32::MAX)
}

/// What is in use, for whoever shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    /// Thousandths of a core.
    pub limit: u32,
    /// The same.
    pub used: u32,
    pub jobs: usize,
}

/// The budget of this box. Cheap to clone; every call is short.
#[derive(Clone, Debug)]
pub struct Budget {
    ledger: Arc<Mutex<Ledger>>,
    clock: Clock,
}

impl Budget {
    /// `limit` in thousandths of a core; `None`: most of the cores that this process may use.
    pub fn new(limit: Option<u32>, clock: Clock) -> Budget {
        let cores = || u32::try_from(processors()).unwrap_or(u32::MAX);
        let limit = limit.unwrap_or_else(|| cores().saturating_mul(1000 / 100 * SHARE));
        Budget { ledger: Arc::new(Mutex::new(Ledger::new(limit))), clock }
    }

    /// A share for a job. Errors: there is none left, or what the job needs is missing on this box.
    pub fn admit(&self, load: Load) -> Result<Permit, Refused> {
        let number = self.ledger().admit(load, self.clock.now())?;
        Ok(Permit { budget: self.clone(), number, work: load.work })
    }

    /// What is in use.
    pub fn usage(&self) -> Usage {
        let ledger = self.ledger();
        Usage { limit: ledger.limit, used: ledger.used(), jobs: ledger.entries.len() }
    }

    // no critical section panics; one that did would leave a ledger that is whole
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job's share; given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    budget: Budget,
    number: u64,
    work: Work,
}

impl Permit {
    /// The job's process used so many thousandths of a core.
    pub fn measured(&self, used: u32) {
        self.budget.ledger().measured(self.number, used);
    }

    /// The job's process says that this box lacks something for this work.
    pub fn missing(&self, text: &str) {
        let until = self.budget.clock.now() + MISSING;
        self.budget.ledger().missing.insert(self.work, (until, text.to_owned()));
    }

    /// It does its work after all.
    pub fn works(&self) {
        self.budget.ledger().missing.remove(&self.work);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.ledger().release(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COMPOSE: Load = Load { work: Work::Compose, pixels: 1280 * 720 * 25 };

    fn transcode(pixels: u64) -> Load {
        Load { work: Work::Transcode(Codec::Vp8), pixels }
    }

    #[test]
    fn it_is_full_when_the_next_does_not_fit_and_has_room_when_one_has_gone() {
        let one = guess(COMPOSE) + Work::Compose.fixed();
        let budget = Budget::new(Some(one + percent(one, 100 + MARGIN) + 2 * Work::Compose.fixed()), Clock::System);
        let first = budget.admit(COMPOSE).unwrap();
        let _second = budget.admit(COMPOSE).unwrap();
        let refused = budget.admit(COMPOSE).unwrap_err();
        assert!(matches!(refused, Refused::Full { .. }) && refused.to_string().contains("VIDUCT_CPU_BUDGET"), "{refused}");
        // sound alone costs next to nothing
        assert!(budget.admit(Load { pixels: 0, ..COMPOSE }).is_ok());
        assert_eq!(budget.usage().jobs, 2);
        drop(first);
        let _third = budget.admit(COMPOSE).unwrap();
        assert_eq!(budget.usage().jobs, 2);
    }

    #[test]
    fn a_guess_is_trusted_only_where_nobody_could_suffer_from_it() {
        let one = guess(COMPOSE) + Work::Compose.fixed();
        let alone = Budget::new(Some(one), Clock::System);
        assert!(alone.admit(COMPOSE).is_ok(), "it is tried where it is alone");
        let two = Budget::new(Some(2 * one), Clock::System);
        let first = two.admit(COMPOSE).unwrap();
        let Err(Refused::Full { needs, used, .. }) = two.admit(COMPOSE) else { panic!("two guesses without a margin") };
        assert_eq!((needs, used), (percent(one, 100 + MARGIN), one));
        // as soon as it is known to be cheap there is room
        (0..20).for_each(|_| first.measured(one / 2));
        assert!(two.admit(COMPOSE).is_ok());
    }

    #[test]
    fn what_runs_is_counted_with_what_it_uses_and_teaches() {
        let budget = Budget::new(Some(10_000), Clock::System);
        let load = transcode(10_000_000);
        let first = budget.admit(load).unwrap();
        let guessed = budget.usage().used;
        first.measured(guessed * 2);
        let measured = percent(guessed * 2, 100 + MARGIN);
        assert_eq!(budget.usage().used, measured);
        let second = budget.admit(load).unwrap();
        assert!(budget.usage().used - measured > guessed, "the second is expected to cost more than was guessed");
        drop(second);
        // what is small says nothing of what is large
        let small = budget.admit(transcode(1000)).unwrap();
        small.measured(900);
        drop(small);
        let third = budget.admit(load).unwrap();
        assert!(budget.usage().used - measured < guessed * 2);
        drop(third);
        // a rest is no proof that the work is cheap
        for _ in 0..1000 {
            first.measured(0);
        }
        assert!(budget.usage().used >= guessed / 2);
        let _fourth = budget.admit(load).unwrap();
        assert!(budget.usage().used >= guessed / 2 + guessed / 5);
    }

    #[test]
    fn a_missing_element_is_remembered_for_its_work_alone_until_it_works() {
        let budget = Budget::new(None, Clock::System);
        let permit = budget.admit(transcode(1)).unwrap();
        permit.missing("no vp8enc");
        assert_eq!(budget.admit(transcode(1)).unwrap_err(), Refused::Missing("no vp8enc".into()));
        assert!(budget.admit(Load { work: Work::Transcode(Codec::H264), pixels: 1 }).is_ok());
        permit.works();
        assert!(budget.admit(transcode(1)).is_ok());
        let (mut ledger, now) = (Ledger::new(1000), Clock::System.now());
        ledger.missing.insert(Work::Compose, (now + MISSING, "x".into()));
        assert!(ledger.admit(Load { pixels: 1, ..COMPOSE }, now).is_err());
        assert!(ledger.admit(Load { pixels: 1, ..COMPOSE }, now + MISSING).is_ok());
    }

    proptest! {
        #[test]
        fn never_above_the_limit_and_all_is_given_back(
            limit in 0u32..4000,
            steps in proptest::collection::vec((0u8..3, 0u64..100_000_000, 0u32..3000), 0..100),
        ) {
            let budget = Budget::new(Some(limit), Clock::System);
            let mut permits: Vec<Permit> = Vec::new();
            for (action, pixels, used) in steps {
                let before = budget.usage().used;
                match action {
                    0 => match budget.admit(transcode(pixels)) {
                        Ok(permit) => {
                            prop_assert!(budget.usage().used <= limit);
                            // taken and given back at once, nothing has changed
                            drop(permit);
                            prop_assert_eq!(budget.usage().used, before);
                            permits.extend(budget.admit(transcode(pixels)));
                        }
                        Err(Refused::Full { needs, used, limit: its, .. }) => prop_assert!(used + needs > limit && its == limit),
                        Err(other) => prop_assert!(false, "{other}"),
                    },
                    1 => permits.truncate(permits.len().saturating_sub(1)),
                    _ => permits.iter().for_each(|permit| permit.measured(used)),
                }
                prop_assert_eq!(budget.usage().jobs, permits.len());
            }
            permits.clear();
            prop_assert_eq!(budget.usage(), Usage { limit, used: 0, jobs: 0 });
        }
    }
}
