//! reconnectStream: a publisher whose transport broke goes on under its viewers and in the recording; a subscriber gets another
//! transport. Nobody else hears of it.

use crate::house::{House, Member, PATIENCE, probe, recording_to};
use serde_json::{Value, json};
use std::path::Path;
use viduct::clock::Clock;
use viduct_testkit::flashes::film::{Area, Film};
use viduct_testkit::material::Media;
use viduct_testkit::peer::record::{Received, Record};
use viduct_testkit::peer::{MediaKind, Peer, Wish};
use viduct_testkit::whep::Whep;

/// How the clients name a publisher's offer: those up to 2.17, and later ones.
const KEYS: [&str; 2] = ["sdpOffer", "sdpString"];

/// Packets of sound that a busy machine may lose on their way; nobody sends them again. A seam would be far larger, or none would be
/// missing and some be there twice.
const LOST_SOUND: u64 = 25;

/// The number after the last one of a viewer's line: where a look at it begins. Times of arrival are no border: what was lost and sent
/// again comes late.
fn mark(seen: &Record, kind: MediaKind) -> u64 {
    seen.of(kind).range.map_or(0, |(_, last)| last + 1)
}

/// The viewer's own stream has no seam `since` that number: one SSRC a line, no number missing or used twice, and its clock goes on by
/// the time that passed. Video that was lost on the way comes again within [`PATIENCE`].
async fn seamless(viewer: &Peer, since: u64, rate: f64, kind: MediaKind) {
    let may_lack = if kind == MediaKind::Audio { LOST_SOUND } else { 0 };
    let packets = |seen: &Record| {
        let mut packets: Vec<Received> = seen.packets.iter().filter(|packet| packet.kind == kind && packet.seq >= since).cloned().collect();
        packets.sort_by_key(|packet| packet.seq);
        packets
    };
    let missing = |packets: &[Received]| packets.last().map_or(0, |last| (last.seq + 1 - since).saturating_sub(packets.len() as u64));
    viewer.wait_until("what was lost has come again", PATIENCE, |seen| missing(&packets(seen)) <= may_lack).await;
    let seen = viewer.look();
    let packets = packets(&seen);
    assert_eq!(seen.of(kind).ssrcs.len(), 1, "{kind:?}: {}", seen.summary());
    assert!(packets.windows(2).all(|pair| pair[1].seq > pair[0].seq), "{kind:?}: a number twice");
    let backwards = packets.windows(2).filter(|pair| (pair[1].ts.wrapping_sub(pair[0].ts) as i32) < 0).count();
    assert_eq!(backwards, 0, "{kind:?}");
    let (first, last) = (packets.first().expect("packets"), packets.last().expect("packets"));
    let told = f64::from(last.ts.wrapping_sub(first.ts)) / rate;
    let passed = (last.at - first.at).as_secs_f64();
    println!("{kind:?}: the viewer's clock went on by {told:.2} s in {passed:.2} s, {} lost", missing(&packets));
    let span = |pair: &[Received]| (f64::from(pair[1].ts.wrapping_sub(pair[0].ts)) / rate, (pair[1].at - pair[0].at).as_secs_f64());
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
    let mut steps = vec![Clock::System.now()];
    goes_on(&by_signaling, "a picture").await;
    let both = [&by_signaling, &by_whep];
    let marks = both.map(|viewer| [MediaKind::Video, MediaKind::Audio].map(|kind| mark(&viewer.look(), kind)));
    let (log, connections) = (bob.client.log(), house.look(&session).await["connections"].clone());

    for key in KEYS {
        let fresh = Peer::new(&wish);
        let result = alice.reconnect(stream, &fresh, key).await.unwrap();
        assert_eq!((&result["id"], &result["createdAt"]), (&published["id"], &published["createdAt"]));
        steps.push(Clock::System.now());
        let old = std::mem::replace(&mut publisher, fresh);
        old.wait_until("the old transport is closed", PATIENCE, |seen| seen.closed.is_some()).await;
        for (viewer, what) in [(&by_signaling, "goes on by signaling"), (&by_whep, "goes on by WHEP")] {
            goes_on(viewer, what).await;
        }
    }
    // this time the old one had broken before
    drop(std::mem::replace(&mut publisher, Peer::new(&wish)));
    alice.reconnect(stream, &publisher, KEYS[1]).await.unwrap();
    steps.push(Clock::System.now());
    for (viewer, [video, audio]) in both.into_iter().zip(marks) {
        goes_on(viewer, "goes on after a pause").await;
        seamless(viewer, video, 90_000.0, MediaKind::Video).await;
        seamless(viewer, audio, 48_000.0, MediaKind::Audio).await;
    }
    assert_eq!(bob.client.log(), log, "nobody hears of it");
    assert_eq!(house.look(&session).await["connections"], connections);
    let ready = house.stop_recording("hall").await;
    assert_eq!(ready["status"], "ready", "{ready}");
    steps.push(Clock::System.now());
    let longest = steps.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    filmed(&folder.path().join("hall/hall.mp4"), longest.as_secs_f64() + 3.0);
}

/// The film shows and sounds the publisher from its beginning to its end, without a pause of more than `most` s: a transport it did not
/// take would be missing for longer. A busy machine is later with each step, and with its pictures too.
fn filmed(path: &Path, most: f64) {
    let film = Film::read(path, true, true).unwrap();
    let whole = Area { x: 0, y: 0, width: film.size.0, height: film.size.1 };
    let seconds = probe(path).duration;
    for (what, marks) in [("flashes", film.flashes(whole)), ("beeps", film.beeps(1000.0))] {
        println!("{what} in {seconds:.1} s of film: {marks:.1?}");
        let ends: Vec<f64> = [0.0].into_iter().chain(marks).chain([seconds]).collect();
        let longest = ends.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
        assert!(longest < most, "{longest:.1} s without {what}, {most:.1} s at most");
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
