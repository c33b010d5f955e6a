//! A recorded file, decoded and measured: when it flashes, when it beeps, what is where.

use super::{PERIOD, RAMP};
use gstreamer::prelude::*;
use gstreamer::{ClockTime, MessageType, Sample, State};
use gstreamer_app::AppSink;
use std::error::Error;
use std::path::Path;

/// Size the pictures are measured at, px.
const WIDTH: usize = 320;
const HEIGHT: usize = 180;
const RATE: f64 = 48_000.0;
/// How loud beeps are: mixed with eight others, and alone. A decoder that goes on after a hole may be twice as loud for a moment.
const BEEP: (f64, f64) = (0.12, 0.48);
/// Below that there is no tone. Well above what is in a hole, and well below 0.025: as loud as an Opus decoder is in the first 12 ms
/// after it began in mid-stream.
const QUIETEST_TONE: f64 = 0.015;
/// Luma of the background at most; no source is so dark.
pub const BLACK: f64 = 25.0;
/// Luma of a flash, whatever coding and scaling did to it.
const WHITE_FROM: f64 = 185.0;

/// A decoded file. Times are seconds of the file.
#[derive(Debug)]
pub struct Film {
    /// Size of the pictures in the file, px.
    pub size: (u32, u32),
    pictures: Vec<Picture>,
    /// Mono, from second 0 on.
    sound: Vec<f32>,
    /// End of the last picture and of the last sound.
    pub video_end: f64,
    pub audio_end: f64,
}

#[derive(Debug)]
struct Picture {
    time: f64,
    luma: Vec<u8>,
}

/// A rectangle of the file's pictures, px.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Area {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

impl Area {
    /// Its inner part, without a tenth at each side: scaling mixes what is near an edge.
    pub fn inner(self) -> Area {
        let (dx, dy) = (self.width / 10, self.height / 10);
        Area { x: self.x + dx, y: self.y + dy, width: self.width - 2 * dx, height: self.height - 2 * dy }
    }
}

impl Film {
    /// Decodes a file that has pictures, sound or both.
    pub fn read(path: &Path, video: bool, audio: bool) -> Result<Film, Box<dyn Error>> {
        let mut film = Film { size: (0, 0), pictures: Vec::new(), sound: Vec::new(), video_end: 0.0, audio_end: 0.0 };
        if video {
            let measured = format!("video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT}");
            let decode = format!("d.video_0 ! h264parse ! avdec_h264 ! videoscale add-borders=false ! videoconvert ! {measured}");
            each_sample(path, &decode, |sample, time| film.picture(sample, time))?;
            film.size = file_size(path)?;
        }
        if audio {
            let decode = "d.audio_0 ! aacparse ! avdec_aac ! audioconvert ! audio/x-raw,format=F32LE,channels=1,layout=interleaved";
            each_sample(path, decode, |sample, time| film.hear(sample, time))?;
        }
        Ok(film)
    }

    fn picture(&mut self, sample: &Sample, time: f64) -> Option<()> {
        let buffer = sample.buffer()?;
        let luma = buffer.map_readable().ok()?.to_vec();
        self.video_end = time + buffer.duration().map_or(0.0, seconds);
        self.pictures.push(Picture { time, luma });
        Some(())
    }

    fn hear(&mut self, sample: &Sample, time: f64) -> Option<()> {
        let map = sample.buffer()?.map_readable().ok()?;
        let start = (time * RATE).round() as usize;
        let samples = map.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        self.sound.resize(start, 0.0);
        self.sound.extend(samples);
        self.audio_end = self.sound.len() as f64 / RATE;
        Some(())
    }

    /// Times of the pictures.
    pub fn times(&self) -> Vec<f64> {
        self.pictures.iter().map(|picture| picture.time).collect()
    }

    /// Mean luma of an area in each picture.
    pub fn luma(&self, area: Area) -> Vec<(f64, f64)> {
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let (left, right) = (area.x as usize * WIDTH / width, (area.x + area.width) as usize * WIDTH / width);
        let (top, bottom) = (area.y as usize * HEIGHT / height, (area.y + area.height) as usize * HEIGHT / height);
        let mean = |luma: &[u8]| {
            let rows = luma.chunks_exact(WIDTH).take(bottom.max(top + 1)).skip(top);
            let sum: u64 = rows.flat_map(|row| &row[left..right.max(left + 1)]).map(|luma| u64::from(*luma)).sum();
            sum as f64 / ((right.max(left + 1) - left) * (bottom.max(top + 1) - top)) as f64
        };
        self.pictures.iter().map(|picture| (picture.time, mean(&picture.luma))).collect()
    }

