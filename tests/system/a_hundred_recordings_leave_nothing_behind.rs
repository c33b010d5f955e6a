//! A hundred recordings, one after the other, leave a hundred good files and no process, thread or descriptor.

use crate::house::{House, PATIENCE, probe, recording_to};
use serde_json::json;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};

const ROUNDS: usize = 100;

/// (descriptors, threads) of the daemon.
fn held(house: &House) -> (usize, usize) {
    let count = |what: &str| std::fs::read_dir(format!("/proc/{}/{what}", house.daemon.pid())).expect("the daemon is there").count();
    (count("fd"), count("task"))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_session() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::of(recording_to(folder.path())).await;
    let session = house.session(json!({"customSessionId": "S"})).await;
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let (alice, publisher) = (house.join(&session, "alice").await, Peer::new(&wish));
    alice.publish(&publisher, &wish).await;

    let mut before = None;
    for round in 0..ROUNDS {
        let started = house.record(&session, json!({"resolution": "320x240", "frameRate": 15})).await;
        let id = if round == 0 { "S".to_owned() } else { format!("S~{round}") };
        assert_eq!(started["id"], id);
        house.stop_recording(&id).await;
        let ended = house.ended_recording(&id, PATIENCE).await;
        let film = probe(&folder.path().join(&id).join(format!("{id}.mp4")));
        assert!(ended["status"] == "ready" && film.duration > 0.1 && film.codecs == ["h264", "aac"], "round {round}: {ended} {film:?}");
        alice.client.must("ping", json!({})).await;
        // the first rounds open what is kept for good
        if round == 5 {
            house.workers(0, PATIENCE).await;
            before = Some(held(&house));
        }
    }
    house.workers(0, PATIENCE).await;
    let (before, after) = (before.expect("there are more than five rounds"), held(&house));
    println!("descriptors and threads after 5 and after {ROUNDS} rounds: {before:?}, {after:?}");
    assert_eq!(before.0, after.0, "descriptors");
    assert!(after.1 <= before.1 + 2, "threads: {before:?} {after:?}");
    assert_eq!(house.rest.get("/openvidu/api/recordings").await.expect(200).json()["count"], ROUNDS);
}
