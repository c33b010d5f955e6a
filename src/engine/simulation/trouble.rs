//! What goes wrong, and whom it costs.

use super::camera::FRAME;
use super::*;
use crate::engine::api::{Closed, Refusal};
use crate::engine::core::Worth;
use crate::rtp::Codec;
use proptest::prelude::*;

#[test]
fn a_viewer_that_hangs_costs_nobody_else_and_is_closed() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let (hangs, watches) = (world.viewer(1, None, Some(camera)), world.viewer(2, None, Some(camera)));
    world.run(1000 * MS);
    world.clients[hangs].stalled = true;
    let took = world.until(40_000 * MS, |w| w.closed(1).is_some());
    assert_eq!(world.closed(1), Some(Closed::IceLost), "after {took:?}");
    assert_eq!(world.closed(2), None);
    let now = world.now;
    let packets = world.clients[watches].packets(1);
    assert!(packets.windows(2).all(|w| *w[1].1.seq_no == *w[0].1.seq_no + 1 && w[1].0 - w[0].0 <= FRAME + 2 * MS));
    assert!(now - packets.last().unwrap().0 <= FRAME + LATENCY);
}

/// RFC 7675: consent expires within 30 s, and then nothing is sent any more, not even a goodbye.
#[test]
fn a_peer_that_vanishes_is_sent_nothing_once_its_consent_has_expired() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let viewer = world.viewer(1, None, Some(camera));
    world.until(1000 * MS, |w| w.clients[viewer].got.len() > 10);
    world.clients[viewer].stalled = true;
    let vanished = world.clients[viewer].seen_as;
    let last = Rc::new(RefCell::new(None));
    let (heard, begin) = (last.clone(), world.now);
    world.filter = Box::new(move |flying| {
        if flying.to == vanished {
            *heard.borrow_mut() = Some(flying.at);
        }
        true
    });
    let took = world.until(30_000 * MS, |w| w.closed(1).is_some());
    let end = world.now;
    world.run(10_000 * MS);
    assert_eq!((world.closed(1), world.core.stats().peers), (Some(Closed::IceLost), 0), "after {took:?}");
    let sent = last.borrow().unwrap();
    assert!(sent <= end + LATENCY, "still sent {:?} after the end", sent - end);
    assert!(sent - begin > 5000 * MS, "a short silence is no end");
}

#[test]
fn a_short_silence_ends_nothing() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let viewer = world.viewer(1, None, Some(camera));
    world.run(1000 * MS);
    world.clients[viewer].stalled = true;
    world.run(8000 * MS);
    world.clients[viewer].stalled = false;
    let before = world.clients[viewer].got.len();
    world.until(3000 * MS, |w| w.clients[viewer].got.len() > before + 10);
    world.run(20_000 * MS);
    assert_eq!(world.closed(1), None);
}

#[test]
fn handshakes_that_are_never_finished_are_bounded_and_freed() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let (offer, mut refused) = (Client::viewer(peer(1), world.now).offer(), 0);
    for number in 1..=600 {
        let subscribe = Subscribe { peer: peer(number), offer: offer.clone(), audio: None, video: Some(camera) };
        world.core.subscribe(subscribe, world.now);
        world.collect();
        refused += usize::from(matches!(world.seen.last(), Some(Event::Refused { refusal: Refusal::Busy, .. })));
    }
    assert_eq!((refused, world.core.stats().peers), (600 - 512, 512));
    for _ in 0..31 {
        world.now += 1000 * MS;
        world.core.timeout(world.now);
        world.core.flush();
        while !world.core.deliver() {
            world.collect();
        }
        world.collect();
    }
    assert_eq!((world.closed(1), world.core.stats().peers), (Some(Closed::NeverConnected), 0));
    let viewer = world.viewer(1000, None, Some(camera));
    world.until(1000 * MS, |w| w.clients[viewer].got.len() > 10);
}

/// The next ICE check of a viewer.
fn last_check(world: &mut World, viewer: usize) -> Vec<u8> {
    let found = Rc::new(RefCell::new(None));
    let (seen, from) = (found.clone(), world.clients[viewer].seen_as);
    world.filter = Box::new(move |flying| {
        if flying.from == from && super::super::stun::is_request(&flying.bytes) {
            *seen.borrow_mut() = Some(flying.bytes.clone());
        }
        true
    });
    world.until(10_000 * MS, |_| found.borrow().is_some());
    world.filter = Box::new(|_| true);
    found.take().unwrap()
}

