//! The media socket: seqpacket messages with the RTP packets of one access unit each.
//!
//! Both directions speak the same messages; all numbers are big-endian.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | type: 1 format, 2 packets, 3 keyframe request |
//! | 1 | 1 | slot: which of the job's streams |
//! | *format* | | *says what the packets after it are; a new one begins a new epoch* |
//! | 2 | 1 | codec: 1 H.264, 2 VP8, 3 Opus, 4 PCMU, 5 PCMA |
//! | 3 | 4 | H.264 `profile-level-id` (24 bits), or `0xffffffff` when unknown |
//! | *packets* | | *one access unit, or a part of one that is longer than [`MAX_MESSAGE`]* |
//! | 2 | 8 | capture time: CLOCK_MONOTONIC in ns |
//! | 10 | 2 | length *n* of a packet, [`MIN_PACKET`] or more |
//! | 12 | *n* | the packet, from its RTP header on; then the next length, up to the end of the message |
//! | *keyframe request* | | *a receiver of this slot needs a keyframe; nothing follows* |
//!
//! The pair belongs to the job and outlives its processes: what a dead process left in the socket is still whole messages.
//! Nothing here reads or writes a socket: the engine and the worker each do that in their own way.

use crate::rtp::{Codec, Format};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, SndBuf, SndBufForce};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socketpair};
use std::io;
use std::os::fd::OwnedFd;
use thiserror::Error;

/// Longest message in bytes; a reader's buffer of this size never truncates one.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// Shortest packet in bytes: an RTP header (RFC 3550 §5.1).
pub const MIN_PACKET: usize = 12;
/// Longest packet in bytes.
pub const MAX_PACKET: usize = MAX_MESSAGE - PACKETS_HEAD - LENGTH;

/// Socket buffer in bytes: the default holds about 90 packets, which is less than a keyframe.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

const FORMAT: u8 = 1;
const PACKETS: u8 = 2;
const KEYFRAME_REQUEST: u8 = 3;
const HEAD: usize = 2;
const PACKETS_HEAD: usize = HEAD + 8;
const LENGTH: usize = 2;
const UNKNOWN_PROFILE: u32 = u32::MAX;

/// A media socket: the daemon's end, which never blocks, and the worker's end, which does. Both close on exec.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (daemon, worker) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    for end in [&daemon, &worker] {
        // beyond net.core.[rw]mem_max needs CAP_NET_ADMIN; without it the kernel cuts the size to that limit
        setsockopt(end, SndBufForce, &SOCKET_BUFFER).or_else(|_| setsockopt(end, SndBuf, &SOCKET_BUFFER))?;
        setsockopt(end, RcvBufForce, &SOCKET_BUFFER).or_else(|_| setsockopt(end, RcvBuf, &SOCKET_BUFFER))?;
    }
    let flags = OFlag::from_bits_retain(fcntl(&daemon, FcntlArg::F_GETFL)?);
    fcntl(&daemon, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok((daemon, worker))
}

/// Ends a socket for tests, as the death of its last process would. Dropping it is not enough where other tests start processes: one
/// that is just being started holds a copy of all descriptors until it is another program.
#[cfg(test)]
pub fn end(socket: OwnedFd) {
    use std::os::fd::AsRawFd;
    let _ = nix::sys::socket::shutdown(socket.as_raw_fd(), nix::sys::socket::Shutdown::Both);
}

/// One message, borrowed from the buffer it was received in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// What the packets after it are.
    Format { slot: u8, format: Format },
    /// Packets of one access unit, at least one.
    Packets {
        slot: u8,
        /// CLOCK_MONOTONIC in ns at which the picture or sound was captured.
        captured_ns: u64,
        packets: PacketIter<'a>,
    },
    /// A receiver needs a keyframe.
    KeyframeRequest { slot: u8 },
}

/// The bytes are no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Malformed {
    #[error("message is too short")]
    Short,
    #[error("message has bytes after its end")]
    Trailing,
    #[error("unknown message type {0}")]
    Type(u8),
    #[error("unknown codec {0}")]
    Codec(u8),
    #[error("profile-level-id {0:#x} has more than 24 bits")]
    Profile(u32),
    #[error("packet of {0} bytes is shorter than an RTP header")]
    Packet(usize),
}

