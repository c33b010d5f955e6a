//! kill -9 and a new start: sessions with cameras are there again, with every name they had, without anybody's doing.

use crate::house::{House, PATIENCE, options};
use serde_json::json;
use std::fs;
use viduct_testkit::camera::{Options as CameraOptions, TestCamera};
use viduct_testkit::whep::Whep;

#[tokio::test(flavor = "multi_thread")]
async fn with_their_names_and_their_pictures() {
    let camera = TestCamera::start(&CameraOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let options = || options().state(&state);
    let mut house = House::of(options()).await;
    let properties = json!({"customSessionId": "gate", "forcedVideoCodec": "NONE", "recordingMode": "ALWAYS",
        "defaultRecordingProperties": {"outputMode": "INDIVIDUAL", "name": "film"}});
    house.session(properties).await;
    let random = house.session(json!({})).await;
    let (one, stream) = house.camera("gate", &camera.url, true).await;
    let (two, _) = house.camera("gate", &camera.url, true).await;
    house.camera(&random, &camera.url, true).await;
    house.token("gate", "PUBLISHER").await;
    house.session(json!({"customSessionId": "empty"})).await;
    let before = [house.look("gate").await, house.look(&random).await];

    house.daemon.kill();
    house = House::of(options()).await;
    assert_eq!([house.look("gate").await, house.look(&random).await], before);
    let all = house.rest.get("/openvidu/api/sessions").await.expect(200).json();
    assert_eq!(all["numberOfElements"], 2, "who had no camera is gone");
    let viewer = Whep::watch(&house.rest, "gate", &stream).await.peer;
    viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 15).await;
    let taken = house.rest.post("/openvidu/api/sessions", json!({"customSessionId": "gate"})).await;
    assert_eq!(taken.status, 409);

    // what was deleted stays deleted, whatever happens after the answer
    house.rest.delete(&format!("/openvidu/api/sessions/gate/connection/{one}")).await.expect(204);
    house.rest.delete(&format!("/openvidu/api/sessions/{random}")).await.expect(204);
    house.daemon.kill();
    house = House::of(options()).await;
    let all = house.rest.get("/openvidu/api/sessions").await.expect(200).json();
    assert_eq!((&all["numberOfElements"], &all["content"][0]["connections"]["content"][0]["id"]), (&json!(1), &json!(two)));

    // a good end is no reason to forget; the last camera takes its session with it
    assert!(house.daemon.stop().await.0.success());
    house = House::of(options()).await;
    house.rest.delete(&format!("/openvidu/api/sessions/gate/connection/{two}")).await.expect(204);
    house.daemon.kill();
    house = House::of(options()).await;
    assert_eq!(house.rest.get("/openvidu/api/sessions").await.expect(200).json()["numberOfElements"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn unless_the_box_shall_forget_or_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let options = || options().state(&state);
    let count = async |house: &House| house.rest.get("/openvidu/api/sessions").await.expect(200).json()["numberOfElements"].as_u64();
    let mut house = House::of(options()).await;
    let session = house.session(json!({})).await;
    house.camera(&session, "rtsp://u:p@192.0.2.9/x", true).await;

    // an address that is not allowed any more
    house.daemon.kill();
    let kept = fs::read_to_string(state.join("sessions.json")).unwrap();
    fs::write(state.join("sessions.json"), kept.replace("192.0.2.9", "127.0.0.1")).unwrap();
    house = House::of(options().env("VIDUCT_CAMERA_ALLOW_LOOPBACK", "false")).await;
    assert_eq!(count(&house).await, Some(0));
    house.daemon.log.wait_for("a word", PATIENCE, |line| line.contains("a camera does not come back")).await;
    house.daemon.kill();
    house = House::of(options()).await;
    assert_eq!(count(&house).await, Some(1), "it was kept meanwhile");

    house.daemon.kill();
    fs::write(state.join("sessions.json"), &kept[..kept.len() / 2]).unwrap();
    house = House::of(options()).await;
    assert_eq!(count(&house).await, Some(0));
    house.daemon.log.wait_for("loud words", PATIENCE, |line| line.contains("CAMERAS CANNOT ALL BE BROUGHT BACK")).await;
    assert!(state.join("sessions.json.unreadable").exists());

    let session = house.session(json!({})).await;
    house.camera(&session, "rtsp://192.0.2.9/x", true).await;
    house.daemon.kill();
    house = House::of(options().env("VIDUCT_RESTORE_CAMERAS", "false")).await;
    assert_eq!(count(&house).await, Some(0));
    house.daemon.kill();
    house = House::of(options()).await;
    assert_eq!(count(&house).await, Some(0), "what is forgotten does not come back later");
}
