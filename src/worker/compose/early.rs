//! What came for slots that nobody has announced yet: kept for a while, up to a limit. Pure.

use crate::rtp::Format;
use std::collections::BTreeMap;

/// Bytes that are kept for all slots together. What is beyond is dropped; its slot then has a hole.
const LIMIT: usize = 16 * 1024 * 1024;
/// How long they are kept, in ns.
const KEPT: u64 = 5_000_000_000;

/// Access units by capture time (ns), each with its packets.
pub type Units = Vec<(u64, Vec<Vec<u8>>)>;

/// What came early, by slot.
#[derive(Default, Debug)]
pub struct Early {
    slots: BTreeMap<u8, Slot>,
    bytes: usize,
}

#[derive(Default, Debug)]
struct Slot {
    since: u64,
    format: Option<Format>,
    units: Units,
    bytes: usize,
}

impl Early {
    /// A slot's format; with it begins an epoch, and what came before is of no use.
    pub fn format(&mut self, slot: u8, format: Format, now: u64) {
        self.take(slot);
        self.slots.insert(slot, Slot { since: now, format: Some(format), ..Slot::default() });
    }

    /// Packets of a slot.
    pub fn packets<'a>(&mut self, slot: u8, captured_ns: u64, packets: impl Iterator<Item = &'a [u8]>, now: u64) {
        let slot = self.slots.entry(slot).or_insert_with(|| Slot { since: now, ..Slot::default() });
        let packets: Vec<Vec<u8>> = packets.map(<[u8]>::to_vec).collect();
        let bytes: usize = packets.iter().map(Vec::len).sum();
        if self.bytes + bytes <= LIMIT && now.saturating_sub(slot.since) < KEPT {
            slot.bytes += bytes;
            self.bytes += bytes;
            slot.units.push((captured_ns, packets));
        }
    }

    /// A slot is announced, or gone: what there is for it.
    pub fn take(&mut self, slot: u8) -> (Option<Format>, Units) {
        let slot = self.slots.remove(&slot).unwrap_or_default();
        self.bytes -= slot.bytes;
        (slot.format, slot.units)
    }

    /// Forgets packets that nobody wanted. A format is remembered: it is told only once.
    pub fn tick(&mut self, now: u64) {
        for slot in self.slots.values_mut().filter(|slot| now.saturating_sub(slot.since) >= KEPT) {
            slot.units = Vec::new();
            self.bytes -= std::mem::take(&mut slot.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Codec;

    const FORMAT: Format = Format { codec: Codec::Vp8, profile_level_id: None };

    fn push(early: &mut Early, slot: u8, captured: u64, length: usize, now: u64) {
        early.packets(slot, captured, std::iter::once(&vec![0; length][..]), now);
    }

    #[test]
    fn everything_since_the_format_is_kept() {
        let mut early = Early::default();
        push(&mut early, 1, 10, 100, 0);
        early.format(1, FORMAT, 1);
        push(&mut early, 1, 20, 100, 2);
        push(&mut early, 2, 30, 100, 2);
        assert_eq!(early.take(1), (Some(FORMAT), vec![(20, vec![vec![0; 100]])]));
        assert_eq!(early.take(1), (None, vec![]));
        assert_eq!((early.take(2).0, early.bytes), (None, 0));
    }

    #[test]
    fn it_is_bounded_in_bytes_and_time() {
        let mut early = Early::default();
        early.format(1, FORMAT, 0);
        for slot in [1, 2] {
            (0..200).for_each(|captured| push(&mut early, slot, captured, LIMIT / 300, 0));
        }
        assert!(early.bytes <= LIMIT);
        early.tick(KEPT);
        assert_eq!(early.bytes, 0);
        push(&mut early, 1, 0, 100, KEPT);
        assert_eq!(early.take(1), (Some(FORMAT), vec![]));
        push(&mut early, 1, 0, 100, KEPT);
        assert_eq!(early.take(1).1.len(), 1);
    }
}
