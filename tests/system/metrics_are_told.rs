//! GET /metrics: numbers for Prometheus, behind the credentials of the API, and no secret in them.

use crate::house::{House, PATIENCE};
use serde_json::json;
use viduct_testkit::camera::{Options, TestCamera};
use viduct_testkit::whep::Whep;

#[tokio::test(flavor = "multi_thread")]
async fn of_a_camera_and_its_viewer() {
    let auth = Some(("admin".to_owned(), "s3cr3t-word".to_owned()));
    let camera = TestCamera::start(&Options { auth, ..Options::default() }).unwrap();
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (connection, stream) = house.camera(&session, &camera.url_with("admin", "s3cr3t-word"), true).await;
    assert_eq!(house.rest.clone().anonymous().get("/metrics").await.status, 401);
    let viewer = Whep::watch(&house.rest, &session, &stream).await;
    viewer.peer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 5).await;
    let answer = house.rest.get("/metrics").await.expect(200);
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"), "{}", answer.header("content-type"));
    let page = answer.text();
    for line in [
        "viduct_media_up 1",
        "viduct_sessions{status=\"active\"} 1",
        "viduct_connections{type=\"IPCAM\",status=\"active\"} 1",
        "viduct_cameras{state=\"connected\"} 1",
        "viduct_cameras{state=\"disconnected\"} 0",
        "viduct_worker_processes{job=\"camera\"} 1",
        "viduct_worker_starts_total{job=\"camera\"} 1",
        "viduct_viewers 1",
        "viduct_tracks 2",
        "viduct_panics_total 0",
    ] {
        assert!(page.lines().any(|l| l == line), "{line} is missing\n{page}");
    }
    for secret in ["s3cr3t-word", connection.as_str(), stream.as_str(), session.as_str(), "MY_SECRET"] {
        assert!(!page.contains(secret), "{secret} is in\n{page}");
    }
}
