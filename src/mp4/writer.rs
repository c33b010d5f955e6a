//! Steps W1 to W6: samples come in, and every call of [`Writer::flush`] makes one fragment of them that survives a power cut.
//!
//! The writer owns its file and the tables of what is committed in it. It blocks on the disk: it belongs on a thread of its own.

use std::fs::{File, OpenOptions};
use std::path::Path;

use super::fragment::{self, ALIGNMENT, BOX, Chunk};
use super::movie::{self, Track};
use super::scan::{self, Layout};
use super::table::{Entry, Misfit};
use super::{Error, Format, HOLE, HOLE_AT, Kind, Step, Storage, Summary, WIDE_BOX, finish};
use crate::disk;

/// Samples kept back for the next fragment; when there are more bytes than this, [`Writer::push`] flushes by itself.
const PENDING_MAX: usize = 16 << 20;
/// The largest sample, in bytes.
const SAMPLE_MAX: usize = 64 << 20;

/// One coded picture or one coded piece of sound. Times in the track's ticks: 1/90 000 s, or samples of the sound.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    pub kind: Kind,
    /// Decoding time; grows from sample to sample of a track.
    pub dts: u64,
    /// Presentation time, on one clock with the other track; equals `dts` without reordered pictures.
    pub pts: u64,
    /// Until the next sample. Where that one begins at another time, its time is what counts.
    pub duration: u32,
    /// Decodable without others. Sound always is.
    pub key: bool,
    pub data: &'a [u8],
}

/// A recording being written.
#[derive(Debug)]
pub struct Writer<S: Storage = File> {
    storage: S,
    tracks: Vec<Track>,
    /// The samples of the next fragment, per track.
    pending: Vec<Chunk>,
    /// Whether the picture must go on with a keyframe, as at the beginning and after a resumption.
    needs_key: bool,
    hole: u64,
    /// Fragments so far.
    sequence: u32,
    /// Where the committed fragments end.
    end: u64,
    broken: bool,
}

impl Writer<File> {
    /// Begins the recording `path`: steps W1 to W3. The file appears under its name when its header is safe.
    pub fn create(path: &Path, format: &Format) -> Result<Writer<File>, Error> {
        if path.exists() {
            return Err(Error::Exists);
        }
        let temporary = disk::temporary(path);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&temporary);
        let writer = Writer::begin(file.map_err(|source| Step::Open.failed(source))?, format, HOLE);
        match writer.and_then(|writer| Ok(disk::publish(&temporary, path).map(|()| writer)?)) {
            Ok(writer) => Ok(writer),
            Err(error) => {
                // What cannot be removed now is a leftover for the next sweep.
                let _ = std::fs::remove_file(&temporary);
                Err(error)
            }
        }
    }

    /// Goes on with the recording `path` behind its last complete fragment, finished or not: for the successor of a writer that
    /// died, or that gave up and finished what it had.
    ///
    /// The times go on, too: a pause shows as the last picture before it. [`Error::OtherFormats`], and the file stays as it is, if
    /// the samples would not be decodable with what it says of them.
    pub fn resume(path: &Path, format: &Format) -> Result<Writer<File>, Error> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|source| Step::Open.failed(source))?;
        Writer::go_on(file, format, HOLE)
    }
}

impl<S: Storage> Writer<S> {
    /// Writes and syncs the header: W1 and W2. `hole` is the room kept for the index, in bytes.
    pub(super) fn begin(mut storage: S, format: &Format, hole: u64) -> Result<Writer<S>, Error> {
        let tracks = movie::tracks(format)?;
        let moov = movie::header(&tracks)?;
        let hole = hole_before(&moov, hole);
        let mut front = movie::file_type()?;
        front.extend_from_slice(&u32::try_from(hole).map_err(|_| Error::NotOurs("its hole is beyond 4 GB"))?.to_be_bytes());
        front.extend_from_slice(b"free");
        storage.write_at(0, &front).map_err(|source| Step::WriteHeader.failed(source))?;
        storage.write_at(HOLE_AT + hole, &moov).map_err(|source| Step::WriteHeader.failed(source))?;
        storage.sync().map_err(|source| Step::SyncHeader.failed(source))?;
        Ok(Writer::new(storage, tracks, hole, 0, HOLE_AT + hole + moov.len() as u64))
    }

