//! The index of one track in memory: what the finished file's sample table says, 4 to 20 bytes a sample (typically 4 to 12).
//!
//! Filled chunk by chunk, in the same way by the writer and by recovery, so that both finish a file with the same bytes. Only
//! [`Table::add`] changes it.

use mp4_atom::{Co64, Ctts, CttsEntry, Stbl, Stco, Stsc, StscEntry, Stsd, Stss, Stsz, StszSamples, Stts, SttsEntry};

/// Times beyond this (in ticks) are broken input; sums of a few of them still fit their integers.
const TIME_MAX: u64 = 1 << 60;

/// One sample of a chunk. Times in the track's ticks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub size: u32,
    pub duration: u32,
    /// Presentation time minus decoding time.
    pub composition: i32,
    pub key: bool,
}

/// Why a chunk cannot follow: its time and the one it has to be after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Misfit {
    Backwards { last: u64 },
    Jump { last: u64 },
}

#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Table {
    /// Decoding time of the first sample.
    start: u64,
    /// Decoding time at which the next sample is expected, and that of the last one.
    end: u64,
    last: u64,
    /// Composition offsets of the first and the last sample.
    first_composition: i32,
    last_composition: i32,
    /// The latest end of a presentation, without the last sample's.
    shown_before_last: i64,
    durations: Stts,
    compositions: Ctts,
    sizes: Vec<u32>,
    keys: Stss,
    runs: Stsc,
    chunks: Vec<u64>,
}

