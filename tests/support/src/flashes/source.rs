//! Sources that flash and beep, as RTP packets with capture times. Encoded once, replayed for ever.

use super::{PERIOD, RAMP, WHITE, beep_hz, tone_hz};
use gstreamer::prelude::*;
use gstreamer::{Buffer, ClockTime, MessageType, State};
use gstreamer_app::{AppSink, AppSrc};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;
/// Samples a second and in a packet of 20 ms.
const RATE: usize = 48_000;
const FRAME: usize = 960;
/// Opus looks so many samples ahead; after decoding the beep is exactly on the second.
const OPUS_DELAY: usize = 312;

/// Codec of a video source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VideoCodec {
    H264,
    Vp8,
}

/// What a video source looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    pub codec: VideoCodec,
    pub width: usize,
    pub height: usize,
    /// Divides 50 or is 30.
    pub fps: usize,
}

/// Two seconds of packets, beginning with a keyframe; begun anew they go on as if nothing was.
#[derive(Clone, PartialEq, Debug)]
pub struct Reel {
    /// Packets of each access unit.
    units: Vec<Vec<Vec<u8>>>,
    /// RTP ticks between two units.
    ticks: u32,
}

impl Reel {
    /// Pictures of source number `number`.
    pub fn video(number: usize, look: Look) -> Result<Reel, Box<dyn Error>> {
        let Look { codec, width, height, fps } = look;
        let encoder = match codec {
            VideoCodec::H264 => {
                "x264enc tune=zerolatency speed-preset=veryfast bitrate=800 key-int-max=999 option-string=scenecut=0 \
                 ! video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 mtu=1200 pt=102"
            }
            VideoCodec::Vp8 => "vp8enc deadline=1 cpu-used=6 target-bitrate=800000 keyframe-max-dist=999 ! rtpvp8pay mtu=1200 pt=96",
        };
        let caps = format!("video/x-raw,format=I420,width={width},height={height},framerate={fps}/1");
        let frames = (0..2 * fps).map(|frame| picture(number, look, frame));
        let units = encode(&format!("caps={caps} ! {encoder}"), frames, SECOND / fps as u64)?;
        Reel::of(units, 2 * fps, 90_000 / fps)
    }

    /// Sound of source number `number`; a silent one sends what an encoder sends while nobody speaks.
    pub fn audio(number: usize, silent: bool) -> Result<Reel, Box<dyn Error>> {
        let loudness = if silent { 0.0 } else { 1.0 };
        let sample = |at: usize| {
            let t = (at + OPUS_DELAY) as f64 / RATE as f64;
            let beep = if t.fract() < 0.1 { 0.3 * wave(beep_hz(number), t) } else { 0.0 };
            (loudness * (0.05 * wave(tone_hz(number), t) + beep)) as f32
        };
        let chunks = (0..200).map(|chunk| (0..FRAME).flat_map(|at| sample(chunk * FRAME + at).to_le_bytes()).collect());
        let caps = format!("audio/x-raw,format=F32LE,rate={RATE},channels=1,layout=interleaved");
        let encoder = "opusenc bitrate=64000 ! rtpopuspay pt=111";
        let units = encode(&format!("caps={caps} ! audioconvert ! {encoder}"), chunks, 20_000_000)?;
        // the third and fourth second: the encoder has settled
        Reel::of(units.into_iter().skip(100).collect(), 100, FRAME)
    }

    /// The beeps of source number `number` as G.711 µ-law, without the quiet tone: the telephone does not reach that high.
    pub fn telephone(number: usize) -> Result<Reel, Box<dyn Error>> {
        const RATE: usize = 8000;
        const FRAME: usize = 160;
        let sample = |at: usize| {
            let t = at as f64 / RATE as f64;
            let beep = if t.fract() < 0.1 { 0.3 * wave(beep_hz(number), t) } else { 0.0 };
            (beep * 32_767.0) as i16
        };
        let chunks = (0..100).map(|chunk| (0..FRAME).flat_map(|at| sample(chunk * FRAME + at).to_le_bytes()).collect());
        let caps = format!("audio/x-raw,format=S16LE,rate={RATE},channels=1,layout=interleaved");
        let payloader = "rtppcmupay min-ptime=20000000 max-ptime=20000000";
        Reel::of(encode(&format!("caps={caps} ! mulawenc ! {payloader}"), chunks, 20_000_000)?, 100, FRAME)
    }

    fn of(units: Vec<Vec<Vec<u8>>>, count: usize, ticks: usize) -> Result<Reel, Box<dyn Error>> {
        match units.len() >= count {
            true => Ok(Reel { units: units.into_iter().take(count).collect(), ticks: ticks.try_into()? }),
            false => Err(format!("the encoder made {} units of {count}", units.len()).into()),
        }
    }