impl<'a> Message<'a> {
    /// Reads one message. All lengths are checked here, so that [`PacketIter`] cannot fail.
    pub fn parse(bytes: &'a [u8]) -> Result<Message<'a>, Malformed> {
        let (&[kind, slot], body) = bytes.split_first_chunk().ok_or(Malformed::Short)?;
        match kind {
            FORMAT => parse_format(body).map(|format| Message::Format { slot, format }),
            PACKETS => {
                let (captured, rest) = body.split_first_chunk().ok_or(Malformed::Short)?;
                check_packets(rest)?;
                Ok(Message::Packets { slot, captured_ns: u64::from_be_bytes(*captured), packets: PacketIter { rest } })
            }
            KEYFRAME_REQUEST if body.is_empty() => Ok(Message::KeyframeRequest { slot }),
            KEYFRAME_REQUEST => Err(Malformed::Trailing),
            other => Err(Malformed::Type(other)),
        }
    }
}

fn parse_format(body: &[u8]) -> Result<Format, Malformed> {
    let (&[code], rest) = body.split_first_chunk().ok_or(Malformed::Short)?;
    let (profile, rest) = rest.split_first_chunk().ok_or(Malformed::Short)?;
    if !rest.is_empty() {
        return Err(Malformed::Trailing);
    }
    let codec = codec_of(code).ok_or(Malformed::Codec(code))?;
    let profile_level_id = match u32::from_be_bytes(*profile) {
        UNKNOWN_PROFILE => None,
        id if id <= 0xff_ffff => Some(id),
        id => return Err(Malformed::Profile(id)),
    };
    Ok(Format { codec, profile_level_id })
}

fn check_packets(mut rest: &[u8]) -> Result<(), Malformed> {
    loop {
        let (packet, after) = split_packet(rest).ok_or(Malformed::Short)?;
        if packet.len() < MIN_PACKET {
            return Err(Malformed::Packet(packet.len()));
        }
        if after.is_empty() {
            return Ok(());
        }
        rest = after;
    }
}

/// The first packet and what follows it; `None` when the length points beyond the end.
fn split_packet(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// Yields the RTP packets of a message, each whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PacketIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for PacketIter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (packet, rest) = split_packet(self.rest)?;
        self.rest = rest;
        Some(packet)
    }
}

/// Appends a format message to `out`.
pub fn encode_format(out: &mut Vec<u8>, slot: u8, format: &Format) {
    out.extend([FORMAT, slot, code_of(format.codec)]);
    out.extend(format.profile_level_id.map_or(UNKNOWN_PROFILE, |id| id & 0xff_ffff).to_be_bytes());
}

/// Does the message ask for a keyframe? A worker that both takes and gives says two kinds of things on one socket.
pub fn is_request(message: &[u8]) -> bool {
    message.first() == Some(&KEYFRAME_REQUEST)
}

/// Appends a keyframe request to `out`.
pub fn encode_keyframe_request(out: &mut Vec<u8>, slot: u8) {
    out.extend([KEYFRAME_REQUEST, slot]);
}

/// Writes the packets of one access unit into as few messages as [`MAX_MESSAGE`] allows. Keeps its memory for the next one.
#[derive(Default, Debug)]
pub struct AccessUnit {
    head: [u8; PACKETS_HEAD],
    bytes: Vec<u8>,
    /// Where each message but the last ends in `bytes`.
    ends: Vec<usize>,
}

/// A packet that no message can carry: shorter than [`MIN_PACKET`] or longer than [`MAX_PACKET`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("a packet of {0} bytes does not fit a message")]
pub struct BadLength(pub usize);

