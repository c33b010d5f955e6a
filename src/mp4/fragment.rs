//! One fragment: a `moof` that describes, and an `mdat` that carries, the samples of half a second. Bytes in, bytes out.
//!
//! The `mdat` ends with padding and a CRC-32 of everything in the fragment but its first 8 bytes. Readers of the file never
//! look at it; recovery does, because a power cut may keep any part of a fragment that was not yet synced.

use crc::{CRC_32_ISO_HDLC, Crc};
use mp4_atom::{Decode, Encode, Mfhd, Moof, Tfdt, Tfhd, Traf, Trun, TrunEntry, TrunSamples};

use super::table::Entry;
use super::{Error, Kind};

/// Fragments begin at multiples of this, so that a box header never crosses a sector.
pub(super) const ALIGNMENT: u64 = 8;
/// Bytes of a box header.
pub(super) const BOX: usize = 8;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
const CRC_BYTES: usize = 4;

/// Sample flags (ISO/IEC 14496-12 §8.8.3.1): depends on no other; depends on others and is no sync sample.
const KEY: u32 = 0x0200_0000;
const DELTA: u32 = 0x0101_0000;
const NON_SYNC: u32 = 0x0001_0000;

/// The samples of one track in a fragment, which make one chunk.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Chunk {
    pub track: u32,
    pub kind: Kind,
    /// Decoding time of the first.
    pub dts: u64,
    pub samples: Vec<Entry>,
    pub payload: Vec<u8>,
}

impl Chunk {
    pub fn new(track: u32, kind: Kind) -> Chunk {
        Chunk { track, kind, dts: 0, samples: Vec::new(), payload: Vec::new() }
    }

    /// The chunk as it is, leaving an empty one.
    pub fn take(&mut self) -> Chunk {
        std::mem::replace(self, Chunk::new(self.track, self.kind))
    }
}

/// The whole fragment, and where in it each chunk's payload begins.
pub(super) struct Encoded {
    pub bytes: Vec<u8>,
    pub offsets: Vec<u64>,
}

/// Encodes a fragment of chunks that are not empty.
pub(super) fn encode(sequence: u32, chunks: &[Chunk]) -> Result<Encoded, Error> {
    // The first encoding tells the length, on which the offsets depend; they have the same number of bytes whatever they are.
    let unplaced = moof(sequence, chunks, &vec![0; chunks.len()])?;
    let mut end = unplaced.len() + BOX;
    let mut offsets = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        offsets.push(end as u64);
        end += chunk.payload.len();
    }
    let mut bytes = moof(sequence, chunks, &offsets)?;
    let moof_len = bytes.len();
    let total = (end + CRC_BYTES).next_multiple_of(ALIGNMENT as usize);
    let mdat_len = u32::try_from(total - moof_len).map_err(|_| Error::SampleSize(total))?;
    bytes.reserve_exact(total - moof_len);
    bytes.extend_from_slice(&mdat_len.to_be_bytes());
    bytes.extend_from_slice(b"mdat");
    for chunk in chunks {
        bytes.extend_from_slice(&chunk.payload);
    }
    bytes.resize(total - CRC_BYTES, 0);
    let crc = CRC.checksum(&bytes[BOX..]);
    bytes.extend_from_slice(&crc.to_be_bytes());
    Ok(Encoded { bytes, offsets })
}

fn moof(sequence: u32, chunks: &[Chunk], offsets: &[u64]) -> Result<Vec<u8>, Error> {
    let traf = chunks.iter().zip(offsets).map(|(chunk, &offset)| traf(chunk, offset)).collect::<Result<_, _>>()?;
    let mut bytes = Vec::new();
    Moof { mfhd: Mfhd { sequence_number: sequence }, traf }.encode(&mut bytes)?;
    Ok(bytes)
}

fn traf(chunk: &Chunk, offset: u64) -> Result<Traf, Error> {
    let samples = &chunk.samples;
    let constant = samples.first().map(|first| first.duration).filter(|&duration| samples.iter().all(|s| s.duration == duration));
    let composed = samples.iter().any(|sample| sample.composition != 0);
    let video = chunk.kind == Kind::Video;
    let entries = samples.iter().map(|sample| TrunEntry {
        duration: constant.is_none().then_some(sample.duration),
        size: Some(sample.size),
        flags: video.then_some(if sample.key { KEY } else { DELTA }),
        cts: composed.then_some(sample.composition.into()),
    });
    let tfhd = Tfhd {
        track_id: chunk.track,
        default_sample_duration: constant,
        default_sample_flags: Some(if video { DELTA } else { KEY }),
        default_base_is_moof: true,
        ..Tfhd::default()
    };
    let tfdt = Some(Tfdt { base_media_decode_time: chunk.dts });
    let data_offset = Some(i32::try_from(offset).map_err(|_| Error::SampleSize(offset as usize))?);
    let trun = vec![Trun { data_offset, samples: TrunSamples::Explicit(entries.collect()) }];
    Ok(Traf { tfhd, tfdt, trun, ..Traf::default() })
}

/// A chunk as its `moof` describes it: the payload stays where it is.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Described {
    pub track: u32,
    pub dts: u64,
    /// Where the payload begins and ends, from the fragment's first byte.
    pub begin: u64,
    pub end: u64,
    pub samples: Vec<Entry>,
}

