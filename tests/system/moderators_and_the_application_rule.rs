//! Moderators and the application evict, unpublish, change what others may and signal; everybody hears of it what signaling.md says.

use crate::house::{House, Member, PATIENCE, options};
use axum::http::Method;
use serde_json::{Value, json};
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};
use viduct_testkit::signaling::Client;

async fn join_as(house: &House, session: &str, role: &str) -> Member {
    let client = Client::open(&house.daemon.signaling_url(session)).await;
    let joined = client.join(&house.token(session, role).await, role).await.expect("a fresh token is good");
    Member { client, id: joined["id"].as_str().expect("an id").to_owned(), joined }
}

async fn patch(house: &House, path: &str, body: Value) -> viduct_testkit::rest::Response {
    house.rest.call(Method::PATCH, path, Some(("application/json", body.to_string()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moderator_unpublishes_and_evicts_over_its_socket() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (boss, alice) = (join_as(&house, &session, "MODERATOR").await, join_as(&house, &session, "PUBLISHER").await);
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let peer = Peer::new(&wish);
    let stream = alice.publish(&peer, &wish).await;
    let viewer = boss.watch(&stream).await;
    viewer.wait_until("the moderator sees alice", PATIENCE, |record| record.whole_frames() > 5).await;

    for (method, params) in [("forceDisconnect", json!({"connectionId": boss.id})), ("forceUnpublish", json!({"streamId": stream}))] {
        assert_eq!(alice.client.request(method, params).await.unwrap_err().code, 401, "{method}");
    }
    boss.client.must("forceUnpublish", json!({"streamId": stream})).await;
    for client in [&boss.client, &alice.client] {
        let told = client.notice("participantUnpublished", |p| p["connectionId"] == alice.id.as_str()).await;
        assert_eq!(told["reason"], "forceUnpublishByUser");
    }
    let gone = boss.client.request("forceUnpublish", json!({"streamId": stream})).await.unwrap_err();
    assert_eq!(gone.code, 105);

    boss.client.must("forceDisconnect", json!({"connectionId": alice.id})).await;
    assert_eq!(alice.client.notice("participantEvicted", |_| true).await["reason"], "forceDisconnectByUser");
    assert_eq!(boss.client.notice("participantLeft", |p| p["connectionId"] == alice.id.as_str()).await["reason"], "forceDisconnectByUser");
    let gone = boss.client.request("forceDisconnect", json!({"connectionId": alice.id})).await.unwrap_err();
    assert_eq!((gone.code, gone.message.as_str()), (102, "Connection not found when calling 'forceDisconnect'. Code: 102"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_changes_roles_ends_streams_and_signals() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let path = |rest: &str| format!("/openvidu/api/sessions/{session}/{rest}");
    let (alice, bob) = (join_as(&house, &session, "SUBSCRIBER").await, join_as(&house, &session, "SUBSCRIBER").await);
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let peer = Peer::new(&wish);
    assert_eq!(alice.try_publish(&peer, &wish, false).await.unwrap_err().code, 401);

    let connection = path(&format!("connection/{}", alice.id));
    let changed = patch(&house, &connection, json!({"role": "PUBLISHER", "record": false})).await.expect(200).json();
    assert_eq!((&changed["role"], &changed["record"], &changed["status"]), (&json!("PUBLISHER"), &json!(false), &json!("active")));
    let role = alice.client.notice("connectionPropertyChanged", |p| p["property"] == "role").await;
    assert_eq!(role, json!({"property": "role", "newValue": "PUBLISHER"}));
    assert_eq!(alice.client.notice("connectionPropertyChanged", |p| p["property"] == "record").await["newValue"], "false");
    let stream = alice.publish(&peer, &wish).await;
    let viewer = bob.watch(&stream).await;
    viewer.wait_until("bob sees alice", PATIENCE, |record| record.whole_frames() > 5).await;

    let shown = house.rest.get(&format!("/openvidu/api/sessions/{session}?webRtcStats=true")).await.expect(200).json();
    let of = |id: &str| shown["connections"]["content"].as_array().unwrap().iter().find(|c| c["id"] == id).unwrap();
    let (publisher, subscriber) = (&of(&alice.id)["publishers"][0], &of(&bob.id)["subscribers"][0]);
    for transport in [publisher, subscriber] {
        assert_eq!(transport["streamId"], stream.as_str());
        assert!(
            transport["remoteSdp"].as_str().unwrap().starts_with("v=0") && transport["localSdp"].as_str().unwrap().contains("a=candidate:")
        );
        for candidate in ["localCandidate", "remoteCandidate"] {
            let words: Vec<&str> = transport[candidate].as_str().unwrap().split_whitespace().collect();
            assert!(words[0].starts_with("candidate:") && words[6] == "typ", "{candidate}: {words:?}");
            assert!(words[4].parse::<std::net::IpAddr>().is_ok() && words[5].parse::<u16>().is_ok(), "{candidate}: {words:?}");
        }
        assert_eq!(transport["serverStats"]["connected"], true);
    }
    assert!(publisher["serverStats"]["received"]["bytes"].as_u64() > publisher["serverStats"]["sent"]["bytes"].as_u64());
    assert!(subscriber["serverStats"]["sent"]["bytes"].as_u64() > subscriber["serverStats"]["received"]["bytes"].as_u64());

    house.rest.delete(&path(&format!("stream/{stream}"))).await.expect(204);
    for client in [&alice.client, &bob.client] {
        assert_eq!(client.notice("participantUnpublished", |_| true).await["reason"], "forceUnpublishByServer");
    }
    house.rest.delete(&path(&format!("stream/{stream}"))).await.expect(404);
    let signal = |to: Value| json!({"session": session, "to": to, "type": "MY_TYPE", "data": "hello"});
    house.rest.post("/openvidu/api/signal", signal(json!([bob.id, "con_nobody"]))).await.expect(406);
    house.rest.post("/openvidu/api/signal", signal(json!([bob.id]))).await.expect(200);
    let told = bob.client.notice("sendMessage", |_| true).await;
    assert_eq!(told, json!({"data": "hello", "type": "signal:MY_TYPE"}), "no sender");
    let heard = |member: &Member| member.client.log().iter().filter(|n| n.method == "sendMessage").count();
    assert_eq!((heard(&alice), heard(&bob)), (0, 1), "nobody got the one with a wrong target");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_media_node_that_is_removed_takes_its_sessions_along() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let alice = join_as(&house, &session, "PUBLISHER").await;
    let nodes = "/openvidu/api/media-nodes";
    let list = house.rest.get(&format!("{nodes}?sessions=true&extra-info=true")).await.expect(200).json();
    let node = &list["content"][0];
    assert_eq!((node["sessions"][0]["id"].as_str(), &house.look(&session).await["mediaNodeId"]), (Some(session.as_str()), &node["id"]));
    assert!(node["load"].as_f64().unwrap() > 0.0, "this machine is busy with this very test");
    let path = format!("{nodes}/{}", node["id"].as_str().unwrap());
    house.rest.delete(&path).await.expect(409);
    house.rest.delete(&format!("{path}?deletion-strategy=now&wait=true")).await.expect(204);
    assert_eq!(alice.client.notice("participantEvicted", |_| true).await["reason"], "mediaServerDisconnect");
    house.rest.get(&format!("/openvidu/api/sessions/{session}")).await.expect(404);
    house.rest.get("/openvidu/api/health").await.expect(503);
    let found = house.rest.call(Method::PUT, nodes, None).await.expect(200).json();
    assert_eq!(found["content"][0]["status"], "running");
    house.rest.get("/openvidu/api/health").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_nobody_joins_are_forgotten() {
    let garbage = options().env("OPENVIDU_SESSIONS_GARBAGE_INTERVAL", 1).env("OPENVIDU_SESSIONS_GARBAGE_THRESHOLD", 1);
    let house = House::of(garbage).await;
    let (unused, used) = (house.session(json!({})).await, house.session(json!({})).await);
    let _alice = join_as(&house, &used, "PUBLISHER").await;
    let path = format!("/openvidu/api/sessions/{unused}");
    let waiting = async {
        let mut tries = tokio::time::interval(std::time::Duration::from_millis(50));
        while house.rest.get(&path).await.status == 200 {
            tries.tick().await;
        }
    };
    // promised within about 2 s
    tokio::time::timeout(std::time::Duration::from_secs(6), waiting).await.expect("an unused session is removed");
    house.look(&used).await;
}
