//! A hundred recordings, one after the other, leave a hundred good files and no process, thread or descriptor.

use crate::house::{House, PATIENCE};
use crate::studio::{Studio, file, probe, publisher, start, stop};
use serde_json::json;

const ROUNDS: usize = 100;

/// (descriptors, threads) of the daemon.
fn held(house: &House) -> (usize, usize) {
    let count = |what: &str| std::fs::read_dir(format!("/proc/{}/{what}", house.daemon.pid())).expect("the daemon is there").count();
    (count("fd"), count("task"))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_session() {
    let studio = Studio::new();
    let house = studio.open().await;
    let session = house.session(json!({})).await;
    let _publisher = publisher(&house, &session).await;
    let mut before = None;
    for round in 0..ROUNDS {
        let id = start(&house, &session, json!({"resolution": "320x240", "frameRate": 15})).await;
        assert_eq!(id, if round == 0 { session.clone() } else { format!("{session}~{round}") });
        let recording = stop(&house, &id).await;
        let (length, streams) = probe(&file(&studio, &recording));
        assert!(length > 0.1 && streams == "h264+aac", "round {round}: {length} s of {streams}");
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
    let list = house.rest.get("/openvidu/api/recordings").await.expect(200).json();
    assert_eq!(list["count"], ROUNDS);
}
