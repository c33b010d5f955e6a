//! Joins over networks that lose: whatever of the first datagrams is lost, the picture stands at once and not a GOP later.

use super::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::HashMap;

/// A browser without a picture asks for one as soon as it has an ordinary frame, and again each time this has passed.
const INSISTS: Duration = Duration::from_millis(200);
/// Pictures between two key frames: 10 s.
const LONG: u32 = 250;

/// When the line `line` first had a whole picture to begin with: a key frame without a gap, from its parameter sets to its end.
fn pictured(client: &mut Client, line: usize) -> Option<Instant> {
    let packets = client.packets(line);
    let begins = |at: usize| packets[at].1.payload[0] & 0x1f == 7;
    let by_number: HashMap<u64, usize> = packets.iter().enumerate().map(|(at, (_, p))| (*p.seq_no, at)).collect();
    let whole = |first: usize| {
        let mut last = packets[first].0;
        for number in *packets[first].1.seq_no.. {
            let (at, packet) = &packets[*by_number.get(&number)?];
            last = last.max(*at);
            if packet.header.marker {
                return Some(last);
            }
        }
        None
    };
    (0..packets.len()).filter(|at| begins(*at)).filter_map(whole).min()
}

/// Lets a client ask for what it lacks, as browsers do.
fn insists(world: &mut World, index: usize, line: usize) {
    let mut asked: Option<Instant> = None;
    world.shows.push(Box::new(move |clients, now| {
        let client = &mut clients[index];
        let ordinary = client.packets(line).iter().any(|(_, p)| p.header.marker && p.payload[0] & 0x1f == 28 && p.payload[1] & 0x1f == 1);
        let due = asked.is_none_or(|asked| now - asked >= INSISTS);
        if ordinary && due && pictured(client, line).is_none() {
            asked = Some(now);
            client.pli(line);
        }
    }));
}

/// A camera whose last key frame is 7 s old.
fn old_gop() -> (World, TrackId) {
    let mut world = World::new();
    let camera = world.camera(1, LONG);
    world.run(7000 * MS);
    (world, camera)
}

/// How long after its transport was up the viewer had a picture.
fn waited(world: &mut World, viewer: usize) -> Duration {
    world.until(30_000 * MS, |w| w.clients[viewer].connected.is_some());
    let limit = world.now + 8000 * MS;
    loop {
        let client = &mut world.clients[viewer];
        if let (Some(up), Some(picture)) = (client.connected, pictured(client, 1)) {
            return picture.saturating_duration_since(up);
        }
        assert!(world.now < limit, "no picture, {} packets", client.got.len());
        world.run(5 * MS);
    }
}

/// Is this the last flight of the box's handshake (DTLS 1.2: it begins with ChangeCipherSpec)?
fn last_flight(flying: &Flying) -> bool {
    flying.from == SocketAddr::from(BOX) && flying.bytes[0] == 20
}

#[test]
fn the_last_flight_of_the_handshake_is_lost() {
    // the client of this test repeats its own after 1, 3 and 7 s
    for lost in 1..=3 {
        let (mut world, camera) = old_gop();
        let viewer = world.viewer(1, None, Some(camera));
        insists(&mut world, viewer, 1);
        let flights = Rc::new(Cell::new(0));
        let count = flights.clone();
        world.filter = Box::new(move |flying| {
            count.set(count.get() + usize::from(last_flight(flying)));
            !last_flight(flying) || count.get() > lost
        });
        let took = waited(&mut world, viewer);
        println!("{lost} lost: a picture {took:?} after the client was up");
        assert!(flights.get() > lost, "the flight was lost and came again");
        assert!(took < 150 * MS, "{took:?}");
        assert!(world.asked.is_empty(), "the camera pays nothing: {:?}", world.asked);
        let now = world.now;
        world.run(3000 * MS);
        let packets = world.clients[viewer].packets(1);
        let mut numbers: Vec<u64> = packets.iter().filter(|(at, _)| *at > now).map(|(_, p)| *p.seq_no).collect();
        numbers.sort_unstable();
        assert!(numbers.len() > 100 && numbers.windows(2).all(|w| w[1] == w[0] + 1), "and it goes on");
    }
}

#[test]
fn the_head_of_the_first_key_frame_is_lost() {
    for lost in 1..=4 {
        let (mut world, camera) = old_gop();
        let viewer = world.viewer(1, None, Some(camera));
        insists(&mut world, viewer, 1);
        let (address, mut count) = (world.clients[viewer].address, 0);
        world.filter = Box::new(move |flying| {
            let media = flying.to == address && (128..192).contains(&flying.bytes[0]) && !(192..224).contains(&flying.bytes[1]);
            count += usize::from(media);
            !media || count > lost
        });
        let took = waited(&mut world, viewer);
        println!("{lost} lost: a picture after {took:?}");
        assert!(took < 400 * MS, "{lost} lost: {took:?}");
    }
}

#[test]
fn a_tenth_of_everything_is_lost() {
    let mut waits: Vec<Duration> = (0..60)
        .map(|seed| {
            let (mut world, camera) = old_gop();
            let viewer = world.viewer(1, None, Some(camera));
            insists(&mut world, viewer, 1);
            let mut random = StdRng::seed_from_u64(seed);
            world.filter = Box::new(move |_| !random.random_bool(0.1));
            waited(&mut world, viewer)
        })
        .collect();
    waits.sort_unstable();
    let (median, last) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!("a picture {median:?} after the client was up in the median, {last:?} at the latest");
    // the next key frame of the camera is 3 s away
    assert!(median < 200 * MS && last < 1500 * MS, "{waits:?}");
}

#[test]
fn a_viewer_that_asks_without_end_begins_a_bounded_number_of_times() {
    let (mut world, camera) = old_gop();
    let viewer = world.viewer(1, None, Some(camera));
    world.until(1000 * MS, |w| w.clients[viewer].connected.is_some());
    world.run(50 * MS);
    let begun = |world: &mut World| world.clients[viewer].packets(1).iter().filter(|(_, p)| p.payload[0] & 0x1f == 7).count();
    for _ in 0..280 {
        world.clients[viewer].pli(1);
        world.run(10 * MS);
    }
    let times = begun(&mut world);
    assert!((2..=6).contains(&times), "{times} times");
    // from then on the camera is asked, as for everybody
    assert!(!world.asked.is_empty());
    world.run(1000 * MS);
    let asked = world.asked.len();
    let before = begun(&mut world);
    world.clients[viewer].pli(1);
    world.run(20 * MS);
    assert_eq!((world.asked.len(), begun(&mut world)), (asked + 1, before));
}