#[test]
fn a_check_with_a_wrong_password_changes_nothing() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let viewer = world.viewer(1, None, Some(camera));
    world.run(500 * MS);
    let mut check = last_check(&mut world, viewer);
    // inside MESSAGE-INTEGRITY, before the 8 bytes of FINGERPRINT
    let at = check.len() - 12;
    check[at] ^= 1;
    let forged = path(([203, 0, 113, 7], 4000));
    for _ in 0..5000 {
        assert_eq!(world.core.datagram(forged, &check, world.now), Worth::Nothing);
        world.run(MS);
    }
    let now = world.now;
    assert!(now - world.clients[viewer].packets(1).last().unwrap().0 <= FRAME + 2 * LATENCY, "its picture goes on");
}

#[test]
fn a_right_check_under_a_forged_address_moves_no_media_there() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let viewer = world.viewer(1, None, Some(camera));
    world.run(500 * MS);
    let check = last_check(&mut world, viewer);
    let victim: SocketAddr = ([203, 0, 113, 7], 4000).into();
    let sent = Rc::new(RefCell::new(vec![]));
    let there = sent.clone();
    world.filter = Box::new(move |flying| {
        if flying.to == victim {
            there.borrow_mut().push(flying.bytes[0]);
        }
        true
    });
    // the viewer itself, silent where it was, says that it is there now: whoever is there did not ask for media
    world.clients[viewer].stalled = true;
    for _ in 0..100 {
        world.core.datagram(path(victim), &check, world.now);
        world.run(100 * MS);
    }
    let sent = sent.borrow();
    assert!(!sent.is_empty() && sent.iter().all(|first| *first < 4), "only checks and answers: {sent:?}");
    assert!(sent.len() < 250, "{} datagrams for 100", sent.len());
}

#[test]
fn nobody_takes_the_path_of_another_who_uses_it() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let (rogue, victim) = (world.viewer(1, None, Some(camera)), world.viewer(2, None, Some(camera)));
    world.run(500 * MS);
    let check = last_check(&mut world, rogue);
    let at = path(world.clients[victim].seen_as);
    for _ in 0..3000 {
        world.core.datagram(at, &check, world.now);
        world.run(MS);
    }
    assert_eq!(world.closed(2), None);
    world.run(30_000 * MS);
    assert_eq!((world.closed(1), world.closed(2)), (None, None), "both are heard");
}

#[test]
fn a_viewer_whose_way_is_full_goes_on_with_a_key_frame_when_there_is_room() {
    let mut world = World::new();
    let camera = world.camera(1, 250);
    let (slow, other) = (world.viewer(1, None, Some(camera)), world.viewer(2, None, Some(camera)));
    world.run(2000 * MS);
    let remote = world.clients[slow].seen_as;
    world.slow.set(Some(remote));
    let asked = world.asked.len();
    world.run(2000 * MS);
    assert_eq!(world.asked.len(), asked, "nobody else pays for it with key frames");
    let before = world.clients[slow].got.len();
    world.slow.set(None);
    world.run(1000 * MS);
    assert_eq!(world.clients[slow].got.len(), before, "without its key frame there is nothing to show");
    world.core.relieved(path(remote), world.now);
    world.run(10 * MS);
    assert_eq!(world.asked.len(), asked + 1);
    world.run(10_000 * MS);
    let (fresh, whole) = (world.clients[slow].got.len() - before, world.clients[other].packets(1).len());
    assert!(fresh > 10 && whole > 300);
    assert_eq!((world.closed(1), world.closed(2)), (None, None));
}

#[test]
fn a_join_survives_the_loss_of_any_datagram_of_the_handshake() {
    for lost in 0..10 {
        let mut world = World::new();
        let camera = world.camera(1, 25);
        let viewer = world.viewer(1, None, Some(camera));
        let mut handshake = 0;
        world.filter = Box::new(move |f| {
            // checks and DTLS (RFC 7983); media passes
            handshake += usize::from(f.bytes[0] < 64);
            f.bytes[0] >= 64 || handshake != lost + 1
        });
        // str0m's DTLS repeats a flight after 1 s
        world.until(3000 * MS, |w| w.connected(1) && w.clients[viewer].got.len() > 10);
        assert_eq!(world.closed(1), None, "without the {lost}th");
    }
}

