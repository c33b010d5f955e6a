//! Steps F1 to F5: a file of fragments becomes a plain MP4 file by one `moov` and one header. Nothing else moves.
//! And back: O1 and O2.

use super::fragment::BOX;
use super::movie::{self, Track};
use super::{Error, HOLE_AT, Step, Storage, WIDE_BOX};

/// Finishes the file whose fragments end at `end` and whose hole has `hole` bytes. Interrupted, it can be done again, from the
/// same tables with the same result.
pub(super) fn finish(storage: &mut impl Storage, tracks: &[Track], hole: u64, end: u64) -> Result<(), Error> {
    let moov = movie::finished(tracks)?;
    let moov_len = moov.len() as u64;
    if storage.len().map_err(|source| Step::CutTail.failed(source))? != end {
        storage.set_len(end).map_err(|source| Step::CutTail.failed(source))?;
    }
    if BOX as u64 + moov_len + WIDE_BOX as u64 <= hole { in_front(storage, moov, end) } else { behind(storage, &moov, end) }
}

/// `ftyp free(hole) …` → `ftyp free(8) moov mdat(…)`
fn in_front(storage: &mut impl Storage, mut moov: Vec<u8>, end: u64) -> Result<(), Error> {
    let mdat_at = HOLE_AT + (BOX + moov.len()) as u64;
    moov.extend_from_slice(&wide_mdat(end - mdat_at));
    storage.write_at(HOLE_AT + BOX as u64, &moov).map_err(|source| Step::WriteMovie.failed(source))?;
    storage.sync().map_err(|source| Step::SyncMovie.failed(source))?;
    storage.write_at(HOLE_AT, &(BOX as u32).to_be_bytes()).map_err(|source| Step::Switch.failed(source))?;
    storage.sync().map_err(|source| Step::SyncSwitch.failed(source))
}

/// `ftyp free(hole) …` → `ftyp mdat(…) moov`, by way of a `moov` that is hidden in a `free` box until the switch.
fn behind(storage: &mut impl Storage, moov: &[u8], end: u64) -> Result<(), Error> {
    let len = u32::try_from(BOX + moov.len()).map_err(|_| Error::NotOurs("its index is beyond 4 GB"))?;
    let mut hidden = Vec::with_capacity(BOX + moov.len());
    hidden.extend_from_slice(&len.to_be_bytes());
    hidden.extend_from_slice(b"free");
    hidden.extend_from_slice(moov);
    storage.write_at(end, &hidden).map_err(|source| Step::WriteMovie.failed(source))?;
    storage.sync().map_err(|source| Step::SyncMovie.failed(source))?;
    let mdat = wide_mdat(end + BOX as u64 - HOLE_AT);
    storage.write_at(HOLE_AT, &mdat).map_err(|source| Step::Switch.failed(source))?;
    storage.sync().map_err(|source| Step::SyncSwitch.failed(source))
}

/// Makes a finished file one of fragments again: O1 and O2. `header` and `hole` are what its writer began with;
/// [`Error::OtherFormats`], and nothing is changed, if that is not so.
pub(super) fn reopen(storage: &mut impl Storage, header: &[u8], hole: u64) -> Result<(), Error> {
    let len = storage.len().map_err(|source| Step::Read.failed(source))?;
    let mut there = vec![0; header.len()];
    if HOLE_AT + hole + header.len() as u64 > len {
        return Err(Error::OtherFormats);
    }
    storage.read_at(HOLE_AT + hole, &mut there).map_err(|source| Step::Read.failed(source))?;
    if there != header {
        return Err(Error::OtherFormats);
    }
    let mut front = [0; BOX];
    front[..4].copy_from_slice(&u32::try_from(hole).map_err(|_| Error::NotOurs("its hole is beyond 4 GB"))?.to_be_bytes());
    front[4..].copy_from_slice(b"free");
    storage.write_at(HOLE_AT, &front).map_err(|source| Step::Reopen.failed(source))?;
    storage.sync().map_err(|source| Step::SyncReopen.failed(source))
}

/// The header of an `mdat` of `len` bytes, header included, in its 64-bit form.
fn wide_mdat(len: u64) -> [u8; WIDE_BOX] {
    let mut header = [0; WIDE_BOX];
    header[..4].copy_from_slice(&1u32.to_be_bytes());
    header[4..8].copy_from_slice(b"mdat");
    header[8..].copy_from_slice(&len.to_be_bytes());
    header
}
