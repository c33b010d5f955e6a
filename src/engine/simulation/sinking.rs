//! Workers that are given tracks.

use super::camera::{FRAME, KEY_PACKETS};
use super::publishing::{publish, tracks};
use super::*;
use crate::rtp::{Format, Header};
use crate::wire::media::encode_keyframe_request;

const WIDE: usize = 16 << 20;

fn units(got: &[Got]) -> Vec<&[(Header, Vec<u8>)]> {
    got.iter().map(Got::packets).filter(|packets| !packets.is_empty()).collect()
}

fn is_key(unit: &[(Header, Vec<u8>)]) -> bool {
    unit.len() == KEY_PACKETS
}

fn captures(got: &[Got]) -> Vec<u64> {
    let captured = |got: &Got| match got {
        Got::Unit { captured_ns, .. } => Some(*captured_ns),
        Got::Format { .. } => None,
    };
    got.iter().filter_map(captured).collect()
}

/// Is each picture the next one of the camera? Its first is 1 ms late.
fn follow(captured: &[u64]) -> bool {
    captured.windows(2).all(|w| (39_000_000..=40_000_000).contains(&(w[1] - w[0])))
}

/// Pictures of a camera, as a decoder wants them: a key frame first, whole ones only, and none left out but before a key frame.
fn assert_plays(got: &[Got]) {
    let units = units(got);
    assert!(units.first().is_none_or(|unit| is_key(unit)));
    for unit in &units {
        assert!(is_key(unit) || unit.len() == 2, "{} packets", unit.len());
        assert!(unit.iter().rev().skip(1).all(|(h, _)| !h.marker) && unit.last().unwrap().0.marker);
        assert!(unit.iter().all(|(h, _)| h.timestamp == unit[0].0.timestamp && h.payload_type == 97));
    }
    let headers: Vec<Header> = units.iter().flat_map(|unit| unit.iter()).map(|(h, _)| *h).collect();
    assert!(headers.windows(2).all(|w| w[1].sequence == w[0].sequence.wrapping_add(1) && w[1].ssrc == w[0].ssrc));
    assert!(units.windows(2).all(|w| is_key(w[1]) || w[1][0].0.timestamp == w[0][0].0.timestamp.wrapping_add(3600)));
}

fn format_of(world: &World) -> Got {
    Got::Format { slot: 3, format: world.cameras[0].format }
}

#[test]
fn a_newcomer_gets_format_and_gop_in_the_same_turn_and_then_what_is_live() {
    let mut world = World::new();
    let camera = world.camera(1, 100);
    world.run(1501 * MS);
    let worker = world.worker(2, WIDE);
    assert!(worker.read().is_empty());
    world.core.add_slot(worker.job, 3, camera, world.now);
    let mut got = worker.read();
    assert!(got[0] == format_of(&world) && got.len() == 1 + 38);
    world.run(FRAME * 10);
    let live = worker.read();
    assert!(live.iter().all(|got| matches!(got, Got::Unit { slot: 3, .. })) && live.len() == 10);
    got.extend(live);
    assert_plays(&got);
    let captured = captures(&got);
    assert!(follow(&captured));
    let age = world.moment().monotonic_ns - captured.last().unwrap();
    assert!((10_000_000..52_000_000).contains(&age), "the last picture was captured {age} ns ago");
    assert!(world.asked.is_empty());
    let stats = world.core.stats();
    assert_eq!((stats.sinks, stats.sink_dropped, stats.sink_unusable, stats.dropped), (1, 0, 0, 0));
    assert_eq!(world.core.deadline(), None, "a sink that keeps up needs no timer");
}