#[test]
fn who_never_connects_is_closed_after_half_a_minute() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let viewer = world.viewer(1, None, Some(camera));
    world.clients[viewer].stalled = true;
    let took = world.until(35_000 * MS, |w| w.closed(1).is_some());
    assert_eq!((world.closed(1), took.as_secs()), (Some(Closed::NeverConnected), 30));
    assert_eq!(world.core.stats().peers, 0);
}

#[test]
fn a_peer_that_says_goodbye_is_closed_at_once_and_one_that_is_removed_says_nothing() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let leaves = world.viewer(1, None, Some(camera));
    world.viewer(2, None, Some(camera));
    world.run(500 * MS);
    world.clients[leaves].close();
    let took = world.until(1000 * MS, |w| w.closed(1).is_some());
    assert_eq!(world.closed(1), Some(Closed::ByPeer));
    assert!(took < 100 * MS);
    world.core.remove_peer(peer(2), world.now);
    world.run(500 * MS);
    assert_eq!((world.closed(2), world.core.stats().peers), (None, 0));
    assert!(!world.clients[1].rtc.is_alive(), "it was told");
}

#[test]
fn a_router_that_gives_a_viewer_another_port_is_followed() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let viewer = world.viewer(1, None, Some(camera));
    world.run(2000 * MS);
    let client = &mut world.clients[viewer];
    client.seen_as.set_port(client.address.port() + 20_000);
    let before = client.got.len();
    let took = world.until(10_000 * MS, |w| w.clients[viewer].got.len() > before + 10);
    assert!(took < 3000 * MS, "{took:?}");
    world.run(30_000 * MS);
    assert_eq!(world.closed(1), None, "and it stays");
}

#[test]
fn a_candidate_may_come_before_its_peer() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let mut client = Client::viewer(peer(1), world.now);
    let offer = client.offer();
    let (offer, candidate): (Vec<&str>, Vec<&str>) = offer.lines().partition(|l| !l.starts_with("a=candidate"));
    for odd in ["", "candidate:1 1 udp 2122 a8f3.local 5000 typ host", "candidate:nonsense", "candidate:1 1 tcp 1 192.0.2.5 9 typ host"] {
        world.core.candidate(peer(1), odd.into(), world.now);
    }
    world.core.candidate(peer(1), candidate[0].into(), world.now);
    let offer = offer.join("\r\n") + "\r\n";
    world.core.subscribe(Subscribe { peer: peer(1), offer, audio: None, video: Some(camera) }, world.now);
    world.clients.push(client);
    world.collect();
    let Some(Event::Answered { sdp, .. }) = world.seen.last() else { panic!("{:?}", world.seen) };
    // the client does not learn where the box is: only the box can begin
    let blind: Vec<&str> = sdp.lines().filter(|l| !l.starts_with("a=candidate")).collect();
    world.clients[0].answered(&(blind.join("\r\n") + "\r\n"));
    world.until(2000 * MS, |w| w.clients[0].got.len() > 10);
}

#[test]
fn a_router_in_front_of_the_box_is_announced() {
    let mut world = World::with_public(vec![[203, 0, 113, 9].into()]);
    let camera = world.camera(1, 25);
    let viewer = world.viewer(1, None, Some(camera));
    let answer = &world.clients[viewer].answer;
    let candidates: Vec<&str> = answer.lines().filter(|l| l.starts_with("a=candidate")).collect();
    let [own, own_tcp, public, public_tcp] = candidates[..] else { panic!("{answer}") };
    assert!(own.contains(" udp ") && own.contains(" 192.0.2.1 20000 typ host"), "{answer}");
    assert!(public.contains(" udp ") && public.contains(" 203.0.113.9 20000 typ srflx"), "{answer}");
    for (tcp, udp) in [(own_tcp, own), (public_tcp, public)] {
        let address = udp.split(' ').nth(4).unwrap();
        assert!(tcp.contains(" tcp ") && tcp.contains(address) && tcp.contains(" tcptype passive"), "{answer}");
        let priority = |line: &str| line.split(' ').nth(3).unwrap().parse::<u32>().unwrap();
        assert!(priority(tcp) <= priority(udp), "UDP is better");
    }
    world.until(1000 * MS, |w| w.clients[viewer].got.len() > 10);
}

