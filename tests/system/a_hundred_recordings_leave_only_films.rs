//! A hundred recordings, begun and stopped, are a hundred good files with their thumbnails; no process, thread or descriptor is left of them.

use crate::house::{House, PATIENCE, probe, recording_to, until};
use serde_json::json;
use std::path::Path;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};

/// Sessions that are recorded at the same time, and how often each.
const SESSIONS: usize = 2;
const CYCLES: usize = 50;

/// Threads and descriptors of a process.
fn belongings(pid: i32) -> (usize, usize) {
    let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).map_or(0, Iterator::count);
    (count("task"), count("fd"))
}

async fn cycle(house: &House, folder: &Path, session: &str, number: usize) {
    let recording =
        house.rest.post("/openvidu/api/recordings/start", json!({"session": session, "resolution": "160x120", "frameRate": 10}));
    let recording = recording.await.expect(200).json();
    let id = recording["id"].as_str().unwrap();
    assert_eq!(id, if number == 0 { session.to_owned() } else { format!("{session}~{number}") });
    let ready = house.stop_recording(id).await;
    assert_eq!(ready["status"], "ready", "{ready}");
    let found = probe(&folder.join(id).join(format!("{id}.mp4")));
    assert!(found.codecs == ["h264", "aac"] && found.duration > 0.0, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::of(recording_to(folder.path())).await;
    let mut scenes = Vec::new();
    for number in 0..SESSIONS {
        let session = house.session(json!({ "customSessionId": format!("S{number}") })).await;
        let alice = house.join(&session, "alice").await;
        let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
        let publisher = Peer::new(&wish);
        alice.publish(&publisher, &wish).await;
        publisher.wait_until("media", PATIENCE, |seen| seen.sent > 30).await;
        cycle(&house, folder.path(), &session, 0).await;
        scenes.push((session, alice, publisher));
    }
    house.workers(0, PATIENCE).await;
    let before = belongings(house.daemon.pid());
    let all = scenes.iter().map(|(session, alice, _)| async {
        for number in 1..CYCLES {
            alice.client.must("ping", json!({})).await;
            cycle(&house, folder.path(), session, number).await;
        }
    });
    futures_util::future::join_all(all).await;
    let list = house.rest.get("/openvidu/api/recordings").await.expect(200).json();
    assert_eq!(list["count"], SESSIONS * CYCLES);
    assert!(list["items"].as_array().unwrap().iter().all(|recording| recording["status"] == "ready"));
    // they are made one after the other
    let pictured = |number: usize| {
        let ids = (0..SESSIONS).map(move |session| if number == 0 { format!("S{session}") } else { format!("S{session}~{number}") });
        ids.into_iter().all(|id| folder.path().join(&id).join(format!("{id}.jpg")).exists())
    };
    until("every film has its thumbnail", PATIENCE * 8, || (0..CYCLES).all(pictured)).await;
    house.workers(0, PATIENCE).await;
    // threads for the disk come and go
    until("nothing is left of them", PATIENCE * 2, || {
        let now = belongings(house.daemon.pid());
        now.0 <= before.0 + 1 && now.1 <= before.1
    })
    .await;
    assert!(!house.daemon.log.text().contains("panicked"));
}
