//! A recording of a camera and a browser becomes an MP4 file with H.264 and AAC, as long as it took, that can be downloaded, in
//! parts as well, and deleted.

use crate::house::{House, PATIENCE, probe, recording_to};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::camera::{Options, TestCamera};
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};

/// What starting and stopping over HTTP may add to the length of a film, and what the frames of a busy machine may take from it.
const SLACK: f64 = 1.0;

/// Waits until the file of a recording that is being made has so many bytes more.
async fn grows(folder: &Path, id: &str) {
    let size = || std::fs::metadata(folder.join(id).join("part-1.mp4")).map_or(0, |file| file.len());
    let before = size();
    crate::house::until("the file grows", PATIENCE, || size() > before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_camera_and_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::of(recording_to(folder.path())).await;
    let camera = TestCamera::start(&Options::default()).unwrap();
    let session = house.session(json!({"customSessionId": "gate"})).await;
    house.camera(&session, &camera.url, true).await;
    let alice = house.join(&session, "alice").await;
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    alice.publish(&publisher, &wish).await;

    let begin = Clock::System.now();
    let started = house.record(&session, json!({"name": "visit", "resolution": "640x360", "frameRate": 15})).await;
    let since = Clock::System.now();
    assert_eq!((&started["id"], &started["url"]), (&json!("gate"), &json!(null)));
    let told = alice.client.notice("recordingStarted", |p| p["id"] == "gate").await;
    assert_eq!(told["name"], "visit");
    let bob = house.join(&session, "bob").await;
    assert_eq!((&bob.joined["recordingId"], &bob.joined["recordingName"]), (&json!("gate"), &json!("visit")));
    assert!(alice.joined.get("recordingId").is_none());
    assert_eq!(house.look(&session).await["recording"], true);
    // camera and composer
    house.workers(2, PATIENCE).await;
    publisher.wait_until("4 s of media", PATIENCE, |seen| seen.sent > 300 && since.elapsed() > Duration::from_secs(4)).await;
    let least = since.elapsed().as_secs_f64();
    let ready = house.stop_recording("gate").await;
    let most = begin.elapsed().as_secs_f64();
    assert_eq!(ready["status"], "ready", "{ready}");
    let told = alice.client.notice("recordingStopped", |p| p["id"] == "gate").await;
    assert_eq!(told["reason"], "recordingStoppedByServer");

    let film = folder.path().join("gate/visit.mp4");
    let found = probe(&film);
    assert_eq!(found.codecs, ["h264", "aac"]);
    assert!(found.duration > least - SLACK && found.duration < most + SLACK, "{found:?}, {least} to {most} s");
    assert!((ready["duration"].as_f64().unwrap() - found.duration).abs() < 0.1, "{ready} {found:?}");
    let size = std::fs::metadata(&film).unwrap().len();
    assert_eq!(ready["size"], size);
    assert!(found.packets[0] as f64 >= found.duration * 14.0, "{found:?}");

    let url = ready["url"].as_str().unwrap();
    let path = &url[url.find("/openvidu/").unwrap()..];
    let whole = house.rest.get(path).await.expect(200);
    assert_eq!((whole.body.len() as u64, whole.header("content-type")), (size, "video/mp4"));
    let part = house.rest.get_range(path, "bytes=100-199").await.expect(206);
    assert_eq!(part.body, whole.body[100..200]);
    assert_eq!(part.header("content-range"), format!("bytes 100-199/{size}"));
    house.rest.clone().anonymous().get(path).await.expect(401);
    let thumbnail = "/openvidu/recordings/gate/gate.jpg";
    let picture = folder.path().join(house.thumbnail("gate", PATIENCE).await);
    assert_eq!(crate::house::sizes(&picture), [(480, 270)]);
    house.rest.clone().anonymous().get(thumbnail).await.expect(401);
    house.rest.delete("/openvidu/api/recordings/gate").await.expect(204);
    house.rest.get(path).await.expect(404);
    house.rest.get(thumbnail).await.expect(404);
    assert!(!folder.path().join("gate").exists());
    // the camera rests 5 s later, as after any viewer
    house.workers(0, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_people_who_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::of(recording_to(folder.path())).await;
    let session = house.session(json!({"customSessionId": "hall", "forcedVideoCodec": "NONE"})).await;
    let alice = house.join(&session, "alice").await;
    // nobody publishes yet
    house.record(&session, json!({"resolution": "320x240", "frameRate": 10})).await;
    grows(folder.path(), "hall").await;
    for media in [Media::Vp8, Media::H264] {
        let wish = Wish::publish(&[Media::Opus, media]);
        let publisher = Peer::new(&wish);
        alice.publish(&publisher, &wish).await;
        publisher.wait_until("some media", PATIENCE, |seen| seen.sent > 60).await;
        grows(folder.path(), "hall").await;
        alice.client.must("unpublishVideo", json!({})).await;
        grows(folder.path(), "hall").await;
    }
    let ready = house.stop_recording("hall").await;
    assert_eq!(ready["status"], "ready", "{ready}");
    let found = probe(&folder.path().join("hall/hall.mp4"));
    assert_eq!(found.codecs, ["h264", "aac"]);
    assert!(!house.daemon.log.text().contains("panicked"));
    house.workers(0, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_its_session_ended() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::of(recording_to(folder.path())).await;
    let session = house.session(json!({"customSessionId": "door"})).await;
    let _alice = house.join(&session, "alice").await;
    house.record(&session, json!({"resolution": "320x240", "frameRate": 10})).await;
    grows(folder.path(), "door").await;
    house.rest.delete("/openvidu/api/sessions/door").await.expect(204);
    let recording = house.rest.get("/openvidu/api/recordings/door").await.expect(200).json();
    assert_eq!(recording["status"], "ready");
    assert_eq!(probe(&folder.path().join("door/door.mp4")).codecs, ["h264", "aac"]);
}
