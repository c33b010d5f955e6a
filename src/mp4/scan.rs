//! Step R1: what state a file is in, and the index of an unfinished one, read from its fragments. Changes nothing.
//!
//! Only descriptions are read, not the samples, except those of the last fragment: it alone may have been hit by a power cut
//! before its sync, so its checksum decides whether it counts.

use mp4_atom::{Decode, FourCC, Moov};

use super::fragment::{self, BOX, Check, Described};
use super::movie::{self, Track};
use super::{Error, HOLE_AT, Step, Storage, WIDE_BOX};

/// The largest `moov` or `moof` that is read into memory: far more than a day of recording needs.
const INDEX_MAX: u64 = 256 << 20;
/// Bytes read at once for a checksum.
const PIECE: usize = 64 << 10;

/// The states a file can be in.
pub(super) enum Layout {
    /// `ftyp free(8) moov mdat` or `ftyp mdat moov`
    Finished(Box<Moov>),
    /// `ftyp free(hole) moov (moof mdat)*` and perhaps a torn tail
    Unfinished(Found),
}

/// An unfinished file.
pub(super) struct Found {
    pub tracks: Vec<Track>,
    pub hole: u64,
    /// Complete fragments.
    pub fragments: u32,
    /// Where the last of them ends.
    pub end: u64,
}

#[derive(Clone, Copy)]
struct Header {
    kind: [u8; 4],
    len: u64,
}

pub(super) fn scan(storage: &impl Storage) -> Result<Layout, Error> {
    let reader = Reader { storage, len: storage.len().map_err(|source| Step::Read.failed(source))? };
    let no_start = Error::NotOurs("it does not start as one");
    match reader.header(0)? {
        Some(Header { kind: [b'f', b't', b'y', b'p'], len: HOLE_AT }) => {}
        _ => return Err(no_start),
    }
    let first = reader.header(HOLE_AT)?.ok_or(no_start)?;
    let second_at = HOLE_AT + first.len;
    let second = reader.header(second_at)?.filter(|second| &second.kind == b"moov").ok_or(Error::NotOurs("its index is missing"))?;
    let moov = reader.bytes(second_at, second.len)?;
    if &first.kind == b"mdat" || &first.kind == b"free" && first.len == BOX as u64 {
        return Ok(Layout::Finished(Box::new(Moov::decode(&mut &moov[..])?)));
    }
    if &first.kind != b"free" {
        return Err(Error::NotOurs("its second part is unknown"));
    }
    let end = second_at + second.len;
    let mut found = Found { tracks: movie::read_header(&moov)?, hole: first.len, fragments: 0, end };
    reader.fragments(&mut found)?;
    Ok(Layout::Unfinished(found))
}

struct Reader<'a, S: Storage> {
    storage: &'a S,
    len: u64,
}

/// A fragment whose bytes are all there.
struct Fragment {
    at: u64,
    end: u64,
    chunks: Vec<Described>,
}

impl<S: Storage> Reader<'_, S> {
    /// All complete fragments. One behind which another begins was synced; the last one counts if its checksum holds.
    fn fragments(&self, found: &mut Found) -> Result<(), Error> {
        let mut next = self.fragment(found.end)?;
        while let Some(fragment) = next {
            next = self.fragment(fragment.end)?;
            let synced = next.is_some() || self.whole(&fragment)?;
            if !synced || !take(found, &fragment) {
                break;
            }
        }
        Ok(())
    }

    /// The fragment at `at`, if there is one and the file does not end before it does.
    fn fragment(&self, at: u64) -> Result<Option<Fragment>, Error> {
        let Some(moof) = self.header(at)?.filter(|header| &header.kind == b"moof" && header.len <= INDEX_MAX) else { return Ok(None) };
        let Some(mdat) = self.header(at + moof.len)?.filter(|header| &header.kind == b"mdat") else { return Ok(None) };
        let end = at + moof.len + mdat.len;
        let samples = moof.len + BOX as u64..end - at;
        let Some(chunks) = fragment::describe(&self.bytes(at, moof.len)?) else { return Ok(None) };
        let inside = chunks.iter().all(|chunk| samples.start <= chunk.begin && chunk.end <= samples.end);
        Ok((inside && !chunks.is_empty()).then_some(Fragment { at, end, chunks }))
    }

    fn whole(&self, fragment: &Fragment) -> Result<bool, Error> {
        let mut check = Check::new();
        let mut at = fragment.at + BOX as u64;
        while at < fragment.end {
            let piece = self.bytes(at, (fragment.end - at).min(PIECE as u64))?;
            check.update(&piece);
            at += piece.len() as u64;
        }
        Ok(check.holds())
    }

    /// The header of the box at `at`; none unless all of the box is there.
    fn header(&self, at: u64) -> Result<Option<Header>, Error> {
        let left = self.len.saturating_sub(at);
        if left < BOX as u64 {
            return Ok(None);
        }
        let bytes = self.bytes(at, left.min(WIDE_BOX as u64))?;
        let (size, rest) = bytes.split_at(4);
        let (kind, wide) = rest.split_at(4);
        let number = |bytes: &[u8]| bytes.iter().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
        let (len, least) = match number(size) {
            1 if wide.len() == 8 => (number(wide), WIDE_BOX),
            len => (len, BOX),
        };
        let Ok(kind) = kind.try_into() else { return Ok(None) };
        Ok((len >= least as u64 && len <= left).then_some(Header { kind, len }))
    }

    fn bytes(&self, at: u64, len: u64) -> Result<Vec<u8>, Error> {
        if len > INDEX_MAX {
            return Err(Error::NotOurs("its index is too large"));
        }
        let mut bytes = vec![0; len as usize];
        self.storage.read_at(at, &mut bytes).map_err(|source| Step::Read.failed(source))?;
        Ok(bytes)
    }
}

/// Adds a fragment to the tables; false, and nothing added, if it does not follow from those before.
fn take(found: &mut Found, fragment: &Fragment) -> bool {
    let tracks = &mut found.tracks;
    let index = |chunk: &Described| tracks.iter().position(|track| track.id == chunk.track);
    let Some(places) = fragment.chunks.iter().map(index).collect::<Option<Vec<usize>>>() else { return false };
    let once = places.iter().enumerate().all(|(i, place)| !places[..i].contains(place));
    let follows = |(chunk, &place): (&Described, &usize)| tracks[place].table.check(chunk.dts).is_ok();
    if !once || !fragment.chunks.iter().zip(&places).all(follows) {
        return false;
    }
    for (chunk, &place) in fragment.chunks.iter().zip(&places) {
        tracks[place].table.add(fragment.at + chunk.begin, chunk.dts, &chunk.samples);
    }
    found.fragments += 1;
    found.end = fragment.end;
    true
}

/// What the index of a finished file says: length and scale of the whole, the picture's size in px, whether there is sound.
pub(super) fn described(moov: &Moov) -> (u64, u32, Option<(u16, u16)>, bool) {
    let of = |handler: &'static [u8; 4]| moov.trak.iter().find(move |trak| trak.mdia.hdlr.handler == FourCC::new(handler));
    let size = of(b"vide").map(|trak| (trak.tkhd.width.integer(), trak.tkhd.height.integer()));
    (moov.mvhd.duration, moov.mvhd.timescale, size, of(b"soun").is_some())
}
