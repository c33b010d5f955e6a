//! Offers as text: what they accept, and what is changed in them before str0m sees them, so that its answer comes out right.
//!
//! Pure. The rules (signaling.md §8):
//! - A publication uses the first line of each kind that sends and that has a track; every other line is made inactive. The 2.18
//!   client offers each line twice, the second one without a track.
//! - `sendrecv` is answered `recvonly` to a publisher and `sendonly` to a viewer, unless the publisher wants its own tracks back.
//! - Candidates are taken out and handed over one by one: one that cannot be used (mDNS names) must not spoil the offer.
//! - Simulcast is not offered back: its lines are taken out.
//! - Lines that say nothing to a media engine (`b=`, `i=`, `k=` …) are taken out: str0m's grammar has no room for some of them.

use super::sdp::{Direction, Section, append, sections, session_lines, spoken};
use crate::rtp::{Codec, Kind};
use thiserror::Error;

/// More lines than any client makes.
const LINES: usize = 32;

/// The text is no offer that can be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BadSdp {
    #[error("no media lines")]
    Empty,
    #[error("too many media lines")]
    TooMany,
    #[error("a media line without a=mid")]
    NoMid,
    /// str0m stops reading there, and its answer would lack the lines behind it: no client takes such an answer.
    #[error("something in it cannot be read")]
    Unreadable,
    #[error("a payload type that is used twice or is no number below 128")]
    PayloadType,
}

/// What is wanted of an offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The client sends; `loopback`: and gets its own tracks back.
    Publisher { loopback: bool },
    /// The client receives.
    Viewer,
}

/// An offer made ready for str0m.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prepared {
    pub sdp: String,
    /// The lines in use: mid and kind, one of each kind at most.
    pub lines: Vec<(String, Kind)>,
    /// `candidate:…` of the offer.
    pub candidates: Vec<String>,
}

/// The codecs that the lines of an offer take and the box can forward, in the offer's order. H.264 counts with
/// packetization-mode 1 only, because cameras fragment.
pub fn accepts(offer: &str) -> Vec<Codec> {
    let mut found = Vec::new();
    for section in sections(offer).iter().filter(|s| !s.rejected(offer)) {
        for codec in section.payload_types().filter_map(|pt| section.codec(pt)) {
            if !found.contains(&codec) {
                found.push(codec);
            }
        }
    }
    found
}

/// Does the offer have a line of this kind that is not rejected?
pub fn offers(offer: &str, kind: Kind) -> bool {
    sections(offer).iter().any(|s| s.kind() == Some(kind) && !s.rejected(offer))
}

/// Makes an offer ready. `audio` and `video` say whether there is a track of that kind.
pub fn prepare(offer: &str, role: Role, audio: bool, video: bool) -> Result<Prepared, BadSdp> {
    let sections = sections(offer);
    match sections.len() {
        0 => return Err(BadSdp::Empty),
        1..=LINES => {}
        _ => return Err(BadSdp::TooMany),
    }
    let mut prepared = Prepared { sdp: String::with_capacity(offer.len()), lines: Vec::new(), candidates: Vec::new() };
    for line in session_lines(offer) {
        // every line says its direction itself
        if Direction::of(line).is_none() && spoken(line) {
            append(&mut prepared.sdp, line);
        }
    }
    let session_direction = session_lines(offer).find_map(Direction::of);
    for section in &sections {
        section.check()?;
        let mid = section.value("a=mid:").ok_or(BadSdp::NoMid)?;
        let offered = section.lines.iter().find_map(|l| Direction::of(l)).or(session_direction).unwrap_or(Direction::SendRecv);
        let wanted = section.kind().is_some_and(|kind| {
            let track = if kind == Kind::Audio { audio } else { video };
            track && !section.rejected(offer) && prepared.lines.iter().all(|(_, used)| *used != kind)
        });
        let direction = if wanted { role.direction(offered) } else { Direction::Inactive };
        if let (Some(kind), true) = (section.kind(), direction != Direction::Inactive) {
            prepared.lines.push((mid.to_owned(), kind));
        }
        rewrite(section, direction, &mut prepared);
    }
    Ok(prepared)
}

/// Errors: the answer has not a line for each line of the offer.
pub fn check_lines(offer: &str, answer: &str) -> Result<(), BadSdp> {
    if sections(answer).len() == sections(offer).len() { Ok(()) } else { Err(BadSdp::Unreadable) }
}

