//! A box behind a router that forwards its public address (1:1 NAT): with that address configured, clients outside watch and
//! publish, over UDP and over TCP, though they cannot reach the box's own address.

use super::lab::{self, publishing};
use crate::house::{House, PATIENCE};
use serde_json::json;
use std::net::IpAddr;
use viduct_testkit::peer::Access;

const OUTSIDE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 2));

#[test]
fn with_its_public_address_configured() {
    lab::run("a public address behind a 1:1 NAT", |lab| async move {
        let (router, outside) = (lab.namespace(), lab.namespace());
        lab.home.cable(("eth0", "10.0.0.2/24"), &router, ("lan0", "10.0.0.1/24"));
        router.cable(("wan0", "203.0.113.1/24"), &outside, ("eth0", "203.0.113.2/24"));
        lab.home.run("ip route add default via 10.0.0.1");
        router.enter(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")).expect("a network of its own has settings of its own");
        for rule in [
            "add table ip nat",
            "add chain ip nat before { type nat hook prerouting priority -100 ; }",
            "add chain ip nat after { type nat hook postrouting priority 100 ; }",
            "add rule ip nat before iifname wan0 ip daddr 203.0.113.1 dnat to 10.0.0.2",
            "add rule ip nat after oifname wan0 ip saddr 10.0.0.2 snat to 203.0.113.1",
        ] {
            router.run(&format!("nft {rule}"));
        }

        let house = House::of(lab.options().env("VIDUCT_PUBLIC_ADDRESSES", r#"["203.0.113.1"]"#)).await;
        let session = house.session(json!({})).await;
        let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
        let wish = publishing(Access::Udp(OUTSIDE));
        let publisher = outside.client(&wish);
        let stream = alice.publish(&publisher, &wish).await;
        for access in [Access::Udp(OUTSIDE), Access::Tcp(OUTSIDE)] {
            let viewer = bob.watch_as(&stream, outside.viewer(access)).await;
            viewer.wait_until("3 s through the router", PATIENCE, |seen| seen.whole_frames() >= 45 && seen.audio.packets >= 100).await;
            bob.client.must("unsubscribeFromVideo", json!({"sender": alice.id})).await;
        }
    });
}
