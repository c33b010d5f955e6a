//! The `moov` box, in its two lives: in front of the fragments without a single sample, and finished with all of them.

use mp4_atom::{
    Decode, Dinf, Dref, DrefEntry, Edts, Elst, ElstEntry, Encode, FixedPoint, FourCC, Ftyp, Hdlr, Mdhd, Mdia, Minf, Moov, Mvex, Mvhd, Smhd,
    Stbl, Stsd, Stsz, StszSamples, Tkhd, Trak, Trex, Url, Vmhd,
};

use super::table::Table;
use super::{Error, Format, Kind, VIDEO_TIMESCALE};

/// Ticks per second of durations and edits of the whole: those of the picture, so that its frames are exact.
pub(super) const MOVIE_TIMESCALE: u32 = VIDEO_TIMESCALE;

/// One track: what it is, and its index so far.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Track {
    pub id: u32,
    pub kind: Kind,
    pub timescale: u32,
    stsd: Stsd,
    width: u16,
    height: u16,
    pub table: Table,
}

/// The tracks of a new recording; the picture comes first.
pub(super) fn tracks(format: &Format) -> Result<Vec<Track>, Error> {
    let mut tracks = Vec::new();
    if let Some(video) = &format.video {
        let (width, height) = video.size();
        let stsd = video.stsd();
        tracks.push(Track { id: 1, kind: Kind::Video, timescale: VIDEO_TIMESCALE, stsd, width, height, table: Table::default() });
    }
    if let Some(audio) = &format.audio {
        let (id, timescale, stsd) = (tracks.len() as u32 + 1, audio.rate(), audio.stsd()?);
        tracks.push(Track { id, kind: Kind::Audio, timescale, stsd, width: 0, height: 0, table: Table::default() });
    }
    if tracks.is_empty() { Err(Error::NoTracks) } else { Ok(tracks) }
}

/// The file type box. It has 32 bytes, so that both switches (see the room's documentation) lie within one sector.
pub(super) fn file_type() -> Result<Vec<u8>, Error> {
    let compatible_brands = [b"iso6", b"isom", b"mp42", b"avc1"].map(FourCC::new).to_vec();
    encoded(&Ftyp { major_brand: FourCC::new(b"iso6"), minor_version: 512, compatible_brands })
}

/// The `moov` that stands before the fragments: no samples, but `mvex`, which says that fragments follow.
pub(super) fn header(tracks: &[Track]) -> Result<Vec<u8>, Error> {
    let trak = tracks.iter().map(|track| track.trak(0, None, track.no_samples(), 0)).collect();
    let trex = tracks.iter().map(|track| Trex { track_id: track.id, default_sample_description_index: 1, ..Trex::default() }).collect();
    let mvex = Some(Mvex { mehd: None, trex });
    encoded(&Moov { mvhd: movie_header(0), mvex, trak, ..Moov::default() })
}

/// The `moov` of the finished file. Tracks without a sample are left out; [`Error::Empty`] when that is all of them.
pub(super) fn finished(tracks: &[Track]) -> Result<Vec<u8>, Error> {
    let trak: Vec<Trak> = timeline(tracks).map(|(track, delay, length)| track.finished(delay, length)).collect();
    if trak.is_empty() { Err(Error::Empty) } else { encoded(&Moov { mvhd: movie_header(length(tracks)), trak, ..Moov::default() }) }
}

/// The length of the whole, in ticks of the movie.
pub(super) fn length(tracks: &[Track]) -> u64 {
    timeline(tracks).map(|(_, delay, length)| delay + length).max().unwrap_or(0)
}

/// The tracks that have samples: each with the time until it begins, and for how long it is shown then. All are shown on one
/// clock, in ticks of the movie, that starts with the first picture or sound.
fn timeline(tracks: &[Track]) -> impl Iterator<Item = (&Track, u64, u64)> {
    let begins = |track: &Track| scaled(track.table.shown_from(), track.timescale);
    let recorded = || tracks.iter().filter(|track| !track.table.is_empty());
    let begin = recorded().map(begins).min().unwrap_or(0);
    recorded().map(move |track| {
        let delay = u64::try_from(begins(track) - begin).unwrap_or(0);
        (track, delay, scaled_up(track.table.shown_for(), track.timescale))
    })
}

/// The tracks of a `moov` that [`header`] made, with empty tables.
pub(super) fn read_header(bytes: &[u8]) -> Result<Vec<Track>, Error> {
    let moov = Moov::decode(&mut &bytes[..])?;
    if moov.mvex.is_none() {
        return Err(Error::NotOurs("its index announces no fragments"));
    }
    let tracks: Vec<Track> = moov.trak.into_iter().map(Track::from_trak).collect::<Result<_, _>>()?;
    let kinds: Vec<Kind> = tracks.iter().map(|track| track.kind).collect();
    match kinds[..] {
        [Kind::Video, Kind::Audio] | [Kind::Video] | [Kind::Audio] => Ok(tracks),
        _ => Err(Error::NotOurs("it has other tracks than one picture and one sound")),
    }
}