#[test]
fn without_a_cache_the_source_is_asked_until_a_key_frame_comes() {
    let mut world = World::new();
    let camera = world.camera(1, 450);
    // beyond its longest span there is no cache
    world.run(16_001 * MS);
    let worker = world.worker(2, WIDE);
    world.core.add_slot(worker.job, 3, camera, world.now);
    world.run(1900 * MS);
    assert!(worker.read() == [format_of(&world)]);
    assert_eq!(world.asked.len(), 4);
    world.run(500 * MS);
    let got = worker.read();
    assert!(is_key(units(&got)[0]));
    assert_plays(&got);
    let asked = world.asked.len();
    assert!(asked == 4 && world.core.stats().sink_unusable > 80);
    // what the worker asks for itself reaches the source, merged
    let mut request = Vec::new();
    encode_keyframe_request(&mut request, 3);
    (0..5).for_each(|_| world.core.message(worker.job, &request, world.moment()));
    world.core.message(worker.job, &[3, 9], world.moment());
    world.run(FRAME);
    assert_eq!((world.asked.len(), world.asked[asked].1, world.core.stats().ignored), (asked + 1, job(1), 1));
}

#[test]
fn a_track_without_a_source_begins_with_its_first_epoch_and_each_one_is_told() {
    let mut world = World::new();
    let (audio, video) = world.camera_with_sound(1, 25, Codec::Opus);
    let worker = world.worker(2, WIDE);
    world.core.add_slot(worker.job, 3, video, world.now);
    world.core.add_slot(worker.job, 4, audio, world.now);
    assert!(worker.read().is_empty());
    world.run(1010 * MS);
    let (sound, picture): (Vec<Got>, Vec<Got>) =
        worker.read().into_iter().partition(|got| matches!(got, Got::Format { slot: 4, .. } | Got::Unit { slot: 4, .. }));
    assert_eq!(sound[0], Got::Format { slot: 4, format: Format { codec: Codec::Opus, profile_level_id: None } });
    assert!(sound.len() > 50 && units(&sound).iter().all(|unit| unit.len() == 1 && unit[0].1.len() == 80));
    let age = world.moment().monotonic_ns - captures(&sound).last().unwrap();
    assert!((30_000_000..51_000_000).contains(&age));
    assert_eq!(picture[0], format_of(&world));
    assert_plays(&picture);

    // the camera's worker is replaced, and the camera became another one
    world.cameras[0].restart();
    world.cameras[0].format = Format { codec: Codec::Vp8, profile_level_id: None };
    world.run(400 * MS);
    let got: Vec<Got> =
        worker.read().into_iter().filter(|got| matches!(got, Got::Format { slot: 3, .. } | Got::Unit { slot: 3, .. })).collect();
    assert!(got[0] == format_of(&world) && units(&got).len() == 10);
    assert_eq!(units(&got)[0][0].1, [0x10, 0, 0, 0], "a key frame");
    let (last, next) = (units(&picture).last().unwrap().last().unwrap().0.sequence, units(&got)[0][0].0.sequence);
    assert_eq!(next, last.wrapping_add(1), "numbers go on");
}

/// Messages of 30 s of the camera take some 900 kB.
#[test]
fn a_full_socket_loses_whole_gops_and_nobody_waits() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let (slow, fast) = (world.worker(2, 60_000), world.worker(3, WIDE));
    for worker in [&slow, &fast] {
        world.core.add_slot(worker.job, 3, camera, world.now);
    }
    world.run(10_000 * MS);
    let before = slow.read();
    assert!(units(&before).len() < 60);
    world.run(FRAME * 2);
    let mut got = before.clone();
    for _ in 0..100 {
        got.extend(slow.read());
        world.run(10 * MS);
    }
    assert_plays(&got);
    let stats = world.core.stats();
    assert!(stats.sink_dropped > 300 && stats.sink_unusable == 0);
    assert!(world.asked.is_empty(), "the cache of the line was enough");
    // what came since the last key frame was kept
    let captured = captures(&got);
    let gaps = captured.windows(2).filter(|w| !follow(w)).count();
    assert_eq!(gaps, 1);
    let age = world.moment().monotonic_ns - captured.last().unwrap();
    assert!(age < 100_000_000, "it has caught up");
    let all = fast.read();
    assert_plays(&all);
    assert!(captures(&all).len() >= 277 && follow(&captures(&all)));
}

