//! A worker that crashes or hangs is ended and replaced; the log and the state say what happened, and the picture goes on.

use crate::house::{House, PATIENCE, until};
use nix_signal::{Signal, kill};
use serde_json::json;
use viduct_testkit::camera::{Options, TestCamera};
use viduct_testkit::daemon::{nix_pid, nix_signal};
use viduct_testkit::whep::Whep;

/// Sends the worker `signal`; the picture must come back, and the log say `cause`.
async fn after(signal: Signal, cause: &str) {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (connection, stream) = house.camera(&session, &camera.url, true).await;
    let viewer = Whep::watch(&house.rest, &session, &stream).await.peer;
    viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 15).await;
    let [worker] = house.daemon.workers()[..] else { panic!("one camera, one worker") };
    kill(nix_pid(worker), signal).unwrap();
    let told = house.daemon.log.wait_for(cause, PATIENCE, |line| line.contains(&connection) && line.contains(cause)).await;
    println!("{signal}: {told}");
    let before = viewer.look().whole_frames();
    viewer.wait_until("the picture goes on", PATIENCE, |seen| seen.whole_frames() > before + 15).await;
    assert_eq!((viewer.look().closed, viewer.look().video.ssrcs.len()), (None, 1));
    until("the old process is gone", PATIENCE, || !house.daemon.workers().contains(&worker)).await;
    let metrics = house.rest.get("/metrics").await.expect(200).text();
    let counted = "\nviduct_worker_failures_total{job=\"camera\",cause=\"worker crashed\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_it_was_killed() {
    after(Signal::SIGKILL, "signal: 9").await;
}

/// What a plug-in does that finds itself in a state it does not believe in.
#[tokio::test(flavor = "multi_thread")]
async fn when_it_crashed() {
    after(Signal::SIGABRT, "signal: 6").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_it_hangs() {
    after(Signal::SIGSTOP, "hangs").await;
}