    /// ns from the beginning to the unit `number`, counted over all rounds.
    fn time(&self, number: u64) -> u64 {
        number * PERIOD / self.units.len() as u64
    }
}

fn wave(hz: f64, t: f64) -> f64 {
    (std::f64::consts::TAU * hz * t).sin()
}

/// I420. The texture has a mean of zero, so the picture's mean is its time.
fn picture(number: usize, look: Look, frame: usize) -> Vec<u8> {
    let Look { width, height, fps, .. } = look;
    let flash = frame % fps * 10 < fps;
    let level = RAMP.0 + (RAMP.1 - RAMP.0) * frame as f64 / (2 * fps) as f64;
    let texture = |x: usize, y: usize| if (x / 8 + frame / 2 + number) % 2 == y / 8 % 2 { 12.0 } else { -12.0 };
    let luma = |x, y| if flash { WHITE } else { (level + texture(x, y)).round() as u8 };
    let mut bytes: Vec<u8> = (0..height).flat_map(|y| (0..width).map(move |x| luma(x, y))).collect();
    bytes.resize(bytes.len() + width.div_ceil(2) * height.div_ceil(2) * 2, 128);
    bytes
}

/// Encodes chunks that are `step` ns apart; packets of the same time are one unit.
fn encode(description: &str, chunks: impl Iterator<Item = Vec<u8>>, step: u64) -> Result<Vec<Vec<Vec<u8>>>, Box<dyn Error>> {
    gstreamer::init()?;
    let description = format!("appsrc name=raw format=time {description} ! appsink name=packets sync=false max-buffers=0");
    let pipeline = gstreamer::parse::launch(&description)?.downcast::<gstreamer::Pipeline>().map_err(|_| "not a pipeline")?;
    let source = pipeline.by_name("raw").and_downcast::<AppSrc>().ok_or("no appsrc")?;
    let sink = pipeline.by_name("packets").and_downcast::<AppSink>().ok_or("no appsink")?;
    pipeline.set_state(State::Playing)?;
    for (number, chunk) in chunks.enumerate() {
        let mut buffer = Buffer::from_mut_slice(chunk);
        let timed = buffer.get_mut().ok_or("a new buffer is nobody else's")?;
        timed.set_pts(ClockTime::from_nseconds(number as u64 * step));
        timed.set_duration(ClockTime::from_nseconds(step));
        source.push_buffer(buffer)?;
    }
    source.end_of_stream()?;
    let mut units: Vec<(Option<ClockTime>, Vec<Vec<u8>>)> = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        let buffer = sample.buffer().ok_or("an empty sample")?;
        let packet = buffer.map_readable()?.to_vec();
        match units.last_mut() {
            Some((pts, packets)) if *pts == buffer.pts() => packets.push(packet),
            _ => units.push((buffer.pts(), vec![packet])),
        }
    }
    let error = pipeline.bus().and_then(|bus| bus.pop_filtered(&[MessageType::Error]));
    pipeline.set_state(State::Null)?;
    match error {
        Some(error) => Err(format!("{error:?}").into()),
        None => Ok(units.into_iter().map(|(_, packets)| packets).collect()),
    }
}

/// Writes `seconds` of a source's packets to a Matroska file, from the beginning of its reels on: the same coded pictures and sounds
/// for programs that read files.
pub fn write_file(path: &Path, video: &Arc<Reel>, audio: &Arc<Reel>, seconds: u64) -> Result<(), Box<dyn Error>> {
    gstreamer::init()?;
    let packets = |name, media, rate, encoding| {
        let caps = format!("application/x-rtp,media={media},clock-rate={rate},encoding-name={encoding},payload=97");
        format!("appsrc name={name} format=time max-bytes=0 caps={caps}")
    };
    let (pictures, sounds) = (packets("pictures", "video", 90_000, "H264"), packets("sounds", "audio", 48_000, "OPUS"));
    let description = format!(
        "{pictures} ! rtph264depay ! h264parse ! queue max-size-bytes=0 max-size-buffers=0 max-size-time=0 ! matroskamux name=file \
         ! filesink name=out {sounds} ! rtpopusdepay ! opusparse ! queue max-size-bytes=0 max-size-buffers=0 max-size-time=0 ! file."
    );
    let pipeline = gstreamer::parse::launch(&description)?.downcast::<gstreamer::Pipeline>().map_err(|_| "not a pipeline")?;
    pipeline.by_name("out").ok_or("no filesink")?.set_property("location", path.to_str().ok_or("no path")?);
    pipeline.set_state(State::Playing)?;
    for (name, reel) in [("pictures", video), ("sounds", audio)] {
        let source = pipeline.by_name(name).and_downcast::<AppSrc>().ok_or("no appsrc")?;
        let mut player = Player::from_keyframe(reel.clone(), 0, 1);
        while player.captured() < seconds * SECOND {
            let Unit { captured_ns, packets } = player.unit();
            for packet in packets {
                let mut buffer = Buffer::from_mut_slice(packet);
                buffer.get_mut().ok_or("a new buffer is nobody else's")?.set_pts(ClockTime::from_nseconds(captured_ns));
                source.push_buffer(buffer)?;
            }
        }
        source.end_of_stream()?;
    }
    let bus = pipeline.bus().ok_or("a pipeline has a bus")?;
    let end = bus.timed_pop_filtered(ClockTime::from_seconds(60), &[MessageType::Error, MessageType::Eos]);
    pipeline.set_state(State::Null)?;
    match end {
        Some(end) if end.type_() == MessageType::Eos => Ok(()),
        other => Err(format!("{} was not written: {other:?}", path.display()).into()),
    }
}

