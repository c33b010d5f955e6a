//! `recordingMode: ALWAYS`: a recording begins by itself with the first publisher, as `defaultRecordingProperties` say, and ends by itself.

use crate::house::{House, PATIENCE, probe, recording_to};
use serde_json::{Value, json};
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};

#[tokio::test(flavor = "multi_thread")]
async fn from_its_first_publisher_on() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::of(recording_to(folder.path()).env("OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT", "1")).await;
    let defaults = json!({"name": "always", "resolution": "320x240", "frameRate": 10});
    let session = house.session(json!({"customSessionId": "S", "recordingMode": "ALWAYS", "defaultRecordingProperties": defaults})).await;
    let alice = house.join(&session, "alice").await;
    assert_eq!(house.look(&session).await["recording"], false, "joining is not publishing");
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    alice.publish(&publisher, &wish).await;
    let told = alice.client.notice("recordingStarted", |p| p["id"] == "S").await;
    assert_eq!(told["name"], "always");
    assert_eq!(house.look(&session).await["recording"], true);
    publisher.wait_until("a second of media", PATIENCE, |seen| seen.sent > 60).await;
    alice.client.must("leaveRoom", json!({})).await;
    let ended: Value = house.ended_recording("S", PATIENCE).await;
    assert_eq!((&ended["status"], &ended["resolution"]), (&json!("ready"), &json!("320x240")), "{ended}");
    assert_eq!(probe(&folder.path().join("S/always.mp4")).codecs, ["h264", "aac"]);
    house.rest.get("/openvidu/api/sessions/S").await.expect(404);
}