#[test]
fn a_line_too_long_is_given_up_and_a_key_frame_asked_for_when_there_is_room() {
    let mut world = World::new();
    // the only key frame is the first
    let camera = world.camera(1, 850);
    let worker = world.worker(2, 40_000);
    world.core.add_slot(worker.job, 3, camera, world.now);
    world.run(30_000 * MS);
    assert!(world.core.stats().sink_dropped > 1000 && world.asked.is_empty(), "nobody reads: a key frame would be for nothing");
    let mut got = worker.read();
    let begun = got.len();
    world.run(1000 * MS);
    assert_eq!(world.asked.len(), 2);
    assert!(units(&worker.read()).is_empty());
    for _ in 0..100 {
        world.run(50 * MS);
        got.extend(worker.read());
    }
    assert!(units(&got).len() > begun + 10);
    assert_plays(&got);
}

#[test]
fn a_frame_of_many_messages_is_finished_before_another_begins() {
    let mut world = World::new();
    let camera = track(1);
    world.core.add_track(camera, Kind::Video);
    world.core.attach_feed(job(1), &[(0, camera)]);
    let worker = world.worker(2, 150_000);
    world.core.add_slot(worker.job, 3, camera, world.now);
    let feed = |world: &mut World, frame: u32, payload: u8| {
        let packets: Vec<Vec<u8>> = (0..200u32)
            .map(|n| {
                let header = Header { marker: n == 199, payload_type: 96, sequence: (frame * 200 + n) as u16, timestamp: frame, ssrc: 1 };
                header.packet(&[&[if n == 0 { payload } else { 0x7c }, 0x05][..], &[0; 1000]].concat())
            })
            .collect();
        let mut messages = vec![];
        if frame == 0 {
            crate::wire::media::encode_format(&mut messages, 0, &Format { codec: Codec::H264, profile_level_id: None });
            world.core.message(job(1), &messages, world.moment());
        }
        let moment = world.moment();
        for message in crate::wire::media::encode_packets(0, moment.monotonic_ns, packets.iter().map(Vec::as_slice)).unwrap() {
            world.core.message(job(1), &message, moment);
        }
        world.core.forward(moment.now);
        world.now += FRAME;
    };
    // the first frame is 200 kB: a part of it fits
    for (frame, payload) in [(0, 0x65), (1, 0x61), (2, 0x65), (3, 0x61)] {
        feed(&mut world, frame, payload);
    }
    let mut got = vec![];
    for _ in 0..20 {
        got.extend(worker.read());
        world.run(60 * MS);
    }
    let packets: Vec<Header> = units(&got).concat().iter().map(|(h, _)| *h).collect();
    let timestamps: Vec<u32> = packets.iter().map(|h| h.timestamp).collect();
    let expected: Vec<u32> = [0, 2, 3].iter().flat_map(|frame| [*frame; 200]).collect();
    assert_eq!(timestamps, expected, "the rest of the first, then from the newest key frame on");
    assert!(packets.windows(2).all(|w| w[1].sequence == w[0].sequence + 1));
    assert_eq!(world.core.stats().sink_dropped, 200);
    // 12 MB and more in less than 4 s
    (4..100).for_each(|frame| feed(&mut world, frame, 0x61));
    let stats = world.core.stats();
    assert!(stats.sink_dropped > 50 * 200, "the line");
    assert_eq!(stats.sink_dropped + stats.sink_unusable, 200 + 95 * 200, "and all after it, but the frame that is begun");
    assert!(world.asked.is_empty());
    let mut begun = worker.read();
    assert!((1..200).contains(&units(&begun).concat().len()));
    feed(&mut world, 100, 0x61);
    world.run(MS);
    assert!(world.asked.is_empty(), "the rest of that frame takes the room");
    begun.extend(worker.read());
    let timestamps: Vec<u32> = units(&begun).concat().iter().map(|(h, _)| h.timestamp).collect();
    assert_eq!(timestamps, [4; 200], "and makes it whole");
    feed(&mut world, 101, 0x61);
    world.run(MS);
    assert_eq!(world.asked.len(), 1);
}

