//! RTP packets to access units: where one ends, is it a keyframe, which profile has it. Pure.
//!
//! Only what our own payloaders make has to be understood: for H.264 single NAL units, STAP-A and FU-A (RFC 6184 §5.6, §5.7.1,
//! §5.8).

use crate::rtp::Codec;
use crate::wire::media::AccessUnit;

/// Collects the packets of one access unit. A unit ends with its marker bit (video), with each packet (audio), or when the next
/// packet has another timestamp.
#[derive(Debug)]
pub struct Assembler {
    codec: Codec,
    slot: u8,
    unit: AccessUnit,
    timestamp: Option<u32>,
    facts: Facts,
}

/// What is known of an access unit.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Facts {
    /// Decodable without any other unit; each unit of audio is.
    pub keyframe: bool,
    /// `profile-level-id` of the SPS in it.
    pub profile_level_id: Option<u32>,
    /// RTP timestamp.
    pub timestamp: u32,
}

impl Assembler {
    pub fn new(codec: Codec, slot: u8) -> Assembler {
        Assembler { codec, slot, unit: AccessUnit::default(), timestamp: None, facts: Facts::default() }
    }

    /// Takes the next packet, captured at `captured_ns`. `done` sees each unit that this packet completes. A packet that is none
    /// (too short, too long) is ignored.
    pub fn push(&mut self, captured_ns: u64, packet: &[u8], mut done: impl FnMut(Facts, &AccessUnit)) {
        let Some((header, payload)) = split_header(packet) else { return };
        if self.timestamp.is_some_and(|timestamp| timestamp != header.timestamp) {
            self.finish(&mut done);
        }
        if self.timestamp.is_none() {
            self.unit.begin(self.slot, captured_ns);
            self.timestamp = Some(header.timestamp);
            self.facts = Facts { keyframe: self.codec != Codec::H264, profile_level_id: None, timestamp: header.timestamp };
        }
        if self.unit.push(packet).is_err() {
            return;
        }
        if self.codec == Codec::H264 {
            self.facts.inspect(payload);
        }
        if header.marker || self.codec != Codec::H264 {
            self.finish(&mut done);
        }
    }

    fn finish(&mut self, done: &mut impl FnMut(Facts, &AccessUnit)) {
        self.timestamp = None;
        done(self.facts, &self.unit);
    }
}

struct Header {
    marker: bool,
    timestamp: u32,
}

/// RFC 3550 §5.1; our payloaders write neither contributing sources nor extensions, but both are skipped.
fn split_header(packet: &[u8]) -> Option<(Header, &[u8])> {
    let (head, rest) = packet.split_first_chunk::<12>()?;
    let [first, second, _, _, t0, t1, t2, t3, ..] = *head;
    let rest = rest.get(usize::from(first & 0x0f) * 4..)?;
    let payload = match first & 0x10 != 0 {
        true => rest.get(4 + usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?])) * 4..)?,
        false => rest,
    };
    Some((Header { marker: second & 0x80 != 0, timestamp: u32::from_be_bytes([t0, t1, t2, t3]) }, payload))
}

const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

impl Facts {
    fn inspect(&mut self, payload: &[u8]) {
        let Some((first, rest)) = payload.split_first() else { return };
        match first & 0x1f {
            STAP_A => {
                let mut rest = rest;
                while let Some((length, after)) = rest.split_first_chunk() {
                    let Some((nal, after)) = after.split_at_checked(u16::from_be_bytes(*length).into()) else { return };
                    self.inspect_nal(nal);
                    rest = after;
                }
            }
            // the type of the fragmented unit is in each fragment; no SPS is long enough to be one
            FU_A => self.keyframe |= rest.first().is_some_and(|header| header & 0x1f == IDR),
            _ => self.inspect_nal(payload),
        }
    }

    fn inspect_nal(&mut self, nal: &[u8]) {
        match nal {
            [head, profile, constraints, level, ..] if head & 0x1f == SPS => {
                self.profile_level_id = Some(u32::from_be_bytes([0, *profile, *constraints, *level]));
            }
            [head, ..] if head & 0x1f == IDR => self.keyframe = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::media::Message;
    use proptest::prelude::*;

    fn packet(marker: bool, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, 96 | u8::from(marker) << 7, 0, 1];
        packet.extend(timestamp.to_be_bytes());
        packet.extend([0, 0, 0, 9]);
        packet.extend(payload);
        packet
    }

    /// Facts, capture time and number of packets of each unit.
    fn assemble(codec: Codec, packets: &[(u64, Vec<u8>)]) -> Vec<(Facts, u64, usize)> {
        let mut assembler = Assembler::new(codec, 0);
        let mut units = Vec::new();
        for (captured, packet) in packets {
            assembler.push(*captured, packet, |facts, unit| {
                let message = unit.messages().next().expect("a unit has packets").to_vec();
                let Ok(Message::Packets { captured_ns, packets, .. }) = Message::parse(&message) else { panic!("{message:?}") };
                units.push((facts, captured_ns, packets.count()));
            });
        }
        units
    }

    const SPS_PPS: &[u8] = &[0x78, 0, 5, 0x67, 0x42, 0xc0, 0x1f, 0x99, 0, 2, 0x68, 0xce];

    #[test]
    fn a_marker_ends_a_unit_and_a_new_timestamp_does_when_the_marker_is_lost() {
        let facts = |keyframe, profile_level_id, timestamp| Facts { keyframe, profile_level_id, timestamp };
        let units = assemble(
            Codec::H264,
            &[
                (100, packet(false, 1, SPS_PPS)),
                (101, packet(false, 1, &[0x7c, 0x85, 1])),
                (102, packet(true, 1, &[0x7c, 0x45, 1])),
                (200, packet(false, 2, &[0x41, 1])),
                (300, packet(true, 3, &[0x65, 1])),
                (400, packet(true, 4, &[0x7c, 0x81, 1])),
            ],
        );
        let expected = [
            (facts(true, Some(0x42c01f), 1), 100, 3),
            (facts(false, None, 2), 200, 1),
            (facts(true, None, 3), 300, 1),
            (facts(false, None, 4), 400, 1),
        ];
        assert_eq!(units, expected);
    }

    #[test]
    fn an_sps_of_its_own_is_seen_and_is_no_keyframe_by_itself() {
        let units = assemble(Codec::H264, &[(1, packet(true, 1, &[0x67, 0x64, 0, 0x28, 0xac]))]);
        assert_eq!(units, [(Facts { keyframe: false, profile_level_id: Some(0x640028), timestamp: 1 }, 1, 1)]);
    }

    #[test]
    fn each_packet_of_audio_is_a_unit() {
        let units = assemble(Codec::Opus, &[(1, packet(false, 960, &[1])), (2, packet(true, 1920, &[2]))]);
        assert_eq!(
            units.iter().map(|(facts, captured, packets)| (facts.keyframe, *captured, *packets)).collect::<Vec<_>>(),
            [(true, 1, 1), (true, 2, 1)]
        );
    }

    #[test]
    fn extensions_and_contributing_sources_are_skipped() {
        let mut odd = packet(true, 7, &[0, 0, 0, 1, 0xbe, 0xde, 0, 1, 9, 9, 9, 9, 0x65, 1]);
        odd[0] = 0x91;
        assert!(assemble(Codec::H264, &[(1, odd)])[0].0.keyframe);
    }

    proptest! {
        #[test]
        fn no_packet_makes_it_panic(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..20)) {
            let packets: Vec<_> = packets.into_iter().map(|packet| (0, packet)).collect();
            assemble(Codec::H264, &packets);
        }
    }
}
