//! reconnectStream: a publisher whose transport broke goes on under its viewers and in the recording; a subscriber gets another
//! transport. Nobody else hears of it.

use crate::house::{House, Member, PATIENCE, probe, recording_to};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;
use viduct::clock::Clock;
use viduct_testkit::flashes::film::{Area, Film};
use viduct_testkit::material::Media;
use viduct_testkit::peer::record::{Received, Record};
use viduct_testkit::peer::{MediaKind, Peer, Wish};
use viduct_testkit::whep::Whep;

/// How the clients name a publisher's offer: those up to 2.17, and later ones.
const KEYS: [&str; 2] = ["sdpOffer", "sdpString"];

/// The viewer's own stream has no seam `since` it was live: one SSRC a line, no number missing or used twice, and its clock goes on by
/// the time that passed.
fn seamless(seen: &Record, since: Instant, rate: f64, kind: MediaKind) {
    let packets: Vec<_> = seen.packets.iter().filter(|packet| packet.kind == kind && packet.at >= since).collect();
    assert_eq!((seen.of(kind).ssrcs.len(), seen.of(kind).lost()), (1, 0), "{kind:?}: {}", seen.summary());
    let mut numbers: Vec<u64> = packets.iter().map(|packet| packet.seq).collect();
    numbers.sort_unstable();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{kind:?}: {numbers:?}");
    let backwards = packets.windows(2).filter(|pair| (pair[1].ts.wrapping_sub(pair[0].ts) as i32) < 0).count();
    assert_eq!(backwards, 0, "{kind:?}");
    let (first, last) = (packets.first().expect("packets"), packets.last().expect("packets"));
    let told = f64::from(last.ts.wrapping_sub(first.ts)) / rate;
    let passed = (last.at - first.at).as_secs_f64();
    println!("{kind:?}: the viewer's clock went on by {told:.2} s in {passed:.2} s");
    let span = |pair: &[&Received]| (f64::from(pair[1].ts.wrapping_sub(pair[0].ts)) / rate, (pair[1].at - pair[0].at).as_secs_f64());
    let jumps: Vec<_> = packets.windows(2).map(span).filter(|(told, passed)| (told - passed).abs() > 0.2).collect();
    assert!((told - passed).abs() < 1.0, "steps of its clock and of ours: {jumps:.2?}");
}

