//! Which decoded pictures are encoded, and how long each is shown. Pure; times are capture times in ns.

/// A picture so much older than the newest that has come is only there to decode those after it: a cached GOP is decoded as fast
/// as may be and encoded from its end on. The same rule clears what gathers before an encoder that does not keep up.
const BEHIND: u64 = 250_000_000;
/// What a picture lasts when nothing else is known.
const USUAL: u64 = 33_333_333;
/// No picture lasts longer: its successor is late.
const LONGEST: u64 = 500_000_000;

/// The pictures of one source.
#[derive(Default, Debug)]
pub struct Pictures {
    last: Option<u64>,
}

impl Pictures {
    /// How long the picture captured at `captured` lasts, or `None` when it is not encoded. `newest` is the capture time of the
    /// last unit that was given to the decoder. Time only grows: a source that goes back in it, by a little, is
    /// waited for.
    pub fn take(&mut self, captured: u64, newest: u64) -> Option<u64> {
        if self.last.is_some_and(|last| captured <= last) || captured.saturating_add(BEHIND) < newest {
            return None;
        }
        let last = self.last.replace(captured);
        Some(last.map_or(USUAL, |last| (captured - last).min(LONGEST)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_cached_gop_is_skipped_up_to_its_end() {
        let mut pictures = Pictures::default();
        let newest = 10_000 * MS;
        let shown: Vec<u64> = (0..=100).map(|n| (6000 + 40 * n) * MS).filter(|at| pictures.take(*at, newest).is_some()).collect();
        assert_eq!((shown.len(), shown[0], *shown.last().unwrap()), (7, 9760 * MS, 10_000 * MS));
        assert_eq!(pictures.take(10_040 * MS, 10_040 * MS), Some(40 * MS));
    }

    #[test]
    fn time_only_grows() {
        let mut pictures = Pictures::default();
        assert_eq!(pictures.take(5000 * MS, 5000 * MS), Some(USUAL));
        assert_eq!(pictures.take(5000 * MS, 5000 * MS), None);
        assert_eq!(pictures.take(4900 * MS, 5000 * MS), None);
        assert_eq!(pictures.take(9000 * MS, 9000 * MS), Some(LONGEST));
    }

    proptest! {
        #[test]
        fn no_picture_lasts_nothing(steps in proptest::collection::vec((0u64..u64::MAX, 0u64..u64::MAX), 0..50)) {
            let mut pictures = Pictures::default();
            for (captured, newest) in steps {
                prop_assert!(pictures.take(captured, newest).is_none_or(|lasts| lasts > 0 && lasts <= LONGEST));
            }
        }
    }
}
