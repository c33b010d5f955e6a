//! A network without IPv4: media flows over IPv6, STUN answers, link-local addresses are not offered.

use super::lab::{self, publishing};
use crate::house::{House, PATIENCE};
use serde_json::json;
use std::net::{IpAddr, Ipv6Addr};
use viduct_testkit::peer::{Access, Peer, Wish};

#[tokio::test(flavor = "multi_thread")]
async fn on_the_loopback_address() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let own = Access::Udp(Ipv6Addr::LOCALHOST.into());
    let wish = publishing(own);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let viewer = bob.watch_as(&stream, Peer::new(&Wish::watch(true, true).over(own))).await;
    viewer.wait_until("5 s over ::1", PATIENCE, |seen| seen.whole_frames() >= 75 && seen.audio.packets >= 150).await;
}

#[test]
fn in_a_network_of_its_own() {
    lab::run("media in a network without IPv4", |lab| async move {
        let office = lab.namespace();
        lab.home.cable(("eth0", "fd00:1::1/64"), &office, ("eth0", "fd00:1::2/64"));
        let house = lab.open().await;
        let session = house.session(json!({})).await;
        let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
        let there: IpAddr = "fd00:1::2".parse().expect("an address");
        let wish = publishing(Access::Udp(there));
        let publisher = office.client(&wish);
        let published = alice.try_publish(&publisher, &wish, false).await.expect("published");
        let answer = published["sdpAnswer"].as_str().expect("an answer");
        let candidates: Vec<&str> = answer.lines().filter(|line| line.starts_with("a=candidate")).collect();
        assert!(!candidates.is_empty() && candidates.iter().all(|line| line.contains(" fd00:1::1 ")), "{answer}");

        let stream = published["id"].as_str().expect("an id");
        for access in [Access::Udp(there), Access::Tcp(there)] {
            let viewer = bob.watch_as(stream, office.viewer(access)).await;
            viewer.wait_until("5 s over IPv6", PATIENCE, |seen| seen.whole_frames() >= 75 && seen.audio.packets >= 150).await;
            bob.client.must("unsubscribeFromVideo", json!({"sender": alice.id})).await;
        }
    });
}
