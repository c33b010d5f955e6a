//! Pre-encoded clips for publishers: 10 s of RTP payloads, encoded once by GStreamer into `target/test-media` and looped.
//!
//! The picture is 640x360 at 15 fps, a moving bar on grainy grey with one white frame at the start of each second; the sound is silence
//! with 100 ms of 1 kHz from the start of each second. The packets that begin flash and beep are marked, and their payloads
//! occur nowhere else in the clip, so that whoever receives them knows what they are.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use std::collections::HashSet;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

/// What a clip carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Media {
    Vp8,
    H264,
    Opus,
}

/// A clip.
#[derive(Clone, Debug)]
pub struct Clip {
    pub media: Media,
    /// In the order of sending.
    pub packets: Arc<[ClipPacket]>,
}

/// One RTP packet without its header.
#[derive(Clone, Debug)]
pub struct ClipPacket {
    /// Ticks of the RTP clock since the begin of the clip.
    pub ts: u32,
    pub marker: bool,
    /// First packet of a flash or beep.
    pub mark: bool,
    pub payload: Arc<[u8]>,
}

const SECONDS: u64 = 10;
const FPS: u64 = 15;
const WIDTH: usize = 640;
const HEIGHT: usize = 360;
const AUDIO_RATE: u64 = 48_000;
/// Format of the files; a change makes them anew.
const VERSION: u32 = 2;

impl Media {
    /// RTP clock rate in Hz.
    pub fn clock_rate(self) -> u32 {
        match self {
            Media::Vp8 | Media::H264 => 90_000,
            Media::Opus => 48_000,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Media::Vp8 => "vp8",
            Media::H264 => "h264",
            Media::Opus => "opus",
        }
    }

    fn pipeline(self) -> &'static str {
        match self {
            Media::Vp8 => {
                "appsrc name=in ! vp8enc deadline=1 cpu-used=8 end-usage=cbr target-bitrate=500000 keyframe-max-dist=15 \
                 ! rtpvp8pay mtu=1200 picture-id-mode=15-bit timestamp-offset=0 seqnum-offset=0 ! appsink name=out sync=false"
            }
            Media::H264 => {
                "appsrc name=in ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=500 key-int-max=15 \
                 ! video/x-h264,profile=constrained-baseline ! h264parse config-interval=-1 \
                 ! rtph264pay mtu=1200 timestamp-offset=0 seqnum-offset=0 ! appsink name=out sync=false"
            }
            Media::Opus => {
                "appsrc name=in ! opusenc frame-size=20 bitrate=32000 ! rtpopuspay timestamp-offset=0 seqnum-offset=0 \
                 ! appsink name=out sync=false"
            }
        }
    }
}

impl Clip {
    /// The clip of `media`, encoded now if it never was on this machine. Panics when GStreamer lacks an encoder.
    pub fn load(media: Media) -> Clip {
        let path = directory().join(format!("{}-{VERSION}.rtp", media.name()));
        if let Some(packets) = std::fs::read(&path).ok().and_then(|bytes| read(&bytes)) {
            return Clip { media, packets };
        }
        let packets = encode(media).unwrap_or_else(|e| panic!("the {} clip cannot be made: {e}", media.name()));
        check(&packets, media);
        let made = std::fs::create_dir_all(directory()).and_then(|()| {
            // tests run beside each other: whoever is last replaces a file by its equal
            let partial = path.with_extension(std::process::id().to_string());
            std::fs::write(&partial, write(&packets))?;
            std::fs::rename(partial, &path)
        });
        made.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Clip { media, packets: packets.into() }
    }

    /// Length in ticks of the RTP clock.
    pub fn ticks(&self) -> u32 {
        self.media.clock_rate() * SECONDS as u32
    }

    /// The marked packets' payloads.
    pub fn marks(&self) -> HashSet<Arc<[u8]>> {
        self.packets.iter().filter(|packet| packet.mark).map(|packet| packet.payload.clone()).collect()
    }
}

