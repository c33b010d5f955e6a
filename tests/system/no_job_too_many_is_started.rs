//! Transcoders and composers that the board cannot carry are refused before those that run suffer; what costs nothing is not.

use crate::house::{House, PATIENCE, recording_to, viewer_of};
use serde_json::json;
use viduct_testkit::camera::{Options, TestCamera};
use viduct_testkit::material::Media;
use viduct_testkit::whep::Whep;

/// Percent of a core that are enough for one composer of the default size, as long as nobody has measured one.
const ROOM_FOR_ONE: u32 = if cfg!(target_arch = "x86_64") { 45 } else { 135 };

#[tokio::test(flavor = "multi_thread")]
async fn without_processor_time_viewers_and_recordings_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let camera = TestCamera::start(&Options::default()).unwrap();
    let house = House::of(recording_to(folder.path()).env("VIDUCT_CPU_BUDGET", 1)).await;
    let session = house.session(json!({})).await;
    let (_, stream) = house.camera(&session, &camera.url, false).await;
    let able = Whep::watch(&house.rest, &session, &stream).await.peer;
    able.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 5).await;
    let workers = house.daemon.workers();

    let refused = Whep::offer(&house.rest, &session, &stream, viewer_of(Media::Vp8)).await.expect_err("there is no room");
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert!(refused.text().contains("VIDUCT_CPU_BUDGET"), "{}", refused.text());
    let alice = house.join(&session, "alice").await;
    let refusal = alice.try_watch(&stream, viewer_of(Media::Vp8)).await.expect_err("here neither");
    assert!(refusal.code == 999 && refusal.message.contains("processor time"), "{refusal:?}");
    let refused = house.rest.post("/openvidu/api/recordings/start", json!({ "session": session })).await.expect(503).json();
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("VIDUCT_CPU_BUDGET")), "{refused}");
    assert_eq!(refused["path"], "/openvidu/api/recordings/start");
    assert_eq!(house.rest.get("/openvidu/api/recordings").await.expect(200).json()["count"], 0, "nothing is left of it");
    assert!(!house.look(&session).await["recording"].as_bool().unwrap_or(true));

    assert_eq!(house.daemon.workers(), workers, "nothing was started");
    let another = alice.watch(&stream).await;
    another.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fits_runs_and_makes_room_when_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let camera = TestCamera::start(&Options::default()).unwrap();
    let house = House::of(recording_to(folder.path()).env("VIDUCT_CPU_BUDGET", ROOM_FOR_ONE)).await;
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let session = house.session(json!({})).await;
        house.camera(&session, &camera.url, true).await;
        sessions.push(session);
    }
    // 1280x720 at 25: the default
    let recording = house.record(&sessions[0], json!({})).await;
    let refused = house.rest.post("/openvidu/api/recordings/start", json!({ "session": sessions[1] })).await.expect(503);
    println!("{}", refused.text());
    house.stop_recording(recording["id"].as_str().expect("an id")).await;
    house.workers(0, PATIENCE).await;
    let recording = house.record(&sessions[1], json!({"resolution": "160x120"})).await;
    house.stop_recording(recording["id"].as_str().expect("an id")).await;
}
