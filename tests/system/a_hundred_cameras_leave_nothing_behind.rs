//! Cameras that are added and removed a hundred times, some while they are connecting, leave no process, no thread and no
//! descriptor behind.

use crate::house::{House, PATIENCE, until};
use serde_json::json;
use viduct_testkit::camera::crooked::{Crooked, Manner};
use viduct_testkit::camera::{Options, TestCamera};

/// Entries of a folder of `/proc`.
fn entries(pid: i32, folder: &str) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/{folder}")).map_or(0, |entries| entries.count())
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_threads_descriptors() {
    let camera = TestCamera::start(&Options { audio: None, ..Options::default() }).unwrap();
    let mute = Crooked::start(Manner::Mute).await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let urls = [camera.url.clone(), mute.url.clone(), format!("rtsp://{gone}/cam"), "rtsp://localhost:9/cam".into()];
    let house = House::open().await;
    let session = house.session(json!({})).await;
    // keeps the session
    house.camera(&session, &camera.url, true).await;
    let pid = house.daemon.pid();
    let mut settled = (0, 0);
    for round in 0..100 {
        let (connection, _) = house.camera(&session, &urls[round % urls.len()], false).await;
        if round % 8 == 0 {
            until("a worker", PATIENCE, || !house.daemon.workers().is_empty()).await;
        }
        house.rest.delete(&format!("/openvidu/api/sessions/{session}/connection/{connection}")).await.expect(204);
        if round == 11 {
            house.workers(0, PATIENCE).await;
            settled = (entries(pid, "fd"), entries(pid, "task"));
        }
    }
    house.workers(0, PATIENCE).await;
    // threads that resolved a name, and connections that close, take a moment
    until("no more than after 12 cameras", PATIENCE, || entries(pid, "fd") <= settled.0 + 2 && entries(pid, "task") <= settled.1 + 4).await;
    println!("descriptors and threads: {settled:?} after 12 cameras, {:?} after 100", (entries(pid, "fd"), entries(pid, "task")));
}
