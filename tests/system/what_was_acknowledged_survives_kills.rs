//! kill -9 of the daemon at random moments, while it is told of cameras and of properties: what it had acknowledged the next start
//! has, and nothing else. The stores alone go through hundreds of kills in `src/state` and `src/daemon`.

use crate::house::{House, PATIENCE, options, recording_to};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::rest::Client;

const ROUNDS: usize = 12;
/// How long a daemon may work after its first acknowledgement.
const LIFE: Duration = Duration::from_millis(150);
const CAMERAS: &str = "/openvidu/api/sessions/gate/connection";

/// What a client of the daemon knows.
#[derive(Clone, Default, Debug)]
struct Known {
    /// Cameras that are there.
    cameras: BTreeSet<String>,
    /// The camera that is being deleted.
    doomed: Option<String>,
    /// Acknowledgements in this round.
    acknowledged: usize,
}

/// Waits for the first acknowledgement, and a random time longer.
async fn some_time(acknowledged: impl Fn() -> bool) {
    crate::house::until("something is acknowledged", PATIENCE, acknowledged).await;
    Clock::System.sleep(LIFE.mul_f64(rand::random::<f64>())).await;
}

/// Adds and deletes cameras until nobody answers.
async fn change_cameras(rest: Client, known: Arc<Mutex<Known>>) {
    // there already, unless it had no camera
    let _ = rest.try_post("/openvidu/api/sessions", &json!({"customSessionId": "gate"})).await;
    loop {
        let (count, oldest) = {
            let known = known.lock().unwrap();
            (known.cameras.len(), known.cameras.first().cloned())
        };
        if count < 4 {
            let camera = json!({"type": "IPCAM", "rtspUri": "rtsp://192.0.2.9/x", "onlyPlayWithSubscribers": true});
            let Ok(answer) = rest.try_post(CAMERAS, &camera).await else { return };
            let id = answer.expect(200).json()["id"].as_str().unwrap().to_owned();
            let mut known = known.lock().unwrap();
            known.cameras.insert(id);
            known.acknowledged += 1;
        } else if let Some(id) = oldest {
            known.lock().unwrap().doomed = Some(id.clone());
            let Ok(answer) = rest.try_delete(&format!("{CAMERAS}/{id}")).await else { return };
            answer.expect(204);
            let mut known = known.lock().unwrap();
            known.cameras.remove(&id);
            known.doomed = None;
            known.acknowledged += 1;
        }
    }
}

async fn cameras(house: &House) -> BTreeSet<String> {
    let answer = house.rest.get(CAMERAS).await;
    if answer.status == 404 {
        return BTreeSet::new();
    }
    let list = answer.expect(200).json();
    list["content"].as_array().unwrap().iter().map(|camera| camera["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_cameras() {
    let folder = tempfile::tempdir().unwrap();
    let (mut known, mut total) = (Known::default(), 0);
    for round in 0..=ROUNDS {
        let mut house = House::of(options().state(folder.path().join("state"))).await;
        let there = cameras(&house).await;
        let lost: Vec<_> = known.cameras.difference(&there).filter(|id| known.doomed.as_ref() != Some(id)).collect();
        let new = there.difference(&known.cameras).count();
        assert!(lost.is_empty(), "round {round}: {lost:?} of {known:?}");
        // one may have been added whose acknowledgement did not arrive; then none was being deleted
        assert!(new <= usize::from(known.doomed.is_none() && round > 0), "round {round}: {there:?}, {known:?}");
        total += known.acknowledged;
        if round == ROUNDS {
            break;
        }
        let shared = Arc::new(Mutex::new(Known { cameras: there, ..Known::default() }));
        let client = tokio::spawn(change_cameras(house.rest.clone(), shared.clone()));
        some_time(|| shared.lock().unwrap().acknowledged > 0).await;
        house.daemon.kill();
        client.await.unwrap();
        known = shared.lock().unwrap().clone();
    }
    println!("{ROUNDS} kills, {total} acknowledged");
}

/// Sets the property to one number after the other, until the daemon is killed for good. Each time it begins anew.
async fn change_property(rest: Client, last: Arc<AtomicU64>, killed: Arc<AtomicBool>) {
    while !killed.load(SeqCst) {
        let next = last.load(SeqCst) + 1;
        match rest.try_post("/openvidu/api/restart", &json!({"OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT": next})).await {
            Ok(answer) if answer.status == 200 => last.store(next, SeqCst),
            // it is on its way, and takes no requests
            _ => Clock::System.sleep(Duration::from_millis(2)).await,
        }
    }
}

async fn property(house: &House) -> u64 {
    let config = house.rest.get("/openvidu/api/config").await.expect(200).json();
    config["OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_properties() {
    const FILE: &str = "# the box at the gate\nOPENVIDU_RECORDING_AUTOSTOP_TIMEOUT = 60 # a minute\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("viduct.toml");
    std::fs::write(&path, FILE).unwrap();
    let mut known = 60;
    for round in 0..=ROUNDS {
        // switched on, for only then the property is shown
        let options = recording_to(&folder.path().join("films")).arg("--config").arg(path.to_str().unwrap());
        let mut house = House::of(options).await;
        let there = property(&house).await;
        // one more may have been written whose acknowledgement did not arrive
        assert!(there == known || (there == known + 1 && round > 0), "round {round}: {there}, {known} was acknowledged");
        assert!(std::fs::read_to_string(&path).unwrap().starts_with(FILE), "round {round}");
        if round == ROUNDS {
            break;
        }
        let (last, killed) = (Arc::new(AtomicU64::new(there)), Arc::new(AtomicBool::new(false)));
        let client = tokio::spawn(change_property(house.rest.clone(), last.clone(), killed.clone()));
        some_time(|| last.load(SeqCst) > there).await;
        house.daemon.kill();
        killed.store(true, SeqCst);
        client.await.unwrap();
        known = last.load(SeqCst);
    }
    println!("{ROUNDS} kills, {} acknowledged", known - 60);
}
