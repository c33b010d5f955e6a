//! openvidu-browser 2.18 offers twice the m-lines it needs, and every version offers sendrecv when it wants its own stream back.

use crate::house::{House, PATIENCE, sections};
use serde_json::json;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};

#[tokio::test(flavor = "multi_thread")]
async fn four_lines_are_answered_and_two_of_them_used() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let wish = Wish::publish_2_18(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    assert_eq!(sections(publisher.offer()).len(), 4);
    let published = alice.try_publish(&publisher, &wish, false).await.unwrap();

    let answer = sections(published["sdpAnswer"].as_str().unwrap());
    let direction = |section: &String| {
        section.lines().find(|l| matches!(*l, "a=recvonly" | "a=inactive" | "a=sendrecv" | "a=sendonly")).map(str::to_owned)
    };
    let directions: Vec<_> = answer.iter().filter_map(direction).collect();
    assert_eq!(directions, ["a=recvonly", "a=recvonly", "a=inactive", "a=inactive"]);

    let viewer = bob.watch(published["id"].as_str().unwrap()).await;
    viewer.wait_until("picture and sound", PATIENCE, |seen| seen.whole_frames() > 30 && seen.audio.packets > 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_with_loopback_sees_itself() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let alice = house.join(&session, "alice").await;
    let wish = Wish::publish_with_loopback(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    let published = alice.try_publish(&publisher, &wish, true).await.unwrap();
    let answer = published["sdpAnswer"].as_str().unwrap();
    assert_eq!(answer.matches("a=sendrecv").count(), 2, "{answer}");
    publisher.wait_until("its own picture and sound", PATIENCE, |seen| seen.whole_frames() > 30 && seen.audio.packets > 50).await;
}
