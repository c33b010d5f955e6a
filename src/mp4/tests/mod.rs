//! Tests of whole files: written, stopped anywhere, torn, recovered, probed. Here: the material, and a file that remembers.

mod memory;
mod power_cut;
mod probe;
mod refusals;
mod resumption;
mod speed;
mod steps;

use mp4_atom::{Codec, Decode, FourCC, Moov};

use super::{Audio, Error, Format, Kind, Sample, Storage, Summary, Video, Writer};
use memory::Memory;

/// Two seconds of H.264 (64x48, 25/s, a keyframe each second, no reordering) and AAC (48 kHz, mono), 5 kB. Made by GStreamer
/// 1.22: `videotestsrc pattern=ball ! x264enc tune=zerolatency bframes=0 key-int-max=25 quantizer=35`,
/// `audiotestsrc wave=ticks ! avenc_aac bitrate=16000`, `mp4mux`.
const BALL: &[u8] = include_bytes!("../../../tests/fixtures/ball-64x48.mp4");

/// Room for the index of a few seconds.
const SMALL_HOLE: u64 = 16 << 10;
/// Room for no index at all.
const NO_HOLE: u64 = 16;

/// A sample with its bytes.
#[derive(Clone, Debug)]
struct Owned {
    kind: Kind,
    dts: u64,
    pts: u64,
    duration: u32,
    key: bool,
    data: Vec<u8>,
}

impl Owned {
    fn borrowed(&self) -> Sample<'_> {
        Sample { kind: self.kind, dts: self.dts, pts: self.pts, duration: self.duration, key: self.key, data: &self.data }
    }

    /// Decoding time in ms.
    fn ms(&self) -> u64 {
        self.dts * 1000 / if self.kind == Kind::Video { 90_000 } else { 48_000 }
    }
}

/// The material again and again: its format, and `loops` times its two seconds of samples in order of time.
fn material(loops: u64) -> (Format, Vec<Owned>) {
    let at = BALL.windows(4).position(|bytes| bytes == b"moov").expect("the fixture has an index") - 4;
    let moov = Moov::decode(&mut &BALL[at..]).unwrap();
    let mut format = Format { video: None, audio: None };
    let mut samples = Vec::new();
    for trak in &moov.trak {
        let video = trak.mdia.hdlr.handler == FourCC::new(b"vide");
        let stbl = &trak.mdia.minf.stbl;
        match &stbl.stsd.codecs[0] {
            Codec::Avc1(avc1) => {
                let (sps, pps) = (&avc1.avcc.sequence_parameter_sets[0], &avc1.avcc.picture_parameter_sets[0]);
                format.video = Some(Video::from_parameter_sets(sps, pps, avc1.visual.width, avc1.visual.height).unwrap());
            }
            Codec::Mp4a(mp4a) => {
                let config = &mp4a.esds.es_desc.dec_config.dec_specific.as_ref().unwrap().raw;
                format.audio = Some(Audio::from_config(config, 48_000, mp4a.audio.channel_count).unwrap());
            }
            other => panic!("{other:?}"),
        }
        let (kind, per_loop, duration) = if video { (Kind::Video, 50, 3600) } else { (Kind::Audio, 94, 1024) };
        let data = sample_bytes(stbl);
        let keys = stbl.stss.as_ref().map(|stss| stss.entries.clone());
        for i in 0..per_loop * loops {
            let index = (i % per_loop) as usize;
            let key = keys.as_ref().is_none_or(|keys| keys.contains(&(index as u32 + 1)));
            let dts = i * u64::from(duration);
            samples.push(Owned { kind, dts, pts: dts, duration, key, data: data[index].clone() });
        }
    }
    samples.sort_by_key(Owned::ms);
    (format, samples)
}

/// The bytes of each sample of a track of the fixture.
fn sample_bytes(stbl: &mp4_atom::Stbl) -> Vec<Vec<u8>> {
    let mp4_atom::StszSamples::Different { sizes } = &stbl.stsz.samples else { panic!("sizes differ") };
    let chunks = &stbl.stco.as_ref().unwrap().entries;
    let mut sizes = sizes.iter().map(|&size| size as usize);
    let mut bytes = Vec::new();
    for (i, &offset) in chunks.iter().enumerate() {
        let run = stbl.stsc.entries.iter().rev().find(|run| run.first_chunk as usize <= i + 1).unwrap();
        let mut at = offset as usize;
        for size in sizes.by_ref().take(run.samples_per_chunk as usize) {
            bytes.push(BALL[at..at + size].to_vec());
            at += size;
        }
    }
    bytes
}

/// Pushes samples, with a flush each 500 ms and at the end.
fn record<S: Storage>(writer: &mut Writer<S>, samples: &[Owned]) -> Result<(), Error> {
    for fragment in samples.chunk_by(|a, b| a.ms() / 500 == b.ms() / 500) {
        for sample in fragment {
            writer.push(sample.borrowed())?;
        }
        writer.flush()?;
    }
    Ok(())
}

/// Records fragments of `samples` into memory until `fragments` of them are committed, finishes, and returns the bytes.
fn finished_after(format: &Format, samples: &[Owned], fragments: usize, hole: u64) -> Vec<u8> {
    let memory = Memory::default();
    let mut writer = Writer::begin(memory.clone(), format, hole).unwrap();
    let taken: Vec<Owned> = samples.iter().filter(|sample| sample.ms() / 500 < fragments as u64).cloned().collect();
    record(&mut writer, &taken).unwrap();
    let summary = writer.finish().unwrap();
    assert_eq!(summary.size as usize, memory.bytes().len());
    memory.bytes()
}

/// Recovers an image; the recovered bytes and what they hold.
fn recovered(image: Vec<u8>) -> Result<(Vec<u8>, Summary), Error> {
    let memory = Memory::of(image);
    let summary = super::recover_storage(memory.clone())?;
    Ok((memory.bytes(), summary))
}