    /// As [`Writer::resume`]; `hole` is the room that its writer kept for the index.
    pub(super) fn go_on(mut storage: S, format: &Format, hole: u64) -> Result<Writer<S>, Error> {
        let wanted = movie::tracks(format)?;
        if let Layout::Finished(_) = scan::scan(&storage)? {
            let header = movie::header(&wanted)?;
            finish::reopen(&mut storage, &header, hole_before(&header, hole))?;
        }
        let Layout::Unfinished(found) = scan::scan(&storage)? else { return Err(Error::NotOurs("it cannot be opened again")) };
        if wanted.len() != found.tracks.len() || !wanted.iter().zip(&found.tracks).all(|(a, b)| a.same_format(b)) {
            return Err(Error::OtherFormats);
        }
        storage.set_len(found.end).map_err(|source| Step::CutTail.failed(source))?;
        // The predecessor may have died before its last sync; a fragment behind this one says that this one is safe.
        storage.sync().map_err(|source| Step::SyncFragment.failed(source))?;
        Ok(Writer::new(storage, found.tracks, found.hole, found.fragments, found.end))
    }

    fn new(storage: S, tracks: Vec<Track>, hole: u64, sequence: u32, end: u64) -> Writer<S> {
        let pending = tracks.iter().map(|track| Chunk::new(track.id, track.kind)).collect();
        Writer { storage, tracks, pending, needs_key: true, hole, sequence, end, broken: false }
    }

    /// Takes a sample for the next fragment. One that is refused changes nothing; later ones may be taken.
    pub fn push(&mut self, sample: Sample) -> Result<(), Error> {
        if self.broken {
            return Err(Error::Broken);
        }
        if sample.data.is_empty() || sample.data.len() > SAMPLE_MAX {
            return Err(Error::SampleSize(sample.data.len()));
        }
        let kind = sample.kind;
        let at = self.tracks.iter().position(|track| track.kind == kind).ok_or(Error::NoSuchTrack(kind))?;
        let entry = Entry {
            size: sample.data.len() as u32,
            duration: sample.duration,
            composition: self.composition(at, &sample)?,
            key: sample.key || kind == Kind::Audio,
        };
        if kind == Kind::Video && self.needs_key && !sample.key {
            return Err(Error::NotAKeyframe);
        }
        self.check_time(at, sample.dts)?;
        if self.pending_bytes() + sample.data.len() > PENDING_MAX {
            self.flush()?;
        }
        self.append(at, sample.dts, entry, sample.data);
        self.needs_key &= kind == Kind::Audio;
        Ok(())
    }

    /// Bytes of samples that the next [`Writer::flush`] will write.
    pub fn pending_bytes(&self) -> usize {
        self.pending.iter().map(|chunk| chunk.payload.len()).sum()
    }

    /// Bytes of the file so far.
    pub fn size(&self) -> u64 {
        self.end
    }

    fn composition(&self, at: usize, sample: &Sample) -> Result<i32, Error> {
        let refused = Error::Composition { dts: sample.dts, pts: sample.pts };
        let composition = i128::from(sample.pts) - i128::from(sample.dts);
        let Ok(composition) = i32::try_from(composition) else { return Err(refused) };
        // The presentation begins with the first sample, and a track's own time at 0.
        let first = self.tracks[at].table.is_empty() && self.pending[at].samples.is_empty();
        if first && composition < 0 { Err(refused) } else { Ok(composition) }
    }

