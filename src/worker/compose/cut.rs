//! The end of a mixer: what may pass to the encoder, and where the recording ends.
//!
//! Lives between mixer and encoder of one kind. The mixer's thread asks for each buffer; the job sets the end once.

use super::timing::Grid;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Pictures in a row that are put in the place of missing ones, at most.
const MISSING: u64 = 100;

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

    /// The times at which this buffer passes: none when it is behind the end, or when its time does not grow: a mixer that starts
    /// anew gives out old buffers, and a file cannot hold two pictures in the place of one. Several when pictures before it are
    /// missing: one of a mixer that starts late has the time of the first and covers many places. It is shown in all of them.
    pub fn places(&self, pts: u64, duration: u64) -> Vec<u64> {
        let Some(grid) = self.grid else { return self.pass(pts, duration).then_some(pts).into_iter().collect() };
        let last = grid.nearest(pts.saturating_add(duration)).max(grid.nearest(pts).saturating_add(1)) - 1;
        let first = grid.nearest(self.reached()).max(last.saturating_sub(MISSING)).min(last);
        let length = |place: u64| grid.time(place.saturating_add(1)).saturating_sub(grid.time(place));
        (first..=last).filter(|place| self.pass(grid.time(*place), length(*place))).map(|place| grid.time(place)).collect()
    }

    fn pass(&self, pts: u64, duration: u64) -> bool {
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
            assert_eq!(cut.places(pts, 40).len(), usize::from(passes), "{pts}");
        }
        assert_eq!((cut.take_backwards(), cut.take_backwards()), (2, 0));
        cut.end_at(280);
        assert!(!cut.is_complete());
        assert_eq!(cut.places(240, 40), [240]);
        assert!(cut.is_complete() && cut.reached() == 280);
        assert!(cut.places(280, 40).is_empty() && cut.places(320, 40).is_empty());
    }

    #[test]
    fn each_place_on_the_grid_is_taken_once() {
        const MS: u64 = 1_000_000;
        let cut = Cut::new(Some(Grid::new(10)));
        // pictures of any time and length
        let table: [(u64, u64, &[u64]); 9] = [
            (0, 100, &[0]),
            (0, 100, &[]),
            (0, 300, &[100, 200]),
            (245, 100, &[]),
            (255, 100, &[300]),
            (349, 1, &[]),
            (401, 0, &[400]),
            (700, 100, &[500, 600, 700]),
            (0, 1, &[]),
        ];
        for (pts, duration, places) in table {
            let got: Vec<u64> = cut.places(pts * MS, duration * MS).into_iter().map(|place| place / MS).collect();
            assert_eq!(got, places, "{pts}");
        }
        assert_eq!((cut.take_backwards(), cut.reached()), (4, 800 * MS));
        cut.end_at(1000 * MS);
        assert_eq!(cut.places(1200 * MS, 0), [800 * MS, 900 * MS]);
        assert!(cut.is_complete());
        let hours = 36_000_000 * MS;
        assert!(Cut::new(Some(Grid::new(10))).places(hours, 0).len() <= 1 + MISSING as usize);
    }
}
