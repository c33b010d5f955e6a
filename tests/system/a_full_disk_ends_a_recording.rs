//! A disk that fills up ends the recording as failed: what was written plays, the metadata says so, and live viewing goes on.

use crate::house::{House, PATIENCE, probe, recording_to, until};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};

/// A disk of 6 MB; unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(folder.path()).status();
        mounted.is_ok_and(|status| status.success()).then_some(SmallDisk(folder))
    }

    fn fill(&self) {
        // it ends when there is no room
        let _ = std::fs::write(self.0.path().join("fill"), vec![1; 8 << 20]);
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // lazily: a daemon that is about to be killed may still be there
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_what_was_written() {
    let Some(disk) = SmallDisk::mount() else {
        assert!(std::env::var_os("CI").is_none(), "mounting is not allowed here");
        eprintln!("skipped: this user may not mount a small disk");
        return;
    };
    let house = House::of(recording_to(disk.path())).await;
    let session = house.session(json!({"customSessionId": "S"})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let viewer = bob.watch(&stream).await;
    house.record(&session, json!({"resolution": "320x240", "frameRate": 10})).await;
    let written = || viduct::mp4::inspect(&disk.path().join("S/part-1.mp4")).map_or(0, |film| film.duration.as_secs());
    until("two seconds are written", PATIENCE, || written() >= 2).await;
    disk.fill();
    let failed = house.ended_recording("S", PATIENCE).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    assert!(failed["duration"].as_f64().unwrap() >= 2.0 && failed["url"].is_string(), "{failed}");
    assert_eq!(probe(&disk.path().join("S/S.mp4")).codecs, ["h264", "aac"]);
    let metadata = std::fs::read_to_string(disk.path().join("S/.recording.S")).unwrap();
    assert!(metadata.contains(r#""status":"failed""#), "{metadata}");
    bob.client.notice("recordingStopped", |p| p["id"] == "S").await;
    let before = viewer.look().whole_frames();
    viewer.wait_until("the picture goes on", PATIENCE, |seen| seen.whole_frames() > before + 15).await;
    house.workers(0, PATIENCE).await;
}
