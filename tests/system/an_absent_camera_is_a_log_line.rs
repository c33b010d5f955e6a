//! A camera that cannot be reached is taken all the same, as in the original; one log line names the connection and the cause.

use crate::house::{House, PATIENCE};
use serde_json::json;
use std::net::TcpListener;
use viduct_testkit::camera::{Options, TestCamera};

/// Adds a camera that plays at once; gives the line that names it and `cause`.
async fn is_told(house: &House, url: &str, cause: &str) {
    let session = house.session(json!({})).await;
    let (connection, _) = house.camera(&session, url, false).await;
    let wanted = |line: &str| line.contains(&connection) && line.to_lowercase().contains(cause);
    house.daemon.log.wait_for(&format!("{connection}: {cause}"), PATIENCE * 2, wanted).await;
    let lines = house.daemon.log.lines();
    assert_eq!(lines.iter().filter(|line| wanted(line)).count(), 1, "one line, not one a try");
    assert!(!house.daemon.log.text().contains("hunter2"), "the password is in no log line");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused() {
    let house = House::open().await;
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    is_told(&house, &format!("rtsp://user:hunter2@{free}/cam"), "refused").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_host() {
    let house = House::open().await;
    is_told(&house, "rtsp://user:hunter2@no-such-host.invalid/cam", "unknown host").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_password_and_wrong_path() {
    let house = House::open().await;
    let auth = Some(("admin".to_owned(), "right".to_owned()));
    let closed = TestCamera::start(&Options { auth, ..Options::default() }).unwrap();
    is_told(&house, &closed.url_with("admin", "hunter2"), "401").await;
    let open = TestCamera::start(&Options::default()).unwrap();
    is_told(&house, &open.url.replace("/cam", "/elsewhere"), "404").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_sends_nothing() {
    let house = House::open().await;
    let camera = TestCamera::start(&Options::default()).unwrap();
    camera.pause();
    is_told(&house, &camera.url, "no packets").await;
}
