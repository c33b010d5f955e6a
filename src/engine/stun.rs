//! STUN (RFC 8489), as much as a port needs that many peers share: whose check a datagram is, and the answer of a plain STUN
//! server to whoever asks for its own address. What is secured by a password is str0m's.

use std::net::{IpAddr, SocketAddr};

const COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
const HEADER: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const USERNAME: u16 = 0x0006;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// What ties an answer to its question.
pub type Transaction = [u8; 12];

/// Could this datagram be STUN? On a media port the first byte decides (RFC 7983).
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4) && datagram.len() >= HEADER && datagram[4..8] == COOKIE
}

/// Is this a binding request?
pub fn is_request(datagram: &[u8]) -> bool {
    is_stun(datagram) && datagram.starts_with(&BINDING_REQUEST)
}

/// The transaction of a STUN message.
pub fn transaction(datagram: &[u8]) -> Option<Transaction> {
    datagram.get(8..HEADER)?.try_into().ok().filter(|_| is_stun(datagram))
}

/// Is this the success response that only the holder of the right password gets?
pub fn is_success(datagram: &[u8]) -> bool {
    is_stun(datagram) && datagram.starts_with(&BINDING_SUCCESS)
}

/// The receiver's user name fragment of an ICE check: what stands before the colon of USERNAME (RFC 8445 §7.2.2).
pub fn receiver_ufrag(datagram: &[u8]) -> Option<&str> {
    let username = attributes(datagram).find(|(kind, _)| *kind == USERNAME)?.1;
    std::str::from_utf8(username).ok()?.split(':').next()
}

/// The answer of a plain STUN server to a binding request: the address it came from. `None` for anything else.
pub fn answer(datagram: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let transaction = datagram.get(8..HEADER).filter(|_| is_request(datagram))?;
    let mask = [&COOKIE, transaction].concat();
    let xor = |bytes: &[u8]| bytes.iter().zip(&mask).map(|(b, m)| b ^ m).collect::<Vec<u8>>();
    let (family, address) = match from.ip().to_canonical() {
        IpAddr::V4(ip) => (1, xor(&ip.octets())),
        IpAddr::V6(ip) => (2, xor(&ip.octets())),
    };
    let mut out = Vec::with_capacity(HEADER + 24);
    out.extend_from_slice(&BINDING_SUCCESS);
    out.extend_from_slice(&(8 + address.len() as u16).to_be_bytes());
    out.extend_from_slice(&COOKIE);
    out.extend_from_slice(transaction);
    out.extend_from_slice(&XOR_MAPPED_ADDRESS.to_be_bytes());
    out.extend_from_slice(&(4 + address.len() as u16).to_be_bytes());
    out.extend_from_slice(&[0, family]);
    out.extend_from_slice(&xor(&from.port().to_be_bytes()));
    out.extend_from_slice(&address);
    Some(out)
}

/// Type and value of each attribute; ends at the first that points past the end.
fn attributes(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = datagram.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&[k0, k1, l0, l1], after) = rest.split_first_chunk()?;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let value = after.get(..len)?;
        rest = after.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_be_bytes([k0, k1]), value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend_from_slice(&kind.to_be_bytes());
            body.extend_from_slice(&(value.len() as u16).to_be_bytes());
            body.extend_from_slice(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut out = vec![0, 1];
        out.extend_from_slice(&(body.len() as u16).to_be_bytes());
        out.extend_from_slice(&COOKIE);
        out.extend_from_slice(b"transaction!");
        out.extend(body);
        out
    }

    #[test]
    fn the_ufrag_is_found_behind_other_attributes() {
        assert_eq!(receiver_ufrag(&request(&[(0x8022, b"odd"), (USERNAME, b"ours:theirs")])), Some("ours"));
        assert_eq!(receiver_ufrag(&request(&[(USERNAME, b"alone")])), Some("alone"));
        assert_eq!(receiver_ufrag(&request(&[(0x8022, b"x")])), None);
        assert_eq!(receiver_ufrag(&request(&[(USERNAME, &[0xff, 0xfe])])), None);
    }

    #[test]
    fn whoever_asks_hears_its_address() {
        // RFC 5769 §2.2 and §2.3: 192.0.2.1:32853 and 2001:db8:1234:5678:11:2233:4455:6677:32853
        let transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let mut ask = request(&[]);
        ask[8..20].copy_from_slice(&transaction);
        let answer4 = answer(&ask, "192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(answer4[20..], [0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        assert_eq!(answer4[2..4], [0, 12]);
        let answer6 = answer(&ask, "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap()).unwrap();
        assert_eq!(
            answer6[24..],
            [0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9]
        );
        assert!(is_success(&answer4) && answer4[8..20] == transaction);
    }

    #[test]
    fn only_binding_requests_are_answered() {
        let good = request(&[]);
        let from = "192.0.2.1:1".parse().unwrap();
        let changed = |at: usize, to: u8| {
            let mut datagram = good.clone();
            datagram[at] = to;
            datagram
        };
        assert!(answer(&good, from).is_some());
        for datagram in [changed(0, 1), changed(1, 3), changed(4, 0), changed(0, 0x80), good[..19].to_vec(), vec![]] {
            assert_eq!(answer(&datagram, from), None, "{datagram:02x?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..80), good_head: bool) {
            if good_head && bytes.len() >= 8 {
                bytes[..2].copy_from_slice(&BINDING_REQUEST);
                bytes[4..8].copy_from_slice(&COOKIE);
            }
            receiver_ufrag(&bytes);
            answer(&bytes, "192.0.2.1:1".parse().unwrap());
        }
    }
}
