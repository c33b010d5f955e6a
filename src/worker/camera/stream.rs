//! Which streams of a camera are taken: the first usable video and the first usable audio. Pure.

use crate::rtp::{Codec, Kind};

/// A stream as its description (SDP) names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stream {
    H264,
    /// AAC in RFC 3640 packets.
    AacGeneric,
    /// AAC in RFC 6416 packets.
    AacLatm,
    Opus,
    Pcmu,
    Pcma,
    /// Video or audio that cannot be forwarded, by its name.
    Other(Kind, String),
    /// Neither video nor audio: metadata, a back channel.
    Foreign,
}

/// Names a stream by its `media`, `encoding-name` and static payload type (RFC 3551).
pub fn classify(media: &str, encoding: Option<&str>, payload: Option<i32>) -> Stream {
    let name = encoding.unwrap_or("").to_ascii_uppercase();
    let kind = match media {
        "video" => Kind::Video,
        "audio" => Kind::Audio,
        _ => return Stream::Foreign,
    };
    match (kind, name.as_str(), payload) {
        (Kind::Video, "H264", _) => Stream::H264,
        (Kind::Audio, "MPEG4-GENERIC", _) => Stream::AacGeneric,
        (Kind::Audio, "MP4A-LATM", _) => Stream::AacLatm,
        (Kind::Audio, "OPUS", _) => Stream::Opus,
        (Kind::Audio, "PCMU", _) | (Kind::Audio, "", Some(0)) => Stream::Pcmu,
        (Kind::Audio, "PCMA", _) | (Kind::Audio, "", Some(8)) => Stream::Pcma,
        (_, "", payload) => Stream::Other(kind, payload.map_or("unnamed".into(), |number| format!("payload type {number}"))),
        _ => Stream::Other(kind, name),
    }
}

impl Stream {
    /// The codec it leaves the worker in.
    pub fn codec(&self) -> Option<Codec> {
        match self {
            Stream::H264 => Some(Codec::H264),
            Stream::AacGeneric | Stream::AacLatm | Stream::Opus => Some(Codec::Opus),
            Stream::Pcmu => Some(Codec::Pcmu),
            Stream::Pcma => Some(Codec::Pcma),
            Stream::Other(..) | Stream::Foreign => None,
        }
    }
}

/// What was taken and what was not, in the order the streams are described.
#[derive(Default, Debug)]
pub struct Selection {
    video: bool,
    audio: bool,
    left_out: Vec<(Kind, String)>,
}

/// What to do with a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    Take,
    /// Not needed: a second one of its kind, or metadata.
    Pass,
    /// It would be wanted, but cannot be forwarded.
    LeaveOut,
}

impl Selection {
    /// Has a stream been taken?
    pub fn settled(&self) -> bool {
        self.video || self.audio
    }

    /// Decides on the next stream.
    pub fn choose(&mut self, stream: &Stream) -> Choice {
        let taken = match stream.codec().map(Codec::kind) {
            Some(Kind::Video) => &mut self.video,
            Some(Kind::Audio) => &mut self.audio,
            None => {
                let Stream::Other(kind, name) = stream else { return Choice::Pass };
                self.left_out.push((*kind, name.clone()));
                return Choice::LeaveOut;
            }
        };
        if std::mem::replace(taken, true) { Choice::Pass } else { Choice::Take }
    }

    /// Why the streams seen so far make no publication: it has video but none that can be forwarded, or nothing usable at all.
    pub fn unsupported(&self) -> Option<String> {
        let names = |kind: Kind| {
            let names: Vec<&str> = self.left_out.iter().filter(|(its, _)| *its == kind).map(|(_, name)| name.as_str()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let video = names(Kind::Video).filter(|_| !self.video).map(|names| format!("video codec {names} is not forwarded to browsers"));
        video.or_else(|| {
            names(Kind::Audio)
                .filter(|_| !self.video && !self.audio)
                .map(|names| format!("audio codec {names} is not forwarded to browsers"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_told_by_name_or_static_payload_type() {
        let table = [
            ("video", Some("H264"), Some(96), Stream::H264),
            ("video", Some("h264"), None, Stream::H264),
            ("video", Some("H265"), Some(96), Stream::Other(Kind::Video, "H265".into())),
            ("video", None, Some(26), Stream::Other(Kind::Video, "payload type 26".into())),
            ("audio", Some("MPEG4-GENERIC"), Some(97), Stream::AacGeneric),
            ("audio", Some("mp4a-latm"), Some(97), Stream::AacLatm),
            ("audio", Some("PCMU"), Some(0), Stream::Pcmu),
            ("audio", None, Some(0), Stream::Pcmu),
            ("audio", None, Some(8), Stream::Pcma),
            ("audio", Some("OPUS"), Some(100), Stream::Opus),
            ("audio", Some("G726-32"), Some(97), Stream::Other(Kind::Audio, "G726-32".into())),
            ("audio", None, None, Stream::Other(Kind::Audio, "unnamed".into())),
            ("application", Some("VND.ONVIF.METADATA"), Some(107), Stream::Foreign),
        ];
        for (media, encoding, payload, expected) in table {
            assert_eq!(classify(media, encoding, payload), expected, "{media} {encoding:?} {payload:?}");
        }
    }

    #[test]
    fn the_first_usable_of_each_kind_is_taken() {
        use Choice::{LeaveOut, Pass, Take};
        let h265 = || Stream::Other(Kind::Video, "H265".into());
        let g726 = || Stream::Other(Kind::Audio, "G726-32".into());
        let table: [(Vec<Stream>, Vec<Choice>, Option<&str>); 9] = [
            (vec![Stream::H264, Stream::AacGeneric], vec![Take, Take], None),
            (vec![Stream::Pcma], vec![Take], None),
            (vec![Stream::H264], vec![Take], None),
            (vec![Stream::H264, Stream::H264, Stream::Opus, Stream::Pcmu, Stream::Foreign], vec![Take, Pass, Take, Pass, Pass], None),
            (vec![Stream::H264, g726()], vec![Take, LeaveOut], None),
            (vec![h265(), Stream::H264], vec![LeaveOut, Take], None),
            (vec![h265(), Stream::AacLatm], vec![LeaveOut, Take], Some("video codec H265 is not forwarded to browsers")),
            (vec![g726()], vec![LeaveOut], Some("audio codec G726-32 is not forwarded to browsers")),
            (vec![Stream::Foreign], vec![Pass], None),
        ];
        for (streams, expected, unsupported) in table {
            let mut selection = Selection::default();
            let choices: Vec<Choice> = streams.iter().map(|stream| selection.choose(stream)).collect();
            assert_eq!(choices, expected, "{streams:?}");
            assert_eq!(selection.unsupported().as_deref(), unsupported, "{streams:?}");
        }
    }
}
