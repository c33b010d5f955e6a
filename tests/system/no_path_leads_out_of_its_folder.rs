//! Whatever is asked of the routes that serve files, however it is spelled and wherever a link leads: nothing comes but what belongs
//! there. A canary lies beside every folder, and in the root of the machine there is `/etc/passwd`.

use crate::house::{House, recording_to};
use crate::wire;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const CANARY: &str = "canary-that-nobody-may-see";

/// Ways to say "up from here": plain, encoded once, twice, with backslashes, overlong, with a NUL.
const CLIMBS: &[&str] =
    &["..", "%2e%2e", "%2E%2E", ".%2e", "%252e%252e", "..%00", "%c0%ae%c0%ae", "%uff0e%uff0e", "..;", "....", "..\\..", "..%5c..", "%5c.."];
const SLASHES: &[&str] = &["/", "%2f", "%2F", "%252f", "//", "\\", "%5c", "/./"];

/// All spellings of `target` below a route.
fn spellings(route: &str, outside: &Path) -> Vec<String> {
    let absolute = outside.display().to_string();
    let mut all = Vec::new();
    for name in ["canary", "outside/canary", "etc/passwd"] {
        for climb in CLIMBS {
            for slash in SLASHES {
                for depth in [1, 2, 9] {
                    all.push(format!("{route}/{}{}", format!("{climb}{slash}").repeat(depth), name.replace('/', slash)));
                }
            }
        }
    }
    for slash in SLASHES {
        all.push(format!("{route}{slash}{}", absolute.replace('/', slash)));
        all.push(format!("{route}{slash}{slash}etc{slash}passwd"));
    }
    for name in
        ["link", "folder/canary", "folder%2fcanary", "link%00.log", "canary%00", "file:%2f%2f%2fetc%2fpasswd", "%2fproc%2fself%2fenviron"]
    {
        all.push(format!("{route}/{name}"));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn however_it_is_spelled() {
    let all = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let path = all.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    };
    let (films, cdr, layouts, outside) = (folder("films"), folder("cdr"), folder("layouts"), folder("outside"));
    for path in [all.path().join("canary"), outside.join("canary"), outside.join("CDR.canary")] {
        fs::write(path, CANARY).unwrap();
    }
    for inside in [&films, &cdr, &layouts] {
        symlink(outside.join("canary"), inside.join("link")).unwrap();
        symlink(&outside, inside.join("folder")).unwrap();
    }
    symlink(outside.join("canary"), cdr.join("CDR.link.log")).unwrap();
    fs::create_dir(layouts.join("mine")).unwrap();
    fs::write(layouts.join("mine/index.html"), "mine").unwrap();
    let options = recording_to(&films)
        .env("OPENVIDU_CDR", "true")
        .env("OPENVIDU_CDR_PATH", cdr.display())
        .env("OPENVIDU_RECORDING_CUSTOM_LAYOUT", layouts.display())
        .env("OPENVIDU_RECORDING_PUBLIC_ACCESS", "true");
    let house = House::of(options).await;
    let session = house.session(json!({"customSessionId": "gate"})).await;
    let _alice = house.join(&session, "alice").await;
    house.record_some_time(&session, json!({"name": "visit", "resolution": "320x240"})).await;
    house.stop_recording("gate").await;
    house.ended_recording("gate", crate::house::PATIENCE).await;

    // what is there can be had
    house.rest.get("/openvidu/layouts/mine/index.html").await.expect(200);
    house.rest.get("/openvidu/recordings/gate/visit.mp4").await.expect(200);
    // a film that somebody has replaced by a link
    fs::remove_file(films.join("gate/visit.mp4")).unwrap();
    symlink(outside.join("canary"), films.join("gate/visit.mp4")).unwrap();
    house.rest.get("/openvidu/recordings/gate/visit.mp4").await.expect(404);
    house.rest.get("/openvidu/cdr/CDR.link.log").await.expect(404);
    let listed = house.rest.get("/openvidu/cdr").await.expect(200).text();
    assert!(listed.contains("CDR.20") && !listed.contains("link"), "{listed}");

    let routes = [
        "/openvidu/recordings",
        "/openvidu/recordings/gate",
        "/recordings",
        "/openvidu/layouts",
        "/openvidu/layouts/mine",
        "/layouts/custom",
        "/openvidu/cdr",
        "/cdr",
        "/openvidu/accept-certificate",
        "/metrics",
        "/openvidu/api/recordings",
        "",
    ];
    let mut asked = 0;
    for route in routes {
        // one connection a route: there are thousands of questions
        let mut requests = String::new();
        for path in spellings(route, &outside.join("canary")) {
            let right = "Authorization: Basic T1BFTlZJRFVBUFA6TVlfU0VDUkVU";
            // what is no URI at all ends the connection, so those come each on their own
            if path.contains('\\') || !path.starts_with('/') {
                let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{right}\r\n\r\n");
                let answer = wire::ask(house.daemon.ports.http, request.as_bytes()).await;
                assert!(!answer.body.contains(CANARY) && !answer.body.contains("root:"), "{path}: {answer:?}");
                assert!([0, 400, 404, 405].contains(&answer.status), "{path}: {answer:?}");
            } else {
                requests += &format!("GET {path} HTTP/1.1\r\nHost: x\r\n{right}\r\n\r\n");
            }
            asked += 1;
        }
        requests += "GET /openvidu/api/config/openvidu-publicurl HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let answers = answers_to(house.daemon.ports.http, requests).await;
        assert!(!answers.contains(CANARY) && !answers.contains("root:") && !answers.contains("PATH="), "{route}: {answers}");
        let end = answers.len().saturating_sub(400);
        assert!(
            answers[answers.ceil_char_boundary(end)..].contains("https://"),
            "{route}: not all were answered: {}",
            &answers[answers.ceil_char_boundary(end)..]
        );
    }
    println!("{asked} paths");
}

/// Sends many requests on one connection while the answers come.
async fn answers_to(port: u16, requests: String) -> String {
    use tokio::io::AsyncWriteExt;
    let mut stream = wire::connect(port).await;
    let (mut from, mut to) = stream.split();
    let mut all = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut from, &mut all);
    let writing = async { to.write_all(requests.as_bytes()).await };
    let both = async { tokio::join!(reading, writing) };
    let (read, written) = tokio::time::timeout(crate::house::PATIENCE * 4, both).await.expect("all are answered");
    written.and(read.map(|_| ())).expect("nothing ends the connection before");
    String::from_utf8_lossy(&all).into_owned()
}
