//! What one client publishes, VP8 or H.264 with Opus, reaches viewers by signaling and by WHEP whole and without a lost packet.

use crate::house::{House, PATIENCE};
use serde_json::json;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};
use viduct_testkit::whep::Whep;

async fn reaches_every_viewer(codec: Media, forced: &str, name: &str) {
    let house = House::open().await;
    let session = house.session(json!({"forcedVideoCodec": forced})).await;
    let wish = Wish::publish(&[Media::Opus, codec]);
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;

    let by_signaling = bob.watch(&stream).await;
    let by_whep = Whep::watch(&house.rest, &session, &stream).await;
    for viewer in [&by_signaling, &by_whep.peer] {
        viewer.wait_until("3 s of picture and sound", PATIENCE, |seen| seen.whole_frames() >= 45 && seen.audio.packets >= 150).await;
        let seen = viewer.look();
        assert_eq!((seen.video.codec.as_deref(), seen.audio.codec.as_deref()), (Some(name), Some("opus")));
        assert_eq!((seen.video.lost(), seen.audio.lost()), (0, 0), "{}", seen.summary());
        assert_eq!((seen.video.ssrcs.len(), seen.audio.ssrcs.len()), (1, 1), "one SSRC a line");
        assert_eq!(seen.frames.as_ref().map(|frames| frames.gaps), Some(0));
    }

    // who wants a keyframe gets the publisher to make one
    let asked = publisher.look().keyframe_requests;
    by_signaling.request_keyframe();
    publisher.wait_until("the PLI reaches the publisher", PATIENCE, |seen| seen.keyframe_requests > asked).await;

    drop(publisher);
    alice.client.must("leaveRoom", json!({})).await;
    bob.client.notice("participantLeft", |p| p["connectionId"] == alice.id.as_str()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vp8() {
    reaches_every_viewer(Media::Vp8, "VP8", "VP8").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264() {
    reaches_every_viewer(Media::H264, "H264", "H264").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_frame_does_not_wait_for_the_publishers_next_keyframe() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let wish = Wish::publish(&[Media::Vp8]);
    let alice = house.join(&session, "alice").await;
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    publisher.wait_until("the publisher sends", PATIENCE, |seen| seen.sent > 30).await;
    let viewer = Whep::watch(&house.rest, &session, &stream).await.peer;
    let join = viewer.wait_for("a first frame", PATIENCE, |seen| seen.join_time()).await;
    // keyframes are 1 s apart; from the cache it is there at once, with room for a busy machine
    assert!(join.as_millis() < 700, "the first frame took {join:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codec_that_the_session_does_not_allow_is_refused() {
    let house = House::open().await;
    let session = house.session(json!({"forcedVideoCodec": "H264"})).await;
    let alice = house.join(&session, "alice").await;
    let wish = Wish::publish(&[Media::Vp8]);
    let refusal = alice.try_publish(&Peer::new(&wish), &wish, false).await.unwrap_err();
    assert_eq!(refusal.code, 800, "{}", refusal.message);
    assert!(refusal.message.ends_with(". Code: 800"), "{}", refusal.message);
}
