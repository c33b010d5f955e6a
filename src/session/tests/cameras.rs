//! Stories of cameras.

use super::*;
use crate::wire::control::{Failure, FailureKind};

#[tokio::test(start_paused = true)]
async fn a_camera_joins_and_publishes_like_anybody() {
    let mut house = House::new();
    let session = house.session();
    let mut alice = house.join(&session, Role::Publisher).await;
    let camera = house.camera(&session, true).await;
    assert!(camera.id.as_str().starts_with("ipc_IPCAM_rtsp_") && camera.id.as_str().ends_with("_192_0_2_9_554_live"), "{}", camera.id);
    let active = camera.active.as_ref().unwrap();
    assert_eq!((active.ip, active.platform.as_str(), &active.client_data), (Some([192, 0, 2, 9].into()), "IPCAM", &None));
    let info = active.publisher.clone().unwrap();
    assert_eq!((info.type_of_video.as_str(), info.has_audio, info.has_video, info.frame_rate), ("IPCAM", true, true, None));
    let (connection, created_at, metadata) = (camera.id.clone(), START_MS, "gate".into());
    let joined = Notice::ParticipantJoined { connection: connection.clone(), created_at, metadata };
    assert_eq!(alice.notices(), [joined, Notice::ParticipantPublished { connection, stream: info.clone() }]);
    assert!(alice.call(&mut house, subscribe(&info.stream)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_camera_starts_with_its_first_viewer_and_stops_5_s_after_the_last() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let stream = stream_of(&camera);
    assert!(house.jobs.is_empty() && house.feeds.is_empty());
    let mut alice = house.join(&session, Role::Subscriber).await;
    let mut bob = house.join(&session, Role::Subscriber).await;
    house.manner = Manner::Refuse(Refusal::Busy);
    assert!(alice.call(&mut house, subscribe(&stream)).await.is_err());
    assert!(house.jobs.is_empty(), "who is refused does not watch");
    house.manner = Manner::Answer;
    alice.call(&mut house, subscribe(&stream)).await.unwrap();
    let first = house.jobs.clone();
    assert_eq!((first.len(), &house.feeds), (1, &first));
    bob.call(&mut house, subscribe(&stream)).await.unwrap();

    alice.call(&mut house, Call::Unsubscribe { sender: camera.id.clone() }).await.unwrap();
    house.pass(10_000).await;
    assert_eq!(house.jobs, first, "bob watches");
    bob.call(&mut house, Call::Leave).await.unwrap();
    house.pass(4_999).await;
    assert_eq!(house.jobs, first);
    alice.call(&mut house, subscribe(&stream)).await.unwrap();
    house.pass(10_000).await;
    assert_eq!(house.jobs, first, "the next viewer came in time");
    alice.detach(&mut house).await;
    house.pass(9_999).await;
    assert_eq!(house.jobs, first, "a client may come back, its media goes on");
    house.pass(1).await;
    house.pass(4_999).await;
    assert_eq!(house.jobs, first);
    house.pass(1).await;
    assert!(house.jobs.is_empty() && house.feeds.is_empty());

    let mut carol = house.join(&session, Role::Subscriber).await;
    carol.call(&mut house, subscribe(&stream)).await.unwrap();
    assert!(house.jobs.len() == 1 && house.jobs != first, "a new job has a new number");
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_always_plays_needs_no_viewer_and_its_state_concerns_nobody() {
    let mut house = House::new();
    let session = house.session();
    let mut alice = house.join(&session, Role::Publisher).await;
    let camera = house.camera(&session, false).await;
    let job = *house.jobs.first().unwrap();
    alice.notices();
    let failure = Failure { kind: FailureKind::Refused, text: "nobody listens".into() };
    let retry_in = Some(Duration::from_secs(1));
    for event in [jobs::Event::Down { job, failure, retry_in }, jobs::Event::Ready { job }] {
        house.jobs_events.send(event).await.unwrap();
        house.pass(1_000).await;
    }
    assert_eq!(alice.notices(), []);
    let id = camera.id.clone();
    session.ask(|answer| Command::RemoveConnection { connection: id, answer }).await.unwrap();
    house.jobs_events.send(jobs::Event::Ready { job }).await.unwrap();
    house.pump().await;
    assert_eq!(alice.notices(), [left(&camera.id, EndReason::ForceDisconnectByServer)]);
    assert!(house.is_empty_below());
}

#[tokio::test(start_paused = true)]
async fn a_camera_keeps_its_session_until_it_is_removed() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, false).await;
    assert!(session.snapshot().active);
    let (mut alice, _) = house.publisher(&session).await;
    alice.call(&mut house, Call::Leave).await.unwrap();
    house.pass(3_600_000).await;
    assert!(house.registry.find(session.id()).is_ok());
    session.ask(|answer| Command::RemoveConnection { connection: camera.id.clone(), answer }).await.unwrap();
    assert!(house.registry.find(session.id()).is_err(), "gone before the answer");
    house.pump().await;
    assert!(house.is_empty_below());
}

#[tokio::test(start_paused = true)]
async fn removing_a_camera_ends_it_for_its_viewers() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let mut alice = house.join(&session, Role::Subscriber).await;
    alice.call(&mut house, subscribe(&stream_of(&camera))).await.unwrap();
    session.ask(|answer| Command::RemoveConnection { connection: camera.id.clone(), answer }).await.unwrap();
    house.pump().await;
    assert!(house.is_empty_below());
    assert_eq!(alice.notices(), [left(&camera.id, EndReason::ForceDisconnectByServer)]);
    let again = alice.call(&mut house, subscribe(&stream_of(&camera))).await;
    assert_eq!(again, Err(Denied::UnknownConnection { connection: camera.id.clone(), session: session.id().clone() }));
}
