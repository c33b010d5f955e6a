//! The many kinds of cameras: how they send, whom they let in, what they do in mid-stream.

use super::IDR;
use super::bench::{Bench, Seen, h264_units, sps};
use std::time::Duration;
use viduct::clock::monotonic_ns;
use viduct::jobs::Event;
use viduct::wire::control::{AUDIO_SLOT, FailureKind, VIDEO_SLOT};
use viduct_testkit::camera::crooked::{Crooked, H265, MANY, Manner};
use viduct_testkit::camera::{Options, Resize, TestCamera, Transports, Video};
use viduct_testkit::proxy::{Mode, Proxy};

/// Every printable character of ASCII.
fn printable() -> String {
    ('!'..='~').collect()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Waits until media flows. A stream that a busy machine ended is tried again a second later.
async fn flows(uri: &str) -> Bench {
    let mut bench = Bench::start(uri);
    for _ in 0..3 {
        match bench.event().await {
            Event::Ready { .. } => return bench,
            Event::Down { failure, .. } if failure.kind == FailureKind::Ended => println!("{uri}: {failure}"),
            event => panic!("{uri}: {event:?}"),
        }
    }
    panic!("{uri} ends again and again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transport_that_is_refused_gives_way_to_the_other() {
    for (offered, wish) in [
        (Transports::Both, "#transport=udp"),
        (Transports::Udp, "#transport=udp"),
        (Transports::Udp, ""),
        (Transports::Tcp, "#transport=udp"),
        (Transports::Tcp, ""),
    ] {
        let camera = TestCamera::start(&Options { transports: offered, ..Options::default() }).unwrap();
        let begin = monotonic_ns();
        let bench = flows(&format!("{}{wish}", camera.url)).await;
        println!("camera {offered:?}, wish {wish:?}: media after {:?}", Duration::from_nanos(monotonic_ns() - begin));
        let (mut video, mut audio) = (0, 0);
        while video < 20 || audio < 20 {
            match bench.seen().await {
                Seen::Unit { slot: VIDEO_SLOT, .. } => video += 1,
                Seen::Unit { slot: AUDIO_SLOT, .. } => audio += 1,
                _ => {}
            }
        }
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_is_busy_with_the_end_of_the_first_try_is_given_a_moment() {
    let camera = Crooked::start(Manner::SlowToForget).await;
    let mut bench = Bench::start(&camera.url);
    let Event::Down { failure, .. } = bench.event().await else { panic!("it sends nothing") };
    let setups = camera.setups();
    assert!(setups.len() >= 2, "UDP was not tried after TCP: {failure}, {setups:?}");
    bench.end().await;
}

/// UDP is given 2 s, then everything begins anew over TCP.
const FALLBACK: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_agrees_to_udp_and_sends_nothing_is_asked_for_tcp_and_that_is_remembered() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let network = Proxy::barring_udp(&camera.url).await;
    let begin = monotonic_ns();
    let mut bench = Bench::start(&format!("{}#transport=udp", network.url(&camera.url)));
    // what goes wrong on a busy machine is tried again
    while let event @ Event::Down { .. } = bench.event().await {
        println!("{event:?}");
    }
    let took = Duration::from_nanos(monotonic_ns() - begin);
    println!("media over TCP {took:?} after the start over UDP");
    assert!(took < FALLBACK * 3, "{took:?}");
    let barred = network.barred();
    assert!(barred > 0, "UDP was tried first");

    network.set(Mode::Refusing);
    assert!(matches!(bench.event().await, Event::Down { .. }));
    network.set(Mode::Open);
    let begin = monotonic_ns();
    while !matches!(bench.event().await, Event::Ready { .. }) {}
    println!("back after {:?}", Duration::from_nanos(monotonic_ns() - begin));
    assert_eq!(network.barred(), barred, "UDP was not tried again");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_streams_only_the_first_usable_of_each_kind_are_set_up() {
    let camera = Crooked::start(Manner::Sdp(MANY.into())).await;
    let mut bench = Bench::start(&camera.url);
    let Event::Down { failure, .. } = bench.event().await else { panic!("it sends nothing") };
    assert_eq!(failure.kind, FailureKind::NoPackets, "{failure}");
    let setups = camera.setups();
    // the next process may have begun
    let expected = ["h264", "pcmu"].into_iter().cycle().take(setups.len().max(2));
    assert!(setups.iter().map(String::as_str).eq(expected), "{setups:?}");
    bench.end().await;
}

/// A keyframe each minute: who comes in the middle of it waits for the next, and the camera is not given up meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_between_two_keyframes_is_borne() {
    let video = Some(Video { gop: 60 * 15, ..Video::default() });
    let camera = TestCamera::start(&Options { video, audio: None, ..Options::default() }).unwrap();
    let mut first = flows(&camera.url).await;
    let mut late = None;
    let mut keyframes = 0;
    while keyframes < 2 {
        let Seen::Unit { packets, .. } = first.seen().await else { continue };
        keyframes += usize::from(h264_units(&packets).contains(&IDR));
        late.get_or_insert_with(|| Bench::start(&camera.url));
    }
    let mut late = late.expect("it was started");
    let event = late.event().await;
    assert!(matches!(event, Event::Ready { .. }), "{event:?}");
    loop {
        if let Seen::Unit { packets, .. } = late.seen().await {
            assert!(h264_units(&packets).contains(&IDR), "its first picture can be shown");
            break;
        }
    }
    first.no_event();
    first.end().await;
    late.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digest_and_basic_take_passwords_of_any_character_encoded_or_as_they_are() {
    let password = printable();
    for digest in [false, true] {
        let auth = Some(("admin".to_owned(), password.clone()));
        let camera = TestCamera::start(&Options { auth, digest, audio: None, ..Options::default() }).unwrap();
        flows(&camera.url_with("admin", &encoded(&password))).await.end().await;
        // a raw one that begins with what cannot be a port, and has no @ and no % of its own
        let raw: String = std::iter::once('x').chain(password.chars().filter(|c| !"@%".contains(*c))).collect();
        let auth = Some(("admin".to_owned(), raw.clone()));
        let camera = TestCamera::start(&Options { auth, digest, audio: None, ..Options::default() }).unwrap();
        flows(&camera.url_with("admin", &raw)).await.end().await;
        let mut bench = Bench::start(&camera.url_with("admin", "wrong"));
        let Event::Down { failure, .. } = bench.event().await else { panic!("a wrong password opens it") };
        assert_eq!(failure.kind, FailureKind::Unauthorized, "{failure}");
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_changes_its_size_goes_on_with_new_parameter_sets() {
    let resize = Some(Resize { after_s: 2, width: 320, height: 180 });
    let camera = TestCamera::start(&Options { resize, audio: None, ..Options::default() }).unwrap();
    let mut bench = flows(&camera.url).await;
    let (mut sets, mut units) = (Vec::new(), 0);
    while sets.len() < 2 || units < 20 {
        let Seen::Unit { packets, .. } = bench.seen().await else { continue };
        units += 1;
        assert!(units < 150, "10 s, and the size has not changed");
        if let Some(set) = sps(&packets).filter(|set| !sets.contains(set)) {
            assert!(h264_units(&packets).contains(&IDR), "a new size begins with a keyframe");
            sets.push(set);
            units = 0;
        }
    }
    bench.no_event();
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h265_is_told_by_its_name() {
    let camera = Crooked::start(Manner::Sdp(H265.into())).await;
    let mut bench = Bench::start(&camera.url);
    let Event::Down { failure, .. } = bench.event().await else { panic!("H.265 cannot flow") };
    assert_eq!((failure.kind, failure.text.contains("H265 is not forwarded")), (FailureKind::Unsupported, true), "{failure}");
    bench.end().await;
}
