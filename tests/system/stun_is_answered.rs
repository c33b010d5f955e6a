//! The media port tells anyone who asks by which address it sees them (RFC 8489), so that clients need no server elsewhere.

use crate::house::House;
use std::net::UdpSocket;
use std::time::Duration;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_request_gets_its_address() {
    let house = House::open().await;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut request = vec![0, 1, 0, 0];
    request.extend(COOKIE);
    request.extend(b"viduct-test!");
    socket.send_to(&request, ("127.0.0.1", house.daemon.ports.media)).unwrap();

    let mut answer = [0; 512];
    let (len, from) = socket.recv_from(&mut answer).expect("an answer within 5 s");
    assert_eq!(from.port(), house.daemon.ports.media);
    assert_eq!(answer[..2], [1, 1], "a binding success");
    assert_eq!(answer[4..20], request[4..20], "cookie and transaction are echoed");
    let mapped = attribute(&answer[20..len], 0x0020).expect("XOR-MAPPED-ADDRESS");
    let port = u16::from_be_bytes([mapped[2] ^ COOKIE[0], mapped[3] ^ COOKIE[1]]);
    let ip: Vec<u8> = mapped[4..8].iter().zip(COOKIE).map(|(byte, key)| byte ^ key).collect();
    assert_eq!((mapped[1], port, ip), (1, socket.local_addr().unwrap().port(), vec![127, 0, 0, 1]));
}

/// The value of a STUN attribute.
fn attribute(mut rest: &[u8], kind: u16) -> Option<&[u8]> {
    while let [a, b, c, d, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*c, *d]));
        if u16::from_be_bytes([*a, *b]) == kind {
            return tail.get(..len);
        }
        rest = tail.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    None
}
