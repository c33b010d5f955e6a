//! Jobs that are given a track and make another of it, and viewers that are moved from one to the other.

use super::camera::FRAME;
use super::*;
use crate::engine::api::Event;
use crate::rtp::Format;
use crate::wire::media::encode_keyframe_request;
use str0m::format::Codec as Spoken;

const WIDE: usize = 16 << 20;
const VP8: Format = Format { codec: Codec::Vp8, profile_level_id: None };

/// A camera, and a transcoder of it: what it is given, and the track it makes, here a picture of its own.
fn transcoded(world: &mut World) -> (TrackId, TrackId, Worker) {
    let source = world.camera(1, 50);
    let made = world.camera(2, 1000);
    world.cameras[1].format = VP8;
    let worker = world.worker(2, WIDE);
    world.core.add_slot(worker.job, 0, source, world.now);
    (source, made, worker)
}

/// The codec and the timestamps of what a viewer got, of one codec.
fn got_of(world: &mut World, viewer: usize, codec: Spoken) -> Vec<u32> {
    let client = &mut world.clients[viewer];
    let of = |p: &RtpPacket| client.rtc.codec_config().params().iter().any(|q| q.pt() == p.header.payload_type && q.spec().codec == codec);
    client.got.iter().filter(|(_, p)| of(p)).map(|(_, p)| p.header.timestamp).collect()
}

#[test]
fn one_job_takes_a_track_and_gives_another_and_each_side_asks_for_key_frames() {
    let mut world = World::new();
    let (source, made, worker) = transcoded(&mut world);
    world.run(500 * MS);
    assert!(matches!(worker.read()[0], Got::Format { slot: 0, format } if format.codec == Codec::H264));
    assert!(world.seen.iter().any(|e| matches!(e, Event::TrackLive { track, format: VP8 } if *track == made)));
    let stats = world.core.stats();
    assert_eq!((stats.feeds, stats.sinks, stats.ignored), (2, 1, 0));

    // a viewer's wish goes to the job, the job's to the camera
    let viewer = world.viewer(1, None, Some(made));
    world.until(1000 * MS, |w| w.clients[viewer].got.len() > 10);
    // who has just begun would begin again
    world.run(5000 * MS);
    world.asked.clear();
    world.clients[viewer].pli(1);
    world.until(1000 * MS, |w| !w.asked.is_empty());
    assert_eq!(world.asked[0].1, worker.job);
    let mut request = Vec::new();
    encode_keyframe_request(&mut request, 0);
    let moment = world.moment();
    world.core.message(worker.job, &request, moment);
    world.until(1000 * MS, |w| w.asked.iter().any(|(_, its, slot)| (*its, *slot) == (job(1), 0)));

    world.core.remove_track(source);
    world.core.detach_sink(worker.job);
    world.core.detach_feed(worker.job);
    let stats = world.core.stats();
    assert_eq!((stats.feeds, stats.sinks, stats.ignored), (1, 0, 0));
}

#[test]
fn a_viewer_is_moved_to_another_track_and_back_without_a_seam() {
    let mut world = World::new();
    let (source, made, _worker) = transcoded(&mut world);
    world.run(300 * MS);
    let viewer = world.viewer(1, None, Some(source));
    world.run(1000 * MS);
    assert!(got_of(&mut world, viewer, Spoken::Vp8).is_empty());
    for (from, to, codec) in [(source, made, Spoken::Vp8), (made, source, Spoken::H264)] {
        let before = world.clients[viewer].got.len();
        world.core.retune(peer(1), from, to, world.now);
        world.run(2500 * MS);
        let got = world.clients[viewer].got.len() - before;
        assert!(got > 40 && got_of(&mut world, viewer, codec).len() >= got, "{got} packets of {codec:?}");
    }
    let client = &mut world.clients[viewer];
    let packets = client.packets(1);
    let numbers: Vec<u64> = packets.iter().map(|(_, p)| *p.seq_no).collect();
    assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1), "one row of numbers: {numbers:?}");
    let steps: Vec<u32> = packets.windows(2).map(|w| w[1].1.header.timestamp.wrapping_sub(w[0].1.header.timestamp)).collect();
    assert!(steps.iter().all(|step| *step < 90_000 * 3), "time goes on: {steps:?}");
    assert!(FRAME > MS && world.closed(1).is_none());
}

#[test]
fn who_cannot_be_moved_stays() {
    let mut world = World::new();
    let (source, _, _worker) = transcoded(&mut world);
    world.core.add_track(track(50), Kind::Audio);
    world.run(300 * MS);
    let viewer = world.viewer(1, None, Some(source));
    world.run(200 * MS);
    for (who, from, to) in [(1, source, track(77)), (1, source, track(50)), (1, track(77), source), (9, source, source)] {
        world.core.retune(peer(who), from, to, world.now);
    }
    let before = world.clients[viewer].got.len();
    world.run(500 * MS);
    assert!(world.clients[viewer].got.len() > before + 10);
}

#[test]
fn who_is_moved_before_it_is_connected_begins_there() {
    let mut world = World::new();
    let (source, made, _worker) = transcoded(&mut world);
    world.run(300 * MS);
    let viewer = world.viewer(1, None, Some(source));
    world.core.retune(peer(1), source, made, world.now);
    world.until(1000 * MS, |w| w.clients[viewer].got.len() > 10);
    assert!(got_of(&mut world, viewer, Spoken::H264).is_empty());
}
