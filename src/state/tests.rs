//! The store alone: what is written when, what survives, what is put aside.

use super::*;
use crate::state::{CameraRecord, OutputRecord, PropertiesRecord, RecordingRecord};
use std::os::unix::fs::PermissionsExt;
use viduct_testkit::kills;

fn record(id: &str, number: u64) -> SessionRecord {
    let camera = CameraRecord {
        connection: format!("ipc_{id}"),
        stream: format!("str_{id}"),
        created_at: number,
        rtsp_uri: "rtsp://u:hush@cam/1".into(),
        data: "gate".into(),
        adaptative_bitrate: true,
        only_play_with_subscribers: false,
        network_cache: 100,
        record: true,
    };
    let output = OutputRecord::Individual { ignore_failed_streams: true };
    let default_recording = RecordingRecord { name: "n".into(), has_audio: true, has_video: false, output, media_node: None };
    let properties = PropertiesRecord {
        media_mode: "ROUTED".into(),
        recording_mode: "ALWAYS".into(),
        forced_video_codec: "H264".into(),
        allow_transcoding: true,
        custom_id: true,
        default_recording,
        media_node: None,
        old_recording_keys: false,
    };
    SessionRecord { id: id.into(), created_at: number, properties, cameras: vec![camera] }
}

fn open(folder: &Path) -> Store {
    let (store, _) = Store::open(folder);
    tokio::spawn(store.clone().run(Clock::System));
    store
}

#[tokio::test]
async fn what_is_put_comes_back_and_what_is_removed_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for id in ["b", "a", "c"] {
        store.put(record(id, 1));
        store.durable(id).await;
    }
    store.remove("b");
    store.put(record("a", 2));
    store.all_durable().await;
    assert_eq!(Store::open(folder.path()).1, [record("a", 2), record("c", 1)]);
    let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds the passwords of cameras");
    assert!(!format!("{:?}", record("a", 1)).contains("hush"));
}

#[tokio::test]
async fn nothing_is_written_when_nothing_changes_and_a_burst_is_written_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.put(record("a", 1));
    store.all_durable().await;
    assert_eq!(store.writes(), 1);
    for _ in 0..1000 {
        store.put(record("a", 1));
        store.remove("unknown");
        store.durable("a").await;
    }
    assert_eq!(store.writes(), 1);
    // no turn of the writer comes between these
    for number in 0..1000 {
        store.put(record(&format!("{}", number % 16), number));
    }
    store.all_durable().await;
    assert_eq!(store.writes(), 2);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_kept_aside_and_the_start_goes_on() {
    for contents in ["", "{", "[]", "{\"sessions\":[{\"id\":7}]}", "\u{0}\u{0}\u{0}"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), contents).unwrap();
        let (_, records) = Store::open(folder.path());
        assert_eq!(records, []);
        assert_eq!(fs::read_to_string(folder.path().join(ASIDE)).unwrap(), contents);
        let store = open(folder.path());
        store.put(record("a", 1));
        store.all_durable().await;
        assert_eq!(Store::open(folder.path()).1, [record("a", 1)]);
    }
    // one session that cannot be read does not take the others with it
    let folder = tempfile::tempdir().unwrap();
    let good = serde_json::to_string(&record("a", 1)).unwrap();
    fs::write(folder.path().join(FILE), format!("{{\"sessions\":[{{}},{good}]}}")).unwrap();
    assert_eq!(Store::open(folder.path()).1, [record("a", 1)]);
    assert!(folder.path().join(ASIDE).exists());
}

#[tokio::test]
async fn a_disk_that_fails_holds_nobody_up_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let (store, _) = Store::open(&gone);
    let clock = Clock::simulated(1);
    tokio::time::pause();
    tokio::spawn(store.clone().run(clock));
    store.put(record("a", 1));
    store.durable("a").await;
    assert_eq!(store.writes(), 0);
    fs::create_dir(&gone).unwrap();
    let mut written = store.written.subscribe();
    written.wait_for(|written| !written.failing).await.unwrap();
    assert_eq!(Store::open(&gone).1, [record("a", 1)]);
}

/// What the killed child does: numbers are kept, and printed when they are.
#[tokio::test]
async fn acknowledging_child() {
    let Some(folder) = kills::child() else { return };
    let (store, records) = Store::open(&folder);
    tokio::spawn(store.clone().run(Clock::System));
    let mut number = records.first().map_or(0, |record| record.created_at);
    loop {
        number += 1;
        store.put(record("a", number));
        store.durable("a").await;
        kills::acknowledge(number);
    }
}

#[test]
fn two_hundred_kills_lose_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    kills::rounds("state::store::tests::acknowledging_child", folder.path(), 200, |acknowledged| {
        let (_, records) = Store::open(folder.path());
        let kept = records.first().map_or(0, |record| record.created_at);
        assert!(kept == acknowledged || kept == acknowledged + 1, "{acknowledged} was acknowledged, {kept} is kept");
        assert!(!folder.path().join(ASIDE).exists());
    });
}
