//! DHCP comes after the start, a network goes: who comes then is told the addresses of then, without a restart.

use super::lab;
use crate::house::{House, Member, PATIENCE};
use serde_json::json;
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Access, Peer, Wish};

/// Three times what is promised.
const NOTICED: Duration = Duration::from_secs(10);

/// The addresses that an answer announces now.
async fn announced(member: &Member) -> Vec<String> {
    let wish = Wish::publish(&[Media::Vp8]);
    let published = member.try_publish(&Peer::new(&wish), &wish, false).await.expect("published");
    let answer = published["sdpAnswer"].as_str().expect("an answer");
    let mut addresses: Vec<String> =
        answer.lines().filter(|line| line.starts_with("a=candidate")).filter_map(|line| Some(line.split(' ').nth(4)?.to_owned())).collect();
    addresses.dedup();
    member.client.must("unpublishVideo", json!({})).await;
    addresses
}

async fn becomes(member: &Member, expected: &[&str]) {
    let begin = Clock::System.now();
    loop {
        let addresses = announced(member).await;
        if addresses == expected {
            return println!("{expected:?} after {:?}", begin.elapsed());
        }
        assert!(begin.elapsed() < NOTICED, "{addresses:?} instead of {expected:?}");
        Clock::System.sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn and_answers_follow() {
    lab::run("addresses that come and go", |lab| async move {
        // without any address there is nothing to offer yet; the loopback keeps the answer usable
        let house = House::of(lab.options().env("VIDUCT_LOOPBACK_CANDIDATES", "true")).await;
        let session = house.session(json!({})).await;
        let alice = house.join(&session, "alice").await;
        assert_eq!(announced(&alice).await, ["127.0.0.1", "::1"]);

        let office = lab.namespace();
        lab.home.cable(("eth0", "10.0.1.1/24"), &office, ("eth0", "10.0.1.2/24"));
        becomes(&alice, &["10.0.1.1", "127.0.0.1", "::1"]).await;
        let bob = house.join(&session, "bob").await;
        let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
        let publisher = Peer::new(&wish);
        let stream = alice.publish(&publisher, &wish).await;
        let viewer = bob.watch_as(&stream, office.viewer(Access::Udp([10, 0, 1, 2].into()))).await;
        viewer.wait_until("a picture in the network that came late", PATIENCE, |seen| seen.whole_frames() > 30).await;
        alice.client.must("unpublishVideo", json!({})).await;

        lab.home.address("eth0", "10.0.1.7/24");
        becomes(&alice, &["10.0.1.1", "10.0.1.7", "127.0.0.1", "::1"]).await;
        lab.home.run("ip link set eth0 down");
        becomes(&alice, &["127.0.0.1", "::1"]).await;
    });
}