/// The answer with an upper bound for what the client sends as video, in kbit/s (RFC 8866 §5.8). Browsers with transport-wide
/// congestion control ignore REMB.
pub fn limit_video(answer: &str, kbps: u32) -> String {
    let mut out = String::with_capacity(answer.len() + 40);
    let mut limit = false;
    for line in answer.lines() {
        // b= stands behind c=, before every a= (RFC 8866 §9)
        if limit && line.starts_with("a=") {
            append(&mut out, &format!("b=AS:{kbps}"));
            limit = false;
        }
        if line.starts_with("m=") {
            limit = line.starts_with("m=video");
        }
        append(&mut out, line);
    }
    out
}

impl Role {
    /// What of the offered direction is used.
    fn direction(self, offered: Direction) -> Direction {
        match (self, offered) {
            (Role::Publisher { loopback: true }, Direction::SendRecv) => Direction::SendRecv,
            (Role::Publisher { .. }, Direction::SendRecv | Direction::SendOnly) => Direction::SendOnly,
            (Role::Viewer, Direction::SendRecv | Direction::RecvOnly) => Direction::RecvOnly,
            _ => Direction::Inactive,
        }
    }
}

/// Writes a line's section with this direction, without what str0m shall not see.
fn rewrite(section: &Section<'_>, direction: Direction, prepared: &mut Prepared) {
    for line in &section.lines {
        if line.starts_with("a=candidate:") {
            prepared.candidates.push(line[2..].to_owned());
            continue;
        }
        let simulcast = ["a=simulcast:", "a=rid:", "a=end-of-candidates"].iter().any(|p| line.starts_with(p));
        if !simulcast && Direction::of(line).is_none() && spoken(line) {
            append(&mut prepared.sdp, line);
        }
    }
    append(&mut prepared.sdp, direction.line());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offer(lines: &[(&str, &str)]) -> String {
        let mids: Vec<String> = (0..lines.len()).map(|n| n.to_string()).collect();
        let mut sdp = format!("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n", mids.join(" "));
        for (mid, (m, attributes)) in lines.iter().enumerate() {
            sdp += &format!("m={m}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n");
            attributes.split_terminator('|').for_each(|a| sdp += &format!("a={a}\r\n"));
        }
        sdp
    }

    const AUDIO: &str = "audio 9 UDP/TLS/RTP/SAVPF 111 0 8";
    const VIDEO: &str = "video 9 UDP/TLS/RTP/SAVPF 96 97 102 103";
    const OPUS: &str = "rtpmap:111 opus/48000/2|";
    const VP8_H264: &str =
        "rtpmap:96 VP8/90000|rtpmap:97 rtx/90000|rtpmap:102 H264/90000|fmtp:102 level-asymmetry-allowed=1;packetization-mode=1|";

    fn directions(sdp: &str) -> Vec<&str> {
        sdp.lines().filter(|l| Direction::of(l).is_some()).collect()
    }

    #[test]
    fn an_offer_accepts_what_it_maps_in_its_own_order() {
        let lines = [(AUDIO, OPUS), (VIDEO, VP8_H264)];
        assert_eq!(accepts(&offer(&lines)), [Codec::Opus, Codec::Pcmu, Codec::Pcma, Codec::Vp8, Codec::H264]);
        let mode0 = "rtpmap:96 H264/90000|fmtp:96 packetization-mode=0|rtpmap:102 AV1/90000|";
        assert_eq!(accepts(&offer(&[(VIDEO, mode0)])), []);
        assert_eq!(accepts("nonsense"), []);
    }

    #[test]
    fn port_0_rejects_a_line_unless_it_is_bundled() {
        let bundled = offer(&[(AUDIO, OPUS), ("video 0 UDP/TLS/RTP/SAVPF 96", "bundle-only|rtpmap:96 VP8/90000|")]);
        assert!(accepts(&bundled).contains(&Codec::Vp8) && offers(&bundled, Kind::Video));
        let alone = bundled.replace("BUNDLE 0 1", "BUNDLE 0");
        assert!(!accepts(&alone).contains(&Codec::Vp8) && !offers(&alone, Kind::Video));
    }

    #[test]
    fn the_surplus_lines_of_the_2_18_client_become_inactive() {
        let lines = [(AUDIO, "sendrecv|"), (VIDEO, "sendrecv|"), (AUDIO, "sendonly|"), (VIDEO, "sendonly|")];
        let prepared = prepare(&offer(&lines), Role::Publisher { loopback: false }, true, true).unwrap();
        assert_eq!(directions(&prepared.sdp), ["a=sendonly", "a=sendonly", "a=inactive", "a=inactive"]);
        assert_eq!(prepared.lines, [("0".into(), Kind::Audio), ("1".into(), Kind::Video)]);
    }

    #[test]
    fn directions_follow_the_role_and_the_tracks() {
        let publisher = Role::Publisher { loopback: false };
        let looped = Role::Publisher { loopback: true };
        for (role, offered, audio, expected) in [
            (publisher, "sendrecv|", true, "a=sendonly"),
            (publisher, "sendonly|", true, "a=sendonly"),
            (publisher, "sendonly|", false, "a=inactive"),
            (publisher, "recvonly|", true, "a=inactive"),
            (publisher, "", true, "a=sendonly"),
            (looped, "sendrecv|", true, "a=sendrecv"),
            (looped, "sendonly|", true, "a=sendonly"),
            (Role::Viewer, "recvonly|", true, "a=recvonly"),
            (Role::Viewer, "sendrecv|", true, "a=recvonly"),
            (Role::Viewer, "recvonly|", false, "a=inactive"),
            (Role::Viewer, "sendonly|", true, "a=inactive"),
        ] {
            let prepared = prepare(&offer(&[(AUDIO, offered)]), role, audio, false).unwrap();
            assert_eq!(directions(&prepared.sdp), [expected], "{role:?} {offered} {audio}");
            assert_eq!(prepared.lines.is_empty(), expected == "a=inactive");
        }
    }

    #[test]
    fn a_direction_of_the_session_counts_for_lines_without_their_own() {
        let sdp = offer(&[(AUDIO, ""), (VIDEO, "sendonly|")]).replace("t=0 0\r\n", "t=0 0\r\na=recvonly\r\n");
        let prepared = prepare(&sdp, Role::Publisher { loopback: false }, true, true).unwrap();
        assert_eq!(directions(&prepared.sdp), ["a=inactive", "a=sendonly"]);
    }

    #[test]
    fn candidates_simulcast_and_idle_lines_are_taken_out() {
        let lines = "sendonly|candidate:1 1 udp 1 x.local 9 typ host|end-of-candidates|rid:r0 send|simulcast:send r0|";
        let prepared = prepare(
            &offer(&[(VIDEO, lines)]).replace("c=IN", "i=idle\r\nb=AS:1\r\nb=TIAS:1\r\nc=IN"),
            Role::Publisher { loopback: false },
            true,
            true,
        )
        .unwrap();
        assert!(!prepared.sdp.contains("b=") && !prepared.sdp.contains("i=idle"));
        assert_eq!(prepared.candidates, ["candidate:1 1 udp 1 x.local 9 typ host"]);
        assert!(!prepared.sdp.contains("candidate") && !prepared.sdp.contains("rid") && !prepared.sdp.contains("simulcast"));
    }

    #[test]
    fn what_cannot_be_answered_says_why() {
        let twice = "rtpmap:96 VP8/90000|rtpmap:96 H264/90000|";
        for (sdp, why) in [
            (String::new(), BadSdp::Empty),
            (offer(&[(VIDEO, "x|"); LINES + 1]), BadSdp::TooMany),
            (offer(&[(VIDEO, "")]).replace("a=mid", "a=odd"), BadSdp::NoMid),
            (offer(&[(VIDEO, twice)]), BadSdp::PayloadType),
            (offer(&[(VIDEO, "rtpmap:128 VP8/90000|")]), BadSdp::PayloadType),
            (offer(&[(VIDEO, "rtpmap:")]), BadSdp::PayloadType),
        ] {
            assert_eq!(prepare(&sdp, Role::Viewer, true, true), Err(why), "{sdp}");
        }
    }

    #[test]
    fn the_limit_stands_in_the_video_line_only() {
        let limited = limit_video(&offer(&[(AUDIO, ""), (VIDEO, "")]), 800);
        let video = limited.split("m=video").nth(1).unwrap();
        assert!(video.contains("c=IN IP4 0.0.0.0\r\nb=AS:800\r\na=mid:1\r\n"), "{video}");
        assert_eq!(limited.matches("b=").count(), 1);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(m=(audio|video|x) [0-9 ]{0,8}\r?\n|a=(mid|rtpmap|fmtp|candidate):[ -~]{0,10}\n|\\PC{0,20}\n){0,12}") {
            accepts(&text);
            let _ = prepare(&text, Role::Viewer, true, true);
            limit_video(&text, 1);
        }
    }
}
