//! A published stream: what clients know of it, its tracks and where they come from. Pure; written by the session's actor alone.

use super::below::Tracks;
use super::camera::Camera;
use super::command::{PublishCall, SocketId, StreamChange};
use super::notice::StreamInfo;
use super::properties::{ForcedCodec, SessionProperties};
use super::rendition::Renditions;
use crate::ids::{ConnectionId, PeerId, StreamId};
use crate::rtp::Codec;
use std::fmt::Write;

/// What a connection publishes: `No → Offered → Live → No`.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) enum Publishing {
    #[default]
    No,
    /// Its offer is with the engine; nobody knows of the stream.
    Offered(Box<Stream>),
    /// Everybody knows of the stream.
    Live(Box<Stream>),
}

impl Publishing {
    /// The stream that everybody knows.
    pub fn live(&self) -> Option<&Stream> {
        match self {
            Publishing::Live(stream) => Some(stream),
            Publishing::No | Publishing::Offered(_) => None,
        }
    }

    /// The same, to change it.
    pub fn live_mut(&mut self) -> Option<&mut Stream> {
        match self {
            Publishing::Live(stream) => Some(stream),
            Publishing::No | Publishing::Offered(_) => None,
        }
    }

    /// The transport that a client publishes over.
    pub fn peer(&self) -> Option<PeerId> {
        match self {
            Publishing::Offered(stream) | Publishing::Live(stream) => match stream.source {
                Source::Client { peer, .. } => peer,
                Source::Camera(_) => None,
            },
            Publishing::No => None,
        }
    }

    /// The socket over which a client was told that its stream is live, as long as nothing proves that it heard it.
    pub fn unheard(&self) -> Option<SocketId> {
        match self.live()?.source {
            Source::Client { unheard, .. } => unheard,
            Source::Camera(_) => None,
        }
    }

    /// The client knows of its stream: its media came, or it names the stream.
    pub fn heard(&mut self) {
        if let Some(Source::Client { unheard, .. }) = self.live_mut().map(|stream| &mut stream.source) {
            *unheard = None;
        }
    }

    /// Ends it: the stream that was live or offered.
    pub fn end(&mut self) -> Option<Stream> {
        match std::mem::take(self) {
            Publishing::No => None,
            Publishing::Offered(stream) | Publishing::Live(stream) => Some(*stream),
        }
    }
}

/// A stream and what feeds it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Stream {
    pub info: StreamInfo,
    pub tracks: Tracks,
    pub source: Source,
    /// What its video is published in: what was negotiated, or what a camera is expected to send, until its first packet tells.
    pub codec: Codec,
    /// Its video in other codecs.
    pub renditions: Renditions,
}

/// Where the packets come from.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Source {
    /// A client's transport; no `peer` when it was lost. The stream stays: the client may come back with another, which gets
    /// the stream back too if the first one did (`loopback`). `unheard`: see [`Publishing::unheard`].
    Client {
        peer: Option<PeerId>,
        loopback: bool,
        unheard: Option<SocketId>,
    },
    Camera(Camera),
}

/// The stream a client offers; its time of birth is that of the answer.
pub(super) fn of_client(owner: &ConnectionId, call: &PublishCall) -> StreamInfo {
    StreamInfo {
        stream: StreamId::random(&type_word(call), owner),
        created_at: 0,
        has_audio: call.has_audio,
        has_video: call.has_video,
        audio_active: call.audio_active,
        video_active: call.video_active,
        type_of_video: if call.has_video { call.type_of_video.clone() } else { String::new() },
        frame_rate: call.frame_rate.filter(|_| call.has_video),
        video_dimensions: call.video_dimensions.clone().filter(|_| call.has_video),
    }
}

/// The stream of a camera: always audio and video, whatever the camera has (signaling.md §10).
pub(super) fn of_camera(owner: &ConnectionId, created_at: u64) -> StreamInfo {
    StreamInfo {
        stream: StreamId::random("IPC", owner),
        created_at,
        has_audio: true,
        has_video: true,
        audio_active: true,
        video_active: true,
        type_of_video: "IPCAM".into(),
        frame_rate: None,
        video_dimensions: None,
    }
}