    /// When an area turns white. One that was black before shows a source that came in the midst of its flash.
    pub fn flashes(&self, area: Area) -> Vec<f64> {
        let luma = self.luma(area);
        luma.windows(2).filter(|pair| (BLACK..=WHITE_FROM).contains(&pair[0].1) && pair[1].1 > WHITE_FROM).map(|pair| pair[1].0).collect()
    }

    /// For each picture of an area that is neither white nor black: its time, and when in its source's two seconds it was
    /// captured.
    pub fn captured(&self, area: Area) -> Vec<(f64, f64)> {
        let pictures = self.luma(area).into_iter().filter(|(_, luma)| (RAMP.0 - 4.0..RAMP.1 + 4.0).contains(luma));
        pictures.map(|(time, luma)| (time, (luma - RAMP.0) / (RAMP.1 - RAMP.0) * PERIOD as f64 / 1e9)).collect()
    }

    /// The loudest sample; 1 is full scale.
    pub fn loudest(&self) -> f32 {
        self.sound.iter().fold(0.0, |loudest, sample| sample.abs().max(loudest))
    }

    /// When a beep of this pitch begins: it is half as loud as the loudest, for the more sources beep the quieter each is mixed.
    pub fn beeps(&self, hz: f64) -> Vec<f64> {
        let levels = self.envelope(hz, 0.004);
        let half = levels.iter().copied().fold(0.0, f64::max).clamp(BEEP.0, BEEP.1) / 2.0;
        let loud: Vec<bool> = levels.into_iter().map(|level| level > half).collect();
        let starts = (1..loud.len()).filter(|at| loud[*at] && !loud[at - 1]).map(|at| at as f64 / RATE);
        let mut beeps: Vec<f64> = Vec::new();
        starts.for_each(|start| {
            if beeps.last().is_none_or(|last| start - last > 0.5) {
                beeps.push(start)
            }
        });
        beeps
    }

    /// When a tone of this pitch is not heard: begin and length.
    pub fn silences(&self, hz: f64) -> Vec<(f64, f64)> {
        let quiet: Vec<bool> = self.envelope(hz, 0.008).into_iter().map(|level| level < QUIETEST_TONE).collect();
        runs(&quiet)
            .into_iter()
            .map(|(start, length)| (start as f64 / RATE, length as f64 / RATE))
            .filter(|(_, length)| *length > 0.004)
            .collect()
    }

    /// Where each flash of an area is against the beep nearest to it: (time, seconds the flash is late).
    pub fn sync(&self, area: Area, hz: f64) -> Vec<(f64, f64)> {
        let beeps = self.beeps(hz);
        let late = |flash: f64| beeps.iter().map(|beep| flash - beep).min_by(|a, b| a.abs().total_cmp(&b.abs()));
        self.flashes(area).into_iter().filter_map(|flash| late(flash).filter(|late| late.abs() < 0.45).map(|late| (flash, late))).collect()
    }

    /// Loudness at a pitch for each sample: the mean over a window of so many seconds, centred.
    fn envelope(&self, hz: f64, window: f64) -> Vec<f64> {
        let half = (window * RATE / 2.0) as usize;
        let mut sums = vec![(0.0, 0.0)];
        let (mut re, mut im) = (0.0, 0.0);
        for (at, sample) in self.sound.iter().enumerate() {
            let (sin, cos) = (std::f64::consts::TAU * hz * at as f64 / RATE).sin_cos();
            re += f64::from(*sample) * cos;
            im += f64::from(*sample) * sin;
            sums.push((re, im));
        }
        let level = |at: usize| {
            let (from, to) = (sums[at.saturating_sub(half)], sums[(at + half).min(self.sound.len())]);
            2.0 * (to.0 - from.0).hypot(to.1 - from.1) / (2 * half) as f64
        };
        (0..self.sound.len()).map(level).collect()
    }
}

