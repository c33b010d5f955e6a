//! A real RTSP camera reaches WHEP viewers: picture and sound, from the first frame at once, though its keyframes are 10 s apart.

use crate::house::{House, PATIENCE};
use serde_json::json;
use std::time::Duration;
use viduct_testkit::camera::{Audio, Options, TestCamera, Video};
use viduct_testkit::peer::Peer;
use viduct_testkit::whep::Whep;

/// "Well under a second", on a machine that does other things too.
const FIRST_FRAME: Duration = Duration::from_millis(700);

#[tokio::test(flavor = "multi_thread")]
async fn picture_and_sound_arrive_whole() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (connection, stream) = house.camera(&session, &camera.url, true).await;
    assert!(connection.starts_with("ipc_IPCAM_rtsp_") && stream.starts_with("str_IPC_"), "{connection} {stream}");
    let viewer = Whep::watch(&house.rest, &session, &stream).await.peer;
    viewer.wait_until("5 s of picture and sound", PATIENCE, |seen| seen.whole_frames() >= 75 && seen.audio.packets >= 200).await;
    let seen = viewer.look();
    assert_eq!((seen.video.codec.as_deref(), seen.audio.codec.as_deref()), (Some("H264"), Some("opus")));
    assert_eq!((seen.video.lost(), seen.audio.lost()), (0, 0), "{}", seen.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_gop_does_not_delay_the_first_frame() {
    let video = Video { gop: 150, ..Video::default() };
    let camera = TestCamera::start(&Options { video: Some(video), audio: None, ..Options::default() }).unwrap();
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (_, stream) = house.camera(&session, &camera.url, false).await;
    let first = Whep::watch(&house.rest, &session, &stream).await.peer;
    first.wait_until("a picture and some seconds after it", PATIENCE, |seen| seen.whole_frames() > 45).await;

    let later = Whep::watch(&house.rest, &session, &stream).await.peer;
    let join = later.wait_for("a first frame", PATIENCE, |seen| seen.join_time()).await;
    assert!(join < FIRST_FRAME, "the first frame took {join:?}");
    // the cached seconds come faster than they were filmed, then it is live
    later.wait_until("it catches up", PATIENCE, |seen| seen.whole_frames() > 60).await;
    assert_eq!(later.look().frames.map(|frames| frames.gaps), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_plays_only_with_subscribers() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (_, stream) = house.camera(&session, &camera.url, true).await;
    assert_eq!(house.daemon.workers().len(), 0, "nobody watches, nothing runs");
    let whep = Whep::watch(&house.rest, &session, &stream).await;
    whep.peer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 5).await;
    assert_eq!(house.daemon.workers().len(), 1);
    whep.end().await.expect(200);
    house.workers(0, PATIENCE).await;
    let again = Whep::watch(&house.rest, &session, &stream).await.peer;
    again.wait_until("a picture again", PATIENCE, |seen| seen.whole_frames() > 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_with_a_password_shows_it_to_nobody() {
    let auth = Some(("admin".to_owned(), "s3cr3t-word".to_owned()));
    let camera = TestCamera::start(&Options { auth, ..Options::default() }).unwrap();
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let alice = house.join(&session, "alice").await;
    let (connection, stream) = house.camera(&session, &camera.url_with("admin", "s3cr3t-word"), true).await;
    let joined = alice.client.notice("participantJoined", |p| p["id"] == connection.as_str()).await;
    let published = alice.client.notice("participantPublished", |p| p["id"] == connection.as_str()).await;
    assert_eq!(published["streams"][0]["typeOfVideo"], "IPCAM");
    assert!(!format!("{joined}{published}").contains("s3cr3t-word"));
    let viewer: Peer = alice.watch(&stream).await;
    viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 5).await;
    assert!(!house.daemon.log.text().contains("s3cr3t-word"), "the password is in no log line");

    house.rest.delete(&format!("/openvidu/api/sessions/{session}/connection/{connection}")).await.expect(204);
    alice.client.notice("participantLeft", |p| p["connectionId"] == connection.as_str() && p["reason"] == "forceDisconnectByServer").await;
    house.workers(0, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g711_sound_is_forwarded_as_it_is() {
    for (audio, name) in [(Audio::Pcma, "PCMA"), (Audio::Pcmu, "PCMU")] {
        let camera = TestCamera::start(&Options { audio: Some(audio), ..Options::default() }).unwrap();
        let house = House::open().await;
        let session = house.session(json!({})).await;
        let (_, stream) = house.camera(&session, &camera.url, true).await;
        let viewer = Whep::watch(&house.rest, &session, &stream).await.peer;
        viewer.wait_until("picture and sound", PATIENCE, |seen| seen.whole_frames() > 15 && seen.audio.packets > 50).await;
        let seen = viewer.look();
        assert_eq!((seen.audio.codec.as_deref(), seen.audio.lost()), (Some(name), 0), "{}", seen.summary());
    }
}

/// The box holds 15 s of a stream: within them a viewer who joins sees a picture at once, later with the next keyframe.
#[tokio::test(flavor = "multi_thread")]
async fn a_keyframe_a_minute_is_a_picture_at_once_for_15_s() {
    let video = Video { gop: 60 * 15, ..Video::default() };
    let camera = TestCamera::start(&Options { video: Some(video), audio: None, ..Options::default() }).unwrap();
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (_, stream) = house.camera(&session, &camera.url, false).await;
    let first = Whep::watch(&house.rest, &session, &stream).await.peer;
    first.wait_until("10 s of it", PATIENCE * 2, |seen| seen.whole_frames() > 150).await;
    let second = Whep::watch(&house.rest, &session, &stream).await.peer;
    let join = second.wait_for("a first frame", PATIENCE, |seen| seen.join_time()).await;
    println!("first frame after {join:?}, 10 s behind the keyframe");
    assert!(join < FIRST_FRAME * 3, "{join:?}");
    first.wait_until("20 s of it", PATIENCE * 2, |seen| seen.whole_frames() > 300).await;
    let third = Whep::watch(&house.rest, &session, &stream).await.peer;
    third.wait_until("packets", PATIENCE, |seen| seen.whole_frames() > 0 || first.look().whole_frames() > 345).await;
    assert_eq!(third.look().whole_frames(), 0, "a picture that does not begin with a keyframe");
    third.wait_until("the next keyframe", PATIENCE * 4, |seen| seen.whole_frames() > 15).await;
}
