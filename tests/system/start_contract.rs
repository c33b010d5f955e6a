//! How the daemon starts, refuses to start, and stops.

use crate::house::{House, options};
use nix_signal::Signal;
use serde_json::json;
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::daemon::{Options, nix_signal};
use viduct_testkit::rest::Client;

/// The start ends with an error that names `property`.
async fn refuses(options: Options, property: &str) {
    let mut daemon = options.spawn();
    let status = daemon.wait(Duration::from_secs(10)).await;
    assert!(!status.success(), "it must not look like a good end");
    daemon.log.wait_for(property, Duration::from_secs(2), |line| line.contains(property)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_port_is_named() {
    let (tcp, udp) = (TcpListener::bind("0.0.0.0:0").unwrap(), UdpSocket::bind("0.0.0.0:0").unwrap());
    let (tcp, udp) = (tcp.local_addr().map(|a| (tcp, a.port())).unwrap(), udp.local_addr().map(|a| (udp, a.port())).unwrap());
    refuses(options().env("HTTPS_PORT", tcp.1), "HTTPS_PORT").await;
    refuses(options().env("HTTP_PORT", tcp.1), "HTTP_PORT").await;
    refuses(options().env("VIDUCT_MEDIA_PORT", udp.1), "VIDUCT_MEDIA_PORT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_value_is_named() {
    for (property, value) in
        [("HTTPS_PORT", "many"), ("VIDUCT_MEDIA_PORT", "-1"), ("OPENVIDU_RECORDING", "perhaps"), ("VIDUCT_PLAIN_HTTP", "7")]
    {
        refuses(options().env(property, value), property).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_named() {
    refuses(options().arg("--config").arg("/no/such/viduct.toml"), "/no/such/viduct.toml").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_is_quick() {
    let folder = tempfile::tempdir().unwrap();
    for start in ["first", "second", "third"] {
        let begin = Clock::System.now();
        let mut house = House::of(options().state(folder.path())).await;
        println!("{start} start: ready after {:.0?}", begin.elapsed());
        assert!(house.daemon.stop().await.0.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn help_names_the_arguments() {
    let mut daemon = options().arg("--help").spawn();
    assert!(daemon.wait(Duration::from_secs(10)).await.success());
    daemon.log.wait_for("--config", Duration::from_secs(2), |line| line.contains("--config")).await;
    assert!(daemon.log.text().contains("--demo"), "{}", daemon.log.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_signals_end_it_cleanly_with_clients_inside() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut house = House::open().await;
        let session = house.session(json!({})).await;
        let alice = house.join(&session, "alice").await;
        house.daemon.signal(signal);
        let status = house.daemon.wait(Duration::from_secs(10)).await;
        assert!(status.success(), "{signal}: {status}");
        let evicted = alice.client.notice("participantEvicted", |_| true).await;
        assert_eq!(evicted["reason"], "openviduServerStopped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_served_with_its_own_certificate() {
    let house = House::open().await;
    let health =
        Client::tls(house.daemon.ports.https).basic("OPENVIDUAPP", viduct_testkit::daemon::SECRET).get("/openvidu/api/health").await;
    assert_eq!(health.expect(200).json(), json!({"status": "UP"}));
}