#[test]
fn offers_that_cannot_be_used_are_refused_with_their_reason() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let good = Client::viewer(peer(9), world.now).offer();
    let vp9 = str0m::RtcConfig::new().clear_codecs().enable_vp9(true);
    let lines = [(str0m::media::MediaKind::Video, str0m::media::Direction::RecvOnly)];
    let vp9 = Client::new(peer(9), world.now, &lines, vp9).offer();
    for (number, (offer, refusal)) in [
        (String::new(), None),
        ("v=0\r\n".into(), None),
        (good.replace("a=fingerprint", "a=odd"), None),
        (good.replace("a=ice-ufrag", "a=odd"), None),
        (good.replace("recvonly", "sendonly"), None),
        (vp9, Some(Refusal::NoCodec(vec![Codec::H264, Codec::Vp8]))),
    ]
    .into_iter()
    .enumerate()
    {
        let id = peer(number as u32 + 1);
        world.core.subscribe(Subscribe { peer: id, offer, audio: None, video: Some(camera) }, world.now);
        let got = world.refused(id);
        assert!(refusal.map_or(matches!(got, Refusal::BadOffer(_)), |r| r == got), "{number}: {got:?}");
    }
    assert_eq!((world.core.stats().peers, world.core.stats().panics), (0, 0));
}

#[test]
fn whoever_asks_the_port_for_its_address_is_answered() {
    let mut world = World::new();
    let ask = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[9; 12]].concat();
    world.core.datagram(path(([203, 0, 113, 5], 4000)), &ask, world.now);
    world.core.flush();
    assert_eq!(world.core.stats().sent, 1);
    let before = world.core.stats().strays;
    world.core.datagram(path(([203, 0, 113, 5], 4000)), &[0x80; 40], world.now);
    assert_eq!(world.core.stats().strays, before + 1);
}

#[test]
fn a_panic_in_one_peer_ends_that_peer_alone() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    world.viewer(1, None, Some(camera));
    let other = world.viewer(2, None, Some(camera));
    world.run(500 * MS);
    world.core.turn(peer(1), world.now, |_| panic!("a bug"));
    world.run(500 * MS);
    assert_eq!((world.closed(1), world.closed(2), world.core.stats().panics), (Some(Closed::Failure), None, 1));
    let now = world.now;
    assert!(now - world.clients[other].packets(1).last().unwrap().0 <= FRAME + LATENCY);
}

#[test]
fn tracks_and_feeds_may_end_in_any_order() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let viewer = world.viewer(1, None, Some(camera));
    world.run(500 * MS);
    world.core.remove_track(camera);
    let before = world.clients[viewer].got.len();
    world.run(500 * MS);
    assert!(world.clients[viewer].got.len() <= before + 4, "only what was on its way");
    assert_eq!(world.closed(1), None);
    world.core.detach_feed(job(1));
    world.run(100 * MS);
    world.core.remove_peer(peer(1), world.now);
    let stats = world.core.stats();
    assert_eq!((stats.peers, stats.tracks, stats.feeds), (0, 0, 0));
}

#[test]
fn a_hundred_joins_and_leaves_leave_nothing_behind() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    for round in 0..20 {
        for n in 0..5 {
            world.viewer(round * 5 + n + 1, None, Some(camera));
        }
        world.run(150 * MS);
        for n in 0..5 {
            world.core.remove_peer(peer(round * 5 + n + 1), world.now);
        }
        world.clients.clear();
    }
    world.run(6000 * MS);
    assert_eq!(world.core.stats().peers, 0);
    assert_eq!(world.core.deadline(), None, "no timer, no paced join is left");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever comes from a viewer's own address, forged or broken, its picture goes on.
    #[test]
    fn no_datagram_ends_a_peer(
        datagrams in proptest::collection::vec((prop_oneof![Just(0u8), Just(1), Just(20), Just(22), Just(23), Just(0x80), Just(0x81), any::<u8>()], proptest::collection::vec(any::<u8>(), 0..120)), 1..40)
    ) {
        let mut world = World::new();
        let camera = world.camera(1, 25);
        let viewer = world.viewer(1, None, Some(camera));
        world.run(200 * MS);
        let from = world.clients[viewer].address;
        // a DTLS close_notify that nobody encrypted
        let alert = vec![21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0];
        for datagram in datagrams.into_iter().map(|(first, rest)| [vec![first], rest].concat()).chain([alert]) {
            world.core.datagram(path(from), &datagram, world.now);
            world.core.datagram(path(([203, 0, 113, 5], 4000)), &datagram, world.now);
        }
        let before = world.clients[viewer].got.len();
        world.run(200 * MS);
        prop_assert_eq!((world.closed(1), world.core.stats().panics), (None, 0));
        prop_assert!(world.clients[viewer].got.len() > before + 6);
    }
}
