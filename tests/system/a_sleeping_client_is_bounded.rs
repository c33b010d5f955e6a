//! A client that falls asleep (a frozen tab, a locked phone) costs a bounded piece of memory and, in the end, nothing: its media ends
//! when nothing has come from it for a while, its signaling when more waits for it than it would be told.

use crate::house::{House, PATIENCE};
use serde_json::json;
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};

/// Who sleeps.
const VIEWERS: usize = 10;
/// What each may cost while its transport stands, in KiB: half a megabyte of packets it may ask for again, and what goes with them.
const TRANSPORT: u64 = 1024;
/// A transport from which nothing comes is given up after some 22 s.
const GIVEN_UP: Duration = Duration::from_secs(66);

#[tokio::test(flavor = "multi_thread")]
async fn in_its_media() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let alice = house.join(&session, "alice").await;
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let mut sleepers = Vec::new();
    for n in 0..VIEWERS {
        let member = house.join(&session, &format!("sleeper {n}")).await;
        let viewer = member.watch(&stream).await;
        viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 0).await;
        sleepers.push((member, viewer));
    }
    let awake = watched_by_secret(&house, &session, &stream).await;
    let before = house.daemon.holdings();
    sleepers.iter().for_each(|(_, viewer)| viewer.freeze(true));
    let begin = Clock::System.now();
    let mut most = before.resident;
    let mut looks = tokio::time::interval(Duration::from_millis(250));
    while subscriptions(&house, &session).await > 0 {
        assert!(begin.elapsed() < GIVEN_UP, "somebody is still a subscriber");
        most = most.max(house.daemon.holdings().resident);
        looks.tick().await;
    }
    println!("{VIEWERS} sleep: {} KiB before, {most} KiB at most, given up after {:.1} s", before.resident, begin.elapsed().as_secs_f64());
    assert!(most <= before.resident + VIEWERS as u64 * TRANSPORT, "from {} to {most} KiB", before.resident);
    let seen = awake.look();
    assert_eq!((seen.video.lost(), seen.audio.lost()), (0, 0), "who is awake lost nothing: {}", seen.summary());
    // who wakes up finds its participant as it was, and its media by asking for it again
    let (member, viewer) = &sleepers[0];
    viewer.freeze(false);
    let fresh = Peer::viewer(true, true);
    member.reconnect(&stream, &fresh, "sdpOffer").await.unwrap();
    fresh.wait_until("a picture again", PATIENCE, |seen| seen.whole_frames() > 30).await;
}

/// A viewer that stays awake.
async fn watched_by_secret(house: &House, session: &str, stream: &str) -> Peer {
    let viewer = viduct_testkit::whep::Whep::watch(&house.rest, session, stream).await.peer;
    viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 15).await;
    viewer
}

/// Subscribers that REST lists; a viewer by the secret is none.
async fn subscriptions(house: &House, session: &str) -> usize {
    let connections = house.look(session).await["connections"]["content"].clone();
    connections.as_array().unwrap().iter().map(|c| c["subscribers"].as_array().map_or(0, Vec::len)).sum::<usize>()
}

/// Clients that read nothing, bytes of one signal, how many of them.
const DEAF: usize = 4;
const SIGNAL: usize = 200_000;
const SIGNALS: usize = 150;
/// What each may cost, in KiB: 8 MiB that wait, 2 MiB that may have to be told again, what the socket holds, and room to move.
const SOCKET: u64 = 14 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn in_its_signaling() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let flood = json!({"message": json!({"to": [], "data": "x".repeat(SIGNAL), "type": "signal:flood"}).to_string()});
    // those who read make the daemon take what it needs for one
    for _ in 0..20 {
        alice.client.must("sendMessage", flood.clone()).await;
    }
    let mut deaf = Vec::new();
    for n in 0..DEAF {
        let member = house.join(&session, &format!("deaf {n}")).await;
        member.client.deaf();
        deaf.push(member);
    }
    let before = house.daemon.holdings();
    let mut most = before.resident;
    for _ in 0..SIGNALS {
        alice.client.must("sendMessage", flood.clone()).await;
        most = most.max(house.daemon.holdings().resident);
    }
    println!("{DEAF} read nothing of {SIGNALS} signals: {} KiB before, {most} KiB at most", before.resident);
    assert!(most <= before.resident + DEAF as u64 * SOCKET, "from {} to {most} KiB", before.resident);
    for member in &deaf {
        let left = bob.client.wait_up_to(PATIENCE, "participantLeft", |p| p["connectionId"] == member.id.as_str()).await;
        assert_eq!(left["reason"], "networkDisconnect");
    }
    bob.client.must("echo", json!({})).await;
    let heard = bob.client.log().iter().filter(|n| n.method == "sendMessage").count();
    assert_eq!(heard, 20 + SIGNALS, "nothing is lost for those who read");
}
