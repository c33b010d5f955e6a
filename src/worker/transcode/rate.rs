//! How fast the source sends, and how fast what is made of it shall be sent. Pure; times are capture times in ns.

/// Media of so much time makes one measurement.
const WINDOW: u64 = 2_000_000_000;
/// A step in time that is no time at all: the source was away.
const GAP: u64 = 5_000_000_000;
/// Pictures a second that every encoder is told of: what streams say of themselves is often wrong, or missing.
pub const TOLD: u32 = 30;
/// A change by less than this share of the present rate is not worth telling an encoder, in percent.
const WORTH_IT: u32 = 15;

/// What a source sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// kbit/s.
    pub kbps: u32,
    /// Pictures a second, one at least.
    pub pictures: u32,
}

/// Measures the source.
#[derive(Default, Debug)]
pub struct Meter {
    window: Option<Window>,
    pace: Option<Pace>,
}

#[derive(Debug)]
struct Window {
    began: u64,
    bytes: u64,
    pictures: u64,
}

impl Meter {
    /// Takes a unit, which is a picture; the pace, smoothed, whenever it was measured anew.
    pub fn take(&mut self, captured: u64, bytes: usize) -> Option<Pace> {
        let bytes = bytes as u64;
        let window = match &mut self.window {
            Some(window) if captured >= window.began && captured - window.began < GAP => window,
            _ => {
                self.window = Some(Window { began: captured, bytes, pictures: 1 });
                return None;
            }
        };
        let span = captured - window.began;
        if span < WINDOW {
            window.bytes += bytes;
            window.pictures += 1;
            return None;
        }
        // bits in a ms are kbit in a s
        let measured = u32::try_from(window.bytes * 8 / (span / 1_000_000)).unwrap_or(u32::MAX);
        let pictures = u32::try_from((window.pictures * 1_000_000_000 + span / 2) / span).unwrap_or(u32::MAX).max(1);
        self.window = Some(Window { began: captured, bytes, pictures: 1 });
        let kbps = self.pace.map_or(measured, |before| before.kbps / 2 + measured / 2);
        self.pace = Some(Pace { kbps, pictures });
        self.pace
    }
}

/// The bounds a rate is kept in, kbit/s.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub min: u32,
    pub max: u32,
}

impl Bounds {
    /// What is sent of a source of this rate. A fifth more than it: what is encoded a second time needs that to look the same.
    pub fn of_source(self, kbps: u32) -> u32 {
        self.within(kbps.saturating_add(kbps / 5))
    }

    /// What is sent of a picture of so many pixels before its source was measured: 0.07 bit for each of 30 a second.
    pub fn of_size(self, pixels: u32) -> u32 {
        self.within(u32::try_from(u64::from(pixels) * 21 / 10_000).unwrap_or(u32::MAX))
    }

    fn within(self, kbps: u32) -> u32 {
        kbps.min(self.max).max(self.min.min(self.max)).max(1)
    }
}

/// What an encoder is told that was told of 30 pictures a second and counts them, so that it keeps the rate.
pub fn for_pictures(kbps: u32, pictures: u32) -> u32 {
    u32::try_from(u64::from(kbps) * u64::from(TOLD) / u64::from(pictures.clamp(5, 120))).unwrap_or(u32::MAX)
}

/// Is it worth changing the rate?
pub fn differs(present: u32, wanted: u32) -> bool {
    u64::from(present.abs_diff(wanted)) * 100 > u64::from(present) * u64::from(WORTH_IT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn the_rate_is_that_of_the_media_however_fast_it_comes() {
        let mut meter = Meter::default();
        // 25 pictures of 5000 bytes a second are 1000 kbit/s
        let paces: Vec<Pace> = (0..200).filter_map(|n| meter.take(n * 40 * MS, 5000)).collect();
        assert_eq!(paces, [Pace { kbps: 1000, pictures: 25 }; 3]);
        let rates: Vec<u32> = (200..400).filter_map(|n| meter.take(n * 40 * MS, 10_000)).map(|pace| pace.kbps).collect();
        assert!(rates.is_sorted() && *rates.last().unwrap() > 1800, "{rates:?}");
        // the source was away, and its clock may be another
        assert_eq!(meter.take(100_000 * MS, 1), None);
        assert_eq!(meter.take(0, 1), None);
    }

    #[test]
    fn bounds_hold_and_small_changes_are_none() {
        let bounds = Bounds { min: 300, max: 1000 };
        for (source, kbps) in [(0, 300), (500, 600), (2000, 1000)] {
            assert_eq!(bounds.of_source(source), kbps);
        }
        assert_eq!((bounds.of_size(640 * 360), bounds.of_size(1280 * 720)), (483, 1000));
        assert_eq!(Bounds { min: 500, max: 200 }.of_source(1), 200, "the upper bound is the one that counts");
        assert_eq!([15, 30, 60, 0].map(|pictures| for_pictures(600, pictures)), [1200, 600, 300, 3600]);
        assert!(!differs(1000, 1150) && differs(1000, 1151) && differs(1000, 800) && !differs(0, 0));
    }

    proptest! {
        #[test]
        fn no_times_make_it_panic(units in proptest::collection::vec((any::<u64>(), 0usize..1 << 20), 0..50), min: u32, max: u32) {
            let (mut meter, bounds) = (Meter::default(), Bounds { min, max });
            for (captured, bytes) in units {
                if let Some(pace) = meter.take(captured, bytes) {
                    prop_assert!(bounds.of_source(pace.kbps) <= max.max(1) && pace.pictures > 0);
                }
            }
        }
    }
}
