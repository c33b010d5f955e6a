//! Offers of real browsers, whole and broken, through the whole negotiation: each is answered, with an answer that a client can read,
//! or refused with a reason. What is broken, and how to break more: `tests/fuzz/README.md`.
//!
//! The offers in `tests/fixtures/offers` were taken from the wire (Chromium 156 with unmodified openvidu-browser) and from
//! `createOffer` (Firefox 153), with a camera, a microphone, and candidates where the browser had them.

use super::publishing::{publish, tracks};
use super::sweeps::{changed, random, setting};
use super::*;
use crate::engine::sdp::sections;
use nix::time::ClockId;
use str0m::change::SdpAnswer;

/// Offers changed at random.
const ROUNDS: usize = 600;
/// CPU that an offer of any kind may take; far above what is measured, because tests are not optimized.
const LONGEST: Duration = Duration::from_secs(1);

/// Name, text, and whether it is one to publish.
const OFFERS: [(&str, &str, bool); 6] = [
    ("Chromium, 2.18", include_str!("../../../tests/fixtures/offers/chromium-openvidu-browser-2.18-publish.sdp"), true),
    ("Chromium, 2.20", include_str!("../../../tests/fixtures/offers/chromium-openvidu-browser-2.20-publish.sdp"), true),
    ("Firefox", include_str!("../../../tests/fixtures/offers/firefox-publish.sdp"), true),
    ("Chromium, 2.18, to receive", include_str!("../../../tests/fixtures/offers/chromium-openvidu-browser-2.18-receive.sdp"), false),
    ("Chromium, 2.20, to receive", include_str!("../../../tests/fixtures/offers/chromium-openvidu-browser-2.20-receive.sdp"), false),
    ("Firefox, to receive", include_str!("../../../tests/fixtures/offers/firefox-receive.sdp"), false),
];

/// CPU that this thread has used: how busy the machine is does not matter.
fn used() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().expect("every thread has this clock").into()
}

/// A box with the tracks of a publisher, and how many offers it took and refused.
struct Bench {
    world: World,
    taken: usize,
    refused: usize,
    slowest: Duration,
}

impl Bench {
    fn new() -> Bench {
        let mut world = World::new();
        tracks(&mut world);
        Bench { world, taken: 0, refused: 0, slowest: Duration::ZERO }
    }

    /// Lets the box negotiate; was there an answer?
    fn offer(&mut self, what: &str, offer: &str, publishes: bool) -> bool {
        let world = &mut self.world;
        world.seen.clear();
        let begin = used();
        if publishes {
            world.core.publish(publish(1)(offer.to_owned()), world.now);
        } else {
            let subscribe = Subscribe { peer: peer(1), offer: offer.to_owned(), audio: Some(track(10)), video: Some(track(11)) };
            world.core.subscribe(subscribe, world.now);
        }
        self.slowest = self.slowest.max(used() - begin);
        world.collect();
        assert_eq!(world.core.stats().panics, 0, "a panic at {what}:\n{offer}");
        let answer = world.seen.iter().find_map(|event| match event {
            Event::Answered { sdp, .. } => Some(sdp.clone()),
            Event::Refused { .. } => None,
            other => panic!("{what}: {other:?}"),
        });
        if let Some(answer) = &answer {
            SdpAnswer::from_sdp_string(answer).unwrap_or_else(|error| panic!("{what}: {error} in the answer\n{answer}\nto\n{offer}"));
            assert_eq!(sections(answer).len(), sections(offer).len(), "{what}: a line for each line\n{answer}\nto\n{offer}");
        } else {
            assert_eq!(world.seen.len(), 1, "{what}: refused once");
        }
        world.core.remove_peer(peer(1), world.now);
        world.run(MS);
        assert_eq!(world.core.stats().peers, 0, "{what}");
        self.taken += usize::from(answer.is_some());
        self.refused += usize::from(answer.is_none());
        answer.is_some()
    }

    fn end(self, what: &str) {
        println!("{what}: {} taken, {} refused, {:?} for the slowest", self.taken, self.refused, self.slowest);
        assert!(self.taken > 0 && self.refused > 0, "neither all nor none is broken");
        assert!(self.slowest < LONGEST, "{:?}", self.slowest);
    }
}

#[test]
fn whole_ones_are_taken() {
    let mut bench = Bench::new();
    for (name, offer, publishes) in OFFERS {
        assert!(bench.offer(name, offer, publishes), "{name}");
        // and by those whose lines end as nobody should end them
        assert!(bench.offer(name, &offer.replace("\r\n", "\n"), publishes), "{name}");
    }
    println!("{:?} for the slowest", bench.slowest);
}

#[test]
fn with_any_line_removed_doubled_cut_or_in_another_place() {
    let mut bench = Bench::new();
    for (name, offer, publishes) in OFFERS {
        let lines: Vec<&str> = offer.lines().collect();
        for at in 0..lines.len() {
            let line = lines[at];
            let half = &line[..line.len() / 2];
            let value = line.find([':', '=']).map_or(line, |end| &line[..=end]);
            let elsewhere = lines[(at * 7 + 3) % lines.len()];
            for (what, instead) in [
                ("removed", vec![]),
                ("doubled", vec![line, line]),
                ("cut", vec![half]),
                ("emptied", vec![value]),
                ("replaced", vec![elsewhere]),
            ] {
                let changed = [&lines[..at], &instead, &lines[at + 1..]].concat().join("\r\n") + "\r\n";
                bench.offer(&format!("{name}, line {at} {what}"), &changed, publishes);
            }
        }
    }
    bench.end("lines");
}

#[test]
fn that_end_anywhere() {
    let mut bench = Bench::new();
    for (name, offer, publishes) in OFFERS {
        for length in (0..offer.len()).step_by(17) {
            bench.offer(&format!("{name}, {length} bytes of it"), &offer[..length], publishes);
        }
    }
    bench.end("ends");
}

#[test]
fn changed_at_random() {
    let (mut bench, mut random) = (Bench::new(), random());
    let corpus: Vec<Vec<u8>> = OFFERS.iter().map(|(_, offer, _)| offer.as_bytes().to_vec()).collect();
    for round in 0..setting("SWEEP_ROUNDS", ROUNDS) {
        let offer = changed(&mut random, &corpus, 1 << 16);
        let offer = String::from_utf8_lossy(&offer);
        bench.offer(&format!("round {round}"), &offer, round % 2 == 0);
    }
    bench.end("random changes");
}