async fn goes_on(viewer: &Peer, what: &str) {
    let before = viewer.look();
    let done = |seen: &Record| {
        let keyframes = |record: &Record| record.frames.as_ref().map_or(0, |frames| frames.keyframes);
        let picture = seen.whole_frames() > before.whole_frames() + 30 && keyframes(seen) > keyframes(&before);
        picture && seen.audio.packets > before.audio.packets + 50
    };
    viewer.wait_until(what, PATIENCE, done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_publisher() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::of(recording_to(folder.path())).await;
    let session = house.session(json!({"customSessionId": "hall"})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let mut publisher = Peer::new(&wish);
    let published = alice.try_publish(&publisher, &wish, false).await.unwrap();
    let stream = published["id"].as_str().unwrap();
    bob.client.notice("participantPublished", |_| true).await;
    let by_signaling = bob.watch(stream).await;
    let by_whep = Whep::watch(&house.rest, &session, stream).await.peer;
    house.record(&session, json!({"resolution": "640x360", "frameRate": 15})).await;
    bob.client.notice("recordingStarted", |_| true).await;
    goes_on(&by_signaling, "a picture").await;
    let since = Clock::System.now();
    let (log, connections) = (bob.client.log(), house.look(&session).await["connections"].clone());

    for key in KEYS {
        let fresh = Peer::new(&wish);
        let result = alice.reconnect(stream, &fresh, key).await.unwrap();
        assert_eq!((&result["id"], &result["createdAt"]), (&published["id"], &published["createdAt"]));
        let old = std::mem::replace(&mut publisher, fresh);
        old.wait_until("the old transport is closed", PATIENCE, |seen| seen.closed.is_some()).await;
        for (viewer, what) in [(&by_signaling, "goes on by signaling"), (&by_whep, "goes on by WHEP")] {
            goes_on(viewer, what).await;
        }
    }
    // this time the old one had broken before
    drop(std::mem::replace(&mut publisher, Peer::new(&wish)));
    alice.reconnect(stream, &publisher, KEYS[1]).await.unwrap();
    for viewer in [&by_signaling, &by_whep] {
        goes_on(viewer, "goes on after a pause").await;
        seamless(&viewer.look(), since, 90_000.0, MediaKind::Video);
        seamless(&viewer.look(), since, 48_000.0, MediaKind::Audio);
    }
    assert_eq!(bob.client.log(), log, "nobody hears of it");
    assert_eq!(house.look(&session).await["connections"], connections);
    let ready = house.stop_recording("hall").await;
    assert_eq!(ready["status"], "ready", "{ready}");
    filmed(&folder.path().join("hall/hall.mp4"));
}

/// The film shows and sounds the publisher from its beginning to its end.
fn filmed(path: &Path) {
    let film = Film::read(path, true, true).unwrap();
    let whole = Area { x: 0, y: 0, width: film.size.0, height: film.size.1 };
    let seconds = probe(path).duration;
    for (what, marks) in [("flashes", film.flashes(whole)), ("beeps", film.beeps(1000.0))] {
        println!("{what} in {seconds:.1} s of film: {marks:.1?}");
        let ends: Vec<f64> = [0.0].into_iter().chain(marks).chain([seconds]).collect();
        let longest = ends.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
        assert!(longest < 4.0, "{longest:.1} s without {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_that_watches_itself() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let alice = house.join(&session, "alice").await;
    let wish = Wish::publish_with_loopback(&[Media::Opus, Media::Vp8]);
    let first = Peer::new(&wish);
    let published = alice.try_publish(&first, &wish, true).await.unwrap();
    let stream = published["id"].as_str().unwrap();
    goes_on(&first, "its own picture").await;
    let second = Peer::new(&wish);
    alice.reconnect(stream, &second, KEYS[1]).await.unwrap();
    goes_on(&second, "its own picture over the other transport").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_subscriber() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let first = bob.watch(&stream).await;
    goes_on(&first, "a picture").await;
    let subscribers = async || listed(&house, &session, &bob).await["subscribers"].clone();
    let before = subscribers().await;
    assert_eq!(before[0]["streamId"], stream.as_str());

    let second = Peer::viewer(true, true);
    bob.reconnect(&stream, &second, "sdpOffer").await.unwrap();
    goes_on(&second, "a picture over the other transport").await;
    first.wait_until("the old transport is closed", PATIENCE, |seen| seen.closed.is_some()).await;
    assert_eq!(subscribers().await, before, "it is a subscriber all the time");
    // one that the server knows nothing of is as good as a new one
    bob.client.must("unsubscribeFromVideo", json!({"sender": alice.id})).await;
    let third = Peer::viewer(true, true);
    bob.reconnect(&stream, &third, "sdpOffer").await.unwrap();
    goes_on(&third, "a picture").await;
}

async fn listed(house: &House, session: &str, member: &Member) -> Value {
    let connections = house.look(session).await["connections"]["content"].clone();
    connections.as_array().unwrap().iter().find(|c| c["id"] == member.id.as_str()).expect("it is listed").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn not_of_streams_that_do_not_exist_nor_by_offers_that_are_none() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let viewer = bob.watch(&stream).await;
    goes_on(&viewer, "a picture").await;

    let unknown = alice.reconnect("str_CAM_none_con_none", &publisher, KEYS[1]).await.unwrap_err();
    assert_eq!(unknown.message, format!("Stream 'str_CAM_none_con_none' does not exist in Session '{session}'. Code: 105"));
    for params in [json!({"stream": stream}), json!({"sdpOffer": "v=0"})] {
        assert_eq!(alice.client.request("reconnectStream", params).await.unwrap_err().code, -32602);
    }
    for client in [&alice.client, &bob.client] {
        let refused = client.request("reconnectStream", json!({"stream": stream, "sdpOffer": "no SDP"})).await.unwrap_err();
        assert_eq!(refused.code, 302, "{}", refused.message);
    }
    // the stream stays published, and both may try again
    let (fresh, viewer) = (Peer::new(&wish), Peer::viewer(true, true));
    alice.reconnect(&stream, &fresh, KEYS[0]).await.unwrap();
    bob.reconnect(&stream, &viewer, "sdpOffer").await.unwrap();
    goes_on(&viewer, "a picture").await;
}
