//! What systemd is told: ready when the doors are open, reloading around a reload and around a restart, stopping at the end alone.

use crate::house::{House, options};
use nix_signal::Signal;
use serde_json::json;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;
use viduct_testkit::daemon::nix_signal;

/// Stands in the place of systemd.
struct Manager(UnixDatagram);

impl Manager {
    /// The next word that is not a sign of life.
    fn hears(&self) -> String {
        let mut message = [0; 512];
        loop {
            let length = self.0.recv(&mut message).expect("systemd is told in time");
            let text = String::from_utf8_lossy(&message[..length]).into_owned();
            if !text.starts_with("WATCHDOG") {
                return text;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_start_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, path) = (folder.path().join("notify"), folder.path().join("viduct.toml"));
    fs::write(&path, "").unwrap();
    let systemd = Manager(UnixDatagram::bind(&socket).unwrap());
    systemd.0.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let options =
        options().arg("--config").arg(path.to_str().unwrap()).env("NOTIFY_SOCKET", socket.display()).env("WATCHDOG_USEC", 900_000);
    let mut house = House::of(options).await;
    let reloading = |text: &str| text.starts_with("RELOADING=1\nMONOTONIC_USEC=");
    assert_eq!(systemd.hears(), "READY=1");
    house.daemon.signal(Signal::SIGHUP);
    assert!(reloading(&systemd.hears()));
    assert_eq!(systemd.hears(), "READY=1");
    house.rest.post("/openvidu/api/restart", json!({"OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT": 9})).await.expect(200);
    assert!(reloading(&systemd.hears()));
    assert_eq!(systemd.hears(), "READY=1");
    assert!(house.daemon.stop().await.0.success());
    assert_eq!(systemd.hears(), "STOPPING=1");
}
