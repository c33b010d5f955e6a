//! Makers of thumbnails: the picture is from the middle of the film, small, and no black one; what is no film is a failure.

use crate::bench::Bench;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use viduct::jobs::Event;
use viduct::wire::control::{FailureKind, Spec};
use viduct::wire::thumbnail::ThumbnailSpec;

/// A film of so many seconds and this size: black, and white for the half second around its middle. Keyframes are far apart.
fn film(folder: &Path, size: &str, seconds: u32) -> PathBuf {
    let path = folder.join("film.mp4");
    let middle = f64::from(seconds) / 2.0;
    let white = format!("drawbox=color=white:t=fill:enable='between(t,{},{})'", middle - 0.25, middle + 0.25);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-f", "lavfi", "-i", &format!("color=black:s={size}:r=25:d={seconds}")]);
    ffmpeg.args(["-f", "lavfi", "-i", &format!("sine=d={seconds}"), "-vf", &white, "-g", "1000", "-pix_fmt", "yuv420p"]);
    assert!(ffmpeg.arg(&path).status().expect("ffmpeg is installed").success());
    path
}

fn spec(film: &Path, picture: &Path) -> Spec {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    Spec::Thumbnail(ThumbnailSpec { film: text(film), picture: text(picture), width: 480 })
}

/// Width, height and mean brightness of a JPEG.
fn look(picture: &Path) -> (usize, usize, f64) {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0"]).arg(picture);
    let text = String::from_utf8(ffprobe.output().unwrap().stdout).unwrap();
    let fields: Vec<_> = text.trim().split(',').collect();
    let ["mjpeg", width, height] = fields[..] else { panic!("{text}") };
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-i"]).arg(picture).args(["-f", "rawvideo", "-pix_fmt", "gray", "-"]);
    let luma = ffmpeg.output().unwrap().stdout;
    let mean = luma.iter().map(|luma| f64::from(*luma)).sum::<f64>() / luma.len() as f64;
    (width.parse().unwrap(), height.parse().unwrap(), mean)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn are_the_picture_in_the_middle_480_px_wide() {
    for (size, height) in [("1280x720", 270), ("640x480", 360), ("320x240", 360), ("150x200", 640)] {
        let folder = tempfile::tempdir().unwrap();
        let picture = folder.path().join("picture.jpg");
        let mut bench = Bench::of(spec(&film(folder.path(), size, 4), &picture));
        let event = bench.event().await;
        assert!(matches!(event, Event::Finished { .. }), "{event:?}");
        bench.end().await;
        let (width, seen, mean) = look(&picture);
        assert_eq!((width, seen), (480, height), "{size}");
        assert!(mean > 200.0, "{size}: it is dark, and so not from the middle: {mean}");
        let bytes = fs::metadata(&picture).unwrap().len();
        assert!(bytes < 64 << 10, "{size}: {bytes} bytes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_is_no_film_or_has_no_pictures_are_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (absent, nonsense, sound) = (folder.path().join("absent.mp4"), folder.path().join("nonsense.mp4"), folder.path().join("sound.mp4"));
    fs::write(&nonsense, vec![7; 100_000]).unwrap();
    let mut ffmpeg = Command::new("ffmpeg");
    assert!(ffmpeg.args(["-v", "error", "-f", "lavfi", "-i", "sine=d=2"]).arg(&sound).status().unwrap().success());
    for (film, kind) in [(absent, FailureKind::NotFound), (nonsense, FailureKind::Ended), (sound, FailureKind::Ended)] {
        let picture = folder.path().join("picture.jpg");
        let mut bench = Bench::of(spec(&film, &picture));
        let Event::Down { failure, .. } = bench.event().await else { panic!("{film:?}: a picture of nothing") };
        assert!(failure.kind == kind && !picture.exists(), "{film:?}: {failure}");
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_cannot_be_written_are_the_disks_failure() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::of(spec(&film(folder.path(), "320x240", 1), &folder.path().join("absent/picture.jpg")));
    let Event::Down { failure, .. } = bench.event().await else { panic!("there is no such folder") };
    assert_eq!(failure.kind, FailureKind::Disk, "{failure}");
    bench.end().await;
}
