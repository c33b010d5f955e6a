//! A viewer whose offer does not take a stream's codec sees it all the same: one transcoder for all such viewers of a stream, which
//! begins with the first and ends after the last, and whose death or whose source's is a short pause.

use crate::house::{House, Member, PATIENCE, gone, options, until, viewer_of};
use nix_signal::{Signal, kill};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};
use viduct::clock::Clock;
use viduct_testkit::camera::{Options, TestCamera};
use viduct_testkit::daemon::{nix_pid, nix_signal};
use viduct_testkit::material::Media;
use viduct_testkit::peer::record::Record;
use viduct_testkit::peer::{MediaKind, Peer, Wish};
use viduct_testkit::whep::Whep;

/// How long a transcoder may live on after its last viewer: 5 s are promised, and its own end takes a moment.
const LINGER: Duration = Duration::from_secs(3 * 6);

/// How far the capture times of a picture may be apart; pictures are 67 ms apart.
const TOGETHER: Duration = Duration::from_millis(20);

/// It sees whole pictures of that codec, the first of which decodes.
async fn sees(viewer: &Peer, codec: &str) {
    viewer.wait_until(&format!("pictures in {codec}"), PATIENCE, |seen| seen.whole_frames() > 20).await;
    let seen = viewer.look();
    assert_eq!((seen.video.codec.as_deref(), seen.video.ssrcs.len()), (Some(codec), 1), "{}", seen.summary());
}

/// When its pictures were captured, by the sender reports.
fn captures(seen: &Record) -> Option<BTreeSet<SystemTime>> {
    let report = seen.video.report?;
    Some(seen.packets.iter().filter(|packet| packet.kind == MediaKind::Video).map(|packet| report.captured(packet.ts)).collect())
}

/// How far a picture of the rendition is from the nearest of the source at most, once there are enough of them: their sound is the
/// same, so this is what a transcoder does to the lips.
fn apart(source: &Record, rendition: &Record) -> Option<Duration> {
    let (source, rendition) = (captures(source)?, captures(rendition)?);
    let distance = |a: SystemTime, b: SystemTime| a.duration_since(b).unwrap_or_else(|error| error.duration());
    let of_both = rendition.iter().filter(|at| source.first() <= Some(*at) && Some(*at) <= source.last());
    let apart: Vec<Duration> = of_both.filter_map(|at| source.iter().map(|other| distance(*at, *other)).min()).collect();
    (apart.len() >= 15).then(|| apart.into_iter().max())?
}

/// The picture goes on, on the same transport and the same SSRC.
async fn goes_on(viewer: &Peer, what: &str) {
    let (begin, before) = (Clock::System.now(), viewer.look().whole_frames());
    viewer.wait_until("the picture goes on", PATIENCE * 2, |seen| seen.whole_frames() > before + 20).await;
    println!("{what}: 20 more pictures after {:?}", begin.elapsed());
    let seen = viewer.look();
    assert_eq!((seen.closed, seen.video.ssrcs.len()), (None, 1));
}

