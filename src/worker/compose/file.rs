//! TEMPORARY: the file of a recording by mp4mux, until `mp4/` is there.
use crate::wire::control::{Failure, FailureKind};
use super::writer::Track;
use gstreamer::prelude::*;
use gstreamer::{Caps, ClockTime, Buffer};
use gstreamer_app::AppSrc;
use std::path::{Path, PathBuf};

/// What a track needs to be described in the file.
pub struct Format { pub video: Option<Caps>, pub audio: Option<Caps> }

pub struct Sample<'a> { pub time: u64, pub duration: u64, pub keyframe: bool, pub data: &'a [u8] }

pub struct File { pipeline: gstreamer::Pipeline, path: PathBuf, video: Option<AppSrc>, audio: Option<AppSrc> }

fn fail(e: impl ToString) -> Failure { Failure { kind: FailureKind::Disk, text: e.to_string() } }

impl File {
    pub fn create(path: &Path, format: &Format) -> Result<File, Failure> {
        let v = if format.video.is_some() { "appsrc name=v format=time ! queue max-size-time=0 max-size-bytes=0 max-size-buffers=0 ! mux.video_0 " } else { "" };
        let a = if format.audio.is_some() { "appsrc name=a format=time ! queue max-size-time=0 max-size-bytes=0 max-size-buffers=0 ! mux.audio_0 " } else { "" };
        let p = gstreamer::parse::launch(&format!("mp4mux name=mux fragment-duration=500 ! filesink location={} {v}{a}", path.display())).map_err(fail)?.downcast::<gstreamer::Pipeline>().unwrap();
        let get = |n: &str| p.by_name(n).and_downcast::<AppSrc>();
        let (video, audio) = (get("v"), get("a"));
        if let Some(v) = &video { v.set_caps(format.video.as_ref()); }
        if let Some(a) = &audio { a.set_caps(format.audio.as_ref()); }
        p.set_state(gstreamer::State::Playing).map_err(fail)?;
        Ok(File { pipeline: p, path: path.into(), video, audio })
    }
    pub fn sample(&mut self, track: Track, s: &Sample) -> Result<(), Failure> {
        let (src, rate) = match track { Track::Video => (&self.video, 90000), Track::Audio => (&self.audio, 48000) };
        let mut b = Buffer::from_slice(s.data.to_vec());
        let t = |x: u64| ClockTime::from_nseconds(x * 1_000_000_000 / rate);
        let m = b.get_mut().unwrap();
        m.set_pts(t(s.time)); m.set_dts(t(s.time)); m.set_duration(t(s.duration));
        if !s.keyframe { m.set_flags(gstreamer::BufferFlags::DELTA_UNIT); }
        src.as_ref().unwrap().push_buffer(b).map_err(|e| fail(format!("{e}")))?;
        Ok(())
    }
    pub fn flush(&mut self) -> Result<u64, Failure> { std::fs::metadata(&self.path).map(|m| m.len()).map_err(fail) }
    pub fn finish(self) -> Result<u64, Failure> {
        if let Some(v) = &self.video { let _ = v.end_of_stream(); }
        if let Some(a) = &self.audio { let _ = a.end_of_stream(); }
        let m = self.pipeline.bus().unwrap().timed_pop_filtered(ClockTime::from_seconds(5), &[gstreamer::MessageType::Eos, gstreamer::MessageType::Error]);
        if let Some(m) = m && m.type_() == gstreamer::MessageType::Error { return Err(fail("mux")); }
        self.pipeline.set_state(gstreamer::State::Null).map_err(fail)?;
        std::fs::metadata(&self.path).map(|m| m.len()).map_err(fail)
    }
}
