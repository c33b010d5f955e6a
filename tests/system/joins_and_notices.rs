//! Two clients join, publish, subscribe, signal and leave; each hears of the other what signaling.md §14 says, in that order.

use crate::house::House;
use serde_json::{Value, json};
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_hear_of_each_other_in_order() {
    let house = House::open().await;
    let session = house.session(json!({})).await;

    let alice = house.join(&session, "alice").await;
    assert_eq!(alice.joined["value"], json!([]));
    assert_eq!((&alice.joined["role"], &alice.joined["metadata"]), (&json!("PUBLISHER"), &json!("alice%/%server")));
    assert_eq!((&alice.joined["version"], &alice.joined["mediaServer"]), (&json!("2.20.0"), &json!("kurento")));
    let media = house.daemon.ports.media;
    assert_eq!(alice.joined["customIceServers"], json!([{"url": format!("stun:127.0.0.1:{media}")}]));

    let bob = house.join(&session, "bob").await;
    assert_eq!(ids(&bob.joined["value"]), [alice.id.as_str()]);
    assert!(bob.joined["value"][0].get("streams").is_none(), "who does not publish has no streams: {}", bob.joined);

    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let peer = Peer::new(&wish);
    let stream = alice.publish(&peer, &wish).await;
    assert!(stream.starts_with("str_CAM_") && stream.ends_with(&alice.id), "{stream}");
    let published = bob.client.notice("participantPublished", |p| p["id"] == alice.id.as_str()).await;
    assert_eq!(published["streams"][0]["id"], stream.as_str());
    assert_eq!(published["streams"][0]["typeOfVideo"], "CAMERA");
    let again = Peer::new(&wish);
    assert_eq!(alice.try_publish(&again, &wish, false).await.unwrap_err().code, 106);

    let viewer = bob.watch(&stream).await;
    viewer.wait_until("bob sees alice", crate::house::PATIENCE, |record| record.whole_frames() > 5).await;
    let carol = house.join(&session, "carol").await;
    let here = carol.joined["value"].as_array().unwrap();
    assert_eq!(here.iter().find(|m| m["id"] == alice.id.as_str()).unwrap()["streams"][0]["id"], stream.as_str());

    bob.client.must("unsubscribeFromVideo", json!({"sender": alice.id})).await;
    alice.client.must("unpublishVideo", json!({})).await;
    bob.client.notice("participantUnpublished", |p| p["connectionId"] == alice.id.as_str() && p["reason"] == "unpublish").await;
    assert_eq!(alice.client.request("unpublishVideo", json!({})).await.unwrap_err().code, 105);
    assert_eq!(
        bob.client.request("receiveVideoFrom", json!({"sender": stream, "sdpOffer": viewer.offer()})).await.unwrap_err().code / 100,
        1
    );

    carol.client.must("sendMessage", json!({"message": json!({"to": [bob.id], "data": "psst", "type": "signal:chat"}).to_string()})).await;
    bob.client.notice("sendMessage", |p| p["data"] == "psst" && p["from"] == carol.id.as_str()).await;
    alice.client.must("leaveRoom", json!({})).await;
    bob.client.notice("participantLeft", |p| p["connectionId"] == alice.id.as_str() && p["reason"] == "disconnect").await;

    let heard: Vec<String> = bob.client.log().into_iter().map(|n| n.method).collect();
    let expected = ["participantPublished", "participantJoined", "participantUnpublished", "sendMessage", "participantLeft"];
    assert_eq!(heard, expected, "nothing else, nothing twice");
    assert!(alice.client.log().iter().all(|n| n.method != "sendMessage"), "a signal to bob is for bob alone");
    let order = bob.client.order();
    assert_eq!(order[..2], ["#0", "#1"], "no notice overtakes the join result");
}

fn ids(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(|member| member["id"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_may_not_publish_and_a_token_is_used_once() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let token = house.token(&session, "SUBSCRIBER").await;
    let client = viduct_testkit::signaling::Client::open(&house.daemon.signaling_url(&session)).await;
    let joined = client.join(&token, "").await.unwrap();
    assert_eq!(joined["role"], "SUBSCRIBER");
    let wish = Wish::publish(&[Media::Vp8]);
    let member = crate::house::Member { id: joined["id"].as_str().unwrap().to_owned(), client, joined };
    assert_eq!(member.try_publish(&Peer::new(&wish), &wish, false).await.unwrap_err().code, 401);

    let second = viduct_testkit::signaling::Client::open(&house.daemon.signaling_url(&session)).await;
    let refusal = second.join(&token, "").await.unwrap_err();
    assert_eq!((refusal.code, refusal.message), (401, format!("Unable to join session {session}. Token {token}is not valid. Code: 401")));
}
