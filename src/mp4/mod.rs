//! The file of a recording: written in fragments, finished in place in milliseconds, recovered by a scan.
//!
//! A [`Writer`] owns the file it writes and is the only one to change it; after its end [`recover`] is. Whoever does either
//! holds the folder's lock ([`crate::disk::FolderLock`]). Everything here blocks on the disk and knows neither GStreamer nor the
//! library of recordings. Boxes are made and read by `mp4-atom`; what is in them and the order of writes are ours.
//!
//! # Layouts
//!
//! | state | layout |
//! |---|---|
//! | recording | `ftyp(32) free(hole) moov+mvex (moof mdat)*` |
//! | finished, the index fits the hole | `ftyp(32) free(8) moov mdat(64-bit size: all the rest)` |
//! | finished, it does not fit | `ftyp(32) mdat(64-bit size: all the rest) moov` |
//!
//! The hole of 4 MB is sparse: it takes no room on disk. Its index suffices for 1.4 hours at the worst and 3 hours typically
//! (25 pictures a second, AAC); longer recordings get theirs at the end. A finished file is a plain MP4 file; the fragments'
//! descriptions lie unseen inside its `mdat`.
//!
//! # Steps
//!
//! Write ([`Writer::create`], then [`Writer::flush`] twice a second):
//! - **W1** write `ftyp`, the header of `free` and, behind the hole, `moov`, under a temporary name.
//! - **W2** sync it.
//! - **W3** rename it to its own name, sync the folder.
//! - **W4** write a fragment (one chunk a track, padding, checksum) behind the last one, except its first 8 bytes.
//! - **W5** write these 8 bytes, the header of its `moof`.
//! - **W6** sync.
//!
//! A successor ([`Writer::resume`]) of a writer that died does R1 and F1, syncs, and goes on with W4. Where the writer had finished
//! the file, it makes it one of fragments again before:
//! - **O1** overwrite the header of what follows `ftyp` with that of the hole as it was. The `moov` behind the hole is still there.
//! - **O2** sync.
//!
//! Finish ([`Writer::finish`]):
//! - **F1** cut what lies behind the last committed fragment, if a write failed.
//! - **F2** write the index and the header of `mdat` into the hole behind its own header; or, where they do not fit, the index
//!   behind the fragments, hidden in a `free` box.
//! - **F3** sync.
//! - **F4** the switch: overwrite the 4 bytes of the size of `free` with 8; or its header with the 16 bytes of that of `mdat`.
//! - **F5** sync.
//!
//! Recover ([`recover`]):
//! - **R1** look at the boxes. A finished file is left alone. Otherwise read the fragments one by one up to the first that is
//!   incomplete, and check the checksum of the last.
//! - **R2** do F1 to F5 with that index. The result is the same, byte for byte, as if the writer had finished there.
//!
//! # Why a power cut, or a kill, after any step does no harm
//!
//! - Before W3 there is no file of that name; the temporary one is removed by [`crate::disk::sweep`].
//! - From W3 to F4 the file is a fragmented MP4 file that players open. A fragment without its first 8 bytes is a tail of zeros,
//!   which they ignore (a torn `moof` makes Chromium refuse the whole file). Fragments start at multiples of 8, so the 8 bytes
//!   lie within one sector.
//! - Between two syncs a power cut may keep any part of W4 and W5; the checksum tells. Fragments before are synced: **what is
//!   lost is at most what came after the last [`Writer::flush`] that returned**.
//! - F2 writes only where no reader looks. F4 changes bytes of one sector, so it happens as a whole or not at all.
//! - O1 changes 8 bytes of one sector: the file is finished, or it is one of fragments with something unread in its hole or behind
//!   the last of them. Only when that is safe (O2) F1 may cut.
//! - R2 repeats what may have been done before, from the same data.

mod error;
mod finish;
mod format;
mod fragment;
mod movie;
mod scan;
mod storage;
mod table;
#[cfg(test)]
mod tests;
mod writer;

pub use error::{Error, Step};
pub use format::{Audio, Format, Kind, VIDEO_TIMESCALE, Video};
pub use storage::Storage;
pub use writer::{Sample, Writer};

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use movie::Track;
use scan::Layout;

/// Bytes of `ftyp`, behind which the hole begins. Both switches lie within the first sector.
const HOLE_AT: u64 = 32;
/// Bytes of the hole.
const HOLE: u64 = 4 << 20;
/// Bytes of a box header with a 64-bit size.
const WIDE_BOX: usize = 16;

/// What a recording's file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// From the first picture or sound to the end of the last.
    pub duration: Duration,
    /// Bytes of the file.
    pub size: u64,
    /// Width and height in px, if there is a picture.
    pub video: Option<(u16, u16)>,
    /// Whether there is sound.
    pub audio: bool,
    /// A plain MP4 file; otherwise [`recover`] has not seen it yet, or is not done.
    pub finished: bool,
}

impl Summary {
    fn of(tracks: &[Track], size: u64, finished: bool) -> Summary {
        let recorded = || tracks.iter().filter(|track| !track.table.is_empty());
        Summary {
            duration: span(movie::length(tracks), movie::MOVIE_TIMESCALE),
            size,
            video: recorded().find_map(Track::size),
            audio: recorded().any(|track| track.kind == Kind::Audio),
            finished,
        }
    }
}

fn span(ticks: u64, timescale: u32) -> Duration {
    let ns = u128::from(ticks) * 1_000_000_000 / u128::from(timescale.max(1));
    Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
}

/// Finishes the recording `path` if its writer could not: R1 and R2. Can be repeated, also after an interruption.
///
/// [`Error::Empty`] if not one fragment was completed, [`Error::NotOurs`] if the file is none of this room; both leave it as it is.
/// No writer may be at work on it: take the folder's lock first.
pub fn recover(path: &Path) -> Result<Summary, Error> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(|source| Step::Open.failed(source))?;
    recover_storage(file)
}

fn recover_storage(mut storage: impl Storage) -> Result<Summary, Error> {
    if let Layout::Unfinished(found) = scan::scan(&storage)? {
        finish::finish(&mut storage, &found.tracks, found.hole, found.end)?;
    }
    inspect_storage(&storage)
}

/// What the recording `path` holds, finished or not. Reads only.
pub fn inspect(path: &Path) -> Result<Summary, Error> {
    inspect_storage(&File::open(path).map_err(|source| Step::Open.failed(source))?)
}

fn inspect_storage(storage: &impl Storage) -> Result<Summary, Error> {
    let size = storage.len().map_err(|source| Step::Read.failed(source))?;
    match scan::scan(storage)? {
        Layout::Finished(moov) => {
            let (length, timescale, video, audio) = scan::described(&moov);
            Ok(Summary { duration: span(length, timescale), size, video, audio, finished: true })
        }
        Layout::Unfinished(found) => Ok(Summary::of(&found.tracks, size, false)),
    }
}
