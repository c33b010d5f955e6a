//! Picture and sound are together, and the file is as long as the recording took.

use crate::bench::{Bench, MS, PICTURE, S, TOGETHER, Take, cell, look};
use viduct::clock::monotonic_ns;
use viduct_testkit::flashes::film::Film;
use viduct_testkit::flashes::source::Look;
use viduct_testkit::flashes::source::VideoCodec::{H264, Vp8};
use viduct_testkit::flashes::{PERIOD, beep_hz, tone_hz};

/// Every picture is there, one after the other, from the first moment on; sound is as long as the pictures.
pub fn check_cadence(film: &Film) {
    let times = film.times();
    assert_eq!(times.first(), Some(&0.0));
    let odd: Vec<_> = times.windows(2).filter(|pair| (pair[1] - pair[0] - PICTURE).abs() > 0.001).collect();
    assert!(odd.is_empty(), "pictures are missing or doubled: {odd:?}");
    assert!((film.audio_end - film.video_end).abs() < PICTURE, "sound ends at {}, pictures at {}", film.audio_end, film.video_end);
}

/// The film is as long as the recording took, by the composer's clock.
fn check_duration(film: &Film, take: &Take) {
    let took = (take.stopped - take.began) as f64 / S as f64;
    assert!((film.video_end - took).abs() < 1.5 * PICTURE, "{} s long, recorded {took} s", film.video_end);
}

/// Flashes `(when, late)` are where their beeps are, and stay there. A picture that a busy machine could not decode in time is
/// replaced by the one before it: one flash of a film may be so late that it is seen with a later picture.
pub fn check_sync(number: usize, sync: &[(f64, f64)]) {
    let (together, apart): (Vec<f64>, Vec<f64>) = sync.iter().map(|(_, late)| *late).partition(|late| late.abs() <= TOGETHER);
    assert!(apart.len() <= 1 && !together.is_empty(), "source {number}: {sync:?}");
    let spread = together.iter().copied().fold(f64::MIN, f64::max) - together.iter().copied().fold(f64::MAX, f64::min);
    assert!(spread <= PICTURE + 0.005, "source {number} wanders by {spread} s: {sync:?}");
}

/// Sources join together and play for some seconds; each is in its cell, in sync, and never silent.
fn check_together(looks: &[Look], seconds: f64) {
    let mut bench = Bench::playing(looks);
    bench.play_until(seconds);
    let take = bench.stop();
    let film = take.film();
    check_cadence(&film);
    check_duration(&film, &take);
    // four beeps and tones are up to 1.4, and nine up to 3.1. An encoder adds to the 0.89 of the limiter, most where it cut
    assert!(film.loudest() < 1.25, "the sound is as loud as {}", film.loudest());
    for number in 0..looks.len() {
        let sync = film.sync(cell(number, looks.len()), beep_hz(number));
        assert!(sync.len() as f64 >= seconds - 2.0, "source {number} flashes and beeps {} times in {seconds} s", sync.len());
        check_sync(number, &sync);
        let silences = film.silences(tone_hz(number));
        // nine beeps at once hide a quiet tone from the encoder
        let hidden = |at: f64| looks.len() > 4 && film.beeps(beep_hz(number)).iter().any(|beep| (beep - 0.05..beep + 0.2).contains(&at));
        // until it came and its decoder had begun, and the last moment
        let came = silences.first().map_or(0.0, |(_, length)| length + 0.1);
        let heard = |at: f64| at < came || at > film.audio_end - 0.1 || hidden(at);
        assert!(silences.iter().all(|(at, _)| heard(*at)), "source {number}: {silences:?}");
    }
}

#[test]
fn four_sources_flash_and_beep_together() {
    check_together(&[look(H264, 640, 360, 25), look(H264, 640, 360, 50), look(Vp8, 640, 360, 25), look(H264, 640, 360, 30)], 9.0);
}

#[test]
fn nine_sources_flash_and_beep_together() {
    let looks: Vec<Look> = (0..9).map(|number| look(if number % 3 == 2 { Vp8 } else { H264 }, 640, 360, 25)).collect();
    check_together(&looks, 6.0);
}

#[test]
fn a_picture_in_the_file_is_where_its_capture_time_is() {
    let source = look(H264, 640, 360, 25);
    let mut bench = Bench::playing(&[source]);
    bench.play_until(5.0);
    let take = bench.stop();
    let film = take.film();
    let late = |(at, captured): (f64, f64)| {
        let expected = (take.began as f64 / S as f64 + at) % (PERIOD as f64 / S as f64);
        (expected - captured + 3.0).rem_euclid(2.0) - 1.0
    };
    let mut ages: Vec<f64> = film.captured(cell(0, 1)).into_iter().map(late).collect();
    ages.sort_by(f64::total_cmp);
    assert!(ages.len() > 80, "{} pictures tell their time", ages.len());
    // one step of brightness is half a picture's time; a machine that does other things as well shows some pictures late, and
    // those by no more than a few
    let (middle, most) = (ages[ages.len() / 2], ages[ages.len() * 3 / 4]);
    println!("age of the pictures: median {:.0} ms, three quarters below {:.0} ms", middle * 1000.0, most * 1000.0);
    assert!(middle.abs() <= 0.045 && ages[0] > -0.065 && most < 0.130, "{ages:?}");
}

#[test]
fn a_recording_of_nobody_grows_black_and_silent() {
    let mut bench = Bench::start();
    bench.wait_ready();
    let start = monotonic_ns() - bench.began;
    println!("on disk after {} ms; 2 s are promised", start / MS);
    assert!(start < 3 * 2 * S, "nothing on disk for {} ms", start / MS);
    bench.play_until(1.2);
    let early = bench.written().unwrap();
    bench.play_until(3.0);
    let late = bench.written().unwrap();
    assert!(late.bytes > early.bytes && late.duration_ms >= early.duration_ms + 1000, "{early:?} {late:?}");
    let take = bench.stop();
    println!("stopped in {} ms", (take.ended - take.stopped) / MS);
    assert!(take.ended - take.stopped < 3 * 1000 * MS, "stop took {} ms", (take.ended - take.stopped) / MS);
    let film = take.film();
    check_cadence(&film);
    check_duration(&film, &take);
    assert!(film.luma(cell(0, 1)).iter().all(|(_, luma)| *luma < 20.0));
    let result = take.written.unwrap();
    assert_eq!(result.bytes, std::fs::metadata(&take.path).unwrap().len());
    assert!((result.duration_ms as f64 / 1000.0 - film.video_end).abs() < PICTURE, "{result:?}");
}
