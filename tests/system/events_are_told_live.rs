//! The WebSocket `/openvidu/info` tells what happens in the words of the call detail records, with them or without, to who may know it;
//! one that does not read is let go and nobody else notices.

use crate::house::{House, PATIENCE, options};
use crate::wire;
use serde_json::json;
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::feed::Feed;
use viduct_testkit::rest;

/// As clients of the REST API present the secret, or a key.
fn basic(password: &str) -> String {
    rest::basic("OPENVIDUAPP", password)
}

async fn follow(house: &House) -> Feed {
    Feed::open(&house.daemon.feed_url(), &[("authorization", &basic("MY_SECRET"))]).await.expect("the secret opens it")
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_words_of_the_call_detail_records() {
    let cdr = tempfile::tempdir().unwrap();
    let mut house = House::of(options().env("OPENVIDU_CDR", "true").env("OPENVIDU_CDR_PATH", cdr.path().display())).await;
    let feed = follow(&house).await;
    let session = house.session(json!({"customSessionId": "gate"})).await;
    let alice = house.join(&session, "alice").await;
    let bob = house.join(&session, "bob").await;
    let message = json!({"to": [], "data": "hello", "type": "signal:chat"}).to_string();
    alice.client.must("sendMessage", json!({ "message": message })).await;
    bob.client.must("leaveRoom", json!({})).await;
    feed.wait_for("bob leaves", PATIENCE, |events| events.iter().any(|(name, _)| name == "participantLeft")).await;
    assert!(house.daemon.stop().await.0.success());

    let closed = feed.closed(PATIENCE).await;
    assert_eq!((closed.code, closed.reason.as_str()), (1001, "Server stops"));
    let names: Vec<String> = feed.events().into_iter().map(|(name, _)| name).collect();
    let expected = [
        "sessionCreated",
        "participantJoined",
        "participantJoined",
        "signalSent",
        "participantLeft",
        "participantLeft",
        "sessionDestroyed",
    ];
    assert_eq!(names, expected);
    assert_eq!(feed.events()[6].1["reason"], "openviduServerStopped");
    let files: Vec<_> = std::fs::read_dir(cdr.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let text = std::fs::read_to_string(&files[0]).unwrap();
    let written: Vec<&str> = text.lines().skip_while(|line| line.contains("mediaNodeStatusChanged")).collect();
    assert_eq!(feed.lines(), written);
}

#[tokio::test(flavor = "multi_thread")]
async fn to_who_may_know_it() {
    let house = House::open().await;
    let key = |name: &'static str, scope: &'static str| {
        let rest = house.rest.clone();
        async move {
            let made = rest.post("/openvidu/api/keys", json!({"name": name, "scope": scope})).await.expect(200).json();
            basic(made["key"].as_str().unwrap())
        }
    };
    let (own, watch, films) = (key("own", "session:gate").await, key("watch", "read-only").await, key("films", "recordings").await);
    let url = house.daemon.feed_url();
    let old = url.replace("/openvidu/info", "/info");
    let host = format!("http://127.0.0.1:{}", house.daemon.ports.http);
    let secret = basic("MY_SECRET");
    for (url, headers, answer) in [
        (&url, vec![], Err(401)),
        (&old, vec![], Err(401)),
        (&url, vec![("authorization", "Basic T1BFTlZJRFVBUFA6V1JPTkc=")], Err(401)),
        (&url, vec![("authorization", own.as_str())], Err(403)),
        (&url, vec![("authorization", films.as_str())], Err(403)),
        (&url, vec![("authorization", secret.as_str()), ("origin", "https://evil.example")], Err(403)),
        (&url, vec![("authorization", secret.as_str()), ("origin", host.as_str())], Ok(())),
        (&url, vec![("authorization", watch.as_str())], Ok(())),
        (&old, vec![("authorization", secret.as_str())], Ok(())),
    ] {
        let opened = Feed::open(url, &headers).await;
        assert_eq!(opened.as_ref().map(|_| ()).map_err(|status| *status), answer, "{url} {headers:?}");
        let Ok(feed) = opened else { continue };
        let session = house.session(json!({})).await;
        let _alice = house.join(&session, "alice").await;
        feed.wait_for("the join", PATIENCE, |events| events.last().is_some_and(|(name, _)| name == "participantJoined")).await;
        assert_eq!(feed.events()[0].1["sessionId"], session.as_str(), "from now on, and not what was before");
    }
    let right = "Authorization: Basic T1BFTlZJRFVBUFA6TVlfU0VDUkVU\r\n";
    let plain = format!("GET /openvidu/info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{right}\r\n");
    let answer = wire::ask(house.daemon.ports.http, plain.as_bytes()).await;
    assert!(answer.is_error(426) && answer.head.contains("upgrade: websocket"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_read_is_let_go() {
    let house = House::open().await;
    let (good, deaf) = (follow(&house).await, follow(&house).await);
    deaf.reads(false);
    let session = house.session(json!({})).await;
    let _alice = house.join(&session, "alice").await;
    // more than all buffers on the way hold
    let large = "x".repeat(60_000);
    for n in 0..400 {
        house.rest.post("/openvidu/api/signal", json!({"session": session, "data": format!("{n} {large}")})).await.expect(200);
    }
    let signals = |events: &[(String, serde_json::Value)]| events.iter().filter(|(name, _)| name == "signalSent").count();
    good.wait_for("every signal", PATIENCE, |events| signals(events) == 400).await;
    let gone = async {
        while !house.rest.get("/metrics").await.expect(200).text().contains("\nviduct_event_followers 1\n") {
            Clock::System.sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(3 * PATIENCE, gone).await.expect("it is let go");
    let number = |fields: &serde_json::Value| fields["data"].as_str()?.split(' ').next()?.parse().ok();
    let numbers: Vec<usize> = good.events().iter().filter_map(|(_, fields)| number(fields)).collect();
    assert!(numbers.into_iter().eq(0..400), "the other hears each, in order");
}
