//! SDP as text (RFC 8866): the session's lines, the m-lines with what belongs to them, and the few attributes that negotiation
//! reads. Pure; str0m parses what it is given by itself.

use super::negotiate::BadSdp;
use crate::rtp::{Codec, Kind};

/// The direction attributes of a line (RFC 8866 §6.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    /// The direction an attribute line says.
    pub fn of(line: &str) -> Option<Direction> {
        match line {
            "a=sendrecv" => Some(Direction::SendRecv),
            "a=sendonly" => Some(Direction::SendOnly),
            "a=recvonly" => Some(Direction::RecvOnly),
            "a=inactive" => Some(Direction::Inactive),
            _ => None,
        }
    }

    /// Its attribute line.
    pub fn line(self) -> &'static str {
        match self {
            Direction::SendRecv => "a=sendrecv",
            Direction::SendOnly => "a=sendonly",
            Direction::RecvOnly => "a=recvonly",
            Direction::Inactive => "a=inactive",
        }
    }
}

/// One m-line and what belongs to it.
pub struct Section<'a> {
    /// The m-line first.
    pub lines: Vec<&'a str>,
}

/// The lines before the first m-line.
pub fn session_lines(sdp: &str) -> impl Iterator<Item = &str> {
    sdp.lines().take_while(|l| !l.starts_with("m="))
}

/// The m-lines with what belongs to them.
pub fn sections(sdp: &str) -> Vec<Section<'_>> {
    let mut out: Vec<Section<'_>> = Vec::new();
    for line in sdp.lines() {
        if line.starts_with("m=") {
            out.push(Section { lines: Vec::new() });
        }
        if let Some(section) = out.last_mut() {
            section.lines.push(line);
        }
    }
    out
}

impl<'a> Section<'a> {
    /// Fields of the m-line: media, port, protocol, payload types.
    fn fields(&self) -> impl Iterator<Item = &'a str> {
        self.lines.first().and_then(|l| l.strip_prefix("m=")).unwrap_or_default().split_ascii_whitespace()
    }

    /// Audio or video; `None` for anything else.
    pub fn kind(&self) -> Option<Kind> {
        match self.fields().next() {
            Some("audio") => Some(Kind::Audio),
            Some("video") => Some(Kind::Video),
            _ => None,
        }
    }

    /// Value of the first line with this prefix.
    pub fn value(&self, prefix: &str) -> Option<&'a str> {
        self.lines.iter().find_map(|l| l.strip_prefix(prefix)).map(str::trim)
    }

    /// Port 0 rejects a line, except where it is bundled with another one (RFC 9143 §6).
    pub fn rejected(&self, sdp: &str) -> bool {
        let bundled = || {
            let mid = self.value("a=mid:");
            let group = session_lines(sdp).find_map(|l| l.strip_prefix("a=group:BUNDLE"));
            group.is_some_and(|g| g.split_ascii_whitespace().any(|m| Some(m) == mid))
        };
        self.fields().nth(1) == Some("0") && !bundled()
    }

    /// Payload types in the order of preference.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.fields().skip(3).filter_map(|pt| pt.parse().ok())
    }

    /// Value of an attribute that begins with a payload type: `a=rtpmap:96 …`.
    fn of_payload_type(&self, attribute: &str, pt: u8) -> Option<&'a str> {
        self.lines.iter().find_map(|l| {
            let (number, value) = l.strip_prefix(attribute)?.split_once(' ')?;
            (number.parse() == Ok(pt)).then_some(value)
        })
    }

    /// The codec of a payload type, if the box can forward it. H.264 only with packetization-mode 1.
    pub fn codec(&self, pt: u8) -> Option<Codec> {
        let name = match (self.of_payload_type("a=rtpmap:", pt), pt) {
            (Some(map), _) => map.split('/').next().unwrap_or_default(),
            (None, 0) => "PCMU",
            (None, 8) => "PCMA",
            _ => return None,
        };
        let codec = [Codec::H264, Codec::Vp8, Codec::Opus, Codec::Pcmu, Codec::Pcma];
        let codec = codec.into_iter().find(|c| c.name().eq_ignore_ascii_case(name) && Some(c.kind()) == self.kind())?;
        let fragments = || {
            let parameters = self.of_payload_type("a=fmtp:", pt).unwrap_or_default();
            parameters.split(';').any(|p| p.trim() == "packetization-mode=1")
        };
        (codec != Codec::H264 || fragments()).then_some(codec)
    }

    /// str0m takes it for granted that payload types are numbers below 128 and mapped once.
    pub fn check(&self) -> Result<(), BadSdp> {
        let mut seen = [false; 128];
        for line in self.lines.iter().filter_map(|l| l.strip_prefix("a=rtpmap:")) {
            let number = line.split(' ').next().and_then(|pt| pt.parse::<usize>().ok()).ok_or(BadSdp::PayloadType)?;
            match seen.get_mut(number) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(BadSdp::PayloadType),
            }
        }
        Ok(())
    }
}

/// Is this a line that negotiation needs?
pub fn spoken(line: &str) -> bool {
    ["v=", "o=", "s=", "t=", "c=", "m=", "a="].iter().any(|kind| line.starts_with(kind))
}

/// Appends a line with its end.
pub fn append(sdp: &mut String, line: &str) {
    sdp.push_str(line);
    sdp.push_str("\r\n");
}
