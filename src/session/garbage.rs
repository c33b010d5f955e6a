//! The garbage collector: sessions that were created and never joined end after a while (rest.md §4.6).
//!
//! Ages are measured on the monotonic clock: a board without a battery learns the date some time after its start.

use super::command::Command;
use super::registry::Registry;
use std::time::Duration;

impl Registry {
    /// Every `interval` from now on, ends the sessions that nobody has joined within `threshold` of their creation. Nobody is told.
    /// Never returns.
    pub async fn collect_garbage(self, interval: Duration, threshold: Duration) {
        loop {
            self.clock().sleep(interval).await;
            for session in self.all().into_iter().filter(|session| !session.snapshot().active) {
                // an error means that it has ended by itself
                let _ = session.send(Command::Collect { threshold }).await;
            }
        }
    }
}
