//! Whatever is killed while a session is recorded, the recording is there afterwards: it plays, and misses at most the last second.

use crate::house::{House, PATIENCE};
use crate::studio::{Studio, becomes, file, probe, publisher, start, stop};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use viduct_testkit::daemon::{nix_pid, nix_signal};

/// What may be missing at the end: the last fragment, and what had not reached the mixer.
const LOSS: f64 = 1.5;

fn kill(pid: i32) {
    nix_signal::kill(nix_pid(pid), nix_signal::Signal::SIGKILL).expect("the process is there");
}

/// The composer: the only worker of a session without cameras.
fn composer(house: &House) -> i32 {
    let workers = house.daemon.workers();
    assert_eq!(workers.len(), 1, "{workers:?}");
    workers[0]
}

/// Records for some seconds; gives the recording and the moment it began.
async fn recording(house: &House, session: &str) -> (String, Instant) {
    let id = start(house, session, json!({"resolution": "320x240", "frameRate": 15})).await;
    let begin = Instant::now();
    tokio::time::sleep(Duration::from_secs(4)).await;
    (id, begin)
}

fn judge(studio: &Studio, recording: &Value, wanted: Duration, loss: f64) {
    let (length, streams) = probe(&file(studio, recording));
    println!("recorded {:.2} s, the file has {length:.2} s: {streams}", wanted.as_secs_f64());
    assert_eq!(streams, "h264+aac");
    assert!(length > wanted.as_secs_f64() - loss && length < wanted.as_secs_f64() + 3.0, "{length} s of {wanted:?}");
    let said = recording["duration"].as_f64().expect("a duration");
    assert!((said - length).abs() < 0.2, "REST says {said} s, the file {length} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon() {
    let studio = Studio::new();
    let mut house = studio.open().await;
    let session = house.session(json!({})).await;
    let _publisher = publisher(&house, &session).await;
    let (id, begin) = recording(&house, &session).await;
    let composer = composer(&house);
    house.daemon.kill();
    let wanted = begin.elapsed();
    crate::house::gone(composer, PATIENCE).await;
    let house = studio.open().await;
    let recording = becomes(&house, &id, "ready").await;
    judge(&studio, &recording, wanted, LOSS);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_composer() {
    let studio = Studio::new();
    let house = studio.open().await;
    let session = house.session(json!({})).await;
    let _publisher = publisher(&house, &session).await;
    let (id, begin) = recording(&house, &session).await;
    kill(composer(&house));
    // another one goes on
    tokio::time::sleep(Duration::from_secs(4)).await;
    let recording = stop(&house, &id).await;
    judge(&studio, &recording, begin.elapsed(), LOSS);
}

#[tokio::test(flavor = "multi_thread")]
async fn both() {
    let studio = Studio::new();
    let mut house = studio.open().await;
    let session = house.session(json!({})).await;
    let _publisher = publisher(&house, &session).await;
    let (id, begin) = recording(&house, &session).await;
    let composer = composer(&house);
    kill(composer);
    house.daemon.kill();
    let wanted = begin.elapsed();
    crate::house::gone(composer, PATIENCE).await;
    let house = studio.open().await;
    let recording = becomes(&house, &id, "ready").await;
    judge(&studio, &recording, wanted, LOSS);
    house.rest.delete(&format!("/openvidu/api/recordings/{id}")).await.expect(204);
    assert!(!studio.recordings().join(&id).exists(), "all of it is gone");
}
