//! Media nodes over REST: every operation, each deletion strategy, every refusal.

use super::errors::{CONNECTION, SESSIONS, assert_framework, assert_own, bench};
use super::*;

const NODES: &str = "/openvidu/api/media-nodes";

async fn node(bench: &Bench) -> Value {
    bench.ask("GET", NODES, None).await.json()["content"][0].clone()
}

async fn path(bench: &Bench) -> String {
    format!("{NODES}/{}", node(bench).await["id"].as_str().unwrap())
}

async fn camera(bench: &Bench) -> Answer {
    bench.ask("POST", CONNECTION, json!({"type": "IPCAM", "rtspUri": "rtsp://192.0.2.9:554/live"})).await
}

#[tokio::test]
async fn a_box_alone_is_its_own_media_node() {
    let bench = bench().await;
    let list = bench.ask("GET", NODES, None).await.json();
    assert_eq!(list["numberOfElements"], 1);
    let node = &list["content"][0];
    let keys: Vec<&str> = node.as_object().unwrap().keys().map(String::as_str).collect();
    let plain = ["id", "object", "environmentId", "ip", "uri", "launchingTime", "connected", "connectionTime", "load", "status"];
    assert_eq!(keys, plain);
    assert_eq!((&node["status"], &node["connected"], &node["environmentId"]), (&json!("running"), &json!(true), &json!(null)));
    assert_eq!((&node["ip"], &node["uri"]), (&json!("127.0.0.1"), &json!("ws://127.0.0.1:8888/kurento")));
    assert!(node["load"].as_f64().is_some_and(|load| (0.0..=100.0).contains(&load)));
    let one = bench.ask("GET", &path(&bench).await, None).await;
    assert_eq!((one.status, one.json()["id"].clone()), (200, node["id"].clone()));
    let unknown = format!("{NODES}/media_none");
    for method in ["GET", "DELETE"] {
        assert_own(&bench.ask(method, &unknown, None).await, 404, &unknown, "Media node media_none not found");
    }
    for flag in ["sessions", "recordings", "extra-info", "load"] {
        assert_framework(&bench.ask("GET", &format!("{NODES}?{flag}=maybe"), None).await, 400, NODES);
    }
}

#[tokio::test]
async fn a_node_tells_what_it_carries_when_asked() {
    let bench = bench().await;
    let path = path(&bench).await;
    let with = |flags: &'static str| {
        let (bench, path) = (&bench, &path);
        async move { bench.ask("GET", &format!("{path}?{flags}"), None).await.json() }
    };
    assert_eq!(with("sessions=true").await["sessions"], json!([]), "nobody has joined");
    camera(&bench).await;
    let node = with("sessions=true&recordings=true&extra-info=true&load=true").await;
    assert_eq!(node["sessions"][0]["id"], "S");
    assert_eq!(node["sessions"][0]["mediaNodeId"], node["id"]);
    assert_eq!(node["recordingIds"], json!([]));
    assert!(node["kurentoInfo"]["memory"].as_u64().is_some_and(|kib| kib > 0) && node["kurentoInfo"]["modules"].is_array());
    bench.ask("POST", "/openvidu/api/recordings/start", json!({"session": "S"})).await;
    assert_eq!(with("recordings=true").await["recordingIds"], json!(["S"]));
    bench.ask("POST", "/openvidu/api/recordings/stop/S", None).await;
    assert_eq!(with("recordings=true").await["recordingIds"], json!([]));
}

