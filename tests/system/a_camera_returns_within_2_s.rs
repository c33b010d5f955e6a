//! However a camera went away, and wherever in its back-off the box is: the picture moves again within 2 s of its return, for the
//! same viewer on the same transport, and the log has one line for each change.
//!
//! `make bench BENCH=returns` makes a hundred rounds of it and prints the distribution (`VIDUCT_RETURNS` is their number).

use crate::house::{House, PATIENCE, until};
use serde_json::json;
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::camera::{Options, TestCamera};
use viduct_testkit::proxy::{Mode, Proxy};
use viduct_testkit::whep::Whep;

/// What is promised, on a machine of one's own.
const PROMISED: Duration = Duration::from_secs(2);

/// The ways to go: the modes of the network that follow each other before it is back, each for so many ms.
const WAYS: [(&str, &[(Mode, u64)]); 5] = [
    ("restarted", &[(Mode::Refusing, 300)]),
    ("off for a while", &[(Mode::Refusing, 2600)]),
    ("unplugged for a moment", &[(Mode::Cut, 1500)]),
    ("unplugged for longer than the watchdog waits", &[(Mode::Cut, 5300)]),
    ("starting again behind a switch that starts, too", &[(Mode::Refusing, 1200), (Mode::Cut, 4900), (Mode::Refusing, 700)]),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happened_to_it() {
    let rounds = std::env::var("VIDUCT_RETURNS").ok().and_then(|count| count.parse().ok()).unwrap_or(WAYS.len());
    let camera = TestCamera::start(&Options::default()).unwrap();
    let network = Proxy::before(&camera.url).await;
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (connection, stream) = house.camera(&session, &network.url(&camera.url), true).await;
    let viewer = Whep::watch(&house.rest, &session, &stream).await.peer;
    viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 15).await;

    let mut spans = Vec::new();
    for round in 0..rounds {
        let (what, modes) = WAYS[round % WAYS.len()];
        for (mode, ms) in modes {
            network.set(*mode);
            // each round meets the back-off somewhere else
            Clock::System.sleep(Duration::from_millis(ms + (round as u64 * 137) % 500)).await;
        }
        let before = viewer.look().whole_frames();
        let begin = Clock::System.now();
        network.set(Mode::Open);
        viewer.wait_until(&format!("{what}: the picture moves again"), PROMISED * 3, |seen| seen.whole_frames() > before).await;
        spans.push((begin.elapsed(), what));
        println!("{what}: back after {:?}", begin.elapsed());
        viewer.wait_until("it goes on", PATIENCE, |seen| seen.whole_frames() > before + 20).await;
    }
    spans.sort();
    let at = |part: usize| spans[(spans.len() - 1) * part / 100].0;
    println!("{rounds} returns: p50 {:?}, p90 {:?}, p99 {:?}, longest {:?}", at(50), at(90), at(99), spans[spans.len() - 1]);
    let seen = viewer.look();
    assert_eq!((seen.closed, seen.video.ssrcs.len()), (None, 1), "the same transport, the same stream");
    let still = house.look(&session).await;
    assert_eq!(still["connections"]["content"][0]["publishers"][0]["streamId"], stream.as_str());
    // "restarted" and the like: down, up; the last way: ended, refused, unreachable, up
    let told = house.daemon.log.lines().iter().filter(|line| line.contains(&connection)).count();
    assert!(told <= 1 + rounds * 5, "{told} lines of {rounds} rounds\n{}", house.daemon.log.text());
}

/// First its port is closed, then its network is gone, then it is there and not ready.
const REBOOT: [(Mode, u64); 3] = [(Mode::Refusing, 7000), (Mode::Cut, 12_000), (Mode::Refusing, 5000)];

/// The longest of the ways to go; that a minute or a day of it makes no difference, the pauses claim in simulated time.
#[tokio::test(flavor = "multi_thread")]
async fn after_it_was_started_anew() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let network = Proxy::before(&camera.url).await;
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (_, stream) = house.camera(&session, &network.url(&camera.url), true).await;
    let viewer = Whep::watch(&house.rest, &session, &stream).await.peer;
    viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 15).await;
    for (mode, ms) in REBOOT {
        network.set(mode);
        Clock::System.sleep(Duration::from_millis(ms)).await;
    }
    let before = viewer.look().whole_frames();
    let begin = Clock::System.now();
    network.set(Mode::Open);
    viewer.wait_until("the picture moves again", PROMISED * 3, |seen| seen.whole_frames() > before).await;
    println!("back {:?} after a reboot of {} s", begin.elapsed(), REBOOT.iter().map(|(_, ms)| ms / 1000).sum::<u64>());
    assert_eq!((viewer.look().closed, viewer.look().video.ssrcs.len()), (None, 1));
}

/// The state that GET shows.
async fn state(house: &House, session: &str) -> (String, String) {
    let path = format!("/openvidu/api/sessions/{session}/connection?webRtcStats=true");
    let camera = house.rest.get(&path).await.expect(200).json()["content"][0]["camera"].clone();
    (camera["state"].as_str().unwrap_or("none").to_owned(), camera["cause"].as_str().unwrap_or("none").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn its_state_can_be_read() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let network = Proxy::before(&camera.url).await;
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (connection, stream) = house.camera(&session, &network.url(&camera.url), true).await;
    assert_eq!(state(&house, &session).await.0, "idle");
    let plain = house.rest.get(&format!("/openvidu/api/sessions/{session}/connection/{connection}")).await.expect(200).json();
    assert!(plain.get("camera").is_none(), "only who asks for it gets it");
    let whep = Whep::watch(&house.rest, &session, &stream).await;
    whep.peer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 5).await;
    assert_eq!(state(&house, &session).await, ("connected".into(), "none".into()));
    network.set(Mode::Refusing);
    let deadline = Clock::System.now() + PATIENCE;
    loop {
        let (state, cause) = state(&house, &session).await;
        if state == "disconnected" && cause.contains("refused") {
            break;
        }
        assert!(Clock::System.now() < deadline, "{state}: {cause}");
        Clock::System.sleep(Duration::from_millis(50)).await;
    }
    until("no process for a camera that is away", PATIENCE, || house.daemon.workers().is_empty()).await;
}
