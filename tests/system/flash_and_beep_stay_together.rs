//! Lip sync: flash and beep leave the publisher at the same moment, with unrelated RTP clocks; by the sender reports that the
//! viewer gets from the box, it places them at the same moment again.

use crate::house::{House, PATIENCE};
use serde_json::json;
use std::time::{Duration, SystemTime};
use viduct_testkit::material::{Clip, Media};
use viduct_testkit::peer::record::Record;
use viduct_testkit::peer::{MediaKind, Peer, Wish};

/// How far apart the two may be placed; people begin to notice at 45 ms (ITU-R BT.1359).
const TOLERANCE: Duration = Duration::from_millis(20);
/// Seconds with both a flash and a beep that are compared.
const PAIRS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn at_the_viewer() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let viewer = bob.watch(&stream).await;
    let skews = viewer.wait_for("flashes and beeps with sender reports", PATIENCE, skews).await;
    for skew in &skews {
        assert!(*skew <= TOLERANCE, "flash and beep are {skews:?} apart");
    }
}

/// How far apart flash and beep of each second are, once there are enough of them.
fn skews(seen: &Record) -> Option<Vec<Duration>> {
    let (flashes, beeps) = (moments(seen, MediaKind::Video, Media::Vp8)?, moments(seen, MediaKind::Audio, Media::Opus)?);
    let apart = |a: &SystemTime, b: &SystemTime| a.duration_since(*b).unwrap_or_else(|e| e.duration());
    // the two begin and end at slightly different packets: compare where both have the second
    let pairs = flashes.iter().filter_map(|flash| beeps.iter().map(|beep| apart(flash, beep)).min());
    let skews: Vec<Duration> = pairs.filter(|skew| *skew < Duration::from_millis(500)).collect();
    (skews.len() >= PAIRS).then_some(skews)
}

/// When the marked packets were captured, by the sender reports of that kind.
fn moments(seen: &Record, kind: MediaKind, media: Media) -> Option<Vec<SystemTime>> {
    let report = seen.of(kind).report?;
    let marks = Clip::load(media).marks();
    let marked = seen.packets.iter().filter(|packet| packet.kind == kind && marks.contains(&packet.payload));
    Some(marked.map(|packet| report.captured(packet.ts)).collect())
}
