//! 16-bit sequence numbers made 64 bits long, so that nothing above has to think of the wrap.

/// Extends sequence numbers by the nearest distance to the highest one seen (RFC 3550 A.1).
#[derive(Clone, Copy, Debug, Default)]
pub struct Extender {
    highest: Option<u64>,
}

/// Extended numbers begin here, so that packets older than the first one do not go below zero.
pub const BASE: u64 = 1 << 32;

impl Extender {
    /// The extended number of `sequence`; a packet that comes late gets its place before the others.
    pub fn extend(&mut self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else {
            let first = BASE + u64::from(sequence);
            self.highest = Some(first);
            return first;
        };
        let distance = sequence.wrapping_sub(highest as u16) as i16;
        let extended = highest.saturating_add_signed(i64::from(distance));
        self.highest = Some(highest.max(extended));
        extended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wrap_goes_on_and_a_late_packet_goes_back() {
        let mut extender = Extender::default();
        assert_eq!(extender.extend(65_534), BASE + 65_534);
        assert_eq!(extender.extend(1), BASE + 65_537);
        assert_eq!(extender.extend(65_535), BASE + 65_535);
        assert_eq!(extender.extend(2), BASE + 65_538);
    }

    proptest! {
        #[test]
        fn steps_below_half_the_range_are_kept(start: u16, steps in proptest::collection::vec(-1000i64..1000, 1..200)) {
            let mut extender = Extender::default();
            let mut at = extender.extend(start) as i64;
            for step in steps {
                at += step;
                prop_assert_eq!(extender.extend(at as u16) as i64, at);
                at = at.max(extender.highest.unwrap() as i64);
            }
        }
    }
}
