//! Cameras that accept and never answer, answer a byte a second, talk nonsense, promise terabytes or send us round in circles:
//! a good camera beside them and the REST calls do not feel them, each is told with its cause, and each is gone when it is removed.

use crate::house::{House, PATIENCE, options, until};
use serde_json::{Value, json};
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::camera::crooked::{Crooked, H265, Manner};
use viduct_testkit::camera::{Options, TestCamera};
use viduct_testkit::proxy::{Mode, Proxy};
use viduct_testkit::whep::Whep;

/// GETs that are timed; the slowest but two is the 99th percentile.
const CALLS: usize = 300;
/// What the 99th percentile may grow to, on a machine where everything is slow.
const SLOWEST: Duration = Duration::from_millis(500);
/// How soon a camera's process is gone that was removed, and what a busy machine may make of it.
const GONE: Duration = Duration::from_secs(1);

async fn p99(house: &House, session: &str) -> Duration {
    let mut spans = Vec::new();
    for _ in 0..CALLS {
        let begin = Clock::System.now();
        house.look(session).await;
        spans.push(begin.elapsed());
        Clock::System.sleep(Duration::from_millis(10)).await;
    }
    spans.sort();
    spans[CALLS * 99 / 100 - 1]
}

/// What GET says of the camera `connection`.
async fn told(house: &House, session: &str, connection: &str) -> Value {
    let path = format!("/openvidu/api/sessions/{session}/connection/{connection}?webRtcStats=true");
    house.rest.get(&path).await.expect(200).json()["camera"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn and_each_is_gone_when_it_is_removed() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let slow = Proxy::before(&camera.url).await;
    slow.set(Mode::Trickling);
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (_, stream) = house.camera(&session, &camera.url, false).await;
    let viewer = Whep::watch(&house.rest, &session, &stream).await.peer;
    viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 15).await;
    let alone = p99(&house, &session).await;

    let elsewhere = "rtsp://{}/cam".to_owned();
    let table = [
        (Manner::Mute, "no packets"),
        (Manner::GarbageSdp, ""),
        (Manner::Sdp(H265.into()), "H265"),
        (Manner::ForeignData, "no packet of the streams"),
        (Manner::HugeAnswer(999_999_999_999), ""),
        (Manner::HugeAnswer(2_000_000_000), ""),
        (Manner::EndlessHeaders, ""),
        (Manner::Redirect(elsewhere), "circle"),
    ];
    let mut bad = Vec::new();
    for (manner, cause) in table {
        let crooked = Crooked::start(manner.clone()).await;
        let (connection, _) = house.camera(&session, &crooked.url, false).await;
        bad.push((crooked, connection, format!("{manner:?}"), cause));
    }
    let (trickled, _) = house.camera(&session, &slow.url(&camera.url), false).await;
    let before = viewer.look();
    let together = p99(&house, &session).await;
    println!("p99 of GET: {alone:?} with a good camera, {together:?} with {} bad ones beside it", bad.len() + 1);
    assert!(together < SLOWEST.max(alone * 10), "{together:?}");

    for (_, connection, manner, cause) in &bad {
        let deadline = Clock::System.now() + PATIENCE * 2;
        loop {
            let camera = told(&house, &session, connection).await;
            if camera["state"] == "disconnected" && camera["cause"].as_str().is_some_and(|text| text.contains(cause)) {
                println!("{:.40}: {}", manner, camera["cause"]);
                break;
            }
            assert!(Clock::System.now() < deadline, "{manner}: {camera}");
            Clock::System.sleep(Duration::from_millis(50)).await;
        }
    }
    viewer.wait_until("the good camera goes on", PATIENCE, |seen| seen.whole_frames() > before.whole_frames() + 45).await;
    let gaps = |seen: &viduct_testkit::peer::record::Record| seen.frames.as_ref().map(|frames| frames.gaps);
    assert_eq!(gaps(&viewer.look()), gaps(&before), "the good camera lost nothing");

    for connection in bad.iter().map(|(_, connection, ..)| connection).chain([&trickled]) {
        house.rest.delete(&format!("/openvidu/api/sessions/{session}/connection/{connection}")).await.expect(204);
    }
    let begin = Clock::System.now();
    until("only the good camera's worker is left", GONE * 3, || house.daemon.workers().len() == 1).await;
    println!("gone {:?} after the last DELETE", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirection_is_followed() {
    let target = TestCamera::start(&Options::default()).unwrap();
    let address = target.url.split('/').nth(2).unwrap().to_owned();
    let house = House::open().await;
    let session = house.session(json!({})).await;
    // to a name, which has to be resolved: what is found is what is used
    let there = format!("rtsp://localhost:{}/cam", address.rsplit(':').next().unwrap());
    let good = Crooked::start(Manner::Redirect(there)).await;
    let (_, stream) = house.camera(&session, &good.url, true).await;
    let viewer = Whep::watch(&house.rest, &session, &stream).await.peer;
    viewer.wait_until("the picture of the camera it sends us to", PATIENCE, |seen| seen.whole_frames() > 15).await;
}

/// The address of this machine on its network.
fn lan_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // sends nothing: only a route is looked for (RFC 5737)
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_cannot_send_us_to_the_box_itself() {
    let Some(lan) = lan_address() else {
        eprintln!("SKIPPED a_camera_cannot_send_us_to_the_box_itself: this machine has no address but loopback");
        return;
    };
    let inside = Crooked::start(Manner::Mute).await;
    let port = inside.url.split(['/', ':']).nth(4).unwrap().to_owned();
    let house = House::of(options().env("VIDUCT_CAMERA_ALLOW_LOOPBACK", "false")).await;
    let session = house.session(json!({})).await;
    for host in ["127.0.0.1", "localhost"] {
        let sends = Crooked::start_on(lan, Manner::Redirect(format!("rtsp://{host}:{port}/cam"))).await;
        let (connection, _) = house.camera(&session, &sends.url, false).await;
        let wanted = |line: &str| line.contains(&connection) && line.contains("not allowed");
        let line = house.daemon.log.wait_for(&format!("{host} is refused"), PATIENCE, wanted).await;
        assert!(line.contains("given up"), "{line}");
        assert_eq!(told(&house, &session, &connection).await["state"], "failed");
    }
    assert_eq!(inside.asked(), 0, "nobody inside was spoken to");
}
