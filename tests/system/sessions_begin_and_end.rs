//! A session is created by REST, lives with its clients, and ends with the last of them or by REST; who is in it hears why.

use crate::house::{House, Member};
use serde_json::json;
use viduct_testkit::signaling::Client;

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_its_last_client() {
    let house = House::open().await;
    let session = house.session(json!({"customSessionId": "room"})).await;
    assert_eq!(session, "room");
    assert_eq!(house.look(&session).await["connections"]["numberOfElements"], 0);
    let alice = house.join(&session, "alice").await;
    let seen = house.look(&session).await;
    assert_eq!(seen["connections"]["numberOfElements"], 1);
    let connection = &seen["connections"]["content"][0];
    assert_eq!((&connection["id"], &connection["status"]), (&json!(alice.id), &json!("active")));
    assert_eq!((&connection["clientData"], &connection["serverData"]), (&json!("alice"), &json!("server")));
    assert_eq!(connection["platform"], "Testkit on Linux");

    alice.client.must("leaveRoom", json!({})).await;
    house.rest.get("/openvidu/api/sessions/room").await.expect(404);
    let late = Client::open(&house.daemon.signaling_url(&session)).await;
    assert_eq!(late.join("wss://h?sessionId=room&token=tok_x", "").await.unwrap_err().code, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_ends_it_for_everybody() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    house.rest.delete(&format!("/openvidu/api/sessions/{session}")).await.expect(204);
    for Member { client, id, .. } in [&alice, &bob] {
        let evicted = client.notice("participantEvicted", |p| p["connectionId"] == id.as_str()).await;
        assert_eq!(evicted["reason"], "sessionClosedByServer");
    }
    house.rest.get(&format!("/openvidu/api/sessions/{session}")).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_evicts_one_of_two() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    house.rest.delete(&format!("/openvidu/api/sessions/{session}/connection/{}", bob.id)).await.expect(204);
    bob.client.notice("participantEvicted", |p| p["reason"] == "forceDisconnectByServer").await;
    alice.client.notice("participantLeft", |p| p["connectionId"] == bob.id.as_str() && p["reason"] == "forceDisconnectByServer").await;
    assert_eq!(house.look(&session).await["connections"]["numberOfElements"], 1);
}
