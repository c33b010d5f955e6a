//! People come and go, stall and mute while it records; nobody else notices.

use crate::bench::reels::prepare;
use crate::bench::{Bench, MS, PICTURE, S, cell, look};
use crate::sync::{check_cadence, check_sync};
use viduct::rtp::Kind;
use viduct::wire::control::ToWorker;
use viduct_testkit::flashes::film::{Area, BLACK, Film};
use viduct_testkit::flashes::source::VideoCodec::{H264, Vp8};
use viduct_testkit::flashes::{beep_hz, tone_hz};

/// After a change the picture is looked at from so many seconds on. On an idle machine 0.3 are enough; who shares it waits longer for
/// a decoder to begin.
const SETTLED: f64 = 1.0;
/// And until so many seconds before: the mixers are half a second behind the world at most, and what a source sends anew replaces the
/// old at once.
const BEHIND: f64 = 0.6;
/// Who leaves is there until so many seconds before: its last picture is not the one before the moment of leaving.
const LAST: f64 = 0.2;

/// Seconds of the film at which an area is black.
fn black(film: &Film, area: Area) -> Vec<f64> {
    film.luma(area).into_iter().filter(|(_, luma)| *luma < BLACK).map(|(at, _)| at).collect()
}

fn check_together(film: &Film, area: Area, number: usize, from: f64, to: f64, least: usize) {
    let sync: Vec<_> = film.sync(area, beep_hz(number)).into_iter().filter(|(at, _)| (from..to).contains(at)).collect();
    assert!(sync.len() >= least, "source {number} flashes and beeps {} times from {from} to {to} s", sync.len());
    check_sync(number, &sync);
}

/// Not a moment of silence of source 0 between these seconds.
fn check_sound(film: &Film, number: usize, from: f64, to: f64) {
    let silences: Vec<_> = film.silences(tone_hz(number)).into_iter().filter(|(at, length)| at + length > from && *at < to).collect();
    assert!(silences.is_empty(), "source {number}: {silences:?}");
}

#[test]
fn a_source_joins_late_leaves_and_comes_back() {
    let (first, second) = (look(H264, 640, 360, 25), look(Vp8, 640, 360, 25));
    prepare(&[(0, first), (1, second)]);
    let mut bench = Bench::ready();
    bench.join(0, first);
    bench.play_until(3.0);
    bench.join(1, second);
    bench.play_until(7.0);
    bench.leave(1);
    bench.play_until(9.0);
    bench.join(1, second);
    bench.play_until(12.0);
    let film = bench.stop().film();
    check_cadence(&film);
    check_sound(&film, 0, 1.5, 11.9);
    check_together(&film, cell(0, 2), 0, 3.1, 7.0 - LAST, 2);
    check_together(&film, cell(0, 1), 0, 7.1, 9.0 - BEHIND, 1);
    check_together(&film, cell(1, 2), 1, 3.1, 7.0 - LAST, 2);
    check_together(&film, cell(1, 2), 1, 9.1, 11.9, 2);
    // its picture comes from the cache, at once, and is there to the last moment; alone, source 0 covers the whole canvas' middle
    let right = Area { x: 720, y: 200, width: 480, height: 320 };
    let two = |at: &f64| (3.0 + SETTLED..7.0 - LAST).contains(at) || (9.0 + SETTLED..11.9).contains(at);
    assert_eq!(black(&film, right).iter().filter(|at| two(at)).count(), 0, "pictures without source 1");
    let bars = Area { x: 660, y: 20, width: 600, height: 100 };
    let times = black(&film, bars);
    assert_eq!(times.iter().filter(|at| two(at)).count(), film.times().iter().filter(|at| two(at)).count(), "the bars of two cells");
    assert!(!times.iter().any(|at| (7.0 + LAST..9.0 - BEHIND).contains(at)), "bars where one source fills the canvas: {times:?}");
    let silences = film.silences(tone_hz(1));
    assert!(silences.iter().any(|(at, length)| (at - 7.0).abs() < LAST && (length - 2.0).abs() < BEHIND), "{silences:?}");
}

