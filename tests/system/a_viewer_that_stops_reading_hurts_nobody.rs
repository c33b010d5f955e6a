//! One of three viewers freezes: the others go on without a lost packet, and it sees the picture again when it wakes.

use crate::house::{House, PATIENCE};
use serde_json::json;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};
use viduct_testkit::whep::Whep;

#[tokio::test(flavor = "multi_thread")]
async fn the_others_lose_nothing_and_it_comes_back() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let alice = house.join(&session, "alice").await;
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let frozen = Whep::watch(&house.rest, &session, &stream).await.peer;
    let others = [Whep::watch(&house.rest, &session, &stream).await.peer, Whep::watch(&house.rest, &session, &stream).await.peer];
    for viewer in [&frozen, &others[0], &others[1]] {
        viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 15).await;
    }

    frozen.freeze(true);
    let before: Vec<u64> = others.iter().map(|viewer| viewer.look().whole_frames()).collect();
    for (viewer, before) in others.iter().zip(before) {
        viewer.wait_until("6 s of picture beside a frozen viewer", PATIENCE, |seen| seen.whole_frames() >= before + 90).await;
        let seen = viewer.look();
        assert_eq!((seen.video.lost(), seen.audio.lost(), seen.rtx_in), (0, 0, 0), "{}", seen.summary());
    }

    frozen.freeze(false);
    let before = frozen.look().whole_frames();
    frozen.wait_until("the picture comes back", PATIENCE, |seen| seen.whole_frames() > before + 30).await;
}
