//! Stories of what the world is told: the whole of it as text, its order around recordings, and what does not show.

use super::*;
use crate::events::{Record, check, lines};
use crate::recording::{Picture, Plan, Resolution, Status, StopReason};
use std::path::Path;
use tokio::sync::oneshot;

fn named(id: &str) -> SessionProperties {
    SessionProperties { custom_session_id: Some(id.into()), ..properties() }
}

/// Names and reasons, in order.
fn short(records: &[Arc<Record>]) -> Vec<String> {
    let text = |record: &Record| match record {
        Record::SessionDestroyed(_, end) | Record::ParticipantLeft(_, end, _) | Record::WebrtcConnectionDestroyed(_, end, _) => {
            format!("{} {}", record.name(), end.reason)
        }
        Record::RecordingStatusChanged(_, recording) => {
            format!("{} {}", recording.step.as_str(), recording.reason.unwrap_or("-"))
        }
        record => record.name().to_owned(),
    };
    records.iter().map(|record| text(record)).collect()
}

/// `VIDUCT_GOLDEN=write cargo test golden` writes the file anew.
#[tokio::test(start_paused = true)]
async fn the_whole_life_of_a_session_is_golden() {
    let mut house = House::new();
    let session = house.registry.create(named("gate")).unwrap();
    house.pass(1_000).await;
    let (mut alice, stream) = house.publisher(&session).await;
    house.pass(500).await;
    let mut bob = house.join(&session, Role::Subscriber).await;
    bob.call(&mut house, subscribe(&stream)).await.unwrap();
    let camera = house.camera(&session, true).await;
    let seen = stream_of(&camera);
    bob.call(&mut house, subscribe(&seen)).await.unwrap();
    house.pass(250).await;
    // what a publisher turns off later was on when it published
    let change = crate::session::command::StreamChange::AudioActive(false);
    alice.call(&mut house, Call::ChangeStream { change, reason: "publishAudio".into() }).await.unwrap();
    let chat = Call::Signal { to: vec![], kind: Some("signal:chat".into()), data: Some("hi".into()) };
    alice.call(&mut house, chat).await.unwrap();
    // over another transport, which is nobody's business
    bob.call(&mut house, subscribe(&stream)).await.unwrap();
    house.pass(1_999).await;
    bob.call(&mut house, Call::Unsubscribe { sender: camera.id.clone() }).await.unwrap();
    bob.call(&mut house, Call::Unsubscribe { sender: camera.id.clone() }).await.unwrap();
    alice.call(&mut house, Call::Unpublish).await.unwrap();
    house.pass(1).await;
    bob.call(&mut house, Call::Leave).await.unwrap();
    let connection = camera.id.clone();
    session.ask(|answer| Command::RemoveConnection { connection, answer }).await.unwrap();
    // gone and back within a second: nothing happened
    alice.detach(&mut house).await;
    house.pass(900).await;
    alice.rejoin(&mut house).await.unwrap();
    alice.detach(&mut house).await;
    house.pass(10_000).await;

    let records = house.ear.heard();
    check(&records);
    let mut text: String = records.iter().map(|record| lines(record)).collect();
    // streams first: their ids hold those of connections
    for (id, name) in [
        (stream.as_str(), "<stream of alice>"),
        (seen.as_str(), "<stream of the camera>"),
        (alice.id().as_str(), "<alice>"),
        (bob.id().as_str(), "<bob>"),
        (camera.id.as_str(), "<camera>"),
    ] {
        text = text.replace(id, name);
    }
    assert!(!text.contains("hidden") && !text.contains("stream=1"), "the password and the query of the camera");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/events/session.txt");
    if std::env::var("VIDUCT_GOLDEN").is_ok_and(|mode| mode == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "VIDUCT_GOLDEN=write cargo test golden");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_joined_leaves_no_trace() {
    let mut house = House::new();
    let session = house.session();
    house.token(&session, Role::Publisher).await;
    let (answer, _wait) = oneshot::channel();
    session.send(Command::Close { reason: EndReason::SessionClosedByServer, answer }).await.unwrap();
    house.pump().await;
    assert_eq!(house.ear.heard(), []);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_recorded_session_is_told_after_that_of_its_recording() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, stream) = house.publisher(&session).await;
    let (mut bob, other) = house.publisher(&session).await;
    alice.call(&mut house, subscribe(&other)).await.unwrap();
    bob.call(&mut house, subscribe(&stream)).await.unwrap();
    let video = Some(Picture { resolution: Resolution::parse("640x480").unwrap(), frame_rate: 25 });
    let plan = Plan { name: None, audio: true, video };
    let follower = session.ask(|answer| Command::StartRecording { plan, answer }).await.unwrap();
    house.until("it is recording", |_| follower.progress().status() == Status::Started).await;
    assert_eq!(short(&house.ear.heard()).last().unwrap(), "started -", "told before whoever waits for it is answered");
    let (answer, mut wait) = oneshot::channel();
    session.send(Command::Close { reason: EndReason::SessionClosedByServer, answer }).await.unwrap();
    let mut told = Vec::new();
    while wait.try_recv().is_err() {
        house.pass(1).await;
        tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
        told.extend(house.ear.heard());
    }
    told.extend(house.ear.heard());
    let closed = |name: &str| format!("{name} sessionClosedByServer");
    let (destroyed, left) = (closed("webrtcConnectionDestroyed"), closed("participantLeft"));
    let rest = [left.clone(), closed("stopped"), closed("ready"), closed("sessionDestroyed")];
    let expected: Vec<_> = [vec![destroyed.clone(); 3], vec![left, destroyed], rest.to_vec()].concat();
    assert_eq!(short(&told), expected);
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_never_begins_is_told_of_once() {
    let mut house = House::new();
    house.composers.manner = crate::recording::played::Manner::Hang;
    let session = house.session();
    let _alice = house.publisher(&session).await;
    house.ear.heard();
    let plan = Plan { name: None, audio: true, video: None };
    let follower = session.ask(|answer| Command::StartRecording { plan, answer }).await.unwrap();
    house.until("its composer runs", |house| !house.composers.running.is_empty()).await;
    house.pass(30_000).await;
    while !follower.progress().status().is_final() {
        house.pass(1).await;
        tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
    }
    house.pump().await;
    assert_eq!(short(&house.ear.heard()), ["failed -"]);
}

/// A session that is recorded by itself.
fn always() -> SessionProperties {
    SessionProperties { recording_mode: RecordingMode::Always, ..properties() }
}

impl House {
    async fn told_steps(&mut self, wanted: &[&str]) {
        let mut told: Vec<String> = Vec::new();
        let began = Clock::System.now();
        while told != wanted {
            self.pass(1).await;
            tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
            let records = self.ear.heard();
            let steps: Vec<_> = records.into_iter().filter(|record| matches!(**record, Record::RecordingStatusChanged(..))).collect();
            told.extend(short(&steps));
            assert!(began.elapsed() < Duration::from_secs(20), "{told:?} instead of {wanted:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_of_mode_always_is_recorded_from_its_first_publication_on() {
    let mut house = House::new();
    let session = house.registry.create(always()).unwrap();
    let mut alice = house.join(&session, Role::Publisher).await;
    house.pass(1_000).await;
    assert!(!session.snapshot().recording, "joining is not publishing");
    alice.call(&mut house, Call::Publish(publish_call())).await.unwrap();
    assert!(session.snapshot().recording);
    house.told_steps(&["started -"]).await;
    let (_bob, _) = house.publisher(&session).await;
    assert_eq!(house.sinks.values().map(BTreeMap::len).collect::<Vec<_>>(), [4], "both are in the one recording");
    alice.call(&mut house, Call::Unpublish).await.unwrap();
    alice.call(&mut house, Call::Publish(publish_call())).await.unwrap();
    assert_eq!(house.sinks.len(), 1, "one at a time");

    let recording = session.id().as_str().into();
    session.ask(|answer| Command::StopRecording { recording, answer }).await.unwrap();
    house.told_steps(&["stopped recordingStoppedByServer", "ready recordingStoppedByServer"]).await;
    alice.call(&mut house, Call::Unpublish).await.unwrap();
    alice.call(&mut house, Call::Publish(publish_call())).await.unwrap();
    assert!(!session.snapshot().recording, "a stop by the application is final");
}

#[tokio::test(start_paused = true)]
async fn a_camera_is_a_publisher_and_a_recording_that_stopped_by_itself_begins_again() {
    let mut house = House::new();
    let session = house.registry.create(always()).unwrap();
    let camera = house.camera(&session, true).await;
    assert!(session.snapshot().recording);
    house.told_steps(&["started -"]).await;
    let mut alice = house.join(&session, Role::Publisher).await;
    let connection = camera.id.clone();
    session.ask(|answer| Command::RemoveConnection { connection, answer }).await.unwrap();
    alice.call(&mut house, Call::Leave).await.unwrap();
    let _carol = house.join(&session, Role::Subscriber).await;
    house.pass(120_000).await;
    let automatic = StopReason::AutomaticStop.as_str();
    house.told_steps(&[&format!("stopped {automatic}"), &format!("ready {automatic}")]).await;
    assert!(!session.snapshot().recording && house.registry.find(session.id()).is_ok());
    house.camera(&session, false).await;
    assert!(session.snapshot().recording);
    house.told_steps(&["started -"]).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_box_does_not_record_is_not_begun() {
    let individual = crate::session::properties::RecordingOutput::Individual { ignore_failed_streams: false };
    let mut house = House::new();
    let asked = RecordingProperties { output: individual, ..RecordingProperties::default() };
    for properties in
        [SessionProperties { default_recording: asked, ..always() }, SessionProperties { media_mode: MediaMode::Relayed, ..always() }]
    {
        let session = house.registry.create(properties).unwrap();
        house.publisher(&session).await;
        assert!(!session.snapshot().recording);
    }
}
