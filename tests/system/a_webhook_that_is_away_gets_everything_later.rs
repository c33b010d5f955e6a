//! An endpoint that is down, slow or failing hurts nobody, and gets every event once it is well, in order, even when the daemon was
//! killed meanwhile.

use crate::house::{House, options, until};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::webhook::{Post, Receiver};

/// The longest pause between two attempts is a minute, but not so soon: 0.5, 1, 2, 4, 8, 16 s.
const SOON: Duration = Duration::from_secs(60);
/// What a request of the application may take, whatever the endpoint does; far above what is expected, since test machines are busy.
const PROMPT: Duration = Duration::from_secs(3);

async fn house(receiver: &Receiver, state: &Path) -> House {
    let events = "[sessionCreated, participantJoined, participantLeft, sessionDestroyed]";
    let options = options().state(state).env("OPENVIDU_WEBHOOK", "true").env("OPENVIDU_WEBHOOK_EVENTS", events);
    House::of(options.env("OPENVIDU_WEBHOOK_ENDPOINT", receiver.url())).await
}

/// A session that begins and ends: four events. Nobody waits for the endpoint.
async fn visit(house: &House, id: &str) {
    let begin = Clock::System.now();
    let session = house.session(json!({ "customSessionId": id })).await;
    let alice = house.join(&session, "alice").await;
    alice.client.must("leaveRoom", json!({})).await;
    assert!(begin.elapsed() < PROMPT, "it took {:?}", begin.elapsed());
}

fn visited(posts: &[Post]) -> Vec<String> {
    posts.iter().map(|post| format!("{} {}", post.body["sessionId"].as_str().unwrap_or_default(), post.event())).collect()
}

fn expected(sessions: &[&str]) -> Vec<String> {
    let events = ["sessionCreated", "participantJoined", "participantLeft", "sessionDestroyed"];
    sessions.iter().flat_map(|session| events.map(|event| format!("{session} {event}"))).collect()
}

fn waiting(state: &Path) -> usize {
    std::fs::read_to_string(state.join("webhook.queue")).map_or(0, |text| text.lines().filter(|line| line.starts_with('+')).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_it_was_down_and_the_daemon_killed() {
    let state = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::start().await;
    let mut before = house(&receiver, state.path()).await;
    visit(&before, "seen").await;
    receiver.wait_for("the first session", SOON, |posts| posts.len() == 4).await;
    receiver.go_down().await;
    for id in ["a", "b"] {
        visit(&before, id).await;
    }
    until("the events are on disk", SOON, || waiting(state.path()) == 8).await;
    before.daemon.log.wait_for("a word about it", SOON, |line| line.contains("endpoint does not take events")).await;
    before.daemon.kill();

    // the next start finds it still down, and has events of its own
    let mut after = house(&receiver, state.path()).await;
    after.daemon.log.wait_for("a word about them", SOON, |line| line.contains("events of the last run wait")).await;
    visit(&after, "c").await;
    until("they are on disk as well", SOON, || waiting(state.path()) == 12).await;
    let lines = after.daemon.log.lines().iter().filter(|line| line.contains("endpoint does not take events")).count();
    assert!(lines <= 1, "one line, however often it is tried");
    receiver.come_back().await;
    let begin = Clock::System.now();
    receiver.wait_for("all that happened", SOON, |posts| posts.len() >= 16).await;
    println!("all came {:?} after the endpoint", begin.elapsed());
    let posts = receiver.posts();
    assert_eq!(visited(&posts), expected(&["seen", "a", "b", "c"]), "each once, in order");
    let ids: BTreeSet<&str> = posts.iter().map(|post| post.header("x-viduct-event-id")).collect();
    assert_eq!(ids.len(), 16);
    until("nothing stays on disk", SOON, || !state.path().join("webhook.queue").exists()).await;
    after.daemon.log.wait_for("a word of relief", SOON, |line| line.contains("endpoint is back")).await;
    let (status, _) = after.daemon.stop().await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_it_failed_and_was_slow() {
    let state = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    receiver.behave(500, Duration::ZERO);
    let mut house = house(&receiver, state.path()).await;
    visit(&house, "a").await;
    receiver.wait_for("a second attempt", SOON, |posts| posts.len() >= 2).await;
    let attempts = receiver.posts();
    assert_eq!(attempts[0].header("x-viduct-event-id"), attempts[1].header("x-viduct-event-id"), "a receiver can tell");
    receiver.behave(200, Duration::from_millis(400));
    visit(&house, "b").await;
    receiver.wait_for("both sessions", SOON, |posts| posts.iter().filter(|post| post.status == 200).count() >= 8).await;
    assert_eq!(visited(&receiver.taken()), expected(&["a", "b"]));

    // a redirect is not followed, and not repeated
    receiver.behave(302, Duration::ZERO);
    visit(&house, "c").await;
    house.daemon.log.wait_for("where it would lead", SOON, |line| line.contains("which is not followed")).await;
    receiver.wait_for("all four", SOON, |posts| posts.iter().filter(|post| post.status == 302).count() == 4).await;
    receiver.behave(200, Duration::ZERO);
    // of a session that lives the box tells while it stops
    let session = house.session(json!({"customSessionId": "d"})).await;
    let _alice = house.join(&session, "alice").await;
    let (status, took) = house.daemon.stop().await;
    assert!(status.success());
    println!("the stop took {took:?}");
    let last = receiver.taken().pop().unwrap();
    assert_eq!((last.event(), &last.body["reason"]), ("sessionDestroyed", &json!("openviduServerStopped")));
    assert_eq!(visited(&receiver.taken()), expected(&["a", "b", "d"]));
}
