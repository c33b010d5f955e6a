//! SIGHUP: what can be applied is applied, what cannot is named, the certificate is read again, and viewers do not notice.

use crate::house::{House, PATIENCE, options};
use nix_signal::Signal;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use viduct_testkit::camera::{Options as CameraOptions, TestCamera};
use viduct_testkit::daemon::nix_signal;
use viduct_testkit::whep::Whep;

/// Writes certificate and key for localhost.
fn certify(folder: &Path) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    certificate.der().clone()
}

/// Does a client that trusts nothing but `certificate` get in?
async fn admits(port: u16, certificate: &CertificateDer<'static>) -> bool {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    connector.connect("localhost".try_into().unwrap(), stream).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_go_on_while_values_and_certificate_change() {
    let camera = TestCamera::start(&CameraOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("viduct.toml");
    let first = certify(folder.path());
    let files = format!(
        "VIDUCT_CERTIFICATE_FILE = {:?}\nVIDUCT_PRIVATE_KEY_FILE = {:?}\n",
        folder.path().join("cert.pem"),
        folder.path().join("key.pem")
    );
    fs::write(&path, &files).unwrap();
    let house = House::of(options().arg("--config").arg(path.to_str().unwrap())).await;
    let session = house.session(json!({})).await;
    let (_, stream) = house.camera(&session, &camera.url, true).await;
    let viewer = Whep::watch(&house.rest, &session, &stream).await.peer;
    viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 15).await;
    let alice = house.join(&session, "alice").await;
    assert!(admits(house.daemon.ports.https, &first).await);

    let second = certify(folder.path());
    fs::write(&path, format!("{files}OPENVIDU_STREAMS_FORCED_VIDEO_CODEC = \"H264\"\nVIDUCT_PUBLIC_ADDRESSES = [\"203.0.113.7\"]\n"))
        .unwrap();
    house.daemon.signal(Signal::SIGHUP);
    let said = house.daemon.log.wait_for("a reload", PATIENCE, |line| line.contains("were read again")).await;
    assert!(said.contains("now in force: OPENVIDU_STREAMS_FORCED_VIDEO_CODEC"), "{said}");
    house.daemon.log.wait_for("what waits", PATIENCE, |line| line.contains("VIDUCT_PUBLIC_ADDRESSES has changed")).await;
    let codec = async || house.rest.get("/openvidu/api/config").await.expect(200).json()["OPENVIDU_STREAMS_FORCED_VIDEO_CODEC"].clone();
    let in_force = async {
        while codec().await != "H264" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, in_force).await.expect("the answers are those of the new configuration");
    let made = house.rest.post("/openvidu/api/sessions", json!({"customSessionId": "later"})).await.expect(200).json();
    assert_eq!(made["forcedVideoCodec"], "H264");
    assert!(admits(house.daemon.ports.https, &second).await && !admits(house.daemon.ports.https, &first).await);

    let before = viewer.look().whole_frames();
    viewer.wait_until("the picture goes on", PATIENCE, |seen| seen.whole_frames() > before + 30).await;
    assert_eq!((viewer.look().closed, viewer.look().video.ssrcs.len()), (None, 1));
    assert!(alice.client.request("leaveRoom", json!({})).await.is_ok(), "her socket is the same");
}
