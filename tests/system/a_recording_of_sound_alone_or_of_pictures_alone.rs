//! A recording without pictures or without sound is a film with one track, and survives the same kills as one with both.

use crate::house::{House, Member, PATIENCE, Probe, gone, probe, recording_to, until};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use viduct_testkit::daemon::{nix_pid, nix_signal::Signal, nix_signal::kill};
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};

/// Two sessions with a publisher each: of the one, sound is recorded; of the other, pictures.
const SESSIONS: [&str; 2] = ["ear", "eye"];

async fn recorded(house: &House) -> Vec<(Member, Peer)> {
    let mut members = Vec::new();
    for session in SESSIONS {
        house.session(json!({ "customSessionId": session })).await;
        let member = house.join(session, "alice").await;
        let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
        let peer = Peer::new(&wish);
        member.publish(&peer, &wish).await;
        members.push((member, peer));
        let started = match session {
            "ear" => house.record(session, json!({ "hasVideo": false })).await,
            _ => house.record(session, json!({"hasAudio": false, "resolution": "320x240", "frameRate": 10})).await,
        };
        check(session, &started);
    }
    members
}

/// What REST says of them.
fn check(session: &str, recording: &Value) {
    let sound = session == "ear";
    assert_eq!((&recording["hasAudio"], &recording["hasVideo"]), (&json!(sound), &json!(!sound)), "{recording}");
    for key in ["resolution", "frameRate", "recordingLayout"] {
        assert_eq!(recording.get(key).is_none(), sound, "{key} in {recording}");
    }
}

fn part(folder: &Path, session: &str) -> PathBuf {
    folder.join(session).join("part-1.mp4")
}

/// Length of a film that may still be being written, in s; 0 if there is none.
fn length(film: &Path) -> f64 {
    viduct::mp4::inspect(film).map_or(0.0, |summary| summary.duration.as_secs_f64())
}

async fn both_have(folder: &Path, seconds: f64) {
    for session in SESSIONS {
        until(&format!("{seconds} s of {session}"), PATIENCE, || length(&part(folder, session)) >= seconds).await;
    }
}

/// The one film of a recording, with its one track.
fn film(folder: &Path, session: &str) -> Probe {
    let found = probe(&folder.join(session).join(format!("{session}.mp4")));
    assert_eq!(found.codecs, [if session == "ear" { "aac" } else { "h264" }]);
    assert!(!folder.join(session).join(format!("{session}-2.mp4")).exists());
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_after_its_composer_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::of(recording_to(folder.path())).await;
    let _members = recorded(&house).await;
    both_have(folder.path(), 1.5).await;
    let before = SESSIONS.map(|session| length(&part(folder.path(), session)));
    for composer in house.daemon.workers() {
        kill(nix_pid(composer), Signal::SIGKILL).unwrap();
    }
    both_have(folder.path(), before[0].max(before[1]) + 1.5).await;
    for session in SESSIONS {
        let ready = house.stop_recording(session).await;
        assert_eq!(ready["status"], "ready", "{ready}");
        check(session, &ready);
        let found = film(folder.path(), session);
        assert!((ready["duration"].as_f64().unwrap() - found.duration).abs() < 0.1, "{ready} {found:?}");
        let url = ready["url"].as_str().unwrap();
        let body = house.rest.get(&url[url.find("/openvidu/").unwrap()..]).await.expect(200).body;
        assert_eq!(ready["size"], body.len());
    }
    house.thumbnail("eye", PATIENCE).await;
    house.rest.get("/openvidu/recordings/ear/ear.jpg").await.expect(404);
    // neither saw a track of the other's kind
    house.workers(0, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn is_finished_by_the_next_start_when_all_were_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::of(recording_to(folder.path())).await;
    let members = recorded(&house).await;
    both_have(folder.path(), 1.5).await;
    let composers = house.daemon.workers();
    // so that they have no time to finish
    composers.iter().for_each(|composer| kill(nix_pid(*composer), Signal::SIGSTOP).unwrap());
    let before = SESSIONS.map(|session| length(&part(folder.path(), session)));
    house.daemon.kill();
    for composer in &composers {
        // the kernel may have ended it already: it hangs up on those who are stopped and have lost their parent
        let _ = kill(nix_pid(*composer), Signal::SIGKILL);
    }
    for composer in composers {
        gone(composer, PATIENCE).await;
    }
    drop((members, house));
    let house = House::of(recording_to(folder.path())).await;
    for (session, before) in SESSIONS.into_iter().zip(before) {
        let recording = house.ended_recording(session, PATIENCE).await;
        assert_eq!(recording["status"], "ready", "{recording}");
        check(session, &recording);
        let found = film(folder.path(), session);
        assert!(found.duration >= before - 0.1, "all that was written is there: {found:?}, {before} s");
    }
}
