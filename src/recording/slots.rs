//! Which track has which slot of a composer's media socket, for one process. Pure; written by the recording's task alone.
//!
//! A number is used again only when all others had their turn: what an old track left in the socket is not taken for the new one.

use super::plan::Cast;
use crate::ids::{StreamId, TrackId};
use crate::rtp::Kind;
use std::collections::BTreeMap;

/// A slot in use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slot {
    pub number: u8,
    pub source: StreamId,
    pub track: TrackId,
    pub kind: Kind,
}

/// The slots in use, by track.
#[derive(Debug, Default)]
pub struct Slots {
    used: BTreeMap<TrackId, Slot>,
    next: u8,
}

/// What has to be said to make the slots what they shall be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    pub removed: Vec<Slot>,
    pub added: Vec<Slot>,
    /// Tracks for which no number was free.
    pub refused: usize,
}

impl Slots {
    /// Makes them those of `cast`, of the kinds that are recorded.
    pub fn become_those_of(&mut self, cast: &[Cast], audio: bool, video: bool) -> Change {
        let tracks = |cast: &Cast| {
            let video = cast.video.filter(|_| video).map(|track| (track, Kind::Video));
            let audio = cast.audio.filter(|_| audio).map(|track| (track, Kind::Audio));
            [video, audio].into_iter().flatten().map(|(track, kind)| (track, kind, cast.stream.clone())).collect::<Vec<_>>()
        };
        let wanted: Vec<_> = cast.iter().flat_map(tracks).collect();
        let gone: Vec<TrackId> = self.used.keys().filter(|track| !wanted.iter().any(|(wanted, ..)| wanted == *track)).copied().collect();
        let mut change = Change { removed: gone.iter().filter_map(|track| self.used.remove(track)).collect(), ..Change::default() };
        for (track, kind, source) in wanted {
            if self.used.contains_key(&track) {
                continue;
            }
            match self.free_number() {
                Some(number) => {
                    let slot = Slot { number, source, track, kind };
                    self.used.insert(track, slot.clone());
                    change.added.push(slot);
                }
                None => change.refused += 1,
            }
        }
        change
    }

    /// Gives all up: the process is gone. Its successor gets other numbers.
    pub fn clear(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.used).into_values().collect()
    }

    fn free_number(&mut self) -> Option<u8> {
        for _ in 0..=u8::MAX {
            let number = self.next;
            self.next = self.next.wrapping_add(1);
            if !self.used.values().any(|slot| slot.number == number) {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionKey;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn cast(n: u32) -> Cast {
        let track = |n| Some(TrackId::new(SessionKey(1), n));
        Cast { stream: format!("str_{n}").into(), audio: track(2 * n), video: track(2 * n + 1) }
    }

    #[test]
    fn only_what_is_recorded_has_a_slot() {
        for (audio, video, kinds) in
            [(true, false, vec![Kind::Audio]), (false, true, vec![Kind::Video]), (true, true, vec![Kind::Video, Kind::Audio])]
        {
            let change = Slots::default().become_those_of(&[cast(1)], audio, video);
            assert_eq!(change.added.iter().map(|slot| slot.kind).collect::<Vec<_>>(), kinds);
            assert!(change.added.iter().all(|slot| slot.source.as_str() == "str_1"));
        }
    }

    #[test]
    fn a_successor_gets_other_numbers() {
        let mut slots = Slots::default();
        let first = slots.become_those_of(&[cast(1)], true, true).added;
        assert_eq!(slots.clear().len(), 2);
        let second = slots.become_those_of(&[cast(1)], true, true).added;
        assert!(first.iter().all(|old| second.iter().all(|new| old.number != new.number)));
    }

    #[test]
    fn more_than_there_are_numbers_are_refused() {
        let all: Vec<_> = (0..130).map(cast).collect();
        let change = Slots::default().become_those_of(&all, true, true);
        assert_eq!((change.added.len(), change.refused), (256, 4));
    }

    proptest! {
        #[test]
        fn numbers_are_unique_and_follow_the_cast(steps in proptest::collection::vec(proptest::collection::btree_set(0u32..12, 0..8), 0..60)) {
            let mut slots = Slots::default();
            let mut there: BTreeMap<u8, TrackId> = BTreeMap::new();
            for step in steps {
                let wanted: Vec<_> = step.iter().map(|n| cast(*n)).collect();
                let change = slots.become_those_of(&wanted, true, true);
                for slot in change.removed {
                    prop_assert_eq!(there.remove(&slot.number), Some(slot.track));
                }
                for slot in change.added {
                    prop_assert!(there.insert(slot.number, slot.track).is_none());
                }
                let tracks: BTreeSet<_> = there.values().copied().collect();
                let expected: BTreeSet<_> = wanted.iter().flat_map(|cast| [cast.audio.unwrap(), cast.video.unwrap()]).collect();
                prop_assert_eq!(tracks, expected);
            }
        }
    }
}
