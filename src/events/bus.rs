//! The way from whoever knows to whoever is told. Never waits: a listener that does not keep up loses what does not fit in its queue,
//! counted, and nobody else notices.

use super::follow::{Follower, Followers};
use super::record::Record;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Records that may wait for a listener: what the disk of a listener may stall at the end of a large session.
const QUEUE: usize = 4096;

/// Where records go. Cheap to clone; the default has no listener.
#[derive(Clone, Default, Debug)]
pub struct Bus {
    lines: Arc<[Arc<Line>]>,
    /// The same for all clones.
    pub(super) followers: Arc<Followers>,
}

/// What a listener hears.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    Record(Arc<Record>),
    /// Nothing more comes: finish what is in hand, and end.
    End,
}

/// The way to one listener.
struct Line {
    name: &'static str,
    sender: mpsc::Sender<Heard>,
    lost: AtomicU64,
    /// Was the last record lost?
    full: AtomicBool,
}

impl Bus {
    /// One more listener, which hears everything that is said from now on over this bus and its clones to come, in that order.
    pub(super) fn listen(&mut self, name: &'static str) -> mpsc::Receiver<Heard> {
        let (sender, heard) = mpsc::channel(QUEUE);
        let mut lines: Vec<_> = self.lines.to_vec();
        lines.push(Arc::new(Line { name, sender, lost: AtomicU64::new(0), full: AtomicBool::new(false) }));
        self.lines = lines.into();
        heard
    }

    /// Tells everybody.
    pub fn say(&self, record: Record) {
        self.followers.tell(&record);
        if self.lines.is_empty() {
            return;
        }
        let record = Arc::new(record);
        for line in self.lines.iter() {
            line.say(record.clone());
        }
    }

    /// Somebody who hears what is said from now on, over this bus or any of its clones, for as long as it keeps up.
    pub fn follow(&self) -> Follower {
        self.followers.join()
    }

    /// Tells every listener to end. May wait for those that are behind.
    pub(super) async fn end(&self) {
        for line in self.lines.iter() {
            // an error means that it has ended
            let _ = line.sender.send(Heard::End).await;
        }
    }

    /// Records that a listener has lost because it did not keep up, by listener.
    pub fn lost(&self) -> Vec<(&'static str, u64)> {
        self.lines.iter().map(|line| (line.name, line.lost.load(Ordering::Relaxed))).collect()
    }
}

impl Line {
    fn say(&self, record: Arc<Record>) {
        match self.sender.try_send(Heard::Record(record)) {
            Ok(()) => self.full.store(false, Ordering::Relaxed),
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                if !self.full.swap(true, Ordering::Relaxed) {
                    tracing::error!(listener = self.name, "events are lost: the listener does not keep up");
                }
            }
            // the box is going down
            Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// For tests on this floor and above: a bus that keeps what it hears.
#[cfg(test)]
#[derive(Debug)]
pub struct Ear(mpsc::Receiver<Heard>);

#[cfg(test)]
impl Ear {
    /// A bus, and who hears it.
    pub fn listening() -> (Bus, Ear) {
        let mut bus = Bus::default();
        let heard = bus.listen("a test");
        (bus, Ear(heard))
    }

    /// What was said since this was last called.
    pub fn heard(&mut self) -> Vec<Arc<Record>> {
        let mut records = Vec::new();
        while let Ok(Heard::Record(record)) = self.0.try_recv() {
            records.push(record);
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::json::tests::all;

    #[tokio::test]
    async fn a_listener_that_does_not_keep_up_loses_its_own_records_alone() {
        let mut bus = Bus::default();
        let (mut slow, mut quick) = (bus.listen("slow"), bus.listen("quick"));
        for n in 0..QUEUE + 3 {
            bus.say(all()[n % 5].clone());
            assert!(matches!(quick.recv().await, Some(Heard::Record(record)) if *record == all()[n % 5]));
        }
        assert_eq!(bus.lost(), [("slow", 3), ("quick", 0)]);
        assert!(matches!(slow.recv().await, Some(Heard::Record(record)) if *record == all()[0]));
        bus.end().await;
        assert!(matches!(quick.recv().await, Some(Heard::End)));
        drop((slow, quick));
        bus.say(all()[0].clone());
        assert_eq!(bus.lost(), [("slow", 3), ("quick", 0)], "nobody is there to lose anything");
        Bus::default().say(all()[0].clone());
    }
}
