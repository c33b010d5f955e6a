//! What is to be recorded, checked, and what a recording is at one moment. Plain data and its rules; nobody owns it.

use crate::ids::{RecordingId, SessionId, StreamId, TrackId};
use std::fmt;

/// What a recording shall hold. At least one of sound and picture is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Name of the file without its ending, `[a-zA-Z0-9_-]+`; `None` = the recording's id.
    pub name: Option<String>,
    pub audio: bool,
    pub video: Option<Picture>,
}

/// The picture of a composed recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Picture {
    pub resolution: Resolution,
    /// Pictures a second, 1 to 120.
    pub frame_rate: u32,
}

/// Width and height in px, each 100 to 1999 (rest.md §10.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resolution {
    width: u32,
    height: u32,
}

impl Resolution {
    /// Reads `1280x720`. `None`: not of that form, or a side out of range.
    pub fn parse(text: &str) -> Option<Resolution> {
        let side = |text: &str| -> Option<u32> {
            let right = (3..=4).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|side| right && (100..=1999).contains(side))
        };
        let (width, height) = text.split_once('x')?;
        Some(Resolution { width: side(width)?, height: side(height)? })
    }

    /// Width and height in px as the encoder can have them: odd ones are one less.
    pub fn even(self) -> (u32, u32) {
        (self.width & !1, self.height & !1)
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A stream that a recording shows, with the tracks it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cast {
    pub stream: StreamId,
    pub audio: Option<TrackId>,
    pub video: Option<TrackId>,
}

/// A recording at one moment: what the library knows and the metadata on disk says.
#[derive(Clone, PartialEq, Debug)]
pub struct Recording {
    pub id: RecordingId,
    pub session: SessionId,
    /// Tells sessions of the same id apart: `<session>_<its creation in ms since 1970>`.
    pub unique_session: String,
    /// Name of the file without its ending.
    pub name: String,
    /// ms since 1970.
    pub created_at: u64,
    pub audio: bool,
    pub video: Option<Picture>,
    pub status: Status,
    /// Files that can be played: `<name>.mp4`, `<name>-2.mp4` and so on; 0 until known.
    pub files: u32,
    /// Bytes of all of them; 0 until known.
    pub size: u64,
    /// ms; 0 until known.
    pub duration_ms: u64,
}

impl Recording {
    /// Is there a film with pictures?
    pub fn has_picture(&self) -> bool {
        self.files > 0 && self.video.is_some()
    }
}

/// How far a recording is; lives only move forward (rest.md §10.9).
///
/// ```text
/// Starting ──file grows──> Started ──asked, or in trouble──> Stopped ──file finished──> Ready
///    └──────────────────────────┴───────────────────────────────┴──> Failed
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Status {
    Starting,
    Started,
    Stopped,
    Ready,
    Failed,
}

impl Status {
    /// All of them, in the order of a life.
    pub const ALL: [Status; 5] = [Status::Starting, Status::Started, Status::Stopped, Status::Ready, Status::Failed];

    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Starting => "starting",
            Status::Started => "started",
            Status::Stopped => "stopped",
            Status::Ready => "ready",
            Status::Failed => "failed",
        }
    }

    /// The status the API calls `word`.
    pub fn parse(word: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Nothing more happens to such a recording.
    pub fn is_final(self) -> bool {
        matches!(self, Status::Ready | Status::Failed)
    }
}

/// Why a recording stopped (events.md §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopReason {
    RecordingStoppedByServer,
    SessionClosedByServer,
    LastParticipantLeft,
    AutomaticStop,
    MediaServerDisconnect,
    NodeCrashed,
    OpenviduServerStopped,
}

impl StopReason {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            StopReason::RecordingStoppedByServer => "recordingStoppedByServer",
            StopReason::SessionClosedByServer => "sessionClosedByServer",
            StopReason::LastParticipantLeft => "lastParticipantLeft",
            StopReason::AutomaticStop => "automaticStop",
            StopReason::MediaServerDisconnect => "mediaServerDisconnect",
            StopReason::NodeCrashed => "nodeCrashed",
            StopReason::OpenviduServerStopped => "openviduServerStopped",
        }
    }
}

/// Name of file `number` (from 1) of a recording called `name`. Most have one; there is a further one only when a composer died
/// and its successor could not go on with its file.
pub fn file_name(name: &str, number: u32) -> String {
    if number == 1 { format!("{name}.mp4") } else { format!("{name}-{number}.mp4") }
}

/// Name of the picture that stands for a film with pictures.
pub fn thumbnail_name(id: &RecordingId) -> String {
    format!("{id}.jpg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions_have_two_sides_of_100_to_1999() {
        for text in ["1280x720", "100x100", "1999x1999", "641x481"] {
            assert_eq!(Resolution::parse(text).unwrap().to_string(), text);
        }
        for text in
            ["", "x", "99x720", "2000x720", "0640x480", "640x0480", "640X480", "640x480x1", " 640x480", "+640x480", "640", "é00x100"]
        {
            assert_eq!(Resolution::parse(text), None, "{text}");
        }
        assert_eq!(Resolution::parse("641x481").unwrap().even(), (640, 480));
    }

    #[test]
    fn words_of_the_api_come_back() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        assert_eq!(Status::parse("paused"), None);
        assert!(Status::ALL.is_sorted() && Status::Failed.is_final() && !Status::Stopped.is_final());
    }
}
