//! Encoded material: one file for each track, made once, looped by the camera.
//!
//! A file is a line of magic, a line of caps, the length of the loop, and the access units: `time u64 | keyframe u8 | length u32 |
//! bytes`, big-endian, times in ns. It is written beside its final name and renamed, so that cameras that start together
//! never see half of it; the one that renames last wins, and both made the same.

use super::encode;
use super::options::{Audio, Video, VideoCodec};
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"viduct test media 1\n";

/// One encoded track.
#[derive(Clone, PartialEq, Debug)]
pub struct Track {
    /// Caps of the units.
    pub caps: String,
    /// After this time (ns) the first unit follows the last.
    pub loop_ns: u64,
    pub units: Vec<Unit>,
}

/// One access unit.
#[derive(Clone, PartialEq, Debug)]
pub struct Unit {
    /// ns since the beginning of the loop.
    pub time_ns: u64,
    pub keyframe: bool,
    pub data: Vec<u8>,
}

/// The video's track, from the cache or made now.
pub fn video(video: &Video) -> Result<Track, Box<dyn Error>> {
    let Video { codec, width, height, fps, gop, kbps } = video;
    let seconds = encode::video_seconds(video);
    let name = match codec {
        VideoCodec::H264 => format!("h264-{width}x{height}-{fps}fps-gop{gop}-{kbps}k-{seconds}s"),
        VideoCodec::Jpeg => format!("jpeg-{width}x{height}-{fps}fps-{seconds}s"),
    };
    cached(&name, || encode::video(video))
}

/// The audio's track, from the cache or made now.
pub fn audio(audio: Audio) -> Result<Track, Box<dyn Error>> {
    let name = match audio {
        Audio::Aac => "aac",
        Audio::Pcmu => "pcmu",
        Audio::Pcma => "pcma",
    };
    cached(name, || encode::audio(audio))
}

/// `target/test-media` of the build the running program belongs to, or where `VIDUCT_TEST_MEDIA` says.
fn folder() -> io::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("VIDUCT_TEST_MEDIA") {
        return Ok(folder.into());
    }
    let own = std::env::current_exe()?;
    let target = own.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.map(|target| target.join("test-media")).ok_or_else(|| io::Error::other("not in a target folder: set VIDUCT_TEST_MEDIA"))
}

fn cached(name: &str, make: impl FnOnce() -> Result<Track, Box<dyn Error>>) -> Result<Track, Box<dyn Error>> {
    let folder = folder()?;
    let path = folder.join(format!("{name}.units"));
    if let Some(track) = fs::read(&path).ok().and_then(|bytes| Track::parse(&bytes)) {
        return Ok(track);
    }
    let track = make()?;
    fs::create_dir_all(&folder)?;
    write_whole(&path, &track.to_bytes())?;
    Ok(track)
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

impl Track {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.caps.as_bytes());
        bytes.push(b'\n');
        bytes.extend(self.loop_ns.to_be_bytes());
        for unit in &self.units {
            bytes.extend(unit.time_ns.to_be_bytes());
            bytes.push(unit.keyframe.into());
            bytes.extend((unit.data.len() as u32).to_be_bytes());
            bytes.extend(&unit.data);
        }
        bytes
    }

    /// `None` for anything but a whole file of this format.
    fn parse(bytes: &[u8]) -> Option<Track> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let caps = std::str::from_utf8(&rest[..end]).ok()?.to_owned();
        let (loop_ns, mut rest) = rest[end + 1..].split_first_chunk()?;
        let mut units = Vec::new();
        while !rest.is_empty() {
            let (time, after) = rest.split_first_chunk()?;
            let ([keyframe], after) = after.split_first_chunk()?;
            let (length, after) = after.split_first_chunk()?;
            let (data, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            units.push(Unit { time_ns: u64::from_be_bytes(*time), keyframe: *keyframe != 0, data: data.to_vec() });
            rest = after;
        }
        (!units.is_empty()).then_some(Track { caps, loop_ns: u64::from_be_bytes(*loop_ns), units })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_and_a_cut_one_does_not() {
        let unit = |time_ns, keyframe, length| Unit { time_ns, keyframe, data: vec![7; length] };
        let track = Track { caps: "video/x-h264".into(), loop_ns: 100, units: vec![unit(0, true, 300), unit(50, false, 0)] };
        let bytes = track.to_bytes();
        assert_eq!(Track::parse(&bytes), Some(track));
        let first = bytes.len() - 13;
        for cut in (0..bytes.len()).filter(|cut| *cut != first) {
            assert_eq!(Track::parse(&bytes[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn a_file_appears_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        for content in ["one", "two"] {
            write_whole(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
