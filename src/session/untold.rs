//! Notices that are kept for a client until it has received them, bounded in number and in bytes. Pure; written by its link.

use super::notice::Notice;
use super::outbox;
use std::collections::VecDeque;

/// They must fit into a fresh outbox together with the reply and what the door itself says.
const COUNT: usize = outbox::CAPACITY - 32;
const BYTES: usize = outbox::BYTES / 4;

/// Notices in the order they were decided, each with the number of its message, or 0.
#[derive(Default, Debug)]
pub(super) struct Untold {
    notices: VecDeque<(u64, Notice)>,
    bytes: usize,
}

impl Untold {
    /// Keeps one more. False, and nothing changes, when it does not fit.
    #[must_use]
    pub fn push(&mut self, number: u64, notice: Notice) -> bool {
        let bytes = self.bytes + notice.size();
        let fits = self.notices.len() < COUNT && (bytes <= BYTES || self.notices.is_empty());
        if fits {
            self.bytes = bytes;
            self.notices.push_back((number, notice));
        }
        fits
    }

    /// Keeps one more, in the place of the oldest if there is no room.
    pub fn push_for_oldest(&mut self, number: u64, notice: Notice) {
        while !self.push(number, notice.clone()) {
            self.pop();
        }
    }

    /// Forgets those up to the message `number`.
    pub fn forget(&mut self, number: u64) {
        while self.notices.front().is_some_and(|(at, _)| *at <= number) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        self.bytes -= self.notices.pop_front().map_or(0, |(_, notice)| notice.size());
    }
}

impl IntoIterator for Untold {
    type Item = Notice;
    type IntoIter = std::iter::Map<std::collections::vec_deque::IntoIter<(u64, Notice)>, fn((u64, Notice)) -> Notice>;

    fn into_iter(self) -> Self::IntoIter {
        self.notices.into_iter().map(|(_, notice)| notice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(bytes: usize) -> Notice {
        Notice::Signal { from: None, kind: None, data: Some("x".repeat(bytes)) }
    }

    #[test]
    fn many_small_ones_and_few_large_ones_are_too_many() {
        for (bytes, most) in [(1, COUNT), (1 << 18, BYTES >> 18)] {
            let mut untold = Untold::default();
            let taken = (0..2 * COUNT).take_while(|n| untold.push(*n as u64, signal(bytes))).count();
            assert!(taken == most || taken == most - 1, "{taken} of {bytes} bytes, {most} at most");
            untold.push_for_oldest(5000, signal(bytes));
            assert_eq!(untold.notices.len(), taken);
            assert_eq!((untold.notices.front().unwrap().0, untold.notices.back().unwrap().0), (1, 5000));
            untold.forget(4999);
            assert_eq!(untold.notices.len(), 1);
            untold.forget(5000);
            assert_eq!((untold.notices.len(), untold.bytes), (0, 0));
        }
    }

    #[test]
    fn one_of_any_size_is_kept() {
        assert!(Untold::default().push(1, signal(2 * BYTES)));
    }
}
