//! Events that wait for the endpoint of the webhook, in order. Pure; written by the webhook's task alone.
//!
//! Bounded in bytes: when there are too many, the oldest go, counted. Knows of each whether the disk has it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// What an event counts for beside its text, in bytes.
const OVERHEAD: usize = 64;

/// An event that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Waiting {
    /// The same at every attempt, also after a restart: `[A-Za-z0-9]+`.
    pub id: Arc<str>,
    /// One line of JSON.
    pub body: Arc<str>,
}

/// The events.
#[derive(Debug)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    bytes: usize,
    limit: usize,
    dropped: u64,
    /// Those that the disk has and nobody needs any more.
    obsolete: BTreeSet<Arc<str>>,
}

#[derive(Debug)]
struct Entry {
    waiting: Waiting,
    saved: bool,
}

/// What the disk does not know yet.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct News {
    pub added: Vec<Waiting>,
    pub removed: Vec<Arc<str>>,
}

impl Queue {
    /// With what the disk has; keeps about `limit` bytes.
    pub fn new(limit: usize, saved: Vec<Waiting>) -> Queue {
        let mut queue = Queue { entries: VecDeque::new(), bytes: 0, limit, dropped: 0, obsolete: BTreeSet::new() };
        for waiting in saved {
            queue.add(waiting, true);
        }
        queue
    }

    /// One more at the end. True when that made the first one go for want of room.
    pub fn push(&mut self, waiting: Waiting) -> bool {
        let before = self.dropped;
        self.add(waiting, false);
        self.dropped > before
    }

    fn add(&mut self, waiting: Waiting, saved: bool) {
        self.bytes += cost(&waiting);
        self.entries.push_back(Entry { waiting, saved });
        // the last one stays, however large it is
        while self.bytes > self.limit && self.entries.len() > 1 {
            self.dropped += 1;
            self.remove_first();
        }
    }

    /// The one whose turn it is.
    pub fn first(&self) -> Option<&Waiting> {
        self.entries.front().map(|entry| &entry.waiting)
    }

    /// That one is dealt with. It may have been dropped meanwhile.
    pub fn done(&mut self, id: &str) {
        if self.first().is_some_and(|first| *first.id == *id) {
            self.remove_first();
        }
    }

    fn remove_first(&mut self) {
        let Some(Entry { waiting, saved }) = self.entries.pop_front() else { return };
        self.bytes -= cost(&waiting);
        if saved {
            self.obsolete.insert(waiting.id);
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many were dropped for want of room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Is there anything the disk should know?
    pub fn has_news(&self) -> bool {
        // what is not saved came last
        !self.obsolete.is_empty() || self.entries.back().is_some_and(|entry| !entry.saved)
    }

    /// What the disk should know.
    pub fn news(&self) -> News {
        let mut added: Vec<_> = self.entries.iter().rev().take_while(|entry| !entry.saved).map(|entry| entry.waiting.clone()).collect();
        added.reverse();
        News { added, removed: self.obsolete.iter().cloned().collect() }
    }

    /// The disk knows `news`. Nothing changed since they were asked for.
    pub fn saved(&mut self, news: &News) {
        self.entries.iter_mut().for_each(|entry| entry.saved = true);
        self.obsolete.retain(|id| !news.removed.contains(id));
    }

    /// All that wait.
    pub fn all(&self) -> Vec<Waiting> {
        self.entries.iter().map(|entry| entry.waiting.clone()).collect()
    }
}

fn cost(waiting: &Waiting) -> usize {
    waiting.body.len() + OVERHEAD
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The event number `n`.
    pub fn waiting(n: usize) -> Waiting {
        Waiting { id: format!("id{n}").into(), body: format!("{{\"n\":{n}}}").into() }
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_but_never_the_last() {
        let one = cost(&waiting(1));
        let mut queue = Queue::new(2 * one, vec![waiting(1)]);
        assert!(!queue.push(waiting(2)));
        assert!(queue.push(waiting(3)));
        assert_eq!((queue.all(), queue.dropped()), (vec![waiting(2), waiting(3)], 1));
        queue.done("id1");
        assert_eq!(queue.len(), 2, "the one in flight was dropped meanwhile");
        let news = queue.news();
        assert_eq!(news, News { added: vec![waiting(2), waiting(3)], removed: vec!["id1".into()] });
        queue.saved(&news);
        assert!(!queue.has_news());
        queue.done("id2");
        assert_eq!(queue.news(), News { added: vec![], removed: vec!["id2".into()] });
        let mut tiny = Queue::new(1, vec![]);
        tiny.push(waiting(1));
        assert_eq!(tiny.len(), 1);
    }

    proptest! {
        #[test]
        fn what_the_disk_is_told_is_what_waits(limit in 100usize..2000, steps in proptest::collection::vec(0u8..3, 0..300)) {
            let mut queue = Queue::new(limit, vec![]);
            let mut disk: Vec<Waiting> = vec![];
            for (n, step) in steps.into_iter().enumerate() {
                match step {
                    0 => drop(queue.push(waiting(n))),
                    1 => {
                        let first = queue.first().map(|first| first.id.clone());
                        queue.done(first.as_deref().unwrap_or("none"));
                    }
                    _ => {
                        let news = queue.news();
                        prop_assert_eq!(queue.has_news(), news != News::default());
                        queue.saved(&news);
                        disk.extend(news.added);
                        disk.retain(|waiting| !news.removed.contains(&waiting.id));
                        prop_assert_eq!(&disk, &queue.all());
                    }
                }
                prop_assert!(queue.bytes <= limit || queue.len() == 1);
                prop_assert_eq!(queue.bytes, queue.all().iter().map(cost).sum::<usize>());
            }
        }
    }
}
