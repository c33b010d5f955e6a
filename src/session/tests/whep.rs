//! Stories of WHEP viewers.

use super::*;
use crate::engine::api::Closed;
use crate::session::command::{Access, ViewerId, Watching};
use tokio::task::JoinHandle;

type Pending = JoinHandle<Result<Watching, Denied>>;

/// An offer over WHEP; the answer is awaited apart, as a door does.
async fn offer(house: &mut House, session: &SessionHandle, stream: &StreamId, access: Access) -> Pending {
    let (session, stream) = (session.clone(), stream.clone());
    let (offer, ip, platform) = ("an offer".into(), [192, 0, 2, 5].into(), "Whep".into());
    let pending = tokio::spawn(async move { session.ask(|answer| Command::Watch { stream, offer, access, ip, platform, answer }).await });
    house.pump().await;
    pending
}

async fn watch(house: &mut House, session: &SessionHandle, stream: &StreamId, access: Access) -> Result<Watching, Denied> {
    let pending = offer(house, session, stream, access).await;
    assert!(pending.is_finished());
    pending.await.unwrap()
}

async fn unwatch(house: &mut House, session: &SessionHandle, viewer: ViewerId) -> Result<(), Denied> {
    let result = session.ask(|answer| Command::Unwatch { viewer, answer }).await;
    house.pump().await;
    result
}

#[tokio::test(start_paused = true)]
async fn a_viewer_with_a_token_is_a_participant() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let mut alice = house.join(&session, Role::Publisher).await;
    let connection = house.token(&session, Role::Subscriber).await;
    let access = Access::Token(token_of(&connection).into());
    let Watching { viewer, answer } = watch(&mut house, &session, &stream_of(&camera), access.clone()).await.unwrap();
    assert!(answer.starts_with("answer for") && house.jobs.len() == 1);
    let (created_at, metadata) = (START_MS, String::new());
    assert_eq!(alice.notices(), [Notice::ParticipantJoined { connection: connection.id.clone(), created_at, metadata }]);
    let snapshot = session.snapshot();
    let active = snapshot.connections.iter().find(|c| c.id == connection.id).unwrap().active.clone().unwrap();
    assert_eq!((active.platform.as_str(), active.client_data.as_deref(), active.subscribers.len()), ("Whep", Some(""), 1));
    let again = watch(&mut house, &session, &stream_of(&camera), access).await;
    assert_eq!(again, Err(Denied::BadToken(session.id().clone())));
    assert_eq!(unwatch(&mut house, &session, viewer).await, Ok(()));
    assert_eq!(alice.notices(), [left(&connection.id, EndReason::Disconnect)]);
    assert_eq!(unwatch(&mut house, &session, viewer).await, Err(Denied::UnknownViewer(session.id().clone())));
    house.pass(5_000).await;
    assert!(house.jobs.is_empty() && house.peers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_stream_does_not_cost_the_token() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let connection = house.token(&session, Role::Subscriber).await;
    let access = Access::Token(token_of(&connection).into());
    let stream: StreamId = "str_CAM_none".into();
    let denied = watch(&mut house, &session, &stream, access.clone()).await;
    assert_eq!(denied, Err(Denied::UnknownStream { stream, session: session.id().clone() }));
    assert!(watch(&mut house, &session, &stream_of(&camera), access).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_refused_viewer_was_never_there_but_its_token_is_spent() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let mut alice = house.join(&session, Role::Publisher).await;
    let connection = house.token(&session, Role::Subscriber).await;
    let access = Access::Token(token_of(&connection).into());
    house.manner = Manner::Refuse(Refusal::BadOffer("no audio, no video".into()));
    let denied = watch(&mut house, &session, &stream_of(&camera), access.clone()).await;
    assert!(matches!(denied, Err(Denied::BadOffer(_))));
    house.manner = Manner::Answer;
    let again = watch(&mut house, &session, &stream_of(&camera), access).await;
    assert_eq!(again, Err(Denied::BadToken(session.id().clone())));
    assert_eq!(alice.notices(), []);
    assert!(session.snapshot().connections.iter().all(|c| c.id != connection.id));
}

#[tokio::test(start_paused = true)]
async fn an_anonymous_viewer_is_demand_and_nothing_else() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let mut alice = house.join(&session, Role::Publisher).await;
    let Watching { viewer, .. } = watch(&mut house, &session, &stream_of(&camera), Access::Secret).await.unwrap();
    assert_eq!(house.jobs.len(), 1);
    assert_eq!(session.snapshot().connections.len(), 2);
    assert_eq!(unwatch(&mut house, &session, viewer).await, Ok(()));
    house.pass(5_000).await;
    assert!(house.jobs.is_empty());
    watch(&mut house, &session, &stream_of(&camera), Access::Secret).await.unwrap();
    assert_eq!(alice.notices(), []);
    alice.call(&mut house, Call::Leave).await.unwrap();
    session.ask(|answer| Command::RemoveConnection { connection: camera.id.clone(), answer }).await.unwrap();
    house.pump().await;
    assert!(house.registry.all().is_empty() && house.is_empty_below(), "it does not keep the session");
}

