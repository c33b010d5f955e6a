//! Real worker processes as the supervisor runs them: cameras against a real RTSP camera, transcoders against timed packets, makers
//! of thumbnails against films. The daemon's side is played by the test: it
//! reads the media socket and the supervisor's events.

mod bench;
mod cameras;
mod sync;
mod thumbnails;
mod transcoding;

use bench::{Bench, Seen, h264_units};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::TcpListener;
use std::time::Duration;
use viduct::clock::monotonic_ns;
use viduct::jobs::Event;
use viduct::rtp::{Codec, Format};
use viduct::wire::control::{AUDIO_SLOT, FailureKind, VIDEO_SLOT};
use viduct_testkit::camera::{Audio, Options, TestCamera, Video, VideoCodec};

const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_arrives_as_h264_with_parameter_sets_in_band_and_as_opus() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let before = monotonic_ns();
    let mut bench = Bench::start(&camera.url);
    assert!(matches!(bench.event().await, Event::Ready { .. }));

    let mut video = Vec::new();
    let mut audio = 0;
    let mut formats = Vec::new();
    let mut newest = [before; 2];
    while video.len() < 40 || audio < 100 {
        match bench.seen().await {
            Seen::Format(slot, format) => formats.push((slot, format)),
            Seen::Unit { slot, captured_ns, packets } => {
                assert!((newest[usize::from(slot)]..=monotonic_ns()).contains(&captured_ns), "time of slot {slot}");
                newest[usize::from(slot)] = captured_ns;
                assert!(packets.iter().all(|packet| packet.len() <= 1200), "too long for WebRTC");
                match slot {
                    VIDEO_SLOT => video.push(h264_units(&packets)),
                    _ => audio += packets.len(),
                }
            }
        }
    }
    formats.sort_by_key(|(slot, _)| *slot);
    let [(VIDEO_SLOT, picture), (AUDIO_SLOT, sound)] = formats[..] else { panic!("{formats:?}") };
    assert_eq!(sound, Format { codec: Codec::Opus, profile_level_id: None });
    assert_eq!(picture.codec, Codec::H264);
    // constrained baseline: profile_idc 66 with constraint_set1
    let profile = picture.profile_level_id.expect("the SPS is in the first unit");
    assert!(profile >> 16 == 0x42 && profile & 0x4000 != 0, "{profile:#x}");

    for (number, units) in video.iter().enumerate() {
        let keyframe = units.contains(&IDR);
        assert_eq!(keyframe, number % 15 == 0, "unit {number}: {units:?}");
        assert_eq!(keyframe, units.contains(&SPS) && units.contains(&PPS), "unit {number}: {units:?}");
    }
    // sound and picture of the same moment carry times that are close
    assert!(newest[0].abs_diff(newest[1]) < 300_000_000, "{newest:?}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_camera_is_told_apart() {
    let open = TestCamera::start(&Options { audio: None, ..Options::default() }).unwrap();
    let locked = TestCamera::start(&Options { auth: Some(("admin".into(), "s3cr3t".into())), audio: None, ..Options::default() }).unwrap();
    let jpeg = Video { codec: VideoCodec::Jpeg, width: 320, height: 180, ..Video::default() };
    let foreign = TestCamera::start(&Options { video: Some(jpeg), ..Options::default() }).unwrap();
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let table = [
        (format!("rtsp://{closed}/cam"), FailureKind::Refused),
        ("rtsp://no-such-host.invalid/cam".to_owned(), FailureKind::UnknownHost),
        (open.url.replace("/cam", "/other"), FailureKind::NotFound),
        (locked.url.clone(), FailureKind::Unauthorized),
        (locked.url_with("admin", "wrong"), FailureKind::Unauthorized),
        (foreign.url.clone(), FailureKind::Unsupported),
        (format!("rtsp://{}/cam", mute.local_addr().unwrap()), FailureKind::NoPackets),
    ];
    for (uri, kind) in table {
        let mut bench = Bench::start(&uri);
        match bench.event().await {
            Event::Down { failure, .. } => {
                assert_eq!(failure.kind, kind, "{uri}: {failure}");
                assert!(!failure.text.contains("wrong"), "{failure}");
                if kind == FailureKind::Unsupported {
                    assert!(failure.text.contains("JPEG"), "{failure}");
                }
            }
            event => panic!("{uri}: {event:?}"),
        }
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_open_a_camera_whatever_characters_they_have() {
    let password = "p@ss:w/rd%41 ";
    let camera = TestCamera::start(&Options { auth: Some(("us er".into(), password.into())), audio: None, ..Options::default() }).unwrap();
    let mut bench = Bench::start(&camera.url_with("us%20er", "p@ss:w%2Frd%2541%20"));
    assert!(matches!(bench.event().await, Event::Ready { .. }));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_alone_is_forwarded_in_its_own_codec() {
    for (audio, codec) in [(Audio::Pcma, Codec::Pcma), (Audio::Pcmu, Codec::Pcmu)] {
        let camera = TestCamera::start(&Options { video: None, audio: Some(audio), ..Options::default() }).unwrap();
        let bench = Bench::start(&camera.url);
        assert_eq!(bench.seen().await, Seen::Format(AUDIO_SLOT, Format { codec, profile_level_id: None }));
        for _ in 0..10 {
            let Seen::Unit { slot: AUDIO_SLOT, packets, .. } = bench.seen().await else { panic!("not a unit of sound") };
            // 20 ms at 8 kHz behind the header
            assert_eq!(packets.iter().map(Vec::len).collect::<Vec<_>>(), [12 + 160]);
        }
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_was_unplugged_is_back_within_2_s_of_its_return() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let mut bench = Bench::start(&camera.url);
    assert!(matches!(bench.event().await, Event::Ready { .. }));
    let options = Options { port: camera.port(), ..Options::default() };
    camera.kill();
    let Event::Down { failure, .. } = bench.event().await else { panic!("the end was not noticed") };
    assert_eq!(failure.kind, FailureKind::Ended, "{failure}");
    let Event::Down { failure, .. } = bench.event().await else { panic!("nobody can be there") };
    assert_eq!(failure.kind, FailureKind::Refused, "{failure}");

    let _camera = TestCamera::start(&options).unwrap();
    let returned = monotonic_ns();
    while !matches!(bench.event().await, Event::Ready { .. }) {}
    let away = Duration::from_nanos(monotonic_ns() - returned);
    assert!(away < Duration::from_secs(2), "{away:?}");
    // a new epoch on the same socket
    while !matches!(bench.seen().await, Seen::Format(..)) {}
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_hangs_is_given_up_after_3_s_and_found_again() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let mut bench = Bench::start(&camera.url);
    assert!(matches!(bench.event().await, Event::Ready { .. }));
    camera.pause();
    let paused = monotonic_ns();
    let Event::Down { failure, .. } = bench.event().await else { panic!("the hang was not noticed") };
    assert_eq!(failure.kind, FailureKind::NoPackets, "{failure}");
    let noticed = Duration::from_nanos(monotonic_ns() - paused);
    assert!((Duration::from_secs(2)..Duration::from_secs(5)).contains(&noticed), "{noticed:?}");
    camera.resume();
    while !matches!(bench.event().await, Event::Ready { .. }) {}
    bench.end().await;
}

/// Worker processes of this test program; those of the tests beside this one too, which must not mind either.
fn workers() -> Vec<Pid> {
    let children = std::fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| {
        // a thread may end while it is looked at
        std::fs::read_to_string(task.path().join("children")).unwrap_or_default()
    });
    let children: Vec<i32> = children.flat_map(|line| line.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>()).collect();
    let is_worker = |id: &i32| std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| line.ends_with(b"viduct\0worker\0"));
    children.into_iter().filter(is_worker).map(Pid::from_raw).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_that_end_the_daemon_do_not_end_a_worker() {
    let camera = TestCamera::start(&Options::default()).unwrap();
    let mut bench = Bench::start(&camera.url);
    assert!(matches!(bench.event().await, Event::Ready { .. }));
    let workers = workers();
    assert!(!workers.is_empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        for worker in &workers {
            // one that has ended meanwhile was asked to
            let _ = kill(*worker, signal);
        }
    }
    let signalled = monotonic_ns();
    while !matches!(bench.seen().await, Seen::Unit { captured_ns, .. } if captured_ns > signalled + 500_000_000) {}
    bench.no_event();
    bench.end().await;
}
