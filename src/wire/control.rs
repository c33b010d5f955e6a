//! The control socket: one JSON object a line. The closing of the socket is the order to end within 2 s.

use super::camera::{CameraSpec, Transport};
use super::compose::{ComposeSlot, ComposeSpec, Written};
use super::thumbnail::ThumbnailSpec;
use super::transcode::TranscodeSpec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use thiserror::Error;

/// Longest line in bytes, newline included.
pub const MAX_LINE: usize = 16 * 1024;

/// What a worker process shall do; it does exactly one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Spec {
    /// Pull a camera and send its tracks to the media socket: video on [`VIDEO_SLOT`], audio on [`AUDIO_SLOT`].
    Camera(CameraSpec),
    /// Mix what arrives on the media socket into one file.
    Compose(ComposeSpec),
    /// Take one video on [`VIDEO_SLOT`] and give it in another codec on [`VIDEO_SLOT`].
    Transcode(TranscodeSpec),
    /// Make one picture of a film.
    Thumbnail(ThumbnailSpec),
}

impl Spec {
    /// A job that is over when it is done; all others go on until they are stopped.
    pub fn ends_by_itself(&self) -> bool {
        matches!(self, Spec::Thumbnail(_))
    }
}

/// How often a worker that says [`FromWorker::Alive`] says it.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// Slot of a camera's video on the media socket.
pub const VIDEO_SLOT: u8 = 0;
/// Slot of a camera's audio on the media socket.
pub const AUDIO_SLOT: u8 = 1;

/// Daemon to worker.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "say")]
pub enum ToWorker {
    /// First line: the job.
    Start { spec: Spec },
    /// Composer: a track joins.
    AddSlot(ComposeSlot),
    /// Composer: a track leaves; its cell closes. Unknown numbers are ignored.
    RemoveSlot { slot: u8 },
    /// Composer: these video slots have the first cells, in this order; others follow as they came. Unknown numbers are ignored.
    Layout { order: Vec<u8> },
    /// Composer: the recording ends now. The last words are `Written` and `Finished`.
    Stop,
}

/// Worker to daemon.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "say")]
pub enum FromWorker {
    /// The job stands and waits for what it will be given; that may take any time.
    Listening,
    /// Media flows.
    Ready,
    /// The job's loop turns. A worker that has said it once goes on saying it each [`HEARTBEAT`]; when it stops, it hangs.
    Alive,
    /// Camera: its packets come this way and not in the one that was asked for. A successor need not find that out again.
    Sends { transport: Transport },
    /// Transcoder: these elements of hardware are in use from now on, by their names in the tables. Said before they are touched,
    /// so that a driver which takes the process along can be named.
    Uses { elements: Vec<String> },
    /// Something worth one log line; the job goes on.
    Warning { text: String },
    /// Recorders: what is on disk, about twice a second. The one before `Finished` is the result.
    Written(Written),
    /// The job is over; last line before the process exits.
    Failed { failure: Failure },
    /// The job is over because it was asked to end, or is done; last line.
    Finished,
}

/// Why a job ended. The text is for the log and carries no credentials.
#[derive(Clone, PartialEq, Eq, Debug, Error, Serialize, Deserialize)]
#[error("{kind}: {text}")]
pub struct Failure {
    pub kind: FailureKind,
    pub text: String,
}

/// The closed list of ends; what a supervisor and a log line need to tell apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Error, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureKind {
    #[error("connection refused")]
    Refused,
    #[error("unknown host")]
    UnknownHost,
    #[error("unreachable")]
    Unreachable,
    #[error("401 unauthorized")]
    Unauthorized,
    #[error("404 not found")]
    NotFound,
    #[error("no packets")]
    NoPackets,
    #[error("stream ended")]
    Ended,
    #[error("address not allowed")]
    Forbidden,
    #[error("unsupported stream")]
    Unsupported,
    #[error("file cannot be written")]
    Disk,
    #[error("pipeline error")]
    Pipeline,
    #[error("worker crashed")]
    Crashed,
}

impl FailureKind {
    /// True where the other side (camera, network) is the cause and not this box.
    pub fn theirs(self) -> bool {
        !matches!(self, FailureKind::Disk | FailureKind::Pipeline | FailureKind::Crashed)
    }
}

/// One line for the socket, newline included.
pub fn encode_line<T: Serialize>(message: &T) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("messages are structs and enums with text keys, which JSON can always hold");
    line.push(b'\n');
    line
}

/// What came is not a line of this protocol; nothing more can be read from that socket.
#[derive(Debug, Error)]
pub enum BadLine {
    #[error("a control line is longer than {MAX_LINE} bytes")]
    Long,
    /// The parser's text is left out: it may quote the line.
    #[error("a control line is not understood (column {0})")]
    Json(usize),
}

