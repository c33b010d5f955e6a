//! Broken input, in bulk: whatever comes from strangers, under a viewer's own address or from a worker, a healthy viewer's media
//! goes on, nobody is closed, nothing panics and nothing grows. What is sent, and how to send more: `tests/fuzz/README.md`.

use super::camera::FRAME;
use super::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Changed inputs of one sweep.
const ROUNDS: usize = 4000;
/// Bytes of a datagram, at most.
const DATAGRAM: usize = 1500;
/// Inputs in each millisecond.
const A_STEP: usize = 10;

pub(super) fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

pub(super) fn random() -> StdRng {
    StdRng::seed_from_u64(setting("SWEEP_SEED", 1) as u64)
}

/// The datagrams worth remembering.
fn remembered() -> Vec<Vec<u8>> {
    let text = include_str!("../../../tests/fuzz/datagrams.txt");
    let hex = |digits: &str| (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex")).collect();
    text.lines().map(|line| hex(line.rsplit(": ").next().expect("name: hex"))).collect()
}

/// One input changed in one to four ways, of `most` bytes at most.
pub(super) fn changed(random: &mut StdRng, corpus: &[Vec<u8>], most: usize) -> Vec<u8> {
    let mut bytes = corpus[random.random_range(0..corpus.len())].clone();
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..7) {
            0 => bytes.truncate(at),
            1 => bytes.extend(std::iter::repeat_n(random.random::<u8>(), random.random_range(0..40))),
            2 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            3 if at < bytes.len() => bytes[at] = [0, 0xff, 0x7f, 0x80, 1][random.random_range(0..5)],
            // a length that lies
            4 if at + 2 <= bytes.len() => bytes[at..at + 2].copy_from_slice(&random.random::<u16>().to_be_bytes()),
            5 => bytes.insert(at, random.random()),
            _ => {
                let other = &corpus[random.random_range(0..corpus.len())];
                let from = random.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes.truncate(most);
    bytes
}

/// A box with a camera and a healthy viewer of it, and what that viewer sent since it came.
fn healthy() -> (World, usize, Vec<Vec<u8>>) {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let sent = Rc::new(RefCell::new(vec![]));
    let seen = sent.clone();
    world.filter = Box::new(move |flying| {
        if flying.to == SocketAddr::from(BOX) {
            seen.borrow_mut().push(flying.bytes.clone());
        }
        true
    });
    let viewer = world.viewer(1, None, Some(camera));
    world.run(1500 * MS);
    world.filter = Box::new(|_| true);
    assert!(world.clients[viewer].got.len() > 30);
    (world, viewer, sent.take())
}

/// The viewer has every packet of the last span, and is still there.
fn goes_on(world: &mut World, viewer: usize, since: Instant) {
    world.run(200 * MS);
    let now = world.now;
    assert_eq!((world.closed(1), world.core.stats().panics), (None, 0));
    let packets = world.clients[viewer].packets(1);
    let fresh: Vec<_> = packets.iter().filter(|(at, _)| *at >= since).collect();
    assert!(fresh.len() > 6 && now - fresh.last().expect("it has packets").0 <= FRAME + 2 * LATENCY);
    assert!(fresh.windows(2).all(|pair| *pair[1].1.seq_no == *pair[0].1.seq_no + 1), "not a packet is missing");
}

#[test]
fn datagrams_of_strangers_and_under_a_viewers_own_address() {
    let (mut world, viewer, sent) = healthy();
    let (mut random, since) = (random(), world.now);
    let corpus = [remembered(), sent].concat();
    let own = path(world.clients[viewer].seen_as);
    for round in 0..setting("SWEEP_ROUNDS", ROUNDS) {
        // as they are once, changed from then on
        let datagram = corpus.get(round).cloned().unwrap_or_else(|| changed(&mut random, &corpus, DATAGRAM));
        let stranger = path(([203, 0, 113, random.random()], random.random_range(1..u16::MAX)));
        let over_tcp = Path::tcp(stranger.local, stranger.remote);
        for path in [own, stranger, over_tcp] {
            world.core.datagram(path, &datagram, world.now);
        }
        if round % A_STEP == 0 {
            world.step();
        }
    }
    goes_on(&mut world, viewer, since);
    assert_eq!(world.core.stats().peers, 1);
}

#[test]
fn datagrams_while_another_one_shakes_hands() {
    let (mut world, viewer, sent) = healthy();
    let (mut random, since) = (random(), world.now);
    let corpus = [remembered(), sent].concat();
    for number in 2..6 {
        let newcomer = world.viewer(number, None, Some(track(1)));
        let own = path(world.clients[newcomer].seen_as);
        for _ in 0..200 {
            let datagram = changed(&mut random, &corpus, DATAGRAM);
            world.core.datagram(own, &datagram, world.now);
            world.step();
        }
    }
    goes_on(&mut world, viewer, since);
}

/// What is right to the transport and wrong inside: a publisher whose encoder is broken, or that means harm.
#[test]
fn packets_of_a_publisher() {
    let (mut world, viewer, _) = healthy();
    let (mut random, since) = (random(), world.now);
    super::publishing::tracks(&mut world);
    for codec in [Codec::Vp8, Codec::H264] {
        let number = if codec == Codec::Vp8 { 2 } else { 3 };
        let publish = |offer| Publish { video_codecs: vec![codec], ..super::publishing::publish(number)(offer) };
        let rogue = world.publisher(Client::publisher(peer(number), world.now), publish);
        let watcher = world.viewer(number + 10, Some(track(10)), Some(track(11)));
        let worker = world.worker(number, 1 << 20);
        world.core.add_slot(worker.job, 0, track(11), world.now);
        world.core.add_slot(worker.job, 1, track(10), world.now);
        world.until(3000 * MS, |w| w.clients[rogue].connected.is_some() && w.clients[watcher].connected.is_some());
        let corpus: Vec<Vec<u8>> = match codec {
            Codec::Vp8 => vec![vec![0x10, 0, 0, 0, 0x9d, 1, 0x2a, 64, 0, 48, 0], vec![0x90, 0x80, 0x81, 2, 1, 0], vec![0x10, 1, 9, 9]],
            _ => vec![
                vec![0x67, 0x64, 0, 0x28, 0xac],
                vec![0x68, 0xee, 0x3c, 0x80],
                vec![0x7c, 0x85, 1, 2, 3],
                vec![0x7c, 0x45, 4],
                vec![0x78, 0, 2, 0x67, 0x64, 0, 2, 0x68, 0xee],
            ],
        };
        for round in 0..setting("SWEEP_ROUNDS", ROUNDS) as u32 {
            let payload = corpus.get(round as usize).cloned().unwrap_or_else(|| changed(&mut random, &corpus, 1100));
            let now = world.now;
            world.clients[rogue].write_part(1, round / 3 * random.random_range(1..9000), now, &payload, random.random());
            world.clients[rogue].write_part(0, round * 960, now, &payload, false);
            if round % A_STEP as u32 == 0 {
                world.step();
            }
        }
        world.run(200 * MS);
        assert_eq!((world.closed(number), world.closed(number + 10)), (None, None), "{codec:?}");
        world.core.remove_peer(peer(number), world.now);
        world.core.remove_peer(peer(number + 10), world.now);
        world.core.detach_sink(worker.job);
    }
    goes_on(&mut world, viewer, since);
}

#[test]
fn messages_of_workers() {
    let (mut world, viewer, _) = healthy();
    let (mut random, since) = (random(), world.now);
    // one broken worker that fills a track and one that is given it; the healthy viewer watches another camera
    world.core.add_track(track(2), Kind::Video);
    world.core.attach_feed(job(2), &[(0, track(2))]);
    let watcher = world.viewer(2, None, Some(track(2)));
    let worker = world.worker(3, 1 << 20);
    world.core.add_slot(worker.job, 0, track(1), world.now);
    let mut source = Camera::new(job(2), world.now, 25);
    let mut corpus = vec![vec![3, 0], vec![0], vec![]];
    for ms in 0..2000 {
        let moment = Moment { now: world.now + ms * MS, ..world.moment() };
        corpus.extend(source.shoot(moment));
    }
    assert!(corpus.len() > 10);
    for round in 0..setting("SWEEP_ROUNDS", ROUNDS) {
        let message = corpus.get(round).cloned().unwrap_or_else(|| changed(&mut random, &corpus, DATAGRAM));
        let moment = world.moment();
        world.core.message(job(2), &message, moment);
        world.core.message(worker.job, &message, moment);
        world.core.message(job(99), &message, moment);
        if round % A_STEP == 0 {
            world.step();
        }
    }
    goes_on(&mut world, viewer, since);
    assert!(world.clients[watcher].connected.is_some() && world.closed(2).is_none());
}

#[test]
fn candidates() {
    let (mut world, viewer, _) = healthy();
    let (mut random, since) = (random(), world.now);
    let corpus: Vec<Vec<u8>> = [
        "candidate:1 1 udp 2122260223 198.51.100.9 54321 typ host generation 0 ufrag abcd network-id 1",
        "candidate:2 1 tcp 1518280447 198.51.100.9 9 typ host tcptype active generation 0",
        "candidate:3 1 udp 1686052607 203.0.113.9 6000 typ srflx raddr 198.51.100.9 rport 6000",
        "candidate:4 1 udp 41819902 fd00::1 6001 typ relay raddr :: rport 0",
        "candidate:5 1 udp 2122260223 8f3a.local 54321 typ host",
        "a=candidate:6 2 udp 1 255.255.255.255 65535 typ prflx",
        "",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    for round in 0..500 {
        let candidate = corpus.get(round).cloned().unwrap_or_else(|| changed(&mut random, &corpus, DATAGRAM));
        world.core.candidate(peer(1), String::from_utf8_lossy(&candidate).into_owned(), world.now);
        world.step();
    }
    goes_on(&mut world, viewer, since);
}
