//! Where UDP is barred, publishers and viewers use TCP (RFC 6544): picture and sound come whole, loopback or not, IPv4 or IPv6.

use super::lab::{self, publishing};
use crate::house::{House, PATIENCE};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use viduct_testkit::peer::{Access, Peer, Wish};

/// A GOP and more.
const FRAMES: u64 = 75;

async fn comes_whole(viewer: &Peer, what: &str) {
    viewer.wait_until(what, PATIENCE, |seen| seen.whole_frames() >= FRAMES && seen.audio.packets >= 150).await;
    let seen = viewer.look();
    assert_eq!(seen.frames.as_ref().map(|frames| frames.gaps), Some(0), "TCP loses nothing: {}", seen.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_publisher_to_viewers_and_a_stalled_one_hurts_nobody() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let wish = publishing(Access::Tcp(Ipv4Addr::LOCALHOST.into()));
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;

    let over = |ip: IpAddr| Peer::new(&Wish::watch(true, true).over(Access::Tcp(ip)));
    let viewer = bob.watch_as(&stream, over(Ipv4Addr::LOCALHOST.into())).await;
    comes_whole(&viewer, "5 s over TCP").await;
    let carol = house.join(&session, "carol").await;
    let sixth = carol.watch_as(&stream, over(Ipv6Addr::LOCALHOST.into())).await;
    comes_whole(&sixth, "5 s over TCP on ::1").await;

    // far more than the kernel and the daemon keep for one connection would need minutes; what counts is that nobody waits
    sixth.freeze(true);
    let before = viewer.look().whole_frames();
    viewer.wait_until("the others' picture goes on", PATIENCE, |seen| seen.whole_frames() >= before + FRAMES).await;
    sixth.freeze(false);
    let before = sixth.look().whole_frames();
    sixth.wait_until("and so does the one that hung", PATIENCE, |seen| seen.whole_frames() > before + FRAMES).await;
}

#[test]
fn where_a_firewall_drops_udp() {
    lab::run("media where a firewall drops UDP", |lab| async move {
        let (office, street) = (lab.namespace(), lab.namespace());
        lab.home.cable(("eth0", "10.0.1.1/24"), &office, ("eth0", "10.0.1.2/24"));
        lab.home.cable(("eth1", "10.0.2.1/24"), &street, ("eth0", "10.0.2.2/24"));
        for rule in [
            "add table inet firewall",
            "add chain inet firewall forward { type filter hook input priority 0 ; }",
            "add rule inet firewall forward meta l4proto udp drop",
        ] {
            office.run(&format!("nft {rule}"));
        }
        let house = lab.open().await;
        let session = house.session(json!({})).await;
        let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
        let wish = publishing(Access::Udp([10, 0, 2, 2].into()));
        let publisher = street.client(&wish);
        let stream = alice.publish(&publisher, &wish).await;

        let barred = bob.watch_as(&stream, office.viewer(Access::Udp([10, 0, 1, 2].into()))).await;
        let carol = house.join(&session, "carol").await;
        let viewer = carol.watch_as(&stream, office.viewer(Access::Tcp([10, 0, 1, 2].into()))).await;
        comes_whole(&viewer, "5 s over TCP").await;
        assert!(barred.look().connected.is_none(), "the firewall works");
        tokio::time::timeout(Duration::from_secs(1), async { drop(barred) }).await.expect("it ends");
    });
}