    fn check_time(&self, at: usize, dts: u64) -> Result<(), Error> {
        let kind = self.tracks[at].kind;
        let misfit = match pending_last(&self.pending[at]) {
            None => self.tracks[at].table.check(dts).err(),
            Some(last) if dts <= last => Some(Misfit::Backwards { last }),
            Some(last) if dts - last > u64::from(u32::MAX) => Some(Misfit::Jump { last }),
            Some(_) => None,
        };
        match misfit {
            None => Ok(()),
            Some(Misfit::Backwards { last }) => Err(Error::Backwards { kind, dts, last }),
            Some(Misfit::Jump { last }) => Err(Error::Jump { kind, dts, last }),
        }
    }

    fn append(&mut self, at: usize, dts: u64, entry: Entry, data: &[u8]) {
        let chunk = &mut self.pending[at];
        match pending_last(chunk) {
            None => chunk.dts = dts,
            Some(last) => {
                if let Some(before) = chunk.samples.last_mut() {
                    before.duration = (dts - last) as u32;
                }
            }
        }
        chunk.samples.push(entry);
        chunk.payload.extend_from_slice(data);
    }

    /// Makes the samples taken so far one fragment: W4 to W6. When it returns, a power cut cannot take them back. Nothing
    /// happens without samples.
    ///
    /// After an error these samples are lost and no more are taken; what was committed before can be finished.
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.broken {
            return Err(Error::Broken);
        }
        let chunks: Vec<Chunk> = self.pending.iter_mut().filter(|chunk| !chunk.samples.is_empty()).map(Chunk::take).collect();
        if chunks.is_empty() {
            return Ok(());
        }
        self.commit(&chunks).inspect_err(|_| self.broken = true)
    }

    fn commit(&mut self, chunks: &[Chunk]) -> Result<(), Error> {
        let fragment = fragment::encode(self.sequence + 1, chunks)?;
        let (header, rest) = fragment.bytes.split_at(BOX);
        self.storage.write_at(self.end + BOX as u64, rest).map_err(|source| Step::WriteFragment.failed(source))?;
        self.storage.write_at(self.end, header).map_err(|source| Step::CommitFragment.failed(source))?;
        self.storage.sync().map_err(|source| Step::SyncFragment.failed(source))?;
        for (chunk, offset) in chunks.iter().zip(fragment.offsets) {
            if let Some(track) = self.tracks.iter_mut().find(|track| track.id == chunk.track) {
                track.table.add(self.end + offset, chunk.dts, &chunk.samples);
            }
        }
        self.sequence += 1;
        self.end += fragment.bytes.len() as u64;
        Ok(())
    }

    /// Writes what is pending and finishes the file: F1 to F5. Milliseconds, whatever its size.
    ///
    /// After a failed write it finishes what was committed before. When it fails itself, the file is as playable as it was, and
    /// [`recover`](super::recover) can finish it later.
    pub fn finish(mut self) -> Result<Summary, Error> {
        // A failure of the last fragment must not cost the others their index.
        let flushed = if self.broken { Ok(()) } else { self.flush() };
        finish::finish(&mut self.storage, &self.tracks, self.hole, self.end)?;
        flushed?;
        let size = self.storage.len().map_err(|source| Step::Read.failed(source))?;
        Ok(Summary::of(&self.tracks, size, true))
    }
}

/// Bytes of the hole before the header `moov`, where `least` are wanted.
fn hole_before(moov: &[u8], least: u64) -> u64 {
    // A `free` box of 8 bytes would say "finished"; the wide switch needs 16.
    let least = least.max(WIDE_BOX as u64);
    // The fragments begin at a multiple of ALIGNMENT: the hole makes up for the `moov`.
    (HOLE_AT + least + moov.len() as u64).next_multiple_of(ALIGNMENT) - HOLE_AT - moov.len() as u64
}

/// The decoding time of a pending chunk's last sample.
fn pending_last(chunk: &Chunk) -> Option<u64> {
    let (_, before) = chunk.samples.split_last()?;
    Some(chunk.dts + before.iter().map(|sample| u64::from(sample.duration)).sum::<u64>())
}