#[test]
fn a_source_that_stalls_holds_up_nobody_and_is_in_sync_at_once() {
    let (first, second) = (look(H264, 640, 360, 25), look(H264, 640, 360, 25));
    let mut bench = Bench::playing(&[first, second]);
    bench.play_until(3.0);
    bench.feed(2).stalled = true;
    bench.feed(3).stalled = true;
    bench.play_until(6.0);
    bench.feed(2).resume();
    bench.feed(3).stalled = false;
    bench.play_until(10.0);
    let take = bench.stop();
    let film = take.film();
    check_cadence(&film);
    check_sound(&film, 0, 1.5, 9.9);
    check_together(&film, cell(0, 2), 0, 1.5, 9.9, 8);
    check_together(&film, cell(1, 2), 1, 8.1, 9.9, 1);
    assert!(black(&film, cell(1, 2)).into_iter().all(|at| at < 1.5), "the last picture stays");
    let silences: Vec<_> = film.silences(tone_hz(1)).into_iter().filter(|(at, _)| (1.5..9.9).contains(at)).collect();
    assert!(silences.len() == 1 && (silences[0].1 - 3.0).abs() < 0.2, "{silences:?}");
}

#[test]
fn a_muted_source_is_silent_and_in_sync_after() {
    let source = look(H264, 640, 360, 25);
    let mut bench = Bench::playing(&[source; 2]);
    bench.play_until(2.5);
    bench.feed(3).mute(1, true);
    bench.play_until(5.5);
    bench.feed(3).mute(1, false);
    bench.play_until(8.5);
    let film = bench.stop().film();
    check_cadence(&film);
    check_sound(&film, 0, 1.0, 8.4);
    assert!(film.beeps(beep_hz(1)).into_iter().all(|at| !(2.7..5.4).contains(&at)));
    check_together(&film, cell(1, 2), 1, 5.7, 8.4, 2);
}

#[test]
fn a_decoder_that_is_led_astray_mutes_nobody_else() {
    let source = look(H264, 640, 360, 25);
    let mut bench = Bench::playing(&[source; 2]);
    // a decoder of Opus that begins with the packet before a beep makes it seven times as loud as full scale
    let before_a_beep = 1.965 - (bench.began % S) as f64 / S as f64;
    for second in 1..7 {
        bench.play_until(before_a_beep + f64::from(second));
        bench.leave(1);
        bench.announce(3, 1, Kind::Audio);
        bench.play_audio(3, 1);
    }
    bench.play_until(before_a_beep + 7.5);
    let film = bench.stop().film();
    check_cadence(&film);
    // what is at full scale hides a quiet tone from the AAC encoder, for some ms
    let silences: Vec<_> = film.silences(tone_hz(0)).into_iter().filter(|(at, length)| (1.0..8.2).contains(at) && *length > 0.02).collect();
    assert!(silences.is_empty(), "{silences:?}");
}

#[test]
fn a_source_changes_its_size_and_its_codec_without_a_flash() {
    let (wide, tall, other) = (look(H264, 640, 360, 25), look(H264, 360, 640, 25), look(Vp8, 320, 240, 25));
    prepare(&[(0, wide), (0, tall), (0, other)]);
    let mut bench = Bench::ready();
    bench.join(0, wide);
    bench.play_until(3.0);
    // a phone is turned: the same stream goes on with a keyframe of another size
    bench.change_video(0, 0, tall);
    bench.play_until(6.0);
    bench.play_video(0, 0, other);
    bench.play_until(7.5);
    // and begins anew in the same format
    bench.play_video(0, 0, other);
    bench.play_until(9.0);
    let film = bench.stop().film();
    check_cadence(&film);
    let middle = Area { x: 500, y: 40, width: 280, height: 640 };
    assert!(black(&film, middle).into_iter().all(|at| at < 1.0), "a flash: {:?}", black(&film, middle));
    check_together(&film, middle, 0, 1.0, 8.9, 7);
    // wide fills the canvas; tall leaves 437 px at each side, 4:3 160
    let (far, near) = (Area { x: 20, y: 100, width: 100, height: 500 }, Area { x: 200, y: 100, width: 200, height: 500 });
    let lit = |area, from: f64, to: f64| {
        film.luma(area).into_iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, luma)| luma > BLACK).collect::<Vec<_>>()
    };
    for (area, from, to, expected) in [
        (far, 0.0 + SETTLED, 3.0 - BEHIND, true),
        (near, 0.0 + SETTLED, 3.0 - BEHIND, true),
        (far, 3.0 + SETTLED, 6.0 - BEHIND, false),
        (near, 3.0 + SETTLED, 6.0 - BEHIND, false),
        (far, 6.0 + SETTLED, 8.9, false),
        (near, 6.0 + SETTLED, 8.9, true),
    ] {
        let lit = lit(area, from, to);
        assert!(lit.len() > 20 && lit.iter().all(|lit| *lit == expected), "{area:?} from {from} to {to} s");
    }
}