/// The kind in a stream id: three letters of typeOfVideo, `MIC` without video (signaling.md §9).
fn type_word(call: &PublishCall) -> String {
    let word: String = call.type_of_video.chars().filter(char::is_ascii_alphabetic).take(3).collect();
    match (call.has_video, word.len()) {
        (false, _) => "MIC".into(),
        (true, 3) => word.to_ascii_uppercase(),
        (true, _) => "CAM".into(),
    }
}

/// Codec of a camera's video before it has shown any.
pub(super) const OF_CAMERA: Codec = Codec::H264;

/// Pixels a second of a stream's video, as far as its publisher told: what one in another codec will cost follows from it.
pub(super) fn pixels(info: &StreamInfo) -> u64 {
    let dimensions = info.video_dimensions.as_deref().unwrap_or_default();
    let mut sides = dimensions.split(|c: char| !c.is_ascii_digit()).filter_map(|side| side.parse::<u32>().ok());
    let (width, height) = match (sides.next(), sides.next()) {
        (Some(width @ 1..=8192), Some(height @ 1..=8192)) => (width, height),
        _ => (1280, 720),
    };
    let rate = info.frame_rate.and_then(|rate| u64::try_from(rate).ok()).filter(|rate| (1..=120).contains(rate)).unwrap_or(30);
    u64::from(width) * u64::from(height) * rate
}

/// The connection that a stream id names as its owner (signaling.md §6.4), whether it exists or not.
pub(super) fn owner_in(stream: &StreamId) -> ConnectionId {
    let text = stream.as_str();
    let at = if text.starts_with("str_IPC_") { text.find("_ipc_").map(|at| at + 1) } else { None };
    text[at.or_else(|| text.rfind("con_")).unwrap_or(0)..].into()
}

/// The video codecs a publisher may use, the preferred one first (rest.md §4.1). None: nobody can publish video.
pub(super) fn publish_codecs(properties: &SessionProperties) -> Vec<Codec> {
    let (forced, other) = match properties.forced_video_codec {
        ForcedCodec::Vp8 => (Some(Codec::Vp8), Codec::H264),
        ForcedCodec::H264 => (Some(Codec::H264), Codec::Vp8),
        ForcedCodec::None => return vec![Codec::Vp8, Codec::H264],
        ForcedCodec::Vp9 if properties.allow_transcoding => return vec![Codec::Vp8, Codec::H264],
        ForcedCodec::Vp9 => return Vec::new(),
    };
    forced.into_iter().chain(properties.allow_transcoding.then_some(other)).collect()
}

/// Applies a change that the publisher reports, and returns property and value as they go to the others (signaling.md §7.8).
pub(super) fn apply(info: &mut StreamInfo, change: StreamChange) -> (String, String) {
    match change {
        StreamChange::AudioActive(active) => {
            info.audio_active = active;
            ("audioActive".into(), active.to_string())
        }
        StreamChange::VideoActive(active) => {
            info.video_active = active;
            ("videoActive".into(), active.to_string())
        }
        StreamChange::VideoDimensions(dimensions) => {
            let value = json_string(&dimensions);
            info.video_dimensions = Some(dimensions);
            ("videoDimensions".into(), value)
        }
        StreamChange::Track { property, value } => (property, value),
    }
}