#[test]
fn a_successor_gets_everything_again() {
    let mut world = World::new();
    let camera = world.camera(1, 50);
    let worker = world.worker(2, WIDE);
    world.core.add_slot(worker.job, 3, camera, world.now);
    world.run(1010 * MS);
    let first = worker.read();
    world.core.add_slot(worker.job, 3, camera, world.now);
    let again = worker.read();
    assert_eq!(captures(&again), captures(&first));
    assert!(again[0] == format_of(&world));
    assert_plays(&again);
    // nobody read for long: the successor finds old messages, then its own
    let worker = world.worker(4, 20_000);
    world.core.add_slot(worker.job, 3, camera, world.now);
    world.run(3000 * MS);
    world.core.add_slot(worker.job, 3, camera, world.now);
    let mut got = worker.read();
    let old = got.iter().rposition(|got| *got == format_of(&world)).unwrap();
    assert!((1..20).contains(&old));
    got.drain(..old);
    for _ in 0..40 {
        world.run(50 * MS);
        got.extend(worker.read());
    }
    assert!(got.len() > 50);
    assert_plays(&got);
    assert!(world.asked.is_empty());
}

#[test]
fn slots_end_with_their_track_their_job_or_when_told() {
    let mut world = World::new();
    let (one, two) = (world.camera(1, 25), world.camera(2, 25));
    let (worker, other) = (world.worker(3, WIDE), world.worker(4, WIDE));
    for (slot, track) in [(0, one), (1, two), (2, two)] {
        world.core.add_slot(worker.job, slot, track, world.now);
        world.core.add_slot(other.job, slot, track, world.now);
    }
    // what does not exist is no error
    world.core.add_slot(worker.job, 9, track(77), world.now);
    world.core.add_slot(job(77), 0, one, world.now);
    world.core.remove_slot(job(77), 0);
    world.run(500 * MS);
    let slots = |got: Vec<Got>| -> Vec<u8> {
        let mut slots: Vec<u8> = got
            .iter()
            .map(|got| match got {
                Got::Format { slot, .. } | Got::Unit { slot, .. } => *slot,
            })
            .collect();
        slots.sort();
        slots.dedup();
        slots
    };
    assert_eq!((slots(worker.read()), slots(other.read())), (vec![0, 1, 2], vec![0, 1, 2]));
    world.core.remove_track(one);
    world.core.remove_slot(worker.job, 2);
    world.run(500 * MS);
    assert_eq!((slots(worker.read()), slots(other.read())), (vec![1], vec![1, 2]));
    // the track comes back on a number in use, with all that belongs to a beginning
    world.core.add_track(one, Kind::Video);
    world.cameras[0].restart();
    world.core.add_slot(worker.job, 1, one, world.now);
    world.run(500 * MS);
    let got = worker.read();
    assert!(matches!(got[0], Got::Format { slot: 1, .. }) && units(&got).len() > 10);
    assert_plays(&got);
    world.core.detach_sink(worker.job);
    assert!(worker.is_alone());
    other.die();
    world.run(1000 * MS);
    world.core.message(other.job, &[3, 1], world.moment());
    world.core.detach_sink(other.job);
    let stats = world.core.stats();
    assert_eq!((stats.sinks, stats.sink_dropped, stats.sink_unusable), (0, 0, 0));
    assert!(worker.read().is_empty() && world.core.deadline().is_none());
}

/// A picture of four packets: its number and the packet's own stand behind the VP8 descriptor and payload header.
fn show_in_parts(world: &mut World, index: usize) {
    let (mut tick, mut answered, mut keyframe) = (0u32, 0, true);
    world.shows.push(Box::new(move |clients, now| {
        let client = &mut clients[index];
        if client.connected.is_none() {
            return;
        }
        tick += 1;
        if tick.is_multiple_of(40) {
            keyframe |= client.plis.len() > answered;
            answered = client.plis.len();
            for part in 0..4u8 {
                let start = if part == 0 { 0x10 } else { 0 };
                let payload = [&[start, u8::from(!keyframe), part][..], &(tick / 40).to_be_bytes(), &[9; 800]].concat();
                client.write_part(1, 1_000_000 + tick * 90, now - 5 * MS, &payload, part == 3);
            }
            keyframe = false;
        }
    }));
}

