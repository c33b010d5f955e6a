//! Time in a recording: the grid its pictures are on, and where a source is on it. Pure; times are ns.

/// The moments of the output's pictures: number *k* is at *k* / rate seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grid {
    /// Pictures a second.
    rate: u64,
}

const SECOND: u64 = 1_000_000_000;

impl Grid {
    /// A grid of `rate` pictures a second, at least one.
    pub fn new(rate: u32) -> Grid {
        Grid { rate: u64::from(rate.max(1)) }
    }

    /// When picture number `index` is due.
    pub fn time(self, index: u64) -> u64 {
        scale(index, SECOND, self.rate)
    }

    /// When picture number `index` is due, in ticks of which a second has so many.
    pub fn ticks(self, index: u64, per_second: u64) -> u64 {
        scale(index, per_second, self.rate)
    }

    /// The picture nearest to `time`.
    pub fn nearest(self, time: u64) -> u64 {
        scale(time.saturating_add(SECOND / self.rate / 2), self.rate, SECOND)
    }

    /// The first picture that is not before `time`.
    pub fn at_or_after(self, time: u64) -> u64 {
        let before = scale(time, self.rate, SECOND);
        if self.time(before) >= time { before } else { before.saturating_add(1) }
    }
}

/// `value * over / under` rounded down, without overflow in between.
fn scale(value: u64, over: u64, under: u64) -> u64 {
    u64::try_from(u128::from(value) * u128::from(over) / u128::from(under)).unwrap_or(u64::MAX)
}

/// Decides which decoded pictures of one source are shown, and when.
///
/// The mixer's own choice depends on history: it may show a picture one frame early or late, and changes its mind after a
/// hiccup. A picture that is on the grid leaves it no choice.
#[derive(Clone, Debug)]
pub struct Screen {
    grid: Grid,
    /// Number of the picture shown last.
    shown: Option<u64>,
    /// Time of the picture seen last.
    seen: u64,
}

/// How long media is of use after its capture, ns: the mixers wait so long for what is late.
pub const FRESH: u64 = 500_000_000;

/// Pictures from here on are of use, `now`, to a mixer that has `reached` a moment; what is older is decoded only to warm up the
/// decoder. A mixer that a busy machine holds up still has a place for what others would call old.
pub fn of_use_from(now: u64, reached: u64) -> u64 {
    now.saturating_sub(FRESH).min(reached)
}

impl Screen {
    pub fn new(grid: Grid) -> Screen {
        Screen { grid, shown: None, seen: 0 }
    }

    /// The time a picture of time `pts` is shown at, or `None` when it is not: it is from before the recording (0), older than what
    /// is of `use_from` on, or another one is nearer to its place on the grid.
    pub fn place(&mut self, pts: u64, use_from: u64) -> Option<u64> {
        let since = pts.abs_diff(std::mem::replace(&mut self.seen, pts));
        if pts == 0 || pts < use_from {
            return None;
        }
        let index = self.grid.nearest(pts);
        let place = self.grid.time(index);
        // a source with more pictures than the grid: the next will be nearer
        let next_is_nearer = since < self.grid.time(1) && place.saturating_sub(pts) > since / 2;
        if self.shown == Some(index) || next_is_nearer {
            return None;
        }
        self.shown = Some(index);
        Some(place)
    }
}

/// How far ahead of now a time stamp may be before it is taken for a wrong clock.
const AHEAD: u64 = 60_000_000;
/// A source whose newest packet is always older than this is late, and moved: the mixers wait for [`FRESH`] only.
const LATE: u64 = 350_000_000;
/// How old the newest packets of a source that was moved are.
const MOVED_TO: u64 = 50_000_000;
/// How long a source is watched before it is called late.
const WATCH: u64 = 2_000_000_000;
/// So many packets in that time, or nothing is said of it.
const ENOUGH: u32 = 20;

/// The time line of one source: its picture and its sound are moved together, or they fall apart.
#[derive(Default, Debug)]
pub struct TimeLine {
    /// Added to capture times.
    by: i64,
    watch: Option<Watch>,
}

#[derive(Debug)]
struct Watch {
    began: u64,
    least: u64,
    packets: u32,
}

impl TimeLine {
    /// The capture time of a unit that arrived `now`, on the recording's clock.
    pub fn place(&mut self, captured: u64, now: u64) -> u64 {
        let placed = captured.saturating_add_signed(self.by);
        let ahead = placed.saturating_sub(now);
        if ahead > AHEAD {
            self.move_by(-i64::try_from(ahead).unwrap_or(i64::MAX));
        } else if let Some(late) = self.watch(now.saturating_sub(placed), now) {
            self.move_by(i64::try_from(late - MOVED_TO).unwrap_or(i64::MAX));
        }
        captured.saturating_add_signed(self.by)
    }

