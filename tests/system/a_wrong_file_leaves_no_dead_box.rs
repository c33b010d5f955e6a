//! A configuration file that became wrong: the box starts with the last one that was good, and says so.

use crate::house::{House, PATIENCE, options};
use nix_signal::Signal;
use std::fs;
use std::time::Duration;
use viduct_testkit::daemon::nix_signal;

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_with_the_last_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, state) = (folder.path().join("viduct.toml"), folder.path().join("state"));
    let options = || options().arg("--config").arg(path.to_str().unwrap()).state(&state);
    let good = "OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH = 321\n";
    fs::write(&path, good).unwrap();
    let mut house = House::of(options()).await;
    let says = async |house: &House| {
        let config = house.rest.get("/openvidu/api/config").await.expect(200).json();
        config["OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH"].clone()
    };
    assert_eq!(says(&house).await, 321);

    for wrong in [
        "OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH = many\n",
        "OPENVIDU_RECORDING = 7\n",
        "VIDUCT_CERTIFICATE_FILE = \"/no\"\nVIDUCT_PRIVATE_KEY_FILE = \"/no\"\n",
    ] {
        house.daemon.kill();
        fs::write(&path, wrong).unwrap();
        house = House::of(options()).await;
        assert_eq!(says(&house).await, 321, "{wrong}");
        house.daemon.log.wait_for("loud words", PATIENCE, |line| line.contains("THE CONFIGURATION") && line.contains("WRONG")).await;
        assert_eq!(fs::read_to_string(&path).unwrap(), wrong, "it is the operator's to mend");
    }
    // a file that is gone but named is as wrong
    house.daemon.kill();
    fs::remove_file(&path).unwrap();
    house = House::of(options()).await;
    assert_eq!(says(&house).await, 321);

    // mended and reloaded it is the good one from now on; wrong again, nothing is reloaded
    fs::write(&path, "OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH = 654\n").unwrap();
    house.daemon.signal(Signal::SIGHUP);
    house.daemon.log.wait_for("a reload", PATIENCE, |line| line.contains("were read again")).await;
    let in_force = async {
        while says(&house).await != 654 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, in_force).await.expect("the new value is in force");
    fs::write(&path, "= =\n").unwrap();
    house.daemon.signal(Signal::SIGHUP);
    house.daemon.log.wait_for("a refusal", PATIENCE, |line| line.contains("nothing is reloaded")).await;
    assert_eq!(says(&house).await, 654);
    house.daemon.kill();
    house = House::of(options()).await;
    assert_eq!(says(&house).await, 654);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_first_start_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("viduct.toml");
    fs::write(&path, "OPENVIDU_RECORDING = 7\n").unwrap();
    let mut daemon = options().arg("--config").arg(path.to_str().unwrap()).spawn();
    assert!(!daemon.wait(Duration::from_secs(10)).await.success());
    daemon.log.wait_for("the property", PATIENCE, |line| line.contains("OPENVIDU_RECORDING=7")).await;

    for (text, good, said) in
        [("OPENVIDU_RECORDING = 7\n", false, "OPENVIDU_RECORDING=7"), ("OPENVIDU_CRD = true\n", true, "did you mean OPENVIDU_CDR?")]
    {
        fs::write(&path, text).unwrap();
        let mut check = options().arg("config").arg("check").arg("--config").arg(path.to_str().unwrap()).spawn();
        assert_eq!(check.wait(Duration::from_secs(10)).await.success(), good, "{text}");
        check.log.wait_for(said, PATIENCE, |line| line.contains(said)).await;
    }
}
