//! However it ends, there is a film.

use crate::bench::reels::prepare;
use crate::bench::{Bench, MS, PICTURE, WIDTH, cell, look};
use crate::sync::{check_cadence, check_sync};
use viduct::mp4;
use viduct::rtp::Kind;
use viduct::wire::compose::{ComposedAudio, ComposedVideo};
use viduct::wire::control::FailureKind;
use viduct_testkit::flashes::beep_hz;
use viduct_testkit::flashes::film::Film;
use viduct_testkit::flashes::source::VideoCodec::H264;

#[test]
fn a_daemon_that_dies_leaves_a_finished_file() {
    let source = look(H264, 640, 360, 25);
    let mut bench = Bench::playing(&[source]);
    bench.play_until(3.0);
    let take = bench.abandon();
    println!("ended after {} ms; 2 s are promised", (take.ended - take.stopped) / MS);
    assert!(take.ended - take.stopped < 3 * 2000 * MS, "it took {} ms", (take.ended - take.stopped) / MS);
    assert!(mp4::inspect(&take.path).unwrap().finished);
    let film = take.film();
    check_cadence(&film);
    assert!((film.video_end - 3.0).abs() < 2.0 * PICTURE, "{} s", film.video_end);
}

#[test]
fn a_killed_composer_is_gone_on_with_in_the_same_file() {
    is_gone_on_with(false);
}

#[test]
fn so_is_one_that_failed_and_finished_it() {
    is_gone_on_with(true);
}

fn is_gone_on_with(finished: bool) {
    let source = look(H264, 640, 360, 25);
    let mut bench = Bench::playing(&[source]);
    bench.play_until(3.5);
    bench.kill();
    let killed = mp4::inspect(&bench.path()).unwrap();
    assert!(!killed.finished && killed.duration.as_secs_f64() > 2.5, "{killed:?}");
    if finished {
        // the same bytes as if the composer had
        assert!(mp4::recover(&bench.path()).unwrap().finished);
    }
    bench.play_until(4.5);
    bench.restart();
    bench.wait_ready();
    bench.join(0, source);
    bench.play_until(8.0);
    let film = bench.stop().film();
    assert!((film.video_end - 8.0).abs() < 2.0 * PICTURE, "{} s", film.video_end);
    let times = film.times();
    let gaps: Vec<_> = times.windows(2).filter(|pair| pair[1] - pair[0] > PICTURE + 0.001).collect();
    assert!(gaps.len() == 1 && gaps[0][0] < 3.5 && gaps[0][1] > 4.5, "{gaps:?}");
    let sync: Vec<_> = film.sync(cell(0, 1), beep_hz(0)).into_iter().filter(|(at, _)| *at > 5.2).collect();
    assert!(sync.len() >= 2, "{sync:?}");
    check_sync(0, &sync);
}

#[test]
fn pictures_alone_and_sound_alone() {
    let source = look(H264, 640, 360, 30);
    prepare(&[(0, source)]);
    let video = ComposedVideo { width: WIDTH, height: 720, frame_rate: 30, kbps: 1000 };
    for (video, audio) in [(Some(video), None), (None, Some(ComposedAudio { kbps: 64 }))] {
        let mut bench = Bench::of(video, audio);
        bench.wait_ready();
        bench.join(0, source);
        bench.announce(3, 1, Kind::Audio);
        bench.play_telephone(3, 1);
        bench.play_until(3.0);
        let take = bench.stop();
        let film = Film::read(&take.path, video.is_some(), audio.is_some()).unwrap();
        let summary = mp4::inspect(&take.path).unwrap();
        assert_eq!((summary.video.is_some(), summary.audio), (video.is_some(), audio.is_some()));
        assert!((summary.duration.as_secs_f64() - 3.0).abs() < 0.1, "{summary:?}");
        match video {
            Some(_) => assert!(film.flashes(cell(0, 1)).len() >= 2 && film.times().len().abs_diff(90) < 4),
            None => assert!(film.beeps(beep_hz(0)).len() >= 2 && film.beeps(beep_hz(1)).len() >= 2),
        }
    }
}

#[test]
fn a_disk_without_room_ends_it_with_a_film_that_plays() {
    let source = look(H264, 640, 360, 25);
    prepare(&[(0, source)]);
    let video = ComposedVideo { width: WIDTH, height: 720, frame_rate: 25, kbps: 2000 };
    // the index has its room of 4 MiB; the media gets a quarter of one
    let mut bench = Bench::with_room(Some(video), Some(ComposedAudio { kbps: 128 }), Some(17 << 18));
    bench.wait_ready();
    bench.join(0, source);
    let (take, failure) = bench.play_until_failure();
    assert_eq!(failure.kind, FailureKind::Disk, "{failure}");
    assert!(mp4::inspect(&take.path).unwrap().finished);
    let film = take.film();
    assert!(film.video_end > 0.4 && film.times().len() as f64 > film.video_end * 24.0, "{} s", film.video_end);
}