impl AccessUnit {
    /// Begins the next access unit; the one before is forgotten.
    pub fn begin(&mut self, slot: u8, captured_ns: u64) {
        self.head[0] = PACKETS;
        self.head[1] = slot;
        self.head[HEAD..].copy_from_slice(&captured_ns.to_be_bytes());
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds the next RTP packet.
    pub fn push(&mut self, packet: &[u8]) -> Result<(), BadLength> {
        let length = u16::try_from(packet.len()).ok().filter(|_| (MIN_PACKET..=MAX_PACKET).contains(&packet.len()));
        let length = length.ok_or(BadLength(packet.len()))?;
        let start = self.ends.last().copied().unwrap_or(0);
        if self.bytes.is_empty() {
            self.bytes.extend(self.head);
        } else if self.bytes.len() - start + LENGTH + packet.len() > MAX_MESSAGE {
            self.ends.push(self.bytes.len());
            self.bytes.extend(self.head);
        }
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(packet);
        Ok(())
    }

    /// The messages, in the order to send them; none when no packet was added.
    pub fn messages(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let ends = self.ends.iter().copied().chain(std::iter::once(self.bytes.len()));
        starts.zip(ends).filter(|(start, end)| start < end).map(|(start, end)| &self.bytes[start..end])
    }
}

/// One access unit at once: [`AccessUnit`] where the packets are at hand together. Returns the messages.
pub fn encode_packets<'a>(slot: u8, captured_ns: u64, packets: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Vec<u8>>, BadLength> {
    let mut unit = AccessUnit::default();
    unit.begin(slot, captured_ns);
    packets.into_iter().try_for_each(|packet| unit.push(packet))?;
    Ok(unit.messages().map(<[u8]>::to_vec).collect())
}

fn code_of(codec: Codec) -> u8 {
    match codec {
        Codec::H264 => 1,
        Codec::Vp8 => 2,
        Codec::Opus => 3,
        Codec::Pcmu => 4,
        Codec::Pcma => 5,
    }
}

