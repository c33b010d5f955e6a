//! The whole life of a session with a publisher, a viewer, a camera and a recording is told, in order, in the file of call detail
//! records and by posts; both say the same.

use crate::house::{House, PATIENCE, recording_to};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use viduct_testkit::camera::{Options, TestCamera};
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};
use viduct_testkit::webhook::{Post, Receiver};

/// The lines of the one file of call detail records: name and fields.
fn lines(folder: &Path) -> Vec<(String, Value)> {
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let name = files[0].file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("CDR.20") && name.ends_with(".log") && name.len() == "CDR.2026-11-21_13-14-35.log".len(), "{name}");
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert!(text.ends_with('\n') && !text.contains(": "), "no blanks after separators");
    let line = |line: &str| {
        let object: Value = serde_json::from_str(line).unwrap();
        let (name, fields) = object.as_object().unwrap().iter().next().unwrap();
        (name.clone(), fields.clone())
    };
    text.lines().map(line).collect()
}

/// An event in short: name, whose or which, and why.
fn short(name: &str, fields: &Value, names: &[(&str, &str)]) -> String {
    let which = [&fields["connectionId"], &fields["receivingFrom"], &fields["status"], &fields["reason"]];
    let words =
        which.iter().filter_map(|value| value.as_str()).map(|text| names.iter().find(|(id, _)| *id == text).map_or(text, |(_, name)| name));
    std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_first_join_to_the_end() {
    let (films, cdr) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receiver = Receiver::start().await;
    let options = recording_to(films.path())
        .env("OPENVIDU_CDR", "true")
        .env("OPENVIDU_CDR_PATH", cdr.path().display())
        .env("OPENVIDU_WEBHOOK", "true")
        .env("OPENVIDU_WEBHOOK_ENDPOINT", receiver.url())
        .env("OPENVIDU_WEBHOOK_HEADERS", r#"["Authorization: Bearer abc", "X-Box: gate"]"#);
    let mut house = House::of(options).await;
    let camera = TestCamera::start(&Options::default()).unwrap();
    let session = house.session(json!({"customSessionId": "gate"})).await;
    let alice = house.join(&session, "alice").await;
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let bob = house.join(&session, "bob").await;
    let viewer = bob.watch(&stream).await;
    viewer.wait_until("media", PATIENCE, |seen| !seen.packets.is_empty()).await;
    let (gate, _) = house.camera(&session, &camera.url, true).await;
    let message = json!({"to": [], "data": "hello", "type": "signal:chat"}).to_string();
    bob.client.must("sendMessage", json!({ "message": message })).await;
    house.record(&session, json!({"name": "visit", "resolution": "320x240", "frameRate": 10})).await;
    house.stop_recording("gate").await;
    bob.client.must("leaveRoom", json!({})).await;
    house.rest.delete("/openvidu/api/sessions/gate").await.expect(204);
    receiver.wait_for("the end of the session", PATIENCE, |posts| posts.iter().any(|post| post.event() == "sessionDestroyed")).await;
    let (status, _) = house.daemon.stop().await;
    assert!(status.success());

    let names = [(alice.id.as_str(), "alice"), (bob.id.as_str(), "bob"), (gate.as_str(), "camera")];
    let posts = receiver.posts();
    let posted: Vec<_> = posts.iter().map(|post| short(post.event(), &post.body, &names)).collect();
    let expected = [
        // the box itself: launching, running
        "mediaNodeStatusChanged",
        "mediaNodeStatusChanged",
        "sessionCreated",
        "participantJoined alice",
        "webrtcConnectionCreated alice",
        "participantJoined bob",
        "webrtcConnectionCreated bob alice",
        "participantJoined camera",
        "webrtcConnectionCreated camera",
        "signalSent",
        "recordingStatusChanged started",
        "recordingStatusChanged stopped recordingStoppedByServer",
        "recordingStatusChanged ready recordingStoppedByServer",
        "webrtcConnectionDestroyed bob alice disconnect",
        "participantLeft bob disconnect",
        "webrtcConnectionDestroyed alice sessionClosedByServer",
        "participantLeft alice sessionClosedByServer",
        "webrtcConnectionDestroyed camera sessionClosedByServer",
        "participantLeft camera sessionClosedByServer",
        "sessionDestroyed sessionClosedByServer",
    ];
    assert_eq!(posted, expected);
    check_posts(&posts);
    let written: Vec<Value> = lines(cdr.path())
        .into_iter()
        // posts never tell of these two
        .filter(|(name, _)| !["recordingStarted", "recordingStopped"].contains(&name.as_str()))
        .map(|(name, mut fields)| {
            fields["event"] = name.into();
            fields
        })
        .collect();
    let bodies: Vec<Value> = posts.into_iter().map(|post| post.body).collect();
    assert_eq!(written.iter().map(Value::to_string).collect::<Vec<_>>(), bodies.iter().map(Value::to_string).collect::<Vec<_>>());
    let files: Vec<String> = lines(cdr.path()).into_iter().map(|(name, _)| name).filter(|name| name.starts_with("recording")).collect();
    assert_eq!(
        files,
        ["recordingStatusChanged", "recordingStarted", "recordingStatusChanged", "recordingStopped", "recordingStatusChanged"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edition_without_media_nodes_names_none() {
    let (films, cdr) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options =
        recording_to(films.path()).env("OPENVIDU_EDITION", "ce").env("OPENVIDU_CDR", "true").env("OPENVIDU_CDR_PATH", cdr.path().display());
    let house = House::of(options).await;
    let session = house.session(json!({"customSessionId": "gate"})).await;
    let alice = house.join(&session, "alice").await;
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    alice.publish(&publisher, &wish).await;
    house.record_some_time(&session, json!({"resolution": "320x240", "frameRate": 10})).await;
    house.stop_recording("gate").await;
    let House { mut daemon, .. } = house;
    assert!(daemon.stop().await.0.success());
    let told: Vec<_> = lines(cdr.path()).into_iter().filter(|(name, _)| name == "recordingStatusChanged").collect();
    assert_eq!(told.iter().map(|(_, fields)| fields["status"].as_str().unwrap()).collect::<Vec<_>>(), ["started", "stopped", "ready"]);
    assert!(told.iter().all(|(_, fields)| fields.get("frameRate").is_some() && fields.get("media_node_id").is_none()), "{told:?}");
}

/// What every post has, and what some must have.
fn check_posts(posts: &[Post]) {
    let ids: BTreeSet<&str> = posts.iter().map(|post| post.header("x-viduct-event-id")).collect();
    assert!(ids.len() == posts.len() && !ids.contains(""), "{ids:?}");
    for post in posts {
        assert_eq!((post.path.as_str(), post.header("content-type")), ("/hook?key=1", "application/json"));
        assert_eq!((post.header("authorization"), post.header("x-box")), ("Bearer abc", "gate"));
        let session = post.event() != "mediaNodeStatusChanged";
        assert_eq!(post.body["sessionId"].as_str(), session.then_some("gate"));
        assert_eq!(post.body.as_object().unwrap().keys().next_back().unwrap(), "event");
    }
    let nodes: Vec<_> = posts.iter().filter_map(|post| post.body["newStatus"].as_str()).collect();
    assert_eq!(nodes, ["launching", "running"]);
    let of = |name: &'static str| posts.iter().filter(move |post| post.event() == name).map(|post| &post.body);
    let node = &of("mediaNodeStatusChanged").next().unwrap()["id"];
    assert!(node.is_string() && of("recordingStatusChanged").all(|body| body["media_node_id"] == *node), "{node}");
    let ready = of("recordingStatusChanged").next_back().unwrap();
    assert!(ready["duration"].as_f64().unwrap() > 0.0 && ready["size"].as_u64().unwrap() > 0, "{ready}");
    let signal = of("signalSent").next().unwrap();
    assert_eq!((&signal["type"], &signal["data"]), (&json!("chat"), &json!("hello")));
    let camera = of("webrtcConnectionCreated").find(|body| body["videoSource"] == "IPCAM").unwrap();
    assert_eq!((&camera["onlyPlayWithSubscribers"], &camera["videoDimensions"]), (&json!(true), &Value::Null));
    let (created, destroyed) = (of("sessionCreated").next().unwrap(), of("sessionDestroyed").next().unwrap());
    assert_eq!(created["timestamp"], destroyed["startTime"]);
    let span = destroyed["timestamp"].as_u64().unwrap() - destroyed["startTime"].as_u64().unwrap();
    assert_eq!(destroyed["duration"], span / 1000);
}