/// Cuts what arrives into lines. Holds at most [`MAX_LINE`] bytes and what was pushed last.
#[derive(Default, Debug)]
pub struct Lines {
    buffer: Vec<u8>,
}

impl Lines {
    /// Takes bytes as they came from the socket. Read lines until there is none before the next push.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line, if there is one.
    pub fn next_line<T: DeserializeOwned>(&mut self) -> Result<Option<T>, BadLine> {
        let Some(end) = self.buffer.iter().take(MAX_LINE).position(|byte| *byte == b'\n') else {
            return if self.buffer.len() < MAX_LINE { Ok(None) } else { Err(BadLine::Long) };
        };
        let message = serde_json::from_slice(&self.buffer[..end]).map_err(|error| BadLine::Json(error.column()));
        self.buffer.drain(..=end);
        message.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Kind;

    fn failure() -> FromWorker {
        FromWorker::Failed { failure: Failure { kind: FailureKind::NoPackets, text: "line\nbreak".into() } }
    }

    #[test]
    fn messages_are_one_line_of_json_each() {
        assert_eq!(encode_line(&FromWorker::Ready), b"{\"say\":\"ready\"}\n");
        let line = String::from_utf8(encode_line(&failure())).unwrap();
        assert_eq!(line, "{\"say\":\"failed\",\"failure\":{\"kind\":\"noPackets\",\"text\":\"line\\nbreak\"}}\n");
    }

    #[test]
    fn lines_come_out_whole_however_they_arrive() {
        let bytes = [encode_line(&FromWorker::Ready), encode_line(&failure()), encode_line(&FromWorker::Finished)].concat();
        for step in 1..bytes.len() {
            let mut lines = Lines::default();
            let mut got = Vec::new();
            for chunk in bytes.chunks(step) {
                lines.push(chunk);
                while let Some(message) = lines.next_line::<FromWorker>().unwrap() {
                    got.push(message);
                }
            }
            assert_eq!(got, [FromWorker::Ready, failure(), FromWorker::Finished]);
        }
    }

    #[test]
    fn a_line_without_end_or_sense_is_an_error() {
        let mut lines = Lines::default();
        lines.push(&vec![b' '; MAX_LINE - 1]);
        assert!(matches!(lines.next_line::<FromWorker>(), Ok(None)));
        lines.push(b" \n");
        assert!(matches!(lines.next_line::<FromWorker>(), Err(BadLine::Long)));
        for bad in ["\n", "{\"say\":\"dance\"}\n", "{\"say\":\n", "\u{0}\u{ff}\n", "[]\n"] {
            let mut lines = Lines::default();
            lines.push(bad.as_bytes());
            assert!(matches!(lines.next_line::<FromWorker>(), Err(BadLine::Json(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_composer_hears_who_takes_part() {
        let slot = ComposeSlot { slot: 3, source: "str_1".into(), kind: Kind::Video, format: None };
        let lines = [
            (ToWorker::AddSlot(slot), "{\"say\":\"addSlot\",\"slot\":3,\"source\":\"str_1\",\"kind\":\"video\",\"format\":null}\n"),
            (ToWorker::RemoveSlot { slot: 3 }, "{\"say\":\"removeSlot\",\"slot\":3}\n"),
            (ToWorker::Layout { order: vec![2, 0] }, "{\"say\":\"layout\",\"order\":[2,0]}\n"),
            (ToWorker::Stop, "{\"say\":\"stop\"}\n"),
        ];
        for (message, text) in lines {
            assert_eq!(String::from_utf8(encode_line(&message)).unwrap(), text);
            let mut lines = Lines::default();
            lines.push(text.as_bytes());
            assert_eq!(lines.next_line::<ToWorker>().unwrap(), Some(message));
        }
        let written = FromWorker::Written(Written { part: 1, bytes: 2, duration_ms: 3 });
        assert_eq!(encode_line(&written), b"{\"say\":\"written\",\"part\":1,\"bytes\":2,\"durationMs\":3}\n");
    }

    #[test]
    fn a_start_carries_the_credentials_and_an_error_does_not() {
        let spec = Spec::Camera(CameraSpec::parse("rtsp://u:s3cr3t@cam/x", 100, false).unwrap().spec);
        let start = ToWorker::Start { spec };
        let mut lines = Lines::default();
        lines.push(&encode_line(&start));
        assert_eq!(lines.next_line::<ToWorker>().unwrap(), Some(start.clone()));
        assert!(!format!("{start:?}").contains("s3cr3t"));
        lines.push(b"{\"say\":\"start\",\"spec\":\"s3cr3t\"}\n");
        assert!(!lines.next_line::<ToWorker>().unwrap_err().to_string().contains("s3cr3t"));
    }
}