fn codec_of(code: u8) -> Option<Codec> {
    [Codec::H264, Codec::Vp8, Codec::Opus, Codec::Pcmu, Codec::Pcma].into_iter().find(|codec| code_of(*codec) == code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;
    use nix::sys::socket::{MsgFlags, recv, send};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::os::fd::AsRawFd;

    fn packets_of(message: &[u8]) -> (u8, u64, Vec<Vec<u8>>) {
        match Message::parse(message) {
            Ok(Message::Packets { slot, captured_ns, packets }) => (slot, captured_ns, packets.map(<[u8]>::to_vec).collect()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let mut format = Vec::new();
        encode_format(&mut format, 7, &Format { codec: Codec::H264, profile_level_id: Some(0x42e01f) });
        assert_eq!(format, [1, 7, 1, 0, 0x42, 0xe0, 0x1f]);
        let mut format = Vec::new();
        encode_format(&mut format, 1, &Format { codec: Codec::Opus, profile_level_id: None });
        assert_eq!(format, [1, 1, 3, 0xff, 0xff, 0xff, 0xff]);
        let mut request = Vec::new();
        encode_keyframe_request(&mut request, 2);
        assert_eq!(request, [3, 2]);
        let packet = [0x80; 12];
        let messages = encode_packets(3, 0x0102, [&packet[..]]).unwrap();
        assert_eq!(messages, [[&[2, 3, 0, 0, 0, 0, 0, 0, 1, 2, 0, 12], &packet[..]].concat()]);
    }

    #[test]
    fn broken_messages_are_told_apart() {
        let table: [(&[u8], Malformed); 12] = [
            (&[], Malformed::Short),
            (&[1], Malformed::Short),
            (&[0, 0], Malformed::Type(0)),
            (&[9, 0, 1], Malformed::Type(9)),
            (&[1, 0], Malformed::Short),
            (&[1, 0, 1, 0, 0, 0], Malformed::Short),
            (&[1, 0, 1, 0, 0, 0, 0, 0], Malformed::Trailing),
            (&[1, 0, 6, 0, 0, 0, 0], Malformed::Codec(6)),
            (&[1, 0, 1, 1, 0, 0, 0], Malformed::Profile(0x0100_0000)),
            (&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0], Malformed::Short),
            (&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x80], Malformed::Packet(1)),
            (&[3, 0, 0], Malformed::Trailing),
        ];
        for (bytes, expected) in table {
            assert_eq!(Message::parse(bytes), Err(expected), "{bytes:?}");
        }
    }

    #[test]
    fn every_cut_of_a_good_message_is_refused() {
        let packet = [0x80; 20];
        let message = encode_packets(0, 1, [&packet[..], &packet[..]]).unwrap().remove(0);
        let first = PACKETS_HEAD + LENGTH + packet.len();
        for cut in (0..message.len()).filter(|cut| *cut != first) {
            assert!(Message::parse(&message[..cut]).is_err(), "cut at {cut}");
        }
        assert_eq!(packets_of(&message[..first]).2.len(), 1);
        assert_eq!(packets_of(&message).2.len(), 2);
    }

    #[test]
    fn a_long_access_unit_becomes_several_messages() {
        let packet = vec![0x80; 1200];
        let messages = encode_packets(0, 5, (0..200).map(|_| &packet[..])).unwrap();
        assert_eq!(messages.len(), 200usize.div_ceil((MAX_MESSAGE - PACKETS_HEAD) / (LENGTH + 1200)));
        assert!(messages.iter().all(|message| message.len() <= MAX_MESSAGE && packets_of(message).1 == 5));
        assert_eq!(messages.iter().map(|message| packets_of(message).2.len()).sum::<usize>(), 200);
    }

    #[test]
    fn the_longest_packet_fits_and_others_are_refused() {
        let long = vec![0x80; MAX_PACKET];
        let messages = encode_packets(0, 0, [&long[..], &long[..]]).unwrap();
        assert!(messages.len() == 2 && messages.iter().all(|message| message.len() == MAX_MESSAGE));
        for length in [0, MIN_PACKET - 1, MAX_PACKET + 1, 70_000] {
            assert_eq!(encode_packets(0, 0, [&vec![0x80; length][..]]), Err(BadLength(length)));
        }
        assert!(encode_packets(0, 0, []).unwrap().is_empty());
    }

    #[test]
    fn the_pair_keeps_message_boundaries_and_holds_a_keyframe() {
        let (daemon, worker) = pair().unwrap();
        let mut buffer = vec![0; MAX_MESSAGE];
        assert_eq!(recv(daemon.as_raw_fd(), &mut buffer, MsgFlags::empty()), Err(Errno::EAGAIN));
        let packet = vec![0x80; 1200];
        let messages = encode_packets(0, 5, (0..150).map(|_| &packet[..])).unwrap();
        for message in &messages {
            assert_eq!(send(worker.as_raw_fd(), message, MsgFlags::MSG_DONTWAIT), Ok(message.len()));
        }
        for message in &messages {
            let length = recv(daemon.as_raw_fd(), &mut buffer, MsgFlags::empty()).unwrap();
            assert_eq!(&buffer[..length], &message[..]);
        }
    }

    fn formats() -> impl Strategy<Value = Format> {
        (1u8..=5, proptest::option::of(0u32..0x100_0000))
            .prop_map(|(code, profile_level_id)| Format { codec: codec_of(code).unwrap(), profile_level_id })
    }

    proptest! {
        #[test]
        fn formats_come_back(slot: u8, format in formats()) {
            let mut bytes = Vec::new();
            encode_format(&mut bytes, slot, &format);
            prop_assert_eq!(Message::parse(&bytes), Ok(Message::Format { slot, format }));
        }

        #[test]
        fn packets_come_back(slot: u8, captured: u64, shapes in vec((any::<u8>(), MIN_PACKET..3000), 1..80)) {
            let packets: Vec<Vec<u8>> = shapes.iter().map(|(fill, length)| vec![*fill; *length]).collect();
            let messages = encode_packets(slot, captured, packets.iter().map(Vec::as_slice)).unwrap();
            let mut back = Vec::new();
            for message in &messages {
                prop_assert!(message.len() <= MAX_MESSAGE);
                let (its_slot, its_time, its_packets) = packets_of(message);
                prop_assert_eq!((its_slot, its_time), (slot, captured));
                back.extend(its_packets);
            }
            prop_assert_eq!(back, packets);
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in vec(any::<u8>(), 0..200), kind in 0u8..5) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = kind;
            }
            if let Ok(Message::Packets { packets, .. }) = Message::parse(&bytes) {
                prop_assert!(packets.map(<[u8]>::len).all(|length| length >= MIN_PACKET));
            }
        }
    }
}