/// One access unit on its way.
#[derive(Clone, PartialEq, Debug)]
pub struct Unit {
    /// When it was captured, ns.
    pub captured_ns: u64,
    pub packets: Vec<Vec<u8>>,
}

/// A reel that plays: unit after unit, with sequence numbers and timestamps that go on.
#[derive(Clone, Debug)]
pub struct Player {
    reel: Arc<Reel>,
    /// Captured when the reel began its first round, ns; a multiple of [`PERIOD`].
    began: u64,
    next: u64,
    sequence: u16,
    ssrc: u32,
}

impl Player {
    /// Plays from the keyframe before `now` on: what a track's cache would send first.
    pub fn from_keyframe(reel: Arc<Reel>, now: u64, ssrc: u32) -> Player {
        Player { reel, began: now / PERIOD * PERIOD, next: 0, sequence: ssrc as u16, ssrc }
    }

    /// Plays from `now` on.
    pub fn from_now(reel: Arc<Reel>, now: u64, ssrc: u32) -> Player {
        let mut player = Player::from_keyframe(reel, now, ssrc);
        while player.captured() < now {
            player.next += 1;
        }
        player
    }

    /// Goes on where another player is, with its sequence numbers: the same stream with other content.
    pub fn after(self, before: &Player) -> Player {
        Player { sequence: before.sequence, ssrc: before.ssrc, ..self }
    }

    /// When the next unit is captured, ns.
    pub fn captured(&self) -> u64 {
        self.began + self.reel.time(self.next)
    }

    /// Is the next unit a keyframe?
    pub fn at_keyframe(&self) -> bool {
        self.next.is_multiple_of(self.reel.units.len() as u64)
    }

    /// The next unit.
    pub fn unit(&mut self) -> Unit {
        let captured_ns = self.captured();
        let timestamp = (self.next as u32).wrapping_mul(self.reel.ticks);
        let mut packets = self.reel.units[(self.next % self.reel.units.len() as u64) as usize].clone();
        for packet in &mut packets {
            packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
            packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
            packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.next += 1;
        Unit { captured_ns, packets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_goes_on_for_ever() {
        let unit = |length: usize| vec![vec![0x80; 12 + length]];
        let reel = Arc::new(Reel { units: vec![unit(1), unit(2), unit(3), unit(4)], ticks: 45_000 });
        let mut player = Player::from_keyframe(reel.clone(), 5_100_000_000, 65_535);
        let units: Vec<Unit> = (0..9).map(|_| player.unit()).collect();
        assert_eq!(units.iter().map(|unit| unit.captured_ns / 1_000_000).collect::<Vec<_>>()[..5], [4000, 4500, 5000, 5500, 6000]);
        assert_eq!(units[8].packets[0][2..8], [0, 7, 0, 5, 0x7e, 0x40]);
        assert_eq!(Player::from_now(reel, 5_100_000_000, 0).captured(), 5_500_000_000);
    }

    #[test]
    fn pictures_tell_their_time() {
        let look = Look { codec: VideoCodec::H264, width: 64, height: 64, fps: 25 };
        let mean = |frame| picture(0, look, frame)[..64 * 64].iter().map(|luma| f64::from(*luma)).sum::<f64>() / 4096.0;
        for (frame, luma) in [(0, 235.0), (2, 235.0), (3, 46.0), (24, 88.0), (25, 235.0), (49, 138.0)] {
            assert_eq!(mean(frame), luma, "{frame}");
        }
    }
}