/// Reads a whole `moof`, header included. None for anything that [`encode`] does not write.
pub(super) fn describe(moof: &[u8]) -> Option<Vec<Described>> {
    Moof::decode(&mut &moof[..]).ok()?.traf.iter().map(describe_track).collect()
}

fn describe_track(traf: &Traf) -> Option<Described> {
    let [Trun { data_offset: Some(offset), samples: TrunSamples::Explicit(rows) }] = &traf.trun[..] else { return None };
    let begin = u64::try_from(*offset).ok()?;
    let mut samples = Vec::with_capacity(rows.len());
    for row in rows {
        samples.push(Entry {
            size: row.size?,
            duration: row.duration.or(traf.tfhd.default_sample_duration)?,
            composition: i32::try_from(row.cts.unwrap_or(0)).ok()?,
            key: row.flags.or(traf.tfhd.default_sample_flags)? & NON_SYNC == 0,
        });
    }
    if samples.is_empty() {
        return None;
    }
    let end = begin + samples.iter().map(|sample| u64::from(sample.size)).sum::<u64>();
    let dts = traf.tfdt.as_ref()?.base_media_decode_time;
    Some(Described { track: traf.tfhd.track_id, dts, begin, end, samples })
}

/// Whether a fragment is whole: `read` gives its bytes in pieces, from the eighth to the last.
pub(super) struct Check {
    digest: crc::Digest<'static, u32>,
    held_back: Vec<u8>,
}

impl Check {
    pub fn new() -> Check {
        static TABLE: Crc<u32> = CRC;
        Check { digest: TABLE.digest(), held_back: Vec::new() }
    }

    /// The next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.held_back.extend_from_slice(piece);
        let ready = self.held_back.len().saturating_sub(CRC_BYTES);
        self.digest.update(&self.held_back[..ready]);
        self.held_back.drain(..ready);
    }

    /// Whether the last bytes are the checksum of those before.
    pub fn holds(self) -> bool {
        self.held_back == self.digest.finalize().to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(track: u32, kind: Kind, dts: u64, rows: &[(usize, u32, i32, bool)]) -> Chunk {
        let samples = rows.iter().map(|&(size, duration, composition, key)| Entry { size: size as u32, duration, composition, key });
        Chunk { track, kind, dts, samples: samples.collect(), payload: (0..rows.iter().map(|row| row.0).sum()).map(|i| i as u8).collect() }
    }

    fn whole(bytes: &[u8]) -> bool {
        let mut check = Check::new();
        bytes[BOX..].chunks(13).for_each(|piece| check.update(piece));
        check.holds()
    }

    #[test]
    fn what_is_encoded_is_described_again() {
        let cases = [
            vec![chunk(1, Kind::Video, 0, &[(100, 3600, 0, true), (7, 3600, 0, false)]), chunk(2, Kind::Audio, 0, &[(30, 1024, 0, true)])],
            vec![chunk(1, Kind::Video, 1 << 40, &[(1, 3600, 7200, true), (1, 3601, -3600, false), (1, 3599, 0, true)])],
            vec![chunk(1, Kind::Video, 5, &[(9, 1, 0, false)])],
            vec![chunk(1, Kind::Audio, 5, &[(9, 1024, 0, true), (9, 1023, 0, true)])],
        ];
        for chunks in cases {
            let Encoded { bytes, offsets } = encode(7, &chunks).unwrap();
            assert_eq!(bytes.len() % 8, 0);
            let moof_len = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
            let described = describe(&bytes[..moof_len]).unwrap();
            assert_eq!(described.len(), chunks.len());
            for ((chunk, offset), found) in chunks.iter().zip(offsets).zip(described) {
                assert_eq!((found.track, found.dts, found.begin, &found.samples), (chunk.track, chunk.dts, offset, &chunk.samples));
                assert_eq!(bytes[found.begin as usize..found.end as usize], chunk.payload);
            }
            let mdat_len = u32::from_be_bytes(bytes[moof_len..moof_len + 4].try_into().unwrap()) as usize;
            assert_eq!(moof_len + mdat_len, bytes.len());
            assert!(whole(&bytes));
        }
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let mut bytes = encode(1, &[chunk(1, Kind::Video, 0, &[(100, 3600, 0, true)])]).unwrap().bytes;
        for i in BOX..bytes.len() {
            bytes[i] ^= 0x10;
            assert!(!whole(&bytes), "{i}");
            bytes[i] ^= 0x10;
        }
    }

    #[test]
    fn a_broken_description_is_no_description() {
        let bytes = encode(1, &[chunk(1, Kind::Video, 0, &[(100, 3600, 0, true), (5, 3601, 0, false)])]).unwrap().bytes;
        let moof_len = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        for len in 0..moof_len {
            assert_eq!(describe(&bytes[..len]), None, "cut at {len}");
        }
        for at in 0..moof_len {
            for value in [0, 1, 0x7f, 0xff] {
                let mut broken = bytes[..moof_len].to_vec();
                broken[at] = value;
                describe(&broken); // any answer, but no panic
            }
        }
        assert_eq!(describe(&vec![0; moof_len]), None);
    }
}
