//! What a composer is asked to make, and what it makes it of.
//!
//! A composer starts with a [`ComposeSpec`] and knows nobody; who takes part comes as slots. A *slot* is one track on the media
//! socket. The slots of one *source* (its picture and its sound) are on one time line. A slot's number is used again only when
//! all others had their turn: what an old stream left in the socket must not be taken for the new one.

use crate::rtp::{Format, Kind};
use serde::{Deserialize, Serialize};

/// One composed recording. At least one of `video` and `audio` is there.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComposeSpec {
    /// Folder of the recording; it exists. The composer holds its lock while it writes. It writes [`part_name`] 1, or goes on with
    /// the last part when a predecessor died over it; where that is not possible it begins the next part.
    pub folder: String,
    /// The recording's first moment, CLOCK_MONOTONIC in ns, the same for each process of the job: what a successor writes has its
    /// place in time.
    pub began_ns: u64,
    /// The picture, or `None` for sound alone.
    pub video: Option<ComposedVideo>,
    /// The sound, or `None` for a silent film.
    pub audio: Option<ComposedAudio>,
}

/// The picture of a recording: H.264.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComposedVideo {
    /// px, even.
    pub width: u32,
    /// px, even.
    pub height: u32,
    /// Pictures a second.
    pub frame_rate: u32,
    /// kbit/s.
    pub kbps: u32,
}

/// The sound of a recording: AAC, 48 kHz, stereo.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComposedAudio {
    /// kbit/s.
    pub kbps: u32,
}

/// Name of part `number` (from 1) of a recording, in its folder.
pub fn part_name(number: u32) -> String {
    format!("part-{number}.mp4")
}

/// A track joins a composed recording.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComposeSlot {
    /// Its number on the media socket. A number that is in use is replaced.
    pub slot: u8,
    /// Whose track it is; slots of the same source stay in sync with each other.
    pub source: String,
    /// Video gets a cell at once, whether or not there is a picture.
    pub kind: Kind,
    /// Its format, when the daemon knows it. It also travels in band, before or after this line; but a composer that takes the
    /// place of another one has missed it there.
    pub format: Option<Format>,
}

/// How much of a recording is safely on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// Which [`part_name`] this process writes.
    pub part: u32,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Its length in ms.
    pub duration_ms: u64,
}