impl Track {
    fn from_trak(trak: Trak) -> Result<Track, Error> {
        let kind = match &trak.mdia.hdlr.handler {
            handler if *handler == FourCC::new(b"vide") => Kind::Video,
            handler if *handler == FourCC::new(b"soun") => Kind::Audio,
            _ => return Err(Error::NotOurs("a track is neither picture nor sound")),
        };
        let timescale = trak.mdia.mdhd.timescale;
        if timescale == 0 {
            return Err(Error::NotOurs("a track has no time scale"));
        }
        Ok(Track {
            id: trak.tkhd.track_id,
            kind,
            timescale,
            stsd: trak.mdia.minf.stbl.stsd,
            width: trak.tkhd.width.integer(),
            height: trak.tkhd.height.integer(),
            table: Table::default(),
        })
    }

    /// Whether samples of the one may follow samples of the other.
    pub fn same_format(&self, other: &Track) -> bool {
        let fixed = |track: &Track| (track.id, track.kind, track.timescale, track.width, track.height);
        fixed(self) == fixed(other) && encoded(&self.stsd).ok() == encoded(&other.stsd).ok()
    }

    /// Width and height of a picture, in px.
    pub fn size(&self) -> Option<(u16, u16)> {
        (self.kind == Kind::Video).then_some((self.width, self.height))
    }

    fn finished(&self, delay: u64, length: u64) -> Trak {
        let edits = edits(delay, length, self.table.media_start());
        let samples = self.table.boxes(&self.stsd, self.kind == Kind::Video);
        self.trak(delay + length, edits, samples, self.table.media_length())
    }

    fn no_samples(&self) -> Stbl {
        let stsz = Stsz { samples: StszSamples::Identical { count: 0, size: 0 } };
        Stbl { stsd: self.stsd.clone(), stsz, stco: Some(Default::default()), ..Stbl::default() }
    }

    fn trak(&self, duration: u64, edts: Option<Edts>, stbl: Stbl, media_duration: u64) -> Trak {
        let video = self.kind == Kind::Video;
        let (handler, name) = if video { (b"vide", "video") } else { (b"soun", "audio") };
        let tkhd = Tkhd {
            track_id: self.id,
            duration,
            enabled: true,
            in_movie: true,
            volume: FixedPoint::new(u8::from(!video), 0),
            width: FixedPoint::new(self.width, 0),
            height: FixedPoint::new(self.height, 0),
            ..Tkhd::default()
        };
        let mdhd = Mdhd { timescale: self.timescale, duration: media_duration, language: "und".to_string(), ..Mdhd::default() };
        let hdlr = Hdlr { handler: FourCC::new(handler), name: name.to_string() };
        let dinf = Dinf { dref: Dref { entries: vec![DrefEntry::Url(Url::default())] } };
        let (vmhd, smhd) = (video.then(Vmhd::default), (!video).then(Smhd::default));
        let minf = Minf { vmhd, smhd, dinf, stbl, ..Minf::default() };
        Trak { tkhd, edts, mdia: Mdia { mdhd, hdlr, minf }, ..Trak::default() }
    }
}

/// Nothing shown for `delay`, then `length` from `media_start` on; none where the media alone says so.
fn edits(delay: u64, length: u64, media_start: u64) -> Option<Edts> {
    let edit = |segment_duration, media_time| ElstEntry { segment_duration, media_time, media_rate: FixedPoint::new(1, 0) };
    let mut entries = Vec::new();
    if delay > 0 {
        entries.push(edit(delay, None));
    }
    if delay > 0 || media_start > 0 {
        entries.push(edit(length, Some(media_start)));
    }
    (!entries.is_empty()).then_some(Edts { elst: Some(Elst { entries }) })
}

fn movie_header(duration: u64) -> Mvhd {
    let (rate, volume) = (FixedPoint::new(1, 0), FixedPoint::new(1, 0));
    Mvhd { timescale: MOVIE_TIMESCALE, duration, rate, volume, next_track_id: 3, ..Mvhd::default() }
}

/// A time in ticks of the movie, to the nearest.
fn scaled(ticks: i64, timescale: u32) -> i64 {
    let (scale, timescale) = (i128::from(MOVIE_TIMESCALE), i128::from(timescale));
    i64::try_from((i128::from(ticks) * scale + timescale / 2).div_euclid(timescale)).unwrap_or(i64::MAX)
}

/// A duration in ticks of the movie, rounded up: an edit that ends before its last sample does would hide it.
fn scaled_up(ticks: u64, timescale: u32) -> u64 {
    u64::try_from((u128::from(ticks) * u128::from(MOVIE_TIMESCALE)).div_ceil(timescale.into())).unwrap_or(u64::MAX)
}

fn encoded(atom: &impl Encode) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    atom.encode(&mut bytes)?;
    Ok(bytes)
}
