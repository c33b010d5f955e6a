//! POST restart: values are checked and kept, sessions hear why they end, and the same process serves again within a second.

use crate::house::{House, options};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::camera::{Options as CameraOptions, TestCamera};
use viduct_testkit::holdings::Holdings;
use viduct_testkit::rest::Client;

const RESTART: &str = "/openvidu/api/restart";
/// What is promised, three times over.
const READY: Duration = Duration::from_secs(3);
const FILE: &str = "# the box at the gate\nOPENVIDU_RECORDING_AUTOSTOP_TIMEOUT = 60 # a minute\n";

/// A configuration file in a folder of its own.
fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("viduct.toml");
    fs::write(&path, FILE).unwrap();
    (folder, path)
}

async fn open(path: &std::path::Path) -> House {
    House::of(options().arg("--config").arg(path.to_str().unwrap())).await
}

/// Waits until the API answers `secret`; gives how long that took.
async fn ready(house: &House, secret: &str) -> (Client, Duration) {
    let rest = Client::new(house.daemon.ports.http).basic("OPENVIDUAPP", secret);
    let begin = Clock::System.now();
    let mut tries = tokio::time::interval(Duration::from_millis(10));
    let waiting = async {
        while !rest.try_get("/openvidu/api/health").await.is_ok_and(|answer| answer.status == 200) {
            tries.tick().await;
        }
    };
    assert!(tokio::time::timeout(READY, waiting).await.is_ok(), "not ready within {READY:?}\n{}", house.daemon.log.text());
    (rest, begin.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_new_values_in_the_same_process() {
    let camera = TestCamera::start(&CameraOptions::default()).unwrap();
    let (_folder, path) = file();
    let mut house = open(&path).await;
    let session = house.session(json!({"customSessionId": "gate"})).await;
    house.camera(&session, &camera.url, false).await;
    house.workers(1, READY).await;
    let (worker, before) = (house.daemon.workers()[0], house.look(&session).await);
    let alice = house.join(&session, "alice").await;
    let status = house.rest.get("/openvidu/api/status").await.expect(200).json();
    assert_eq!((&status["restartCounter"], &status["lastRestartTime"]), (&json!(0), &json!(null)));

    let changes =
        json!({"OPENVIDU_SECRET": "NEW_ONE", "openvidu.recording.autostop-timeout": 7, "OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH": 0});
    let begin = Clock::System.now();
    let answer = house.rest.post(RESTART, changes).await.expect(200);
    assert!(answer.body.is_empty());
    let evicted = alice.client.notice("participantEvicted", |_| true).await;
    assert_eq!(evicted["reason"], "openviduServerStopped");
    let (rest, after) = ready(&house, "NEW_ONE").await;
    println!("ready {:.0?} after the request, {after:.0?} after the last client had gone", begin.elapsed());

    let pid = house.daemon.pid();
    assert!(fs::read_link(format!("/proc/{pid}/exe")).is_ok(), "the process is the same");
    assert_eq!(house.rest.get("/openvidu/api/config").await.status, 401, "the old secret is of no use");
    let config = rest.get("/openvidu/api/config").await.expect(200).json();
    assert_eq!(config["OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH"], 0);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(FILE) && text.contains("[restart]") && text.contains("OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT = 7"), "{text}");

    let after = rest.get("/openvidu/api/status").await.expect(200).json();
    assert_eq!((&after["restartCounter"], &after["startTime"]), (&json!(1), &status["startTime"]));
    assert!(after["lastRestartTime"].as_u64() > status["startTime"].as_u64(), "{after}");

    // an appliance: the camera is there again, with all its names
    let again = rest.get("/openvidu/api/sessions/gate").await.expect(200).json();
    assert_eq!(again["createdAt"], before["createdAt"]);
    assert_eq!(again["connections"], before["connections"]);
    crate::house::gone(worker, READY).await;
    house.workers(1, READY).await;
    let kept = sockets_and_pipes(pid);

    // once more, with nothing to change, on the old path; and a good end
    rest.post("/pro/restart", json!({})).await.expect(200);
    house.daemon.log.wait_for("the third start", READY, |_| greetings(&house) == 3).await;
    ready(&house, "NEW_ONE").await;
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    house.workers(1, READY).await;
    let same = || sockets_and_pipes(pid) <= kept;
    crate::house::until("the descriptors of the life before are closed", READY, same).await;
    assert!(house.daemon.stop().await.0.success());
}

/// How many sockets and pipes the process has.
fn sockets_and_pipes(pid: i32) -> usize {
    let descriptors = Holdings::of(pid).descriptors;
    ["socket", "pipe"].iter().filter_map(|kind| descriptors.get(*kind)).sum()
}

fn greetings(house: &House) -> usize {
    house.daemon.log.lines().iter().filter(|line| line.contains("is ready at")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_changes_nothing_and_disturbs_nobody() {
    let (folder, path) = file();
    let house = open(&path).await;
    let session = house.session(json!({})).await;
    let alice = house.join(&session, "alice").await;
    let occupied = folder.path().join("file");
    fs::write(&occupied, "").unwrap();
    for (body, named) in [
        (json!({"OPENVIDU_WEBHOOK": true}), "OPENVIDU_WEBHOOK_ENDPOINT"),
        (json!({"OPENVIDU_RECORDING": true, "OPENVIDU_RECORDING_PATH": occupied.join("r")}), "OPENVIDU_RECORDING_PATH"),
        (json!({"OPENVIDU_CDR": "perhaps", "OPENVIDU_SECRET": "two words"}), "OPENVIDU_CDR"),
        (json!({"HTTPS_PORT": 1}), "HTTPS_PORT"),
    ] {
        let refused = house.rest.post(RESTART, body).await.expect(400).json();
        assert!(refused["message"].as_str().unwrap().contains(named), "{refused}");
    }
    // what the file says wrong today would be a dead box tomorrow
    fs::write(&path, "HTTPS_PORT = many\n").unwrap();
    let refused = house.rest.post(RESTART, json!({"OPENVIDU_CDR": false})).await.expect(500).json();
    assert!(refused["message"].as_str().unwrap().contains("mended first"), "{refused}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "HTTPS_PORT = many\n");
    assert_eq!((greetings(&house), house.look(&session).await["connections"]["numberOfElements"].as_u64()), (1, Some(1)));
    assert!(alice.client.request("leaveRoom", json!({})).await.is_ok());
}
