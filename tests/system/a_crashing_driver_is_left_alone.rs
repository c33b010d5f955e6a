//! Hardware that takes its worker along again and again is not used any more: software takes its place, the log and the metrics say so.

use crate::house::{House, PATIENCE, options, viewer_of};
use serde_json::json;
use std::path::PathBuf;
use viduct_testkit::camera::{Options, TestCamera};
use viduct_testkit::material::Media;
use viduct_testkit::whep::Whep;

/// The decoder by which the plug-in stands for a broken driver: it ends its process.
const DRIVER: &str = "v4l2slh264dec";

/// The folder where cargo puts examples, beside that of the tests.
fn plugins() -> PathBuf {
    let own = std::env::current_exe().expect("a test knows where it is");
    let folder = own.ancestors().nth(2).expect("it is in target/<profile>/deps").join("examples");
    assert!(folder.join("libcrashing_driver.so").is_file(), "the plug-in is not built: run cargo build --workspace --examples");
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn and_software_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    // cargo keeps one more under another name beside it, which would be the same plug-in twice
    std::fs::copy(plugins().join("libcrashing_driver.so"), folder.path().join("libcrashing_driver.so")).unwrap();
    let registry = folder.path().join("registry.bin");
    let camera = TestCamera::start(&Options::default()).unwrap();
    let gst = options().env("GST_PLUGIN_PATH", folder.path().display()).env("GST_REGISTRY", registry.display());
    let house = House::of(gst).await;
    let session = house.session(json!({})).await;
    let (_, stream) = house.camera(&session, &camera.url, false).await;
    let able = Whep::watch(&house.rest, &session, &stream).await.peer;
    able.wait_until("a picture", PATIENCE * 2, |seen| seen.whole_frames() > 5).await;

    let viewer = Whep::offer(&house.rest, &session, &stream, viewer_of(Media::Vp8)).await.unwrap_or_else(|r| panic!("{}", r.text())).peer;
    viewer.wait_until("transcoded pictures", PATIENCE * 2, |seen| seen.whole_frames() > 20).await;
    let crashed = || house.daemon.log.lines().iter().filter(|line| line.contains("left alone")).cloned().collect::<Vec<_>>();
    let [line] = &crashed()[..] else { panic!("one line tells it: {:?}\n{}", crashed(), house.daemon.log.text()) };
    println!("{line}");
    assert!(line.contains(DRIVER) && line.contains("signal: 6"), "{line}");
    let metrics = house.rest.get("/metrics").await.expect(200).text();
    assert!(metrics.contains(&format!("\nviduct_hardware_struck_out{{element=\"{DRIVER}\"}} 1\n")), "{metrics}");
    assert!(metrics.contains("\nviduct_worker_failures_total{job=\"transcode\",cause=\"worker crashed\"} 2\n"), "{metrics}");

    // another transcoder begins without it
    let (_, other) = house.camera(&session, &camera.url, false).await;
    let viewer = Whep::offer(&house.rest, &session, &other, viewer_of(Media::Vp8)).await.unwrap_or_else(|r| panic!("{}", r.text())).peer;
    viewer.wait_until("pictures of another", PATIENCE * 2, |seen| seen.whole_frames() > 5).await;
    let metrics = house.rest.get("/metrics").await.expect(200).text();
    assert!(metrics.contains("\nviduct_worker_failures_total{job=\"transcode\",cause=\"worker crashed\"} 2\n"), "{metrics}");
}