    fn move_by(&mut self, span: i64) {
        self.by = self.by.saturating_add(span);
        self.watch = None;
    }

    /// The least age of the packets of a whole watch, when all of them were late.
    fn watch(&mut self, age: u64, now: u64) -> Option<u64> {
        let watch = self.watch.get_or_insert(Watch { began: now, least: u64::MAX, packets: 0 });
        watch.least = watch.least.min(age);
        watch.packets += 1;
        if now.saturating_sub(watch.began) < WATCH {
            return None;
        }
        let late = (watch.least > LATE && watch.packets >= ENOUGH).then_some(watch.least);
        self.watch = None;
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn the_grid_is_exact_at_any_rate() {
        let table = [(25, 1, 40 * MS), (25, 90_000, 3600 * SECOND), (30, 1, 33_333_333), (30, 3, 100 * MS), (15, 2, 133_333_333)];
        for (rate, index, time) in table {
            let grid = Grid::new(rate);
            assert_eq!(grid.time(index), time);
            assert_eq!((grid.nearest(time), grid.at_or_after(time)), (index, index));
            assert_eq!((grid.nearest(time + 10 * MS), grid.at_or_after(time + 1)), (index, index + 1));
            assert_eq!((grid.nearest(time - 10 * MS), grid.at_or_after(time - 1)), (index, index));
        }
    }

    #[test]
    fn old_pictures_and_those_without_room_are_not_shown() {
        let mut screen = Screen::new(Grid::new(25));
        let table = [
            (0, 0, None),
            (1000, 1001, None),
            (1010, 1000, Some(1000)),
            (1019, 1000, None),
            (1059, 1000, Some(1040)),
            (1100, 1000, Some(1120)),
            (900, 700, Some(920)),
        ];
        for (pts, use_from, shown) in table {
            assert_eq!(screen.place(pts * MS, use_from * MS), shown.map(|shown| shown * MS), "{pts} {use_from}");
        }
    }

    #[test]
    fn of_many_pictures_the_nearest_is_shown() {
        for rate in [26, 30, 50, 60] {
            let (source, mut screen) = (Grid::new(rate), Screen::new(Grid::new(25)));
            for phase in [0, 3 * MS, 11 * MS] {
                let times = (1..200).map(|index| source.time(index) + phase + SECOND * 10);
                let shown: Vec<(u64, u64)> = times.filter_map(|pts| screen.place(pts, pts).map(|place| (pts, place))).collect();
                let furthest = shown.iter().skip(1).map(|(pts, place)| pts.abs_diff(*place)).max().unwrap();
                assert!(furthest <= source.time(1) / 2 + 1, "{rate} {phase}: {furthest}");
                assert!(shown.windows(2).all(|pair| pair[1].1 - pair[0].1 == 40 * MS), "{rate} {phase}");
            }
        }
    }

    #[test]
    fn a_clock_that_is_ahead_is_moved_once_for_picture_and_sound() {
        let mut line = TimeLine::default();
        assert_eq!(line.place(1060 * MS, 1000 * MS), 1060 * MS);
        assert_eq!(line.place(1800 * MS, 1000 * MS), 1000 * MS);
        // sound of the same moment, arriving later
        assert_eq!(line.place(1800 * MS, 1050 * MS), 1000 * MS);
        assert_eq!(line.place(1840 * MS, 1030 * MS), 1040 * MS);
    }

    /// Places packets of a given age each 20 ms for `count` packets; returns the ages they end up with.
    fn ages(line: &mut TimeLine, count: u64, age: impl Fn(u64) -> u64) -> Vec<u64> {
        (0..count).map(|n| (10_000 + 20 * n, age(n))).map(|(now, age)| (now * MS - line.place((now - age) * MS, now * MS)) / MS).collect()
    }

    #[test]
    fn only_who_is_always_late_is_moved() {
        let mut line = TimeLine::default();
        let got = ages(&mut line, 200, |n| 800 + n % 5);
        assert_eq!((got[0], got[99], got[101], got[199]), (800, 804, 51, 54));
        // a cached GOP is old, but the newest of it is not
        let mut line = TimeLine::default();
        assert_eq!(ages(&mut line, 200, |n| 3000u64.saturating_sub(100 * n))[199], 0);
        assert_eq!(line.by, 0);
        // one packet in two seconds says nothing
        let mut line = TimeLine::default();
        for now in [10u64, 12, 14] {
            line.place(now * SECOND - 400 * MS, now * SECOND);
        }
        assert_eq!(line.by, 0);
    }

    proptest! {
        #[test]
        fn nothing_overflows(captured: u64, now: u64, rate: u32) {
            TimeLine::default().place(captured, now);
            let grid = Grid::new(rate);
            grid.time(grid.nearest(captured));
            grid.at_or_after(now);
            Screen::new(grid).place(captured, now);
        }
    }
}
