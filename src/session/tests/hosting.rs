//! Stories of media nodes that go while sessions are on them, and of sessions that nobody ever joined.

use super::*;
use crate::cluster::{Cluster, Status, Strategy};

fn house() -> (House, Cluster) {
    let settings = Settings::default();
    let cluster = settings.cluster.clone();
    (House::with(settings), cluster)
}

#[tokio::test(start_paused = true)]
async fn a_session_is_on_a_node_from_its_first_participant_on() {
    let (mut house, cluster) = house();
    let session = house.session();
    let pending = house.token(&session, Role::Publisher).await;
    assert_eq!(session.snapshot().media_node, None);
    let _alice = house.try_join(&session, token_of(&pending), false).await.unwrap();
    let node = cluster.nodes().remove(0);
    assert_eq!((session.snapshot().media_node.clone(), node.hosted), (Some(node.id), 1));
    house.registry.close_all(EndReason::SessionClosedByServer).await;
    house.pump().await;
    assert_eq!(cluster.nodes()[0].hosted, 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_node_nobody_joins_first_and_the_token_stays_good() {
    let (mut house, cluster) = house();
    let (session, other) = (house.session(), house.session());
    let pending = house.token(&session, Role::Publisher).await;
    let node = cluster.nodes().remove(0).id;
    house.registry.remove_node(&node, Strategy::IfNoSessions).unwrap();
    let denied = house.try_join(&session, token_of(&pending), false).await.err();
    assert_eq!(denied, Some(Denied::NoMediaNode(session.id().clone())));
    let refused = other.ask(|answer| Command::AddCamera { properties: camera(true), answer }).await;
    assert_eq!(refused.err(), Some(Denied::NoMediaNode(other.id().clone())));
    assert!(house.is_empty_below() && !session.snapshot().active);
    cluster.discover();
    assert!(house.try_join(&session, token_of(&pending), false).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_waits_keeps_its_sessions_takes_none_and_goes_with_the_last() {
    let (mut house, cluster) = house();
    let (session, other) = (house.session(), house.session());
    let mut alice = house.join(&session, Role::Publisher).await;
    let node = cluster.nodes().remove(0).id;
    let waiting = house.registry.remove_node(&node, Strategy::WhenNoSessions).unwrap();
    assert_eq!(waiting.status, Status::WaitingIdleToTerminate);
    let _bob = house.join(&session, Role::Publisher).await;
    let pending = house.token(&other, Role::Publisher).await;
    assert!(house.try_join(&other, token_of(&pending), false).await.is_err());
    alice.notices();
    house.registry.find(session.id()).unwrap();
    session.ask(|answer| Command::Close { reason: EndReason::SessionClosedByServer, answer }).await.unwrap();
    house.pump().await;
    assert!(cluster.nodes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_goes_now_ends_its_sessions_and_their_recordings_with_the_reason() {
    let (mut house, cluster) = house();
    let (session, pending) = (house.session(), house.session());
    let mut alice = house.join(&session, Role::Publisher).await;
    let node = cluster.nodes().remove(0).id;
    let going = house.registry.remove_node(&node, Strategy::Now).unwrap();
    assert_eq!(going.status, Status::Terminating);
    house.pass(200).await;
    assert_eq!(alice.notices(), [evicted(&alice.id(), EndReason::MediaServerDisconnect)]);
    assert!(cluster.nodes().is_empty() && house.is_empty_below());
    assert!(house.registry.find(session.id()).is_err());
    assert!(house.registry.find(pending.id()).is_ok(), "a session that nobody joined is on no node");
}

#[tokio::test(start_paused = true)]
async fn sessions_that_nobody_joined_are_collected_when_they_are_old() {
    let (mut house, _) = house();
    let collector = tokio::spawn(house.registry.clone().collect_garbage(Duration::from_secs(900), Duration::from_secs(3600)));
    let joined = house.session();
    let _alice = house.join(&joined, Role::Publisher).await;
    let old = house.session();
    house.pass(900_500).await;
    let young = house.session();
    let exists = |house: &House, session: &SessionHandle| house.registry.find(session.id()).is_ok();
    house.pass(1_800_000).await;
    assert!(exists(&house, &old), "after 45 minutes");
    house.pass(900_000).await;
    assert!(!exists(&house, &old), "after an hour");
    assert!(exists(&house, &young) && exists(&house, &joined));
    house.pass(1_000_000).await;
    assert!(!exists(&house, &young) && exists(&house, &joined));
    collector.abort();
}