/// The pictures a worker got: (number, key frame?). Each is whole, and the numbers of its packets have no hole.
fn pictures(got: &[Got]) -> Vec<(u32, bool)> {
    let mut before = None;
    let mut pictures = vec![];
    for packets in got.iter().map(Got::packets).filter(|packets| !packets.is_empty()) {
        let parts: Vec<u8> = packets.iter().map(|(_, payload)| payload[2]).collect();
        let markers: Vec<bool> = packets.iter().map(|(header, _)| header.marker).collect();
        assert_eq!((&parts[..], &markers[..]), (&[0, 1, 2, 3][..], &[false, false, false, true][..]));
        for (header, payload) in packets {
            assert!(before.is_none_or(|before: u16| header.sequence == before.wrapping_add(1)));
            assert_eq!((payload[3..7].to_vec(), header.timestamp), (packets[0].1[3..7].to_vec(), packets[0].0.timestamp));
            before = Some(header.sequence);
        }
        let payload = &packets[0].1;
        pictures.push((u32::from_be_bytes([payload[3], payload[4], payload[5], payload[6]]), payload[1] & 1 == 0));
    }
    pictures
}

#[test]
fn a_worker_gets_whole_pictures_of_a_publisher_who_loses_packets() {
    let mut world = World::new();
    tracks(&mut world);
    let publisher = world.publisher(Client::publisher(peer(1), world.now), publish(1));
    let worker = world.worker(2, 16 << 20);
    world.core.add_slot(worker.job, 0, track(11), world.now);
    show_in_parts(&mut world, publisher);
    world.run(1000 * MS);
    let mut got = worker.read();
    assert!(matches!(got[0], Got::Format { slot: 0, format } if format.codec == Codec::Vp8));
    // each seventh packet is lost, and comes again by RTX
    let (from, mut count) = (world.clients[publisher].address, 0);
    world.filter = Box::new(move |f| {
        count += u32::from(f.from == from && f.bytes.len() > 600);
        f.from != from || f.bytes.len() <= 600 || !count.is_multiple_of(7)
    });
    world.run(3000 * MS);
    world.filter = Box::new(|_| true);
    world.run(400 * MS);
    got.extend(worker.read());
    let repaired = pictures(&got);
    assert!(repaired.len() > 90 && repaired.windows(2).all(|w| w[1].0 == w[0].0 + 1), "{repaired:?}");
    let asked = world.clients[publisher].plis.len();
    assert_eq!((repaired.iter().filter(|(_, key)| *key).count(), world.core.stats().sink_unusable), (asked.max(1), 0));
    let captured = captures(&got);
    assert!(captured.windows(2).skip(30).all(|w| w[1] - w[0] == 40_000_000), "a repaired picture keeps its time");
    assert!(captured.iter().all(|at| *at <= world.moment().monotonic_ns));

    // nothing comes for longer than it is waited for
    let lost_at = world.now;
    world.filter = Box::new(move |f| f.from != from || f.bytes.len() <= 600);
    world.run(60 * MS);
    let client = &world.clients[publisher];
    let media = *client.rtc.media(client.mids[1]).unwrap().remote_pts()[0];
    // and no retransmission ever does
    world.filter = Box::new(move |f| f.from != from || f.bytes.len() <= 600 || f.bytes[1] & 0x7f == media);
    world.until(2000 * MS, |w| w.clients[publisher].plis.len() > asked);
    assert!(world.now - lost_at < 500 * MS);
    world.run(1000 * MS);
    let rest = pictures(&worker.read());
    let at = rest.windows(2).position(|w| w[1].0 != w[0].0 + 1).map_or(0, |at| at + 1);
    assert!(rest[at].1, "it goes on with a key frame");
    let last = repaired.last().unwrap().0;
    assert!(rest[0].0 > last && rest[at..].windows(2).all(|w| w[1].0 == w[0].0 + 1) && rest.len() - at > 15);
    assert!(world.core.stats().sink_unusable > 0);
}
