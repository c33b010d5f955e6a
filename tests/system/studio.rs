//! A daemon that records, and what tests ask of it.

use crate::house::{House, Member, PATIENCE, options};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};

/// A folder for recordings and state that outlives its daemons.
pub struct Studio {
    folder: tempfile::TempDir,
}

impl Studio {
    /// An empty folder.
    pub fn new() -> Studio {
        Studio { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A daemon that records into it.
    pub async fn open(&self) -> House {
        House::of(
            options()
                .state(self.folder.path().join("state"))
                .env("OPENVIDU_RECORDING", true)
                .env("OPENVIDU_RECORDING_PATH", self.recordings().display()),
        )
        .await
    }

    /// Where the recordings are.
    pub fn recordings(&self) -> PathBuf {
        self.folder.path().join("recordings")
    }
}

/// Starts a recording of `session`; gives its id.
pub async fn start(house: &House, session: &str, mut wanted: Value) -> String {
    wanted["session"] = session.into();
    let recording = house.rest.post("/openvidu/api/recordings/start", wanted).await.expect(200).json();
    assert_eq!(recording["status"], "started");
    recording["id"].as_str().expect("a recording has an id").to_owned()
}

/// Stops it and waits until it is ready; gives its JSON.
pub async fn stop(house: &House, id: &str) -> Value {
    house.rest.post(&format!("/openvidu/api/recordings/stop/{id}"), json!({})).await.expect(200);
    becomes(house, id, "ready").await
}

/// Waits until a recording has `status`; gives its JSON.
pub async fn becomes(house: &House, id: &str, status: &str) -> Value {
    let begin = Instant::now();
    loop {
        let recording = house.rest.get(&format!("/openvidu/api/recordings/{id}")).await.expect(200).json();
        if recording["status"] == status {
            return recording;
        }
        assert!(begin.elapsed() < PATIENCE * 2, "not {status} after {:?}: {recording}", begin.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Somebody who publishes picture and sound; the peer has to be kept.
pub async fn publisher(house: &House, session: &str) -> (Member, Peer) {
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let (member, peer) = (house.join(session, "publisher").await, Peer::new(&wish));
    member.publish(&peer, &wish).await;
    (member, peer)
}

/// The file of a recording.
pub fn file(studio: &Studio, recording: &Value) -> PathBuf {
    let text = |key: &str| recording[key].as_str().expect("a recording has id and name").to_owned();
    studio.recordings().join(text("id")).join(format!("{}.mp4", text("name")))
}

/// Length of a file in s and the kinds of its streams in order, as ffprobe sees it.
pub fn probe(file: &Path) -> (f64, String) {
    let arguments = ["-v", "error", "-show_entries", "format=duration:stream=codec_name", "-of", "json"];
    let out = std::process::Command::new("ffprobe").args(arguments).arg(file).output().expect("ffprobe is installed");
    assert!(out.status.success() && out.stderr.is_empty(), "{}: {}", file.display(), String::from_utf8_lossy(&out.stderr));
    let seen: Value = serde_json::from_slice(&out.stdout).expect("ffprobe prints JSON");
    let length = seen["format"]["duration"].as_str().and_then(|text| text.parse().ok()).expect("a duration");
    let streams = seen["streams"].as_array().expect("streams");
    (length, streams.iter().filter_map(|stream| stream["codec_name"].as_str()).collect::<Vec<_>>().join("+"))
}
