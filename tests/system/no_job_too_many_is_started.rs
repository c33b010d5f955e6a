//! Transcoders and composers that the board cannot carry are refused before those that run suffer; what costs nothing is not.

use crate::house::{House, PATIENCE, recording_to, viewer_of};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use viduct::clock::Clock;
use viduct_testkit::camera::{Options, TestCamera};
use viduct_testkit::material::Media;
use viduct_testkit::peer::MediaKind;
use viduct_testkit::peer::record::Record;
use viduct_testkit::whep::Whep;

/// Percent of a core that are enough for one composer of the default size, as long as nobody has measured one.
const ROOM_FOR_ONE: u32 = if cfg!(target_arch = "x86_64") { 45 } else { 180 };

#[tokio::test(flavor = "multi_thread")]
async fn without_processor_time_viewers_and_recordings_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let camera = TestCamera::start(&Options::default()).unwrap();
    let house = House::of(recording_to(folder.path()).env("VIDUCT_CPU_BUDGET", 1)).await;
    let session = house.session(json!({})).await;
    let (_, stream) = house.camera(&session, &camera.url, false).await;
    let able = Whep::watch(&house.rest, &session, &stream).await.peer;
    able.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 5).await;
    let workers = house.daemon.workers();

    let refused = Whep::offer(&house.rest, &session, &stream, viewer_of(Media::Vp8)).await.expect_err("there is no room");
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert!(refused.text().contains("VIDUCT_CPU_BUDGET"), "{}", refused.text());
    let alice = house.join(&session, "alice").await;
    let refusal = alice.try_watch(&stream, viewer_of(Media::Vp8)).await.expect_err("here neither");
    assert!(refusal.code == 999 && refusal.message.contains("processor time"), "{refusal:?}");
    let refused = house.rest.post("/openvidu/api/recordings/start", json!({ "session": session })).await.expect(503).json();
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("VIDUCT_CPU_BUDGET")), "{refused}");
    assert_eq!(refused["path"], "/openvidu/api/recordings/start");
    assert_eq!(house.rest.get("/openvidu/api/recordings").await.expect(200).json()["count"], 0, "nothing is left of it");
    assert!(!house.look(&session).await["recording"].as_bool().unwrap_or(true));

    assert_eq!(house.daemon.workers(), workers, "nothing was started");
    let another = alice.watch(&stream).await;
    another.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fits_runs_and_makes_room_when_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let camera = TestCamera::start(&Options::default()).unwrap();
    let house = House::of(recording_to(folder.path()).env("VIDUCT_CPU_BUDGET", ROOM_FOR_ONE)).await;
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let session = house.session(json!({})).await;
        house.camera(&session, &camera.url, true).await;
        sessions.push(session);
    }
    // 1280x720 at 25: the default
    let recording = house.record(&sessions[0], json!({})).await;
    let refused = house.rest.post("/openvidu/api/recordings/start", json!({ "session": sessions[1] })).await.expect(503);
    println!("{}", refused.text());
    house.stop_recording(recording["id"].as_str().expect("an id")).await;
    house.workers(0, PATIENCE).await;
    let recording = house.record(&sessions[1], json!({"resolution": "160x120"})).await;
    house.stop_recording(recording["id"].as_str().expect("an id")).await;
}

/// Percent of a core that are enough for one transcoder of a camera, whatever its first seconds say of it, and for nothing larger.
const ROOM_FOR_A_TRANSCODER: u32 = if cfg!(target_arch = "x86_64") { 65 } else { 260 };
/// How much later the pictures may come on the whole while others are refused: beside one job too many they would soon be seconds
/// late, beside all else that a test machine does they are some tenths.
const LATER: Duration = Duration::from_secs(1);
/// Who is refused, one after the other.
const REFUSED: usize = 30;

/// How late pictures came that arrived from `from` on: in the middle, against the quickest of all. Time stamps count 1/90000 s.
fn lateness(seen: &Record, from: Instant) -> Option<(usize, Duration)> {
    let mut pictures: BTreeMap<u32, Instant> = BTreeMap::new();
    let video = seen.packets.iter().filter(|packet| packet.kind == MediaKind::Video);
    for packet in video {
        pictures.entry(packet.ts).or_insert(packet.at);
    }
    let (first, began) = pictures.iter().min_by_key(|(_, at)| **at).map(|(ts, at)| (*ts, *at))?;
    // µs by which one took longer than the first, or less
    let delay = |ts: u32, at: Instant| (at - began).as_micros() as i64 - i64::from(ts.wrapping_sub(first)) * 100 / 9;
    let quickest = pictures.iter().map(|(ts, at)| delay(*ts, *at)).min()?;
    let since = pictures.iter().filter(|(_, at)| **at >= from);
    let mut late: Vec<i64> = since.map(|(ts, at)| delay(*ts, *at) - quickest).collect();
    late.sort_unstable();
    Some((late.len(), Duration::from_micros(u64::try_from(*late.get(late.len() / 2)?).ok()?)))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_runs_does_not_feel_who_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let camera = TestCamera::start(&Options::default()).unwrap();
    let house = House::of(recording_to(folder.path()).env("VIDUCT_CPU_BUDGET", ROOM_FOR_A_TRANSCODER)).await;
    let session = house.session(json!({})).await;
    let (_, stream) = house.camera(&session, &camera.url, false).await;
    let viewer = Whep::offer(&house.rest, &session, &stream, viewer_of(Media::Vp8)).await.unwrap_or_else(|r| panic!("{}", r.text())).peer;
    viewer.wait_until("transcoded pictures", PATIENCE, |seen| seen.whole_frames() > 15).await;
    let settled = Clock::System.now();
    viewer.wait_until("45 of them", PATIENCE, |seen| lateness(seen, settled).is_some_and(|(count, _)| count >= 45)).await;
    let (_, before) = lateness(&viewer.look(), settled).expect("there are pictures");
    let workers = house.daemon.workers();

    let begin = Clock::System.now();
    for _ in 0..REFUSED {
        let body = json!({"session": session, "resolution": "1920x1080"});
        let refused = house.rest.post("/openvidu/api/recordings/start", body).await.expect(503).text();
        assert!(refused.contains("VIDUCT_CPU_BUDGET"), "{refused}");
        Clock::System.sleep(Duration::from_millis(100)).await;
    }
    let (count, during) = lateness(&viewer.look(), begin).expect("there are pictures");
    println!("pictures came {before:?} late before, {during:?} while {REFUSED} were refused ({count} pictures)");
    assert!(during < before + LATER, "{during:?}");
    assert_eq!(viewer.look().frames.map(|frames| frames.gaps), Some(0), "not one is missing");
    assert_eq!(house.daemon.workers(), workers, "nothing was started beside it");
}
