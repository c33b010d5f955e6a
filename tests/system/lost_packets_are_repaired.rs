//! Five packets of a hundred get lost, on the publisher's leg or on the viewer's: NACK and RTX bring them back on that leg, and
//! the viewer shows every frame.

use crate::house::{House, PATIENCE};
use serde_json::json;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Loss, Peer, Wish};

/// Every 20th.
const LOSS: u32 = 20;

struct Scene {
    publisher: Peer,
    viewer: Peer,
    _house: House,
    _members: [crate::house::Member; 2],
}

async fn scene(codec: Media, forced: &str) -> Scene {
    let house = House::open().await;
    let session = house.session(json!({"forcedVideoCodec": forced})).await;
    let wish = Wish::publish(&[codec]);
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let viewer = bob.watch(&stream).await;
    viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 15).await;
    Scene { publisher, viewer, _house: house, _members: [alice, bob] }
}

/// The next 5 s of video come whole.
async fn comes_whole(viewer: &Peer) {
    let before = viewer.look().whole_frames();
    viewer.wait_until("5 s of picture under loss", PATIENCE, |seen| seen.whole_frames() >= before + 75).await;
    let seen = viewer.look();
    let frames = seen.frames.as_ref().expect("frames were counted");
    assert_eq!(frames.gaps, 0, "every gap was repaired: {}", seen.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_publishers_leg() {
    for (codec, forced) in [(Media::Vp8, "VP8"), (Media::H264, "H264")] {
        let scene = scene(codec, forced).await;
        scene.publisher.lose(Loss { outgoing: LOSS, incoming: 0 });
        comes_whole(&scene.viewer).await;
        scene.publisher.wait_until("the box asks for what was lost", PATIENCE, |seen| seen.nacks_received > 0 && seen.rtx_out > 0).await;
        assert!(scene.publisher.look().dropped_out > 0, "packets were lost on purpose");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_viewers_leg() {
    for (codec, forced) in [(Media::Vp8, "VP8"), (Media::H264, "H264")] {
        let scene = scene(codec, forced).await;
        scene.viewer.lose(Loss { incoming: LOSS, outgoing: 0 });
        comes_whole(&scene.viewer).await;
        scene.viewer.wait_until("the box sends again what was lost", PATIENCE, |seen| seen.nacks_sent > 0 && seen.rtx_in > 0).await;
        assert!(scene.viewer.look().dropped_in > 0, "packets were lost on purpose");
        assert_eq!(scene.publisher.look().nacks_received, 0, "the box repairs from its own memory");
    }
}