fn directory() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target")).join("test-media")
}

/// A clip whose marks could be mistaken for something else is useless.
fn check(packets: &[ClipPacket], media: Media) {
    let marks: Vec<&ClipPacket> = packets.iter().filter(|packet| packet.mark).collect();
    assert_eq!(marks.len() as u64, SECONDS, "{media:?}: one mark a second");
    let marked: HashSet<&[u8]> = marks.iter().map(|packet| &*packet.payload).collect();
    assert!(packets.iter().all(|packet| packet.mark || !marked.contains(&*packet.payload)), "{media:?}: a mark is not unique");
}

fn encode(media: Media) -> Result<Vec<ClipPacket>, Box<dyn std::error::Error>> {
    gst::init()?;
    let pipeline = gst::parse::launch(media.pipeline())?.downcast::<gst::Pipeline>().map_err(|_| "not a pipeline")?;
    let source = pipeline.by_name("in").and_then(|e| e.downcast::<AppSrc>().ok()).ok_or("no source")?;
    let sink = pipeline.by_name("out").and_then(|e| e.downcast::<AppSink>().ok()).ok_or("no sink")?;
    source.set_format(gst::Format::Time);
    source.set_max_bytes(u64::MAX);
    source.set_caps(Some(&raw_caps(media).parse()?));
    pipeline.set_state(gst::State::Playing)?;
    for (pts, data) in raw(media) {
        let mut buffer = gst::Buffer::from_mut_slice(data);
        buffer.get_mut().ok_or("a shared buffer")?.set_pts(pts);
        source.push_buffer(buffer)?;
    }
    source.end_of_stream()?;
    let mut packets = vec![];
    while let Ok(sample) = sink.pull_sample() {
        let lists = sample.buffer_list_owned();
        let buffers = lists.iter().flat_map(|list| list.iter_owned()).chain(sample.buffer_owned());
        for buffer in buffers {
            packets.push(buffer.map_readable()?.to_vec());
        }
    }
    pipeline.set_state(gst::State::Null)?;
    Ok(cut(&packets, media))
}

fn raw_caps(media: Media) -> String {
    match media {
        Media::Opus => format!("audio/x-raw,format=S16LE,rate={AUDIO_RATE},channels=1,layout=interleaved"),
        _ => format!("video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1"),
    }
}

/// Uncompressed frames (video) or 20 ms blocks (audio) with their times.
fn raw(media: Media) -> Vec<(gst::ClockTime, Vec<u8>)> {
    match media {
        Media::Opus => (0..SECONDS * 50).map(|n| (gst::ClockTime::from_mseconds(n * 20), sound(n))).collect(),
        _ => (0..SECONDS * FPS).map(|n| (gst::ClockTime::from_nseconds(n * 1_000_000_000 / FPS), picture(n))).collect(),
    }
}

fn picture(n: u64) -> Vec<u8> {
    let flash = n.is_multiple_of(FPS);
    let mut frame = vec![235; WIDTH * HEIGHT];
    if !flash {
        // grain keeps the encoders busy, so that a frame is more than one packet
        let mut grain = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for pixel in &mut frame {
            grain ^= grain << 13;
            grain ^= grain >> 7;
            grain ^= grain << 17;
            *pixel = 80 + (grain % 24) as u8;
        }
    }
    // the bar is elsewhere in each frame of the clip, so that no two frames are alike, flashes included
    let left = (n as usize * 4) % (WIDTH - 40);
    for row in frame.chunks_mut(WIDTH) {
        row[left..left + 40].fill(if flash { 40 } else { 180 });
    }
    frame.resize(WIDTH * HEIGHT * 3 / 2, 128);
    frame
}