#[test]
fn the_layout_says_who_is_first_and_media_may_come_before_its_word() {
    let (wide, tall) = (look(H264, 640, 360, 25), look(Vp8, 360, 640, 25));
    prepare(&[(0, wide), (1, tall)]);
    let mut bench = Bench::ready();
    bench.play_video(0, 0, wide);
    bench.play_audio(1, 0);
    bench.play_until(1.0);
    bench.announce(0, 0, Kind::Video);
    bench.announce(1, 0, Kind::Audio);
    bench.join(1, tall);
    bench.play_until(3.5);
    bench.say(&ToWorker::Layout { order: vec![2, 9, 0] });
    bench.play_until(6.0);
    let film = bench.stop().film();
    check_cadence(&film);
    // the top of a cell: a tall picture is there, a wide one is not
    let top = |left: u32| Area { x: left + 250, y: 20, width: 140, height: 100 };
    for (area, from, to, lit) in [
        (top(0), 1.0 + SETTLED, 3.5 - BEHIND, false),
        (top(640), 1.0 + SETTLED, 3.5 - BEHIND, true),
        (top(0), 3.5 + SETTLED, 5.9, true),
        (top(640), 3.5 + SETTLED, 5.9, false),
    ] {
        let pictures: Vec<f64> = film.luma(area).into_iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, luma)| luma).collect();
        assert!(pictures.len() > 20 && pictures.iter().all(|luma| (*luma > BLACK) == lit), "{area:?} from {from} s: {pictures:?}");
    }
    check_together(&film, cell(0, 2), 0, 1.3, 3.5 - BEHIND, 1);
    check_together(&film, cell(1, 2), 0, 3.8, 5.9, 1);
}

#[test]
fn a_wrong_clock_and_lost_packets_harm_only_their_source() {
    let source = look(H264, 640, 360, 25);
    let mut bench = Bench::playing(&[source; 4]);
    bench.feed(4).lose_one_in = Some(40);
    for (slot, shift) in [(2, 800), (3, 800), (6, -800), (7, -800)] {
        bench.feed(slot).shift = shift * MS as i64;
    }
    bench.play_until(9.0);
    let take = bench.stop();
    let film = take.film();
    check_cadence(&film);
    check_sound(&film, 0, 1.0, 8.9);
    check_together(&film, cell(0, 4), 0, 1.5, 8.9, 7);
    check_together(&film, cell(1, 4), 1, 1.5, 8.9, 7);
    // always late: moved as soon as that is certain
    check_together(&film, cell(3, 4), 3, 4.5, 8.9, 4);
    assert!(take.requests.len() >= 2 && take.requests.iter().all(|slot| *slot == 4), "{:?}", take.requests);
    assert!(take.warnings().iter().any(|text| text.contains("holes")), "{:?}", take.warnings());
    assert!(film.video_end - 9.0 < 3.0 * PICTURE);
}

#[test]
fn jitter_above_the_latency_harms_only_its_source() {
    let source = look(H264, 640, 360, 25);
    let mut bench = Bench::playing(&[source; 2]);
    for slot in [2, 3] {
        bench.feed(slot).jitter = 900 * MS;
    }
    bench.play_until(8.0);
    let film = bench.stop().film();
    check_cadence(&film);
    check_sound(&film, 0, 1.0, 7.9);
    check_together(&film, cell(0, 2), 0, 1.5, 7.9, 6);
    assert!(black(&film, cell(1, 2)).into_iter().all(|at| at < 2.0));
}

#[test]
fn nonsense_ends_no_recording() {
    let (good, other) = (look(H264, 640, 360, 25), look(Vp8, 640, 360, 25));
    prepare(&[(0, good), (1, other)]);
    let mut bench = Bench::ready();
    bench.join(0, good);
    // pictures where sound was announced, and no such slot
    bench.announce(20, 1, Kind::Audio);
    bench.play_nonsense(20, 1, other);
    bench.say(&ToWorker::RemoveSlot { slot: 99 });
    bench.play_until(3.0);
    // another kind than was announced
    bench.announce(30, 2, Kind::Audio);
    bench.play_video(30, 1, other);
    bench.play_until(4.0);
    let take = bench.stop();
    let film = take.film();
    check_cadence(&film);
    assert!(film.flashes(cell(0, 1)).len() >= 3);
    assert!(take.warnings().iter().any(|text| text.contains("sends VP8 where Audio was announced")), "{:?}", take.warnings());
}
