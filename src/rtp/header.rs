//! The RTP fixed header (RFC 3550 §5.1): parsed from a packet, or written in front of a payload.
//!
//! Contributing sources, header extensions and padding of what comes in are skipped, never written.

use thiserror::Error;

/// The fields of the fixed header that vary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Last packet of a video frame, first of a talk spurt.
    pub marker: bool,
    /// 0..=127.
    pub payload_type: u8,
    pub sequence: u16,
    /// In units of the codec's clock rate.
    pub timestamp: u32,
    pub ssrc: u32,
}

/// Not an RTP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Malformed {
    #[error("shorter than its own header says")]
    Short,
    #[error("RTP version {0}, not 2")]
    Version(u8),
    #[error("padding longer than the payload")]
    Padding,
}

const FIXED: usize = 12;

impl Header {
    /// Splits a packet into its header and its payload.
    pub fn parse(packet: &[u8]) -> Result<(Header, &[u8]), Malformed> {
        let fixed: &[u8; FIXED] = packet.first_chunk().ok_or(Malformed::Short)?;
        let [first, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *fixed;
        if first >> 6 != 2 {
            return Err(Malformed::Version(first >> 6));
        }
        let mut start = FIXED + 4 * usize::from(first & 0x0f);
        if first & 0x10 != 0 {
            let extension: &[u8; 4] = packet.get(start..).and_then(<[u8]>::first_chunk).ok_or(Malformed::Short)?;
            start += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
        }
        let mut payload = packet.get(start..).ok_or(Malformed::Short)?;
        if first & 0x20 != 0 {
            let padding = usize::from(*payload.last().ok_or(Malformed::Padding)?);
            let len = payload.len().checked_sub(padding).filter(|_| padding > 0).ok_or(Malformed::Padding)?;
            payload = &payload[..len];
        }
        let header = Header {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
        };
        Ok((header, payload))
    }

    /// The packet of this header and `payload`.
    pub fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(FIXED + payload.len());
        out.push(0x80);
        out.push(self.payload_type & 0x7f | if self.marker { 0x80 } else { 0 });
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(payload);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: Header = Header { marker: true, payload_type: 96, sequence: 7, timestamp: 90_000, ssrc: 0xdead_beef };

    #[test]
    fn extensions_csrcs_and_padding_are_no_payload() {
        let mut packet = PLAIN.packet(&[]);
        packet[0] = 0x80 | 0x20 | 0x10 | 2;
        packet.extend_from_slice(&[0; 8]); // two contributing sources
        packet.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0]); // one word of extensions
        packet.extend_from_slice(b"media");
        packet.extend_from_slice(&[0, 0, 3]);
        assert_eq!(Header::parse(&packet), Ok((PLAIN, &b"media"[..])));
    }

    #[test]
    fn broken_packets_are_refused_with_their_reason() {
        let good = PLAIN.packet(b"x");
        let with = |first: u8| [&[first], &good[1..]].concat();
        for (packet, reason) in [
            (vec![], Malformed::Short),
            (good[..11].to_vec(), Malformed::Short),
            (with(0x40), Malformed::Version(1)),
            (with(0x8f), Malformed::Short),
            (with(0x90), Malformed::Short),
            ([&with(0xa0)[..12], &[0]].concat(), Malformed::Padding),
            ([&with(0xa0)[..12], &[9]].concat(), Malformed::Padding),
            (with(0xa0)[..12].to_vec(), Malformed::Padding),
        ] {
            assert_eq!(Header::parse(&packet), Err(reason), "{packet:02x?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(
            marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32, payload in proptest::collection::vec(any::<u8>(), 0..50)
        ) {
            let header = Header { marker, payload_type, sequence, timestamp, ssrc };
            let packet = header.packet(&payload);
            prop_assert_eq!(Header::parse(&packet), Ok((header, &payload[..])));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Header::parse(&bytes);
        }
    }
}
