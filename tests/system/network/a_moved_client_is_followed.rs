//! A router forgets which port it gave a client, or a client changes its network: media goes on within 3 s, for who watches and
//! for who publishes, on the same transport.

use super::lab::{self, publishing};
use crate::house::{House, PATIENCE};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::peer::{Access, Peer, Wish};

/// What is promised.
const PROMISED: Duration = Duration::from_secs(3);

/// Moves `moves` and waits until `watches` has a new second of picture; how long it took.
async fn moved(moves: &Peer, to: IpAddr, watches: &Peer) -> Duration {
    let begin = Clock::System.now();
    moves.move_to(to);
    // what is on its way still comes
    Clock::System.sleep(Duration::from_millis(200)).await;
    let before = watches.look().video.packets;
    watches.wait_until("packets again", 3 * PROMISED, |seen| seen.video.packets > before + 3).await;
    let took = begin.elapsed();
    let before = watches.look().whole_frames();
    watches.wait_until("the picture goes on", PATIENCE, |seen| seen.whole_frames() > before + 30).await;
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn to_another_port() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    let wish = publishing(Access::Udp(here));
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let viewer = bob.watch_as(&stream, Peer::new(&Wish::watch(true, true))).await;
    viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 30).await;

    let viewers = moved(&viewer, here, &viewer).await;
    let publishers = moved(&publisher, here, &viewer).await;
    println!("followed after {viewers:?} (who watches) and {publishers:?} (who publishes)");
    assert!(publisher.look().closed.is_none() && viewer.look().closed.is_none());
    assert_eq!(house.look(&session).await["connections"]["numberOfElements"], 2, "nobody had to come again");
}

#[test]
fn to_another_network() {
    lab::run("a client that changes its network", |lab| async move {
        let phone = lab.namespace();
        lab.home.cable(("eth0", "10.0.1.1/24"), &phone, ("wlan0", "10.0.1.2/24"));
        lab.home.cable(("eth1", "10.0.2.1/24"), &phone, ("wwan0", "10.0.2.2/24"));
        let house = lab.open().await;
        let session = house.session(json!({})).await;
        let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
        let wish = publishing(Access::Udp([10, 0, 1, 2].into()));
        let publisher = phone.client(&wish);
        let stream = alice.publish(&publisher, &wish).await;
        let viewer = bob.watch_as(&stream, phone.viewer(Access::Udp([10, 0, 1, 2].into()))).await;
        viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 30).await;
        // a socket at the other address; it still speaks to the box's address in the first network
        let viewers = moved(&viewer, [10, 0, 2, 2].into(), &viewer).await;
        let publishers = moved(&publisher, [10, 0, 2, 2].into(), &viewer).await;
        println!("followed after {viewers:?} (who watches) and {publishers:?} (who publishes)");
    });
}