/// The one worker that was not there before.
async fn new_worker(house: &House, before: &[i32]) -> i32 {
    until("one more worker", PATIENCE, || house.daemon.workers().len() == before.len() + 1).await;
    house.daemon.workers().into_iter().find(|pid| !before.contains(pid)).expect("one is new")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_viewers_share_one_transcoder_that_ends_after_them() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (camera_id, stream) = house.camera(&session, &camera.url, false).await;
    let able = Whep::watch(&house.rest, &session, &stream).await.peer;
    sees(&able, "H264").await;
    let before = house.daemon.workers();

    let begin = Clock::System.now();
    let whep = Whep::offer(&house.rest, &session, &stream, viewer_of(Media::Vp8)).await.unwrap_or_else(|r| panic!("{}", r.text()));
    println!("the answer took {:?}", begin.elapsed());
    sees(&whep.peer, "VP8").await;
    let first = whep.peer.look().join_time().expect("there are pictures");
    let transcoder = new_worker(&house, &before).await;
    let alice = house.join(&session, "alice").await;
    let second = alice.try_watch(&stream, viewer_of(Media::Vp8)).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    sees(&second, "VP8").await;
    println!("first picture: {first:?} with the transcoder's start, {:?} after it", second.look().join_time());
    assert_eq!(house.daemon.workers().len(), before.len() + 1, "they share it");
    let sound = second.look().audio;
    assert!(sound.packets > 0 && sound.codec.as_deref() == Some("opus"), "sound is forwarded as it is");

    let apart = second.wait_for("pictures with sender reports", PATIENCE, |seen| apart(&able.look(), seen)).await;
    println!("pictures of source and rendition are told to be captured {apart:?} apart at most");
    assert!(apart <= TOGETHER, "sound of the one would not be in sync with pictures of the other");

    whep.end().await.expect(200);
    goes_on(&second, "one of two has left").await;
    assert!(house.daemon.workers().contains(&transcoder));
    alice.client.must("unsubscribeFromVideo", json!({"sender": camera_id})).await;
    let left = Clock::System.now();
    gone(transcoder, LINGER).await;
    println!("the transcoder lived on for {:?}", left.elapsed());
    assert!(left.elapsed() > Duration::from_secs(4), "the next viewer might have come");
    goes_on(&able, "who needs no transcoder").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_comes_back_after_transcoder_or_camera_died() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let port = camera.port();
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (_, stream) = house.camera(&session, &camera.url, false).await;
    house.workers(1, PATIENCE).await;
    let before = house.daemon.workers();
    let viewer = Whep::offer(&house.rest, &session, &stream, viewer_of(Media::Vp8)).await.unwrap_or_else(|r| panic!("{}", r.text())).peer;
    sees(&viewer, "VP8").await;
    kill(nix_pid(new_worker(&house, &before).await), Signal::SIGKILL).unwrap();
    goes_on(&viewer, "the transcoder was killed").await;
    kill(nix_pid(before[0]), Signal::SIGKILL).unwrap();
    goes_on(&viewer, "the camera's worker was killed").await;
    camera.kill();
    house.daemon.log.wait_for("the camera's end is told", PATIENCE, |line| line.contains("WARN") && line.contains("ipc_IPCAM")).await;
    let _again = TestCamera::start(&Options { port, ..Options::default() }).unwrap();
    goes_on(&viewer, "the camera was away").await;
}

/// A session with a publisher of H.264 who was accepted, or why not.
async fn publishes_h264(house: &House, properties: serde_json::Value) -> Result<(String, Member, Peer, String), i64> {
    let session = house.session(properties).await;
    let alice = house.join(&session, "alice").await;
    let wish = Wish::publish(&[Media::Opus, Media::H264]);
    let publisher = Peer::new(&wish);
    let published = alice.try_publish(&publisher, &wish, false).await.map_err(|refusal| refusal.code)?;
    let stream = published["id"].as_str().expect("a stream id").to_owned();
    Ok((session, alice, publisher, stream))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_of_another_codec_than_the_forced_one_is_transcoded_where_that_is_allowed() {
    let house = House::of(options()).await;
    let refused = publishes_h264(&house, json!({"forcedVideoCodec": "VP8", "allowTranscoding": false})).await;
    assert_eq!(refused.err(), Some(800));
    let allowed = publishes_h264(&house, json!({"forcedVideoCodec": "VP8", "allowTranscoding": true})).await;
    let (session, _alice, _publisher, stream) = allowed.unwrap_or_else(|code| panic!("refused: {code}"));
    let bob = house.join(&session, "bob").await;
    let viewer = bob.try_watch(&stream, viewer_of(Media::Vp8)).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    sees(&viewer, "VP8").await;
    let carol = house.join(&session, "carol").await.watch(&stream).await;
    sees(&carol, "H264").await;

    // and the other way round, by the default of the box
    let house = House::of(options().env("OPENVIDU_STREAMS_ALLOW_TRANSCODING", "true")).await;
    let session = house.session(json!({"forcedVideoCodec": "H264"})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let viewer = bob.try_watch(&stream, viewer_of(Media::H264)).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    sees(&viewer, "H264").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forced_codec_binds_viewers_of_publishers_where_transcoding_is_not_allowed() {
    let house = House::open().await;
    let session = house.session(json!({"forcedVideoCodec": "VP8", "allowTranscoding": false})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let refused = bob.try_watch(&stream, viewer_of(Media::H264)).await.expect_err("nothing of it can be had");
    assert_eq!(refused.code, 800, "{refused:?}");
    let refused = Whep::offer(&house.rest, &session, &stream, viewer_of(Media::H264)).await.expect_err("the same over WHEP");
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert_eq!(house.daemon.workers().len(), 0);
}