#[tokio::test]
async fn nodes_are_added_by_an_address_where_one_answers_that_may_join() {
    let bench = bench().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stranger = format!("ws://{}/kurento", listener.local_addr().unwrap());
    for (body, status, message) in [
        (json!({"uri": 1}), 400, "'uri' must be a string"),
        (json!({"environmentId": 1}), 400, "'environmentId' must be a string"),
        (json!({}), 501, "\"uri\" parameter is mandatory"),
        (json!({"instanceType": "t3.large"}), 501, "\"uri\" parameter is mandatory"),
        (json!({"uri": "http://x/"}), 400, "Parameter 'uri' is not valid"),
        (json!({"uri": "ws://127.0.0.1:8888/kurento"}), 409, "already part of the cluster"),
        (json!({"uri": "ws://127.0.0.1:1/kurento"}), 404, "cannot be reached"),
        (json!({"uri": stranger}), 404, "proves no key of this cluster"),
    ] {
        assert_own(&bench.ask("POST", NODES, body).await, status, NODES, message);
    }
    assert_own(&bench.ask("POST", NODES, None).await, 501, NODES, "\"uri\" parameter is mandatory");
    assert_framework(&bench.ask("POST", &format!("{NODES}?wait=x"), json!({})).await, 400, NODES);
    assert_eq!(bench.ask("PUT", NODES, None).await.text, r#"{"numberOfElements":0,"content":[]}"#);
    assert_eq!(bench.ask("GET", NODES, None).await.json()["numberOfElements"], 1);
}

#[tokio::test]
async fn a_box_that_left_its_cluster_is_down_until_it_is_found_or_added_again() {
    let bench = bench().await;
    for back in ["found", "added"] {
        assert_eq!(bench.ask("DELETE", &path(&bench).await, None).await.status, 204);
        assert_eq!(bench.ask("GET", NODES, None).await.json()["numberOfElements"], 0);
        let health = bench.ask("GET", "/openvidu/api/health", None).await;
        assert_eq!((health.status, health.text.as_str()), (503, r#"{"status":"DOWN"}"#));
        let refused = camera(&bench).await;
        assert_own(&refused, 503, CONNECTION, "no media node is running");
        if back == "found" {
            assert_eq!(bench.ask("PUT", NODES, None).await.json()["content"][0]["status"], "running");
        } else {
            let own = json!({"uri": "ws://127.0.0.1:8888/kurento", "environmentId": "shed"});
            assert_eq!(bench.ask("POST", NODES, own).await.json()["environmentId"], "shed");
        }
        assert_eq!(bench.ask("GET", "/openvidu/api/health", None).await.status, 200);
    }
}

#[tokio::test]
async fn each_deletion_strategy_does_what_it_says() {
    let bench = bench().await;
    camera(&bench).await;
    let path = path(&bench).await;
    let bad = bench.ask("DELETE", &format!("{path}?deletion-strategy=soon"), None).await;
    assert_own(&bad, 400, &path, "'deletion-strategy' soon is not defined");
    for query in ["", "?deletion-strategy=if-no-sessions"] {
        assert_own(&bench.ask("DELETE", &format!("{path}{query}"), None).await, 409, &path, "hosts 1 session");
    }
    let waiting = bench.ask("DELETE", &format!("{path}?deletion-strategy=when-no-sessions"), None).await;
    assert_eq!((waiting.status, waiting.text.as_str()), (202, ""));
    assert_eq!(bench.ask("GET", &path, None).await.json()["status"], "waiting-idle-to-terminate");
    assert_eq!(bench.ask("GET", &format!("{SESSIONS}/S"), None).await.status, 200, "it keeps its sessions");
    bench.ask("POST", SESSIONS, json!({"customSessionId": "T"})).await;
    let other = CONNECTION.replace("/S/", "/T/");
    let refused = bench.ask("POST", &other, json!({"type": "IPCAM", "rtspUri": "rtsp://192.0.2.9:554/live"})).await;
    assert_eq!(refused.status, 503, "it takes no more");
    // somebody waits for the end, which comes by another strategy
    let (gone, now) = (format!("{path}?deletion-strategy=when-no-sessions&wait=true"), format!("{path}?deletion-strategy=now&wait=true"));
    let (gone, now) = tokio::join!(bench.ask("DELETE", &gone, None), bench.ask("DELETE", &now, None));
    assert_eq!((gone.status, now.status), (204, 204));
    assert_eq!(bench.ask("GET", &format!("{SESSIONS}/S"), None).await.status, 404);
    assert_eq!(bench.ask("GET", &path, None).await.status, 404);
}

#[tokio::test]
async fn the_status_of_a_node_is_changed_as_the_table_says() {
    let bench = bench().await;
    camera(&bench).await;
    let path = path(&bench).await;
    let unknown = format!("{NODES}/media_none");
    assert_own(&bench.ask("PATCH", &unknown, json!({"status": 1})).await, 404, &unknown, "Media node media_none not found");
    assert_framework(&bench.ask("PATCH", &path, None).await, 400, &path);
    for (body, message) in [
        (json!({}), "\"status\" parameter is mandatory"),
        (json!({"status": true}), "'status' must be a string"),
        (json!({"status": "RUNNING"}), "Parameter 'status' RUNNING is not defined"),
        (json!({"status": "launching"}), "from running to launching"),
        (json!({"status": "canceled"}), "from running to canceled"),
        (json!({"status": "failed"}), "from running to failed"),
        (json!({"status": "terminated"}), "from running to terminated"),
    ] {
        assert_own(&bench.ask("PATCH", &path, body).await, 400, &path, message);
    }
    assert_eq!(bench.ask("PATCH", &path, json!({"status": "running"})).await.status, 204);
    for status in ["waiting-idle-to-terminate", "running", "waiting-idle-to-terminate", "terminating"] {
        let changed = bench.ask("PATCH", &path, json!({ "status": status })).await;
        assert_eq!((changed.status, changed.json()["status"].as_str()), (200, Some(status)));
    }
    let began = Clock::System.now();
    while bench.ask("GET", &path, None).await.status != 404 {
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "the node never ended");
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.ask("GET", &format!("{SESSIONS}/S"), None).await.status, 404);
}

#[tokio::test]
async fn sessions_and_recordings_may_name_the_node_they_want() {
    let bench = bench().await;
    let id = node(&bench).await["id"].clone();
    let wanted = json!({"customSessionId": "T", "mediaNode": {"id": id}});
    assert_eq!(bench.ask("POST", SESSIONS, wanted).await.status, 200);
    for (wrong, message) in [
        (json!("x"), "'mediaNode' must be an object"),
        (json!({"id": 1}), "'mediaNode.id' must be a string"),
        (json!({"id": "media_none"}), "Media node media_none not found"),
    ] {
        assert_own(&bench.ask("POST", SESSIONS, json!({"mediaNode": wrong})).await, 400, SESSIONS, message);
        camera(&bench).await;
        let start = json!({"session": "S", "mediaNode": wrong});
        assert_eq!(bench.ask("POST", "/openvidu/api/recordings/start", start).await.status, 400);
    }
    assert_eq!(bench.ask("POST", SESSIONS, json!({"mediaNode": {}})).await.status, 200);
}

#[tokio::test]
async fn an_edition_without_nodes_and_a_cluster_that_is_off_say_so() {
    let (community, off) = (Bench::with(&[("OPENVIDU_EDITION", "ce")], true), Bench::with(&[("OPENVIDU_PRO_CLUSTER", "false")], true));
    for (method, path) in [("GET", NODES), ("POST", NODES), ("PUT", NODES), ("GET", "/openvidu/api/media-nodes/m")] {
        assert_framework(&community.ask(method, path, None).await, 404, path);
        assert_own(&off.ask(method, path, None).await, 501, path, "OPENVIDU_PRO_CLUSTER");
    }
    community.ask("POST", SESSIONS, json!({"customSessionId": "S"})).await;
    assert_eq!(camera(&community).await.status, 200);
    assert!(community.ask("GET", &format!("{SESSIONS}/S"), None).await.json().get("mediaNodeId").is_none());
}