/// Runs of `true`: start and length.
fn runs(flags: &[bool]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in flags.iter().enumerate().filter(|(_, flag)| **flag) {
        match runs.last_mut() {
            Some((start, length)) if *start + *length == at => *length += 1,
            _ => runs.push((at, 1)),
        }
    }
    runs
}

fn seconds(time: ClockTime) -> f64 {
    time.nseconds() as f64 / 1e9
}

/// Decodes one track; `each` gets every sample with its time in the file.
fn each_sample(path: &Path, decode: &str, mut each: impl FnMut(&Sample, f64) -> Option<()>) -> Result<(), Box<dyn Error>> {
    gstreamer::init()?;
    let description = format!("filesrc location=\"{}\" ! qtdemux name=d {decode} ! appsink name=out sync=false", path.display());
    let pipeline = gstreamer::parse::launch(&description)?.downcast::<gstreamer::Pipeline>().map_err(|_| "not a pipeline")?;
    let sink = pipeline.by_name("out").and_downcast::<AppSink>().ok_or("no appsink")?;
    sink.set_max_buffers(16);
    pipeline.set_state(State::Playing)?;
    while let Ok(sample) = sink.pull_sample() {
        let segment = sample.segment().and_then(|segment| segment.downcast_ref::<ClockTime>().cloned()).ok_or("no segment")?;
        let pts = sample.buffer().and_then(|buffer| buffer.pts()).ok_or("a sample without time")?;
        let time = segment.to_stream_time(pts).ok_or("a sample outside its segment")?;
        each(&sample, seconds(time)).ok_or("a sample that cannot be read")?;
    }
    let error = pipeline.bus().and_then(|bus| bus.pop_filtered(&[MessageType::Error]));
    pipeline.set_state(State::Null)?;
    error.map_or(Ok(()), |error| Err(format!("{}: {error:?}", path.display()).into()))
}

/// Width and height of the pictures.
fn file_size(path: &Path) -> Result<(u32, u32), Box<dyn Error>> {
    let path = path.canonicalize()?;
    let uri = gstreamer::glib::filename_to_uri(path, None)?;
    let info = gstreamer_pbutils::Discoverer::new(ClockTime::from_seconds(10))?.discover_uri(&uri)?;
    let video = info.video_streams();
    let video = video.first().ok_or("no pictures")?;
    Ok((video.width(), video.height()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beeps_and_silences_are_found_to_the_millisecond() {
        let sound = (0..96_000)
            .map(|at| {
                let t = at as f64 / RATE;
                let tone = if (0.5..0.6).contains(&t) { 0.0 } else { 0.05 * (std::f64::consts::TAU * 6000.0 * t).sin() };
                let loudness = if (0.25..0.26).contains(&t) { 0.9 } else { 0.45 };
                let beep = if (0.25..0.35).contains(&(t % 1.0)) { loudness * (std::f64::consts::TAU * 1000.0 * t).sin() } else { 0.0 };
                (tone + beep) as f32
            })
            .collect();
        let film = Film { size: (64, 64), pictures: Vec::new(), sound, video_end: 0.0, audio_end: 2.0 };
        let beeps = film.beeps(1000.0);
        assert!(beeps.len() == 2 && (beeps[0] - 0.25).abs() < 0.002 && (beeps[1] - 1.25).abs() < 0.001, "{beeps:?}");
        assert!(film.beeps(3500.0).is_empty());
        let silences = film.silences(6000.0);
        assert!(silences.len() == 1 && (silences[0].0 - 0.5).abs() < 0.005 && (silences[0].1 - 0.1).abs() < 0.01, "{silences:?}");
    }

    #[test]
    fn flashes_are_found_in_their_area() {
        let picture = |time: f64, right: u8| Picture {
            time,
            luma: (0..WIDTH * HEIGHT).map(|at| if at % WIDTH >= WIDTH / 2 { right } else { 16 }).collect(),
        };
        let pictures = vec![picture(0.0, 40), picture(0.04, 235), picture(0.08, 235), picture(0.12, 140)];
        let film = Film { size: (640, 360), pictures, sound: Vec::new(), video_end: 0.16, audio_end: 0.0 };
        let area = |x| Area { x, y: 0, width: 320, height: 360 };
        assert_eq!((film.flashes(area(0)), film.flashes(area(320))), (vec![], vec![0.04]));
        assert_eq!(film.captured(area(320)), [(0.0, 0.0), (0.12, 2.0)]);
    }
}