fn sound(n: u64) -> Vec<u8> {
    let block = AUDIO_RATE / 50;
    let sample = |at: u64| match at % AUDIO_RATE < AUDIO_RATE / 10 {
        true => ((at as f64 * 1000.0 * std::f64::consts::TAU / AUDIO_RATE as f64).sin() * 12_000.0) as i16,
        false => 0,
    };
    (n * block..(n + 1) * block).flat_map(|at| sample(at).to_le_bytes()).collect()
}

/// RTP packets → clip: times from 0, exactly as long as a loop, marks set.
fn cut(packets: &[Vec<u8>], media: Media) -> Vec<ClipPacket> {
    let word = |packet: &[u8]| u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
    let Some(begin) = packets.first().map(|packet| word(packet)) else { return vec![] };
    let rate = media.clock_rate();
    let mut clip: Vec<ClipPacket> = vec![];
    for (n, packet) in packets.iter().enumerate() {
        let ts = match media {
            // the encoder cuts its look-ahead (6.5 ms) off the first packet's time; here all are 20 ms apart
            Media::Opus => n as u32 * rate / 50,
            _ => word(packet).wrapping_sub(begin),
        };
        if ts >= rate * SECONDS as u32 {
            continue;
        }
        let first = clip.last().is_none_or(|last| last.ts != ts);
        // encoders round times by a tick or so
        let mark = first && ts % rate < rate / 100;
        clip.push(ClipPacket { ts, marker: packet[1] & 0x80 != 0, mark, payload: packet[12..].into() });
    }
    clip
}

fn write(packets: &[ClipPacket]) -> Vec<u8> {
    let mut bytes = vec![];
    for packet in packets {
        bytes.extend(packet.ts.to_be_bytes());
        bytes.push(u8::from(packet.marker) | u8::from(packet.mark) << 1);
        bytes.extend((packet.payload.len() as u16).to_be_bytes());
        bytes.extend(&*packet.payload);
    }
    bytes
}

fn read(mut bytes: &[u8]) -> Option<Arc<[ClipPacket]>> {
    let mut packets = vec![];
    while !bytes.is_empty() {
        packets.push(read_packet(&mut bytes).ok()?);
    }
    Some(packets.into()).filter(|packets: &Arc<[ClipPacket]>| !packets.is_empty())
}

fn read_packet(bytes: &mut &[u8]) -> io::Result<ClipPacket> {
    let mut head = [0; 7];
    bytes.read_exact(&mut head)?;
    let mut payload = vec![0; usize::from(u16::from_be_bytes([head[5], head[6]]))];
    bytes.read_exact(&mut payload)?;
    let ts = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
    Ok(ClipPacket { ts, marker: head[4] & 1 != 0, mark: head[4] & 2 != 0, payload: payload.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::{Frames, Video};

    #[test]
    fn the_clips_are_whole_and_marked_once_a_second() {
        for media in [Media::Vp8, Media::H264, Media::Opus] {
            let clip = Clip::load(media);
            check(&clip.packets, media);
            let codec = match media {
                Media::Vp8 => Video::Vp8,
                Media::H264 => Video::H264,
                Media::Opus => {
                    assert_eq!(clip.packets.len() as u64, SECONDS * 50);
                    continue;
                }
            };
            let mut frames = Frames::new(codec);
            for (seq, packet) in clip.packets.iter().enumerate() {
                frames.push(seq as u64, packet.ts, packet.marker, packet.payload.clone(), std::time::Instant::now());
            }
            assert_eq!((frames.whole, frames.useless, frames.keyframes), (SECONDS * FPS, 0, SECONDS), "{media:?}");
        }
    }

    #[test]
    fn a_clip_survives_its_file() {
        let packets = vec![ClipPacket { ts: 7, marker: true, mark: false, payload: vec![1, 2, 3].into() }];
        let again = read(&write(&packets)).unwrap();
        assert_eq!((again[0].ts, again[0].marker, again[0].mark, &*again[0].payload), (7, true, false, &[1, 2, 3][..]));
        assert!(read(&write(&packets)[..5]).is_none());
    }
}
