//! Picture and sound are together, and the file is as long as the recording took.

use crate::bench::{Bench, look, prepare};
use viduct_testkit::flashes::film::Area;
use viduct_testkit::flashes::source::VideoCodec::{H264, Vp8};
use viduct_testkit::flashes::{beep_hz, tone_hz};

#[test]
fn four_sources_flash_and_beep_together() {
    let looks = [look(H264, 640, 360, 25), look(H264, 640, 360, 50), look(Vp8, 640, 360, 25), look(H264, 640, 360, 25)];
    let sources: Vec<_> = (0..).zip(looks).collect();
    prepare(&sources);
    let mut bench = Bench::start();
    bench.wait_ready();
    for (number, look) in sources {
        bench.join(number, look);
        bench.play_until(1.0 + 0.37 * f64::from(number));
    }
    bench.play_until(12.0);
    let take = bench.stop();
    eprintln!("stop took {} ms, warnings {:?}, requests {:?}", (take.ended - take.stopped) / 1_000_000, take.warnings(), take.requests);
    let film = take.film();
    eprintln!("video {} audio {} pictures {}", film.video_end, film.audio_end, film.times().len());
    for number in 0..4 {
        let cell = Area { x: number % 2 * 640, y: number / 2 * 360, width: 640, height: 360 }.inner();
        let number = number as usize;
        let sync: Vec<_> = film.sync(cell, beep_hz(number)).into_iter().map(|(at, late)| ((at * 100.0).round() / 100.0, (late * 10_000.0).round() / 10.0)).collect();
        eprintln!("{number}: {sync:?}");
        eprintln!("   silences {:?}", film.silences(tone_hz(number)).into_iter().map(|(a,b)| ((a*1000.0).round(),(b*1000.0).round())).collect::<Vec<_>>());
    }
}