#[tokio::test(start_paused = true)]
async fn viewers_end_with_their_transport() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let mut alice = house.join(&session, Role::Publisher).await;
    for (cause, reason) in [(Closed::ByPeer, EndReason::Disconnect), (Closed::IceLost, EndReason::NetworkDisconnect)] {
        let connection = house.token(&session, Role::Subscriber).await;
        let access = Access::Token(token_of(&connection).into());
        watch(&mut house, &session, &stream_of(&camera), access).await.unwrap();
        let peer = house.subscribed.last().unwrap().peer;
        house.close_peer(peer, cause).await;
        house.pump().await;
        assert_eq!(alice.notices().last(), Some(&left(&connection.id, reason)));
    }
    let Watching { viewer, .. } = watch(&mut house, &session, &stream_of(&camera), Access::Secret).await.unwrap();
    let peer = house.subscribed.last().unwrap().peer;
    house.close_peer(peer, Closed::NeverConnected).await;
    house.pass(5_000).await;
    assert!(house.jobs.is_empty() && house.peers.is_empty());
    assert_eq!(unwatch(&mut house, &session, viewer).await, Err(Denied::UnknownViewer(session.id().clone())));
}

#[tokio::test(start_paused = true)]
async fn viewers_end_with_their_stream_and_the_session_with_them() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, stream) = house.publisher(&session).await;
    let connection = house.token(&session, Role::Subscriber).await;
    let access = Access::Token(token_of(&connection).into());
    watch(&mut house, &session, &stream, access).await.unwrap();
    watch(&mut house, &session, &stream, Access::Secret).await.unwrap();
    assert_eq!(alice.call(&mut house, Call::Leave).await, Ok(Reply::Done));
    assert!(house.registry.all().is_empty() && house.is_empty_below());
}

#[tokio::test(start_paused = true)]
async fn a_viewer_on_hold_is_answered_when_the_session_closes_or_its_connection_is_removed() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let connection = house.token(&session, Role::Subscriber).await;
    house.manner = Manner::Wait;
    let access = Access::Token(token_of(&connection).into());
    let by_token = offer(&mut house, &session, &stream_of(&camera), access).await;
    let anonymous = offer(&mut house, &session, &stream_of(&camera), Access::Secret).await;
    let id = connection.id.clone();
    session.ask(|answer| Command::RemoveConnection { connection: id, answer }).await.unwrap();
    house.pump().await;
    assert!(by_token.is_finished() && !anonymous.is_finished());
    assert!(matches!(by_token.await.unwrap(), Err(Denied::UnknownConnection { .. })));
    let reason = EndReason::SessionClosedByServer;
    session.ask(|answer| Command::Close { reason, answer }).await.unwrap();
    house.pump().await;
    assert!(anonymous.is_finished());
    assert_eq!(anonymous.await.unwrap(), Err(Denied::SessionClosed(session.id().clone())));
    assert!(house.is_empty_below());
}

#[tokio::test(start_paused = true)]
async fn a_door_that_hung_up_leaves_no_viewer() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let connection = house.token(&session, Role::Subscriber).await;
    house.manner = Manner::Wait;
    let access = Access::Token(token_of(&connection).into());
    offer(&mut house, &session, &stream_of(&camera), access).await.abort();
    house.pump().await;
    house.answer_offer().await;
    house.pump().await;
    assert!(house.peers.is_empty() && house.jobs.is_empty());
    assert_eq!(session.snapshot().connections.len(), 1);
}