/// `text` as a JSON string (RFC 8259 §7), quotes included.
fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 16);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => {
                // writing to a String cannot fail
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::properties::{MediaMode, RecordingMode, RecordingProperties};
    use proptest::prelude::*;

    fn call(has_video: bool, type_of_video: &str) -> PublishCall {
        PublishCall {
            offer: "v=0".into(),
            loopback: false,
            has_audio: true,
            has_video,
            audio_active: true,
            video_active: has_video,
            type_of_video: type_of_video.into(),
            frame_rate: Some(30),
            video_dimensions: Some(r#"{"width":640,"height":480}"#.into()),
        }
    }

    #[test]
    fn a_stream_id_tells_its_kind_and_its_owner() {
        let owner = ConnectionId::random();
        for (has_video, kind, prefix) in [
            (true, "CAMERA", "str_CAM_"),
            (true, "SCREEN", "str_SCR_"),
            (true, "CUSTOM", "str_CUS_"),
            (false, "", "str_MIC_"),
            (true, "é", "str_CAM_"),
        ] {
            let info = of_client(&owner, &call(has_video, kind));
            assert!(info.stream.as_str().starts_with(prefix), "{}", info.stream);
            assert_eq!(owner_in(&info.stream), owner);
            assert_eq!(info.frame_rate.is_some(), has_video);
        }
        let camera = ConnectionId::random_camera("rtsp", "10.0.0.1:554/con_1/ipc_2");
        assert_eq!(owner_in(&of_camera(&camera, 1).stream), camera);
        for odd in ["", "str_IPC_", "con_", "é"] {
            owner_in(&odd.into());
        }
    }

    #[test]
    fn forced_codecs() {
        use Codec::{H264, Vp8};
        let cases = [
            (ForcedCodec::Vp8, false, vec![Vp8]),
            (ForcedCodec::Vp8, true, vec![Vp8, H264]),
            (ForcedCodec::H264, false, vec![H264]),
            (ForcedCodec::H264, true, vec![H264, Vp8]),
            (ForcedCodec::None, false, vec![Vp8, H264]),
            (ForcedCodec::Vp9, false, vec![]),
            (ForcedCodec::Vp9, true, vec![Vp8, H264]),
        ];
        for (forced_video_codec, allow_transcoding, expected) in cases {
            let properties = SessionProperties {
                media_node: None,
                old_recording_keys: false,
                media_mode: MediaMode::Routed,
                recording_mode: RecordingMode::Manual,
                default_recording: RecordingProperties::default(),
                custom_session_id: None,
                forced_video_codec,
                allow_transcoding,
            };
            assert_eq!(publish_codecs(&properties), expected, "{forced_video_codec:?} {allow_transcoding}");
        }
    }

    #[test]
    fn changes_go_out_as_json_text() {
        let mut info = of_client(&ConnectionId::random(), &call(true, "CAMERA"));
        assert_eq!(apply(&mut info, StreamChange::AudioActive(false)), ("audioActive".into(), "false".into()));
        assert_eq!(apply(&mut info, StreamChange::VideoActive(true)), ("videoActive".into(), "true".into()));
        assert!(!info.audio_active && info.video_active);
        let size = r#"{"width":320,"height":240}"#;
        let (property, value) = apply(&mut info, StreamChange::VideoDimensions(size.into()));
        assert_eq!((property.as_str(), value.as_str()), ("videoDimensions", r#""{\"width\":320,\"height\":240}""#));
        assert_eq!(info.video_dimensions.as_deref(), Some(size));
        let before = info.clone();
        let label = StreamChange::Track { property: "audioTrack".into(), value: r#"{"label":"x"}"#.into() };
        assert_eq!(apply(&mut info, label), ("audioTrack".into(), r#"{"label":"x"}"#.into()));
        assert_eq!(info, before);
    }

    #[test]
    fn the_cost_of_a_stream_follows_from_what_its_publisher_told() {
        let mut info = of_client(&ConnectionId::random(), &call(true, "CAMERA"));
        assert_eq!(pixels(&info), 640 * 480 * 30);
        info.frame_rate = Some(15);
        assert_eq!(pixels(&info), 640 * 480 * 15);
        for odd in [None, Some("{}"), Some(r#"{"width":0,"height":480}"#), Some(r#"{"width":99999999999,"height":480}"#)] {
            info.video_dimensions = odd.map(str::to_owned);
            assert_eq!(pixels(&info), 1280 * 720 * 15, "{odd:?}");
        }
        assert_eq!(pixels(&of_camera(&ConnectionId::random(), 1)), 1280 * 720 * 30);
    }

    fn escaped(rest: &mut std::str::Chars<'_>) -> char {
        match rest.next().unwrap() {
            'u' => char::from_u32(u32::from_str_radix(&rest.take(4).collect::<String>(), 16).unwrap()).unwrap(),
            c => c,
        }
    }

    proptest! {
        #[test]
        fn any_text_survives_as_json(text in any::<String>()) {
            let json = json_string(&text);
            let mut inside = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap().chars();
            let mut read = String::new();
            while let Some(c) = inside.next() {
                prop_assert!(c != '"' && c >= ' ');
                read.push(if c == '\\' { escaped(&mut inside) } else { c });
            }
            prop_assert_eq!(read, text);
        }
    }
}
