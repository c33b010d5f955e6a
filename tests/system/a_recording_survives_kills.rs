//! Whatever is killed while it records (composer, daemon, both), what was written plays, and the next start makes every recording
//! ready.

use crate::house::{House, PATIENCE, gone, probe, recording_to, until};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use viduct_testkit::daemon::{nix_pid, nix_signal};

/// What may be lost at each kill, in s: half a fragment for each of writer and encoder, with room for a busy machine.
const LOSS: f64 = 1.0;

struct Scene {
    folder: tempfile::TempDir,
    house: House,
}

impl Scene {
    /// A session with one participant is recorded, and the file has grown for `seconds`.
    async fn recorded_for(seconds: f64) -> (Scene, crate::house::Member) {
        let folder = tempfile::tempdir().unwrap();
        let house = House::of(recording_to(folder.path())).await;
        let session = house.session(json!({"customSessionId": "S"})).await;
        let alice = house.join(&session, "alice").await;
        house.record(&session, json!({"resolution": "320x240", "frameRate": 10})).await;
        let scene = Scene { folder, house };
        scene.has(seconds).await;
        (scene, alice)
    }

    fn part(&self) -> PathBuf {
        self.folder.path().join("S/part-1.mp4")
    }

    /// Waits until the file has so many seconds.
    async fn has(&self, seconds: f64) {
        until("the file grows", PATIENCE, || length(&self.part()) >= seconds).await;
    }

    fn kill_composer(&self) {
        let workers = self.house.daemon.workers();
        assert_eq!(workers.len(), 1);
        nix_signal::kill(nix_pid(workers[0]), nix_signal::Signal::SIGKILL).unwrap();
    }

    /// The next start, and what it makes of the recording.
    async fn next_start(self) -> (House, serde_json::Value, tempfile::TempDir) {
        drop(self.house);
        let house = House::of(recording_to(self.folder.path())).await;
        let recording = house.ended_recording("S", PATIENCE).await;
        (house, recording, self.folder)
    }
}

/// Length of a film that may still be being written, in s; 0 if there is none.
fn length(film: &Path) -> f64 {
    viduct::mp4::inspect(film).map_or(0.0, |summary| summary.duration.as_secs_f64())
}

/// The one film of the recording, whole.
fn film(folder: &Path) -> f64 {
    let films: Vec<_> =
        std::fs::read_dir(folder.join("S")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let films: Vec<_> = films.iter().filter(|name| !name.starts_with('.') && *name != "S.jpg").collect();
    assert_eq!(films, ["S.mp4"], "one file at the end");
    let found = probe(&folder.join("S/S.mp4"));
    assert_eq!(found.codecs, ["h264", "aac"]);
    found.duration
}

#[tokio::test(flavor = "multi_thread")]
async fn of_its_composer() {
    let (scene, _alice) = Scene::recorded_for(2.0).await;
    let before = length(&scene.part());
    scene.kill_composer();
    scene.has(before + 2.0).await;
    let ready = scene.house.stop_recording("S").await;
    assert_eq!(ready["status"], "ready", "{ready}");
    assert!(film(scene.folder.path()) >= before + 2.0);
    assert_eq!(scene.house.look("S").await["connections"]["numberOfElements"], 1, "nobody else noticed");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_its_daemon() {
    let (mut scene, _alice) = Scene::recorded_for(2.0).await;
    let before = length(&scene.part());
    let composer = scene.house.daemon.workers()[0];
    scene.house.daemon.kill();
    // the composer finishes the file by itself
    gone(composer, PATIENCE).await;
    assert!(viduct::mp4::inspect(&scene.part()).unwrap().finished);
    assert_eq!(probe(&scene.part()).codecs, ["h264", "aac"]);
    let (house, recording, folder) = scene.next_start().await;
    assert_eq!(recording["status"], "ready", "{recording}");
    assert!(film(folder.path()) >= before - LOSS);
    let url = recording["url"].as_str().unwrap();
    house.rest.get(&url[url.find("/openvidu/").unwrap()..]).await.expect(200);
    // what the last run could not make, this one does
    house.thumbnail("S", PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_its_daemon_before_the_thumbnail_is_made() {
    let (mut scene, _alice) = Scene::recorded_for(1.0).await;
    assert_eq!(scene.house.stop_recording("S").await["status"], "ready");
    scene.house.daemon.kill();
    let thumbnail = scene.folder.path().join("S/S.jpg");
    // it may just have been in time
    let _ = std::fs::remove_file(&thumbnail);
    std::fs::write(scene.folder.path().join("S/.S.jpg.7.viduct-new"), "half").unwrap();
    let (house, recording, folder) = scene.next_start().await;
    assert_eq!(recording["status"], "ready", "{recording}");
    house.thumbnail("S", PATIENCE).await;
    assert_eq!(crate::house::sizes(&thumbnail), [(480, 360)]);
    film(folder.path());
    assert!(!folder.path().join("S/.S.jpg.7.viduct-new").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_its_daemon_just_before_the_next_start() {
    let (mut scene, _alice) = Scene::recorded_for(2.0).await;
    let before = length(&scene.part());
    scene.house.daemon.kill();
    // the composer may still be at it
    let (_house, recording, folder) = scene.next_start().await;
    assert_eq!(recording["status"], "ready", "{recording}");
    assert!(film(folder.path()) >= before - LOSS);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_both() {
    let (mut scene, _alice) = Scene::recorded_for(2.0).await;
    let composer = scene.house.daemon.workers()[0];
    // so that the composer has no time to finish
    nix_signal::kill(nix_pid(composer), nix_signal::Signal::SIGSTOP).unwrap();
    let before = length(&scene.part());
    scene.house.daemon.kill();
    nix_signal::kill(nix_pid(composer), nix_signal::Signal::SIGKILL).unwrap();
    gone(composer, PATIENCE).await;
    assert!(!viduct::mp4::inspect(&scene.part()).unwrap().finished);
    assert_eq!(probe(&scene.part()).codecs, ["h264", "aac"], "it plays as it is");
    let (_house, recording, folder) = scene.next_start().await;
    assert_eq!(recording["status"], "ready", "{recording}");
    assert!(film(folder.path()) >= before - 0.1, "all that was written is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_daemon_that_is_asked_to_stop() {
    let (mut scene, alice) = Scene::recorded_for(1.0).await;
    let (status, took) = scene.house.daemon.stop().await;
    assert!(status.success() && took < Duration::from_secs(10));
    let told = alice.client.notice("recordingStopped", |_| true).await;
    assert_eq!(told["reason"], "openviduServerStopped");
    let metadata = std::fs::read_to_string(scene.folder.path().join("S/.recording.S")).unwrap();
    assert!(metadata.contains(r#""status":"ready""#), "{metadata}");
    assert!(film(scene.folder.path()) >= 1.0);
}
