//! A client whose socket breaks has some seconds to come back: the others notice nothing, its media goes on. If it does not
//! come back, it is evicted with the reason `networkDisconnect`.

use crate::house::{House, PATIENCE};
use serde_json::json;
use std::time::Duration;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};
use viduct_testkit::signaling::Client;

#[tokio::test(flavor = "multi_thread")]
async fn in_time() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let wish = Wish::publish(&[Media::Vp8]);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let viewer = bob.watch(&stream).await;
    viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 5).await;

    let rpc = alice.joined["sessionId"].clone();
    drop(alice.client);
    let back = Client::open(&house.daemon.signaling_url(&session)).await;
    assert_eq!(back.must("connect", json!({ "sessionId": rpc })).await["value"], "reconnection successful");
    back.must("ping", json!({"interval": 5000})).await;
    let before = viewer.look().whole_frames();
    viewer.wait_until("the picture goes on", PATIENCE, |seen| seen.whole_frames() > before + 30).await;
    assert!(bob.client.log().iter().all(|n| n.method == "participantPublished"), "bob noticed nothing: {:?}", bob.client.log());
    back.must("leaveRoom", json!({})).await;
    bob.client.notice("participantLeft", |p| p["reason"] == "disconnect").await;
    assert_eq!(back.request("connect", json!({ "sessionId": rpc })).await.unwrap_err().code, 40007, "who left cannot come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_late() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let rpc = alice.joined["sessionId"].clone();
    drop(alice.client);
    let left = bob.client.wait_up_to(Duration::from_secs(20), "participantLeft", |p| p["connectionId"] == alice.id.as_str()).await;
    assert_eq!(left["reason"], "networkDisconnect");
    let back = Client::open(&house.daemon.signaling_url(&session)).await;
    assert_eq!(back.request("connect", json!({ "sessionId": rpc })).await.unwrap_err().code, 40007);
}
