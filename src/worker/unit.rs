//! RTP packets to access units: where one ends, is it a keyframe, which profile has it. Pure.

use crate::rtp::packet::inspect;
use crate::rtp::{Codec, Kind, h264, header::Header};
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
        let Ok((header, payload)) = Header::parse(packet) else { return };
        if self.timestamp.is_some_and(|timestamp| timestamp != header.timestamp) {
            self.finish(&mut done);
        }
        if self.timestamp.is_none() {
            self.unit.begin(self.slot, captured_ns);
            self.timestamp = Some(header.timestamp);
            self.facts = Facts { keyframe: self.codec.kind() == Kind::Audio, profile_level_id: None, timestamp: header.timestamp };
        }
        if self.unit.push(packet).is_err() {
            return;
        }
        match self.codec {
            Codec::H264 => self.facts.inspect(payload),
            codec => self.facts.keyframe |= inspect(codec, payload).0,
        }
        if header.marker || self.codec.kind() == Kind::Audio {
            self.finish(&mut done);
        }
    }

    fn finish(&mut self, done: &mut impl FnMut(Facts, &AccessUnit)) {
        self.timestamp = None;
        done(self.facts, &self.unit);
    }
}

impl Facts {
    fn inspect(&mut self, payload: &[u8]) {
        self.keyframe |= h264::of_idr(payload);
        self.profile_level_id = self.profile_level_id.or_else(|| h264::profile_level_id(h264::sps(payload)?));
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
    fn a_picture_of_vp8_has_many_packets_and_its_first_tells_a_keyframe() {
        let units = assemble(
            Codec::Vp8,
            &[
                (1, packet(false, 1, &[0x10, 0x00])),
                (2, packet(true, 1, &[0x00, 0x01])),
                (3, packet(false, 2, &[0x10, 0x01])),
                (4, packet(true, 2, &[0x00, 0x00])),
            ],
        );
        let shape: Vec<_> = units.iter().map(|(facts, captured, packets)| (facts.keyframe, *captured, *packets)).collect();
        assert_eq!(shape, [(true, 1, 2), (false, 3, 2)]);
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
