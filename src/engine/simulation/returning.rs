//! Publishers that come back on another transport, and what their viewers and recorders get of it.

use super::publishing::{perform, publish, tracks};
use super::*;
use crate::engine::api::Closed;
use str0m::media::{Direction, MediaKind};

/// What a viewer got on its line `since` it was live has no seam: numbers without a gap, and a clock that goes on by the time that passed.
fn seamless(world: &mut World, since: Instant, viewer: usize, line: usize, rate: f64) {
    let mut packets = world.clients[viewer].packets(line);
    packets.retain(|(at, _)| *at >= since);
    let (first, last) = (packets.first().unwrap(), packets.last().unwrap());
    assert!(packets.windows(2).all(|pair| *pair[1].1.seq_no == *pair[0].1.seq_no + 1), "line {line}");
    let step = |pair: &[(Instant, &RtpPacket)]| pair[1].1.header.timestamp.wrapping_sub(pair[0].1.header.timestamp) as i32;
    assert!(packets.windows(2).all(|pair| step(pair) > 0), "line {line}");
    let told = f64::from(last.1.header.timestamp.wrapping_sub(first.1.header.timestamp)) / rate;
    let passed = (last.0 - first.0).as_secs_f64();
    assert!((told - passed).abs() < 0.15, "line {line}: {told} s told, {passed} s passed");
}

/// A publisher that has sent for a second, and since when a viewer of it is live.
fn watched() -> (World, usize, usize, Instant) {
    let mut world = World::new();
    tracks(&mut world);
    let first = world.publisher(Client::publisher(peer(1), world.now), publish(1));
    perform(&mut world, first, 5 * MS);
    world.run(1000 * MS);
    let viewer = world.viewer(2, Some(track(10)), Some(track(11)));
    // what is paced is over by then
    world.run(2000 * MS);
    let live = world.now;
    (world, first, viewer, live)
}

/// Lets a second client take the tracks of the first over.
fn takes_over(world: &mut World, number: u32) {
    let index = world.publisher(Client::publisher(peer(number), world.now), publish(number));
    world.shows.clear();
    perform(world, index, 5 * MS);
}

#[test]
fn while_the_old_transport_still_sends() {
    let (mut world, first, viewer, live) = watched();
    for number in [3, 4] {
        // both send until the first is removed
        let index = world.publisher(Client::publisher(peer(number), world.now), publish(number));
        perform(&mut world, index, 5 * MS);
        world.until(1000 * MS, |w| w.connected(number));
        // its first key frame goes to waste: it has to be asked for another
        world.run(200 * MS);
        let old = if number == 3 { peer(1) } else { peer(3) };
        world.core.remove_peer(old, world.now);
        drop(world.shows.remove(0));
        let before = world.clients[viewer].packets(1).len();
        world.until(1000 * MS, |w| !w.clients[index].plis.is_empty());
        world.run(1000 * MS);
        assert!(world.clients[viewer].packets(1).len() > before + 15, "{number}");
    }
    assert!(!world.clients[first].rtc.is_alive(), "the old transport was told");
    seamless(&mut world, live, viewer, 0, 48_000.0);
    seamless(&mut world, live, viewer, 1, 90_000.0);
    assert_eq!(world.core.stats().peers, 2);
}

#[test]
fn after_a_bug_that_only_it_met() {
    let (mut world, _, viewer, live) = watched();
    world.core.turn(peer(1), world.now, |_| panic!("a bug"));
    world.run(500 * MS);
    assert_eq!((world.closed(1), world.closed(2), world.core.stats().panics), (Some(Closed::Failure), None, 1));
    takes_over(&mut world, 3);
    world.run(1500 * MS);
    seamless(&mut world, live, viewer, 0, 48_000.0);
    seamless(&mut world, live, viewer, 1, 90_000.0);
}

#[test]
fn and_watches_itself_again() {
    let mut world = World::new();
    tracks(&mut world);
    let lines = [(MediaKind::Audio, Direction::SendRecv), (MediaKind::Video, Direction::SendRecv)];
    for number in [1, 2] {
        let client = Client::new(peer(number), world.now, &lines, Client::codecs());
        let index = world.publisher(client, |offer| Publish { loopback: true, ..publish(number)(offer) });
        if number == 2 {
            world.core.remove_peer(peer(1), world.now);
        }
        world.shows.clear();
        perform(&mut world, index, 5 * MS);
        world.run(1500 * MS);
        let client = &mut world.clients[index];
        assert!(client.packets(0).len() > 50 && client.packets(1).len() > 25, "{number}");
    }
    assert_eq!(world.core.stats().peers, 1);
}

#[test]
fn and_the_recorder_hears_of_the_new_format() {
    let mut world = World::new();
    tracks(&mut world);
    let first = world.publisher(Client::publisher(peer(1), world.now), publish(1));
    perform(&mut world, first, 5 * MS);
    let recorder = world.worker(1, 4 << 20);
    world.core.add_slot(job(1), 0, track(11), world.now);
    world.run(1500 * MS);
    takes_over(&mut world, 3);
    world.core.remove_peer(peer(1), world.now);
    world.run(1500 * MS);
    let got = recorder.read();
    let formats: Vec<usize> = got.iter().enumerate().filter(|(_, got)| matches!(got, Got::Format { .. })).map(|(at, _)| at).collect();
    assert_eq!(formats.len(), 2, "one for each transport");
    assert!(formats[1] > 20 && got.len() > formats[1] + 20, "{formats:?} of {}", got.len());
}
