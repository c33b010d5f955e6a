//! Who may watch by WHEP: the token of a connection (as URL or alone) makes that connection active; the API secret makes an
//! anonymous viewer that is not listed. Both end by DELETE or with the session.

use crate::house::{House, Member, PATIENCE};
use serde_json::{Value, json};
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};
use viduct_testkit::whep::Whep;

struct Scene {
    house: House,
    session: String,
    stream: String,
    alice: Member,
    _publisher: Peer,
}

async fn scene() -> Scene {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let alice = house.join(&session, "alice").await;
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    Scene { house, session, stream, alice, _publisher: publisher }
}

impl Scene {
    async fn connections(&self) -> Value {
        self.house.look(&self.session).await["connections"]["content"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_makes_its_connection_active() {
    let scene = scene().await;
    let anonymous = scene.house.rest.clone().anonymous();
    for whole_url in [true, false] {
        let connection = scene.house.connection(&scene.session, json!({"role": "SUBSCRIBER"})).await;
        let (id, token) = (connection["id"].as_str().unwrap(), connection["token"].as_str().unwrap());
        let bare = token.split("token=").nth(1).unwrap();
        let client = anonymous.clone().bearer(if whole_url { token } else { bare });
        let whep = Whep::watch(&client, &scene.session, &scene.stream).await;
        whep.peer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 5).await;
        scene.alice.client.notice("participantJoined", |p| p["id"] == id).await;
        let listed = scene.connections().await;
        let me = listed.as_array().unwrap().iter().find(|c| c["id"] == id).expect("it is listed").clone();
        assert_eq!((&me["status"], &me["subscribers"][0]["streamId"]), (&json!("active"), &json!(scene.stream)));

        let again = Whep::offer(&client, &scene.session, &scene.stream, Peer::viewer(true, true)).await;
        assert_eq!(again.unwrap_err().status, 401, "a token is used once");
        whep.end().await.expect(200);
        scene.alice.client.notice("participantLeft", |p| p["connectionId"] == id).await;
        whep.end().await.expect(404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_makes_a_viewer_nobody_sees() {
    let scene = scene().await;
    let whep = Whep::watch(&scene.house.rest, &scene.session, &scene.stream).await;
    whep.peer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 5).await;
    assert_eq!(scene.connections().await.as_array().unwrap().len(), 1, "only alice is listed");
    scene.alice.client.must("leaveRoom", json!({})).await;
    assert!(scene.alice.client.log().is_empty(), "nobody heard of the viewer");
    whep.peer.wait_until("it ends with the session", PATIENCE, |seen| seen.closed.is_some()).await;
    scene.house.rest.get(&format!("/openvidu/api/sessions/{}", scene.session)).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_gets_in() {
    let scene = scene().await;
    let anonymous = scene.house.rest.clone().anonymous();
    let refused =
        [(anonymous.clone(), 401), (anonymous.clone().bearer("tok_wrong"), 401), (anonymous.clone().basic("OPENVIDUAPP", "wrong"), 401)];
    for (client, status) in refused {
        let refusal = Whep::offer(&client, &scene.session, &scene.stream, Peer::viewer(true, true)).await;
        assert_eq!(refusal.unwrap_err().status, status);
    }
    for (session, stream) in [("nowhere", scene.stream.as_str()), (scene.session.as_str(), "str_CAM_none")] {
        let refusal = Whep::offer(&scene.house.rest, session, stream, Peer::viewer(true, true)).await;
        assert_eq!(refusal.unwrap_err().status, 404);
    }
    let path = format!("/whep/{}/{}", scene.session, scene.stream);
    scene.house.rest.post_as(&path, "text/plain", "v=0").await.expect(415);
    assert!((400..500).contains(&scene.house.rest.post_as(&path, "application/sdp", "not an offer").await.status));
    scene.house.rest.delete(&format!("{path}/guessed")).await.expect(404);
}
