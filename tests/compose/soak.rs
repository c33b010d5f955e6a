//! `make bench BENCH=soak`: a long recording of two to four sources who join and leave, then what became of it: is it as long as it
//! took, are picture and sound still together, has the composer grown.
//!
//! `VIDUCT_SOAK_MINUTES` (15). Fails when a promise is broken. It wants the machine for itself: whoever takes away the processor
//! makes pictures late, here as in the tests.

#[allow(dead_code, reason = "a measurement needs less of it than the tests")]
mod bench;

use bench::reels::prepare;
use bench::{Bench, PICTURE, TOGETHER, cell, look};
use viduct_testkit::flashes::beep_hz;
use viduct_testkit::flashes::film::Film;
use viduct_testkit::flashes::source::VideoCodec::{H264, Vp8};
use viduct_testkit::usage::Usage;

/// What a composer may have grown by between two times with the same sources, MB: decoders and mixers keep what they once had.
const GROWTH: f64 = 20.0;
/// How long sources come and go before they are judged, s.
const ROUND: f64 = 60.0;

fn main() {
    let minutes: f64 = std::env::var("VIDUCT_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(15.0);
    let looks = [look(H264, 640, 360, 25), look(Vp8, 640, 360, 25), look(H264, 640, 360, 25), look(Vp8, 640, 360, 25)];
    prepare(&(0..).zip(looks).collect::<Vec<_>>());
    let mut bench = Bench::ready();
    bench.join(0, looks[0]);
    bench.join(1, looks[1]);
    let rounds = (minutes * 60.0 / ROUND).ceil().max(2.0) as u32;
    let mut memory = Vec::new();
    for round in 0..rounds {
        let at = f64::from(round) * ROUND;
        // the third comes and goes in each round, the fourth in each second one
        bench.play_until(at + 0.2 * ROUND);
        bench.join(2, looks[2]);
        bench.play_until(at + 0.4 * ROUND);
        if round % 2 == 0 {
            bench.join(3, looks[3]);
        }
        bench.play_until(at + 0.6 * ROUND);
        if round % 2 == 0 {
            bench.leave(3);
        }
        bench.play_until(at + 0.8 * ROUND);
        bench.leave(2);
        bench.play_until(at + ROUND);
        let usage = Usage::of(bench.child.id().cast_signed()).expect("it runs");
        memory.push(usage.memory);
        println!("{:.0} min: {:.0} MB, {:.0} s of processor", (at + ROUND) / 60.0, usage.memory, usage.cpu);
    }
    let take = bench.stop();
    take.warnings().iter().for_each(|warning| println!("the composer says: {warning}"));
    let film = take.film();
    let took = (take.stopped - take.began) as f64 / 1e9;
    let late: Vec<f64> = (0..2).flat_map(|number| at_the_end(&film, number)).collect();
    let worst = late.iter().copied().fold(0.0, |worst: f64, late| worst.max(late.abs()));
    let apart = late.iter().filter(|late| late.abs() > TOGETHER).count();
    let missing = film.times().windows(2).filter(|pair| (pair[1] - pair[0] - PICTURE).abs() > 0.001).count();
    // the first round is when decoders are made and buffers grow
    let growth = memory[memory.len() - 1] - memory[1.min(memory.len() - 1)];
    println!("recorded {took:.3} s; the pictures last {:.3} s, the sound {:.3} s, {missing} gaps", film.video_end, film.audio_end);
    println!("at the end {} flashes, at most {:.0} ms from their beeps, {apart} of them apart", late.len(), worst * 1000.0);
    println!("memory: {growth:+.0} MB since the second minute");
    assert!((film.video_end - took).abs() < 2.0 * PICTURE && missing == 0, "the film is not as long as it took");
    assert!((film.audio_end - film.video_end).abs() < PICTURE, "sound and pictures do not end together");
    assert!(late.len() >= 16 && apart <= 1, "picture and sound fell apart: {late:?}");
    assert!(growth < GROWTH, "it grows: {memory:?}");
}

/// How far flashes of a source are from their beeps at the end, s: since the last of the others left.
fn at_the_end(film: &Film, number: usize) -> Vec<f64> {
    let from = film.video_end - 0.2 * ROUND + 1.0;
    film.sync(cell(number, 2), beep_hz(number)).into_iter().filter(|(at, _)| *at > from).map(|(_, late)| late).collect()
}