impl Table {
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// The last sample's decoding time.
    pub fn last(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.last)
    }

    /// Whether a chunk whose first sample is decoded at `dts` may follow.
    pub fn check(&self, dts: u64) -> Result<(), Misfit> {
        let Some(last) = self.last() else {
            return if dts > TIME_MAX { Err(Misfit::Jump { last: 0 }) } else { Ok(()) };
        };
        match dts.checked_sub(last) {
            None | Some(0) => Err(Misfit::Backwards { last }),
            Some(step) if step > u64::from(u32::MAX) || dts > TIME_MAX => Err(Misfit::Jump { last }),
            Some(_) => Ok(()),
        }
    }

    /// Adds a chunk that [`Table::check`] allowed and that lies at `offset` of the file. Where it begins later or earlier than
    /// the chunk before it ended, that one's last sample lasts until then.
    pub fn add(&mut self, offset: u64, dts: u64, samples: &[Entry]) {
        let Some(first) = samples.first() else { return };
        if self.is_empty() {
            self.start = dts;
            self.first_composition = first.composition;
        } else if dts != self.end {
            self.replace_last_duration((dts - self.last) as u32);
        }
        self.end = dts;
        self.chunks.push(offset);
        let samples_per_chunk = samples.len() as u32;
        if self.runs.entries.last().is_none_or(|run| run.samples_per_chunk != samples_per_chunk) {
            let first_chunk = self.chunks.len() as u32;
            self.runs.entries.push(StscEntry { first_chunk, samples_per_chunk, sample_description_index: 1 });
        }
        for sample in samples {
            self.add_sample(sample);
        }
    }

    fn add_sample(&mut self, sample: &Entry) {
        if !self.is_empty() {
            self.shown_before_last = self.shown_before_last.max(self.last_shown_until());
        }
        self.last = self.end;
        self.last_composition = sample.composition;
        self.end += u64::from(sample.duration);
        self.sizes.push(sample.size);
        if sample.key {
            self.keys.entries.push(self.sizes.len() as u32);
        }
        self.push_duration(sample.duration);
        let sample_offset = i64::from(sample.composition);
        match self.compositions.entries.last_mut() {
            Some(run) if run.sample_offset == sample_offset => run.sample_count += 1,
            _ => self.compositions.entries.push(CttsEntry { sample_count: 1, sample_offset }),
        }
    }

    fn push_duration(&mut self, sample_delta: u32) {
        match self.durations.entries.last_mut() {
            Some(run) if run.sample_delta == sample_delta => run.sample_count += 1,
            _ => self.durations.entries.push(SttsEntry { sample_count: 1, sample_delta }),
        }
    }

    fn replace_last_duration(&mut self, duration: u32) {
        if let Some(run) = self.durations.entries.last_mut() {
            run.sample_count -= 1;
            if run.sample_count == 0 {
                self.durations.entries.pop();
            }
            self.push_duration(duration);
            self.end = self.last + u64::from(duration);
        }
    }

    fn last_shown_until(&self) -> i64 {
        self.end as i64 + i64::from(self.last_composition)
    }

    /// Sum of all durations.
    pub fn media_length(&self) -> u64 {
        self.end - self.start
    }

    /// When the first sample is shown, on the clock the times were given on.
    pub fn shown_from(&self) -> i64 {
        self.start as i64 + i64::from(self.first_composition)
    }

    /// For how long samples are shown, from the first one's presentation on.
    pub fn shown_for(&self) -> u64 {
        let until = self.shown_before_last.max(self.last_shown_until());
        u64::try_from(until - self.shown_from()).unwrap_or(0)
    }

    /// Where in the track's own time, which begins at 0 with the first decoding, the presentation begins.
    pub fn media_start(&self) -> u64 {
        u64::try_from(self.first_composition).unwrap_or(0)
    }

    /// The sample table box. `with_keys`: not every sample is a keyframe.
    pub fn boxes(&self, stsd: &Stsd, with_keys: bool) -> Stbl {
        let composed = self.compositions.entries.iter().any(|run| run.sample_offset != 0);
        let wide = self.chunks.last().is_some_and(|&last| u32::try_from(last).is_err());
        Stbl {
            stsd: stsd.clone(),
            stts: self.durations.clone(),
            ctts: composed.then(|| self.compositions.clone()),
            stss: with_keys.then(|| self.keys.clone()),
            stsc: self.runs.clone(),
            stsz: Stsz { samples: StszSamples::Different { sizes: self.sizes.clone() } },
            stco: (!wide).then(|| Stco { entries: self.chunks.iter().map(|&offset| offset as u32).collect() }),
            co64: wide.then(|| Co64 { entries: self.chunks.clone() }),
            ..Stbl::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(duration: u32, composition: i32, key: bool) -> Entry {
        Entry { size: 10, duration, composition, key }
    }

    #[test]
    fn equal_neighbours_share_a_run() {
        let mut table = Table::default();
        table.add(100, 0, &[sample(3600, 0, true), sample(3600, 0, false)]);
        table.add(200, 7200, &[sample(3600, 0, false), sample(3600, 0, true)]);
        table.add(300, 14400, &[sample(3600, 0, false)]);
        let boxes = table.boxes(&Stsd::default(), true);
        assert_eq!(boxes.stts.entries, [SttsEntry { sample_count: 5, sample_delta: 3600 }]);
        assert_eq!(boxes.stss.unwrap().entries, [1, 4]);
        let runs: Vec<_> = boxes.stsc.entries.iter().map(|run| (run.first_chunk, run.samples_per_chunk)).collect();
        assert_eq!(runs, [(1, 2), (3, 1)]);
        assert_eq!(boxes.stco.unwrap().entries, [100, 200, 300]);
        assert!(boxes.ctts.is_none() && boxes.co64.is_none());
        assert_eq!((table.media_length(), table.shown_for(), table.last()), (18000, 18000, Some(14400)));
    }

    #[test]
    fn a_gap_or_an_overlap_changes_the_last_duration() {
        for (second, delta) in [(3600 + 1000, 4600), (3600 - 1000, 2600)] {
            let mut table = Table::default();
            table.add(100, 50, &[sample(3600, 0, true)]);
            assert_eq!(table.check(50 + second), Ok(()));
            table.add(200, 50 + second, &[sample(3600, 0, true)]);
            let deltas: Vec<_> = table.boxes(&Stsd::default(), false).stts.entries.iter().map(|run| run.sample_delta).collect();
            assert_eq!(deltas, [delta, 3600]);
            assert_eq!(table.media_length(), second + 3600);
            assert_eq!(table.shown_for(), second + 3600);
            assert_eq!(table.shown_from(), 50);
        }
    }

    #[test]
    fn time_neither_stands_still_nor_leaps() {
        let mut table = Table::default();
        assert_eq!(table.check(u64::MAX), Err(Misfit::Jump { last: 0 }));
        table.add(0, 1000, &[sample(10, 0, true)]);
        for (dts, expected) in [
            (1000, Err(Misfit::Backwards { last: 1000 })),
            (0, Err(Misfit::Backwards { last: 1000 })),
            (1001, Ok(())),
            (1000 + (1 << 32) - 1, Ok(())),
            (1000 + (1 << 32), Err(Misfit::Jump { last: 1000 })),
        ] {
            assert_eq!(table.check(dts), expected, "{dts}");
        }
    }

    #[test]
    fn reordered_pictures_are_shown_until_the_latest_ends() {
        // Decoded I P B B, shown I B B P; then cut before the next reordering is complete.
        let mut table = Table::default();
        let offsets = [2, 4, 1, 1, 4];
        let samples: Vec<Entry> = offsets.iter().enumerate().map(|(i, &offset)| sample(1, offset, i == 0)).collect();
        table.add(100, 10, &samples);
        assert_eq!(table.shown_from(), 12);
        assert_eq!(table.media_start(), 2);
        assert_eq!(table.media_length(), 5);
        assert_eq!(table.shown_for(), 9 - 2, "the last one is decoded at 4 and shown from 8 to 9");
        assert_eq!(table.boxes(&Stsd::default(), true).ctts.unwrap().entries.len(), 4);
    }

    #[test]
    fn offsets_beyond_4_gb_are_wide() {
        let mut table = Table::default();
        table.add(u64::from(u32::MAX), 0, &[sample(1, 0, true)]);
        assert!(table.boxes(&Stsd::default(), false).stco.is_some());
        table.add(u64::from(u32::MAX) + 1, 1, &[sample(1, 0, true)]);
        assert_eq!(table.boxes(&Stsd::default(), false).co64.unwrap().entries, [u32::MAX.into(), u64::from(u32::MAX) + 1]);
    }
}
