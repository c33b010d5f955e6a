//! A camera that goes away or hangs is tried again until it is back; whoever watches sees it again in the same connection.

use crate::house::{House, PATIENCE};
use nix_signal::{Signal, kill};
use serde_json::json;
use viduct_testkit::camera::{Options, TestCamera};
use viduct_testkit::daemon::{nix_pid, nix_signal};
use viduct_testkit::peer::Peer;
use viduct_testkit::whep::Whep;

async fn watching(house: &House, camera: &TestCamera) -> Peer {
    let session = house.session(json!({})).await;
    let (_, stream) = house.camera(&session, &camera.url, true).await;
    let viewer = Whep::watch(&house.rest, &session, &stream).await.peer;
    viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 15).await;
    viewer
}

/// The picture goes on, on the same transport and the same SSRC.
async fn goes_on(viewer: &Peer) {
    let before = viewer.look().whole_frames();
    viewer.wait_until("the picture comes back", PATIENCE * 2, |seen| seen.whole_frames() > before + 30).await;
    let seen = viewer.look();
    assert_eq!((seen.closed, seen.video.ssrcs.len()), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_it_was_unplugged() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let port = camera.port();
    let house = House::open().await;
    let viewer = watching(&house, &camera).await;
    camera.kill();
    house.daemon.log.wait_for("the camera's end is told", PATIENCE, |line| line.contains("ipc_IPCAM")).await;
    let _again = TestCamera::start(&Options { port, ..Options::default() }).unwrap();
    goes_on(&viewer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_it_hung() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let house = House::open().await;
    let viewer = watching(&house, &camera).await;
    camera.pause();
    house.daemon.log.wait_for("no packets", PATIENCE, |line| line.contains("no packets")).await;
    camera.resume();
    goes_on(&viewer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_worker_was_killed() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let house = House::open().await;
    let viewer = watching(&house, &camera).await;
    let workers = house.daemon.workers();
    assert_eq!(workers.len(), 1);
    kill(nix_pid(workers[0]), Signal::SIGKILL).unwrap();
    goes_on(&viewer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_worker_outlives_its_daemon() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let mut house = House::open().await;
    let _viewer = watching(&house, &camera).await;
    let workers = house.daemon.workers();
    house.daemon.kill();
    for worker in workers {
        crate::house::gone(worker, PATIENCE).await;
    }
}
