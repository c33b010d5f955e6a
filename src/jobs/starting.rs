//! Processes of cameras begin a few at a time.
//!
//! To begin, a process needs a processor for itself: it loads its libraries. Many cameras are tried at the same moment, when a
//! switch or the power comes back, or again and again because none of them behaves; were all their processes to begin at once, those
//! that are watched and those that ask would wait.

use super::cpu::processors;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The next one's turn comes after so long, whether or not the process has said a word.
pub const BEGINNING: Duration = Duration::from_millis(300);

/// How many may begin at a time: they leave one processor to everybody else where there are two. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Starting(Arc<Semaphore>);

/// The right to begin. Dropped, it is the next one's.
#[derive(Debug)]
pub struct Beginning {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Default for Starting {
    fn default() -> Starting {
        Starting::of(processors())
    }
}

impl Starting {
    fn of(processors: usize) -> Starting {
        Starting(Arc::new(Semaphore::new(processors.saturating_sub(1).max(1))))
    }

    /// Waits for its turn; who came first is first. May be cancelled.
    pub async fn turn(&self) -> Beginning {
        // nobody closes the semaphore; were it closed, all might begin
        Beginning { _permit: self.0.clone().acquire_owned().await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn one_processor_is_left_to_others() {
        for (processors, at_a_time) in [(0, 1), (1, 1), (2, 1), (4, 3), (8, 7)] {
            let starting = Starting::of(processors);
            let mut context = Context::from_waker(Waker::noop());
            let mut beginning = Vec::new();
            while let Poll::Ready(turn) = Box::pin(starting.turn()).as_mut().poll(&mut context) {
                beginning.push(turn);
            }
            assert_eq!(beginning.len(), at_a_time, "{processors}");
            beginning.pop();
            assert!(Box::pin(starting.turn()).as_mut().poll(&mut context).is_ready());
        }
    }
}
