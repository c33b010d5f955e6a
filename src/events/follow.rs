//! The way to those who follow what happens as it happens. They come and go at any time; while there are none, an event costs one look.
//!
//! A follower gets the lines that call detail records have, in their order, from the moment it joined. What it has not read yet waits
//! for it, up to [`WAITING`]; one that is further behind hears nothing more and is told so. Nobody waits for it.

use super::json::lines;
use super::record::Record;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Events that may wait for one follower, and their bytes: the end of a large session comes at once.
const QUEUE: usize = 16 * 1024;
const WAITING: usize = 4 * 1024 * 1024;

/// Who follows.
#[derive(Default, Debug)]
pub(super) struct Followers {
    any: AtomicBool,
    list: Mutex<Vec<Way>>,
    lost: AtomicU64,
}

/// The way to one of them.
#[derive(Debug)]
struct Way {
    sender: mpsc::Sender<Arc<str>>,
    /// Bytes on the way.
    waiting: Arc<AtomicUsize>,
}

/// Hears what happens. Dropping it ends that.
#[derive(Debug)]
pub struct Follower {
    heard: mpsc::Receiver<Arc<str>>,
    waiting: Arc<AtomicUsize>,
}

impl Followers {
    /// One more.
    pub fn join(&self) -> Follower {
        let (sender, heard) = mpsc::channel(QUEUE);
        let waiting = Arc::<AtomicUsize>::default();
        let mut list = self.list();
        // where nothing happens nobody else notices who has gone
        list.retain(|way| !way.sender.is_closed());
        list.push(Way { sender, waiting: waiting.clone() });
        self.any.store(true, Relaxed);
        Follower { heard, waiting }
    }

    /// Tells all of them.
    pub fn tell(&self, record: &Record) {
        if !self.any.load(Relaxed) {
            return;
        }
        let text = lines(record);
        let texts: Vec<Arc<str>> = text.lines().map(Arc::from).collect();
        let mut list = self.list();
        list.retain(|way| {
            if way.sender.is_closed() {
                return false;
            }
            if !way.reserves(&texts) {
                self.lost.fetch_add(1, Relaxed);
                return false;
            }
            // there is room; an error means that it has just gone
            texts.iter().all(|text| way.sender.try_send(text.clone()).is_ok())
        });
        self.any.store(!list.is_empty(), Relaxed);
    }

    /// How many have been told no more because they did not keep up.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// How many there are now.
    pub fn count(&self) -> usize {
        self.list().iter().filter(|way| !way.sender.is_closed()).count()
    }

    // No critical section panics; one that did would still leave a list that is whole.
    fn list(&self) -> MutexGuard<'_, Vec<Way>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Way {
    /// Takes room for an event's lines; `false`: too much waits already. One event alone always has room, however large.
    fn reserves(&self, texts: &[Arc<str>]) -> bool {
        let size: usize = texts.iter().map(|text| text.len()).sum();
        let before = self.waiting.fetch_add(size, Relaxed);
        (before == 0 || before + size <= WAITING) && self.sender.capacity() >= texts.len()
    }
}

impl Follower {
    /// The next event, as one line of JSON. `None`: it was too far behind, and hears no more. May be dropped and called anew.
    pub async fn next(&mut self) -> Option<Arc<str>> {
        // what still waits is too much to be worth its while
        if self.heard.is_closed() {
            return None;
        }
        let text = self.heard.recv().await?;
        self.waiting.fetch_sub(text.len(), Relaxed);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::json::tests::all;
    use crate::events::record::Signal;
    use futures_util::FutureExt;

    /// What is there to be heard at once.
    fn heard(follower: &mut Follower) -> String {
        let mut text = String::new();
        while let Some(Some(line)) = follower.next().now_or_never() {
            text.push_str(&format!("{line}\n"));
        }
        text
    }

    fn ways(followers: &Followers) -> usize {
        followers.list().len()
    }

    #[test]
    fn a_follower_hears_every_line_from_its_coming_on() {
        let followers = Followers::default();
        followers.tell(&all()[0]);
        let (mut early, mut late) = (followers.join(), None);
        let mut expected = String::new();
        for (n, record) in all().iter().enumerate() {
            if n == 5 {
                assert_eq!(heard(&mut early), expected);
                (late, expected) = (Some(followers.join()), String::new());
            }
            followers.tell(record);
            expected.push_str(&lines(record));
        }
        assert_eq!((heard(&mut early), heard(&mut late.unwrap())), (expected.clone(), expected));
        assert_eq!(followers.lost(), 0);
    }

    #[test]
    fn who_has_gone_leaves_nothing() {
        let followers = Followers::default();
        for _ in 0..10 {
            drop(followers.join());
        }
        assert_eq!((ways(&followers), followers.count()), (1, 0));
        followers.tell(&all()[0]);
        assert_eq!((ways(&followers), followers.any.load(Relaxed), followers.lost()), (0, false, 0));
    }

    #[test]
    fn who_does_not_read_is_let_go_and_nobody_else_notices() {
        let followers = Followers::default();
        let (mut slow, mut quick) = (followers.join(), followers.join());
        let Record::SignalSent(moment, signal) = all()[8].clone() else { panic!("the order of samples has changed") };
        let record = Record::SignalSent(moment, Signal { data: Some("x".repeat(100_000)), ..signal });
        let (line, mut told) = (lines(&record), 0);
        while followers.lost() == 0 {
            followers.tell(&record);
            told += line.len();
            assert_eq!(heard(&mut quick), line);
        }
        assert!((WAITING..WAITING + 2 * line.len()).contains(&told), "{told}");
        assert_eq!((slow.next().now_or_never(), followers.count()), (Some(None), 1));
        followers.tell(&record);
        assert_eq!(heard(&mut quick), line);
    }
}
