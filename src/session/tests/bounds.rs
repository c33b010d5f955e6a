//! Stories of full queues, of clients that do not read, and of a session that panics.

use super::*;
use crate::session::rendition::View;

/// Fills the engine's queue; nobody reads it until the next pump.
fn clog(house: &House) {
    let peer = PeerId::new(crate::ids::SessionKey(0), 0);
    while house.engine.send(engine::Command::Candidate { peer, candidate: String::new() }).is_ok() {}
}

/// Lets the session take what was sent, without letting the engine read.
async fn let_run() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_engine_refuses_but_loses_no_order_to_end() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, stream) = house.publisher(&session).await;
    let mut bob = house.join(&session, Role::Publisher).await;
    clog(&house);
    let requests = [bob.start(Call::Publish(publish_call())).await, bob.start(subscribe(&stream)).await];
    let unpublish = alice.start(Call::Unpublish).await;
    let properties = camera(true);
    let refused = session.ask(|answer| Command::AddCamera { properties, answer }).await;
    assert!(matches!(refused, Err(Denied::Busy(_))), "{refused:?}");
    let_run().await;
    for request in requests {
        assert!(matches!(bob.reply_to(request), Some(Err(Denied::Busy(_)))));
    }
    assert_eq!(alice.reply_to(unpublish), Some(Ok(Reply::Done)));
    house.pump().await;
    assert_eq!((house.peers.len(), house.tracks.len()), (1, 2), "not said yet");
    house.pass(50).await;
    assert!(house.is_empty_below());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_while_the_engine_is_busy_still_gives_everything_back() {
    let mut house = House::new();
    let session = house.session();
    house.publisher(&session).await;
    house.camera(&session, false).await;
    clog(&house);
    let reason = EndReason::SessionClosedByServer;
    session.ask(|answer| Command::Close { reason, answer }).await.unwrap();
    let_run().await;
    house.pump().await;
    assert!(!house.is_empty_below());
    house.pass(50).await;
    assert!(house.is_empty_below());
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_could_not_be_started_is_tried_again() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let stream = stream_of(&camera);
    let mut alice = house.join(&session, Role::Subscriber).await;
    house.manner = Manner::Wait;
    let request = alice.start(subscribe(&stream)).await;
    house.pump().await;
    clog(&house);
    house.answer_offer().await;
    let_run().await;
    assert!(matches!(alice.reply_to(request), Some(Ok(_))));
    house.pump().await;
    assert!(house.jobs.is_empty());
    house.pass(1_000).await;
    assert_eq!((house.jobs.len(), house.feeds.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_costs_nobody_else_anything() {
    let mut house = House::new();
    let session = house.session();
    let mut alice = house.join(&session, Role::Publisher).await;
    let bob = house.join(&session, Role::Publisher).await;
    for n in 0..2_000 {
        let signal = Call::Signal { to: vec![], kind: None, data: Some(n.to_string()) };
        assert_eq!(alice.call(&mut house, signal).await, Ok(Reply::Done));
    }
    assert!(bob.received.is_closed());
    let notices = alice.notices();
    assert_eq!(notices.iter().filter(|n| matches!(n, Notice::Signal { .. })).count(), 2_000);
    assert_eq!(notices.iter().filter(|n| **n == left(&bob.id(), EndReason::NetworkDisconnect)).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_panics_takes_nobody_along() {
    let mut house = House::new();
    let (doomed, session) = house.registry.admit(properties()).unwrap();
    let other = house.session();
    let mut alice = house.join(&other, Role::Publisher).await;
    let task = tokio::spawn(async move {
        let _doomed = doomed;
        panic!("a bug");
    });
    assert!(task.await.unwrap_err().is_panic());
    assert!(house.registry.find(session.id()).is_err());
    let reason = EndReason::SessionClosedByServer;
    let closed = session.ask(|answer| Command::Close { reason, answer }).await;
    assert_eq!(closed, Err(Denied::SessionClosed(session.id().clone())));
    assert!(alice.call(&mut house, Call::Publish(publish_call())).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_a_session_has_below_goes_with_it_whatever_ends_it() {
    let mut house = House::new();
    let (jobs, mut commands) = jobs::Handle::channel();
    let mut below = crate::session::below::Below::new(crate::ids::SessionKey(9), house.engine.clone(), jobs);
    let tracks = below.add_tracks(true, true).unwrap();
    let spec = crate::wire::control::Spec::Camera(camera(true).camera);
    below.start_camera(&"ipc_1".into(), spec, tracks).unwrap();
    let what = crate::session::below::Use::Subscription { by: "con_1".into(), to: "ipc_1".into() };
    house.manner = Manner::Wait;
    below.subscribe(what, tracks, View::default(), "an offer".into()).unwrap();
    house.pump().await;
    assert_eq!((house.tracks.len(), house.peers.len(), house.feeds.len()), (2, 1, 1));
    drop(below);
    house.pump().await;
    assert!(house.is_empty_below());
    assert!(matches!(commands.try_recv(), Ok(jobs::Command::Start { .. })));
    assert!(matches!(commands.try_recv(), Ok(jobs::Command::Stop { .. })));
}
