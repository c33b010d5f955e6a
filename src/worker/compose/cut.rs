//! The end of a mixer: what may pass to the encoder, and where the recording ends.
//!
//! Lives between mixer and encoder of one kind. The mixer's thread asks for each buffer; the job sets the end once.

use super::timing::Grid;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Guards one mixer's output. Times are running time in ns.
#[derive(Debug)]
pub struct Cut {
    /// Where its buffers belong, if they are pictures.
    grid: Option<Grid>,
    /// Nothing from here on is part of the recording.
    end: AtomicU64,
    /// First moment that no buffer has covered yet.
    reached: AtomicU64,
    backwards: AtomicU64,
}

impl Cut {
    /// `grid`: of the pictures; sound has none.
    pub fn new(grid: Option<Grid>) -> Cut {
        Cut { grid, end: AtomicU64::new(u64::MAX), reached: AtomicU64::new(0), backwards: AtomicU64::new(0) }
    }

    /// May this buffer pass? Not when it is behind the end. Not when its time does not grow either: a mixer that starts anew
    /// gives out old buffers, one that starts late its first one twice (the second of double
    /// length), and a file cannot hold two pictures in the place of one.
    pub fn pass(&self, pts: u64, duration: u64) -> bool {
        let (pts, duration) = self.grid.map_or((pts, duration), |grid| {
            let place = grid.nearest(pts);
            (grid.time(place), grid.time(place.saturating_add(1)).saturating_sub(grid.time(place)))
        });
        let reached = self.reached.load(Relaxed);
        // half a buffer is more than any rounding and less than any repetition
        if pts.saturating_add(duration / 2) < reached {
            self.backwards.fetch_add(1, Relaxed);
            return false;
        }
        self.reached.store(pts.saturating_add(duration), Relaxed);
        pts < self.end.load(Relaxed)
    }

    /// The recording ends at `at`.
    pub fn end_at(&self, at: u64) {
        self.end.store(at, Relaxed);
    }

    /// First moment that the mixer has not given out yet.
    pub fn reached(&self) -> u64 {
        self.reached.load(Relaxed)
    }

    /// Everything up to the end has come.
    pub fn is_complete(&self) -> bool {
        self.reached.load(Relaxed) >= self.end.load(Relaxed)
    }

    /// Buffers since the last call whose time did not grow.
    pub fn take_backwards(&self) -> u64 {
        self.backwards.swap(0, Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_only_grows_and_ends_at_the_end() {
        let cut = Cut::new(None);
        let table = [(0, true), (40, true), (40, false), (0, false), (81, true), (120, true), (200, true)];
        for (pts, passes) in table {
            assert_eq!(cut.pass(pts, 40), passes, "{pts}");
        }
        assert_eq!((cut.take_backwards(), cut.take_backwards()), (2, 0));
        cut.end_at(280);
        assert!(!cut.is_complete());
        assert!(cut.pass(240, 40) && cut.is_complete() && cut.reached() == 280);
        assert!(!cut.pass(280, 40) && !cut.pass(320, 40));
    }

    #[test]
    fn a_place_on_the_grid_is_taken_once() {
        const MS: u64 = 1_000_000;
        let cut = Cut::new(Some(Grid::new(10)));
        // pictures of any time and length
        let table =
            [(0, 100, true), (0, 200, false), (45, 100, false), (55, 100, true), (149, 1, false), (201, 0, true), (300, 1000, true)];
        for (pts, duration, passes) in table {
            assert_eq!(cut.pass(pts * MS, duration * MS), passes, "{pts}");
        }
        assert_eq!((cut.take_backwards(), cut.reached()), (3, 400 * MS));
    }
}
