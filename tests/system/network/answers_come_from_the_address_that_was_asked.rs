//! A box with several interfaces, and several addresses on one: whoever asks one address is answered from it, STUN and media.

use super::lab::{self, publishing};
use crate::house::PATIENCE;
use serde_json::json;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;
use viduct_testkit::peer::Access;

#[test]
fn on_every_interface() {
    lab::run("several interfaces", |lab| async move {
        let (office, yard) = (lab.namespace(), lab.namespace());
        lab.home.cable(("eth0", "10.0.1.1/24"), &office, ("eth0", "10.0.1.2/24"));
        lab.home.address("eth0", "10.0.1.9/24");
        lab.home.cable(("eth1", "10.0.2.1/24"), &yard, ("eth0", "10.0.2.2/24"));
        // the yard reaches the office's address, too, through the box
        yard.run("ip route add default via 10.0.2.1");
        let house = lab.open().await;
        let port = house.daemon.ports.media;

        for (from, asked) in
            [(&office, [10, 0, 1, 1]), (&office, [10, 0, 1, 9]), (&yard, [10, 0, 2, 1]), (&yard, [10, 0, 1, 1]), (&yard, [10, 0, 1, 9])]
        {
            let asked = SocketAddr::from((asked, port));
            assert_eq!(from.enter(|| who_answers(asked)), asked);
        }

        let session = house.session(json!({})).await;
        let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
        let wish = publishing(Access::Udp([10, 0, 2, 2].into()));
        let publisher = yard.client(&wish);
        let stream = alice.publish(&publisher, &wish).await;
        for access in [Access::Udp([10, 0, 1, 2].into()), Access::Tcp([10, 0, 1, 2].into())] {
            let viewer = bob.watch_as(&stream, office.viewer(access)).await;
            viewer.wait_until("3 s from one network to the other", PATIENCE, |seen| seen.whole_frames() >= 45).await;
            bob.client.must("unsubscribeFromVideo", json!({"sender": alice.id})).await;
        }
    });
}

/// Asks a STUN server for the own address; who answered.
fn who_answers(server: SocketAddr) -> SocketAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a time");
    let question = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], b"viduct-test!"].concat();
    socket.send_to(&question, server).expect("a way there");
    let (_, from) = socket.recv_from(&mut [0; 200]).expect("an answer within 5 s");
    from
}
