//! Stories of moderators, and of what the application does to those who are in.

use super::*;
use crate::session::properties::ConnectionChange;

#[tokio::test(start_paused = true)]
async fn only_moderators_evict_and_the_evicted_hears_it_last() {
    let mut house = House::new();
    let session = house.session();
    let mut boss = house.join(&session, Role::Moderator).await;
    let mut alice = house.join(&session, Role::Publisher).await;
    let mut bob = house.join(&session, Role::Subscriber).await;
    for client in [&mut boss, &mut alice, &mut bob] {
        client.notices();
    }
    for (client, target) in [(&mut alice, bob.joined.connection.clone()), (&mut bob, "con_none".into())] {
        let denied = client.call(&mut house, Call::ForceDisconnect { connection: target }).await;
        assert_eq!(denied, Err(Denied::NotModerator));
    }
    let connection = ConnectionId::from("con_none");
    let denied = boss.call(&mut house, Call::ForceDisconnect { connection: connection.clone() }).await;
    assert_eq!(denied, Err(Denied::UnknownConnection { connection, session: session.id().clone() }));

    let reason = EndReason::ForceDisconnectByUser;
    let request = boss.start(Call::ForceDisconnect { connection: bob.id() }).await;
    house.pump().await;
    assert_eq!(boss.received.try_recv(), Ok(Outgoing::Notice(left(&bob.id(), reason))), "the others hear of it first");
    assert_eq!(boss.received.try_recv(), Ok(Outgoing::Reply { request, result: Ok(Reply::Done) }));
    assert_eq!(alice.notices(), [left(&bob.id(), reason)]);
    assert_eq!(bob.notices(), [evicted(&bob.id(), reason)]);
    assert!(bob.is_closed());

    let request = boss.start(Call::ForceDisconnect { connection: boss.id() }).await;
    house.pump().await;
    assert_eq!(boss.received.try_recv(), Ok(Outgoing::Reply { request, result: Ok(Reply::Done) }), "a moderator may evict itself");
    assert_eq!(boss.notices(), [evicted(&boss.id(), reason)]);
    assert_eq!(alice.notices(), [left(&boss.id(), reason)]);
}

#[tokio::test(start_paused = true)]
async fn everybody_hears_of_a_stream_that_was_ended_by_force() {
    let mut house = House::new();
    let session = house.session();
    let mut boss = house.join(&session, Role::Moderator).await;
    let (mut alice, stream) = house.publisher(&session).await;
    boss.call(&mut house, subscribe(&stream)).await.unwrap();
    let camera = house.camera(&session, true).await;
    let denied = alice.call(&mut house, Call::ForceUnpublish { stream: stream.clone() }).await;
    assert_eq!(denied, Err(Denied::NotModerator));
    let denied = boss.call(&mut house, Call::ForceUnpublish { stream: stream_of(&camera) }).await;
    assert_eq!(denied, Err(Denied::CameraStream(stream_of(&camera))));
    let unknown = StreamId::from("str_CAM_none_con_none");
    let denied = boss.call(&mut house, Call::ForceUnpublish { stream: unknown.clone() }).await;
    assert_eq!(denied, Err(Denied::UnknownStream { stream: unknown, session: session.id().clone() }));
    boss.notices();
    alice.notices();

    let ended = |reason| Notice::ParticipantUnpublished { connection: alice.joined.connection.clone(), reason };
    let by_user = ended(EndReason::ForceUnpublishByUser);
    let by_server = ended(EndReason::ForceUnpublishByServer);
    let request = boss.start(Call::ForceUnpublish { stream: stream.clone() }).await;
    house.pump().await;
    assert_eq!(boss.received.try_recv(), Ok(Outgoing::Reply { request, result: Ok(Reply::Done) }), "the answer comes first");
    assert_eq!((boss.notices(), alice.notices()), (vec![by_user.clone()], vec![by_user]));
    assert!(house.peers.is_empty());

    let Ok(Reply::Published { stream, .. }) = alice.call(&mut house, Call::Publish(publish_call())).await else { panic!() };
    boss.notices();
    assert_eq!(session.ask(|answer| Command::EndStream { stream: stream.clone(), answer }).await, Ok(()));
    house.pump().await;
    assert_eq!((boss.notices(), alice.notices()), (vec![by_server.clone()], vec![by_server]));
    let again = session.ask(|answer| Command::EndStream { stream: stream.clone(), answer }).await;
    assert_eq!(again, Err(Denied::UnknownStream { stream, session: session.id().clone() }));
    assert!(session.snapshot().connections.iter().any(|c| c.id == alice.id()), "the connection stays");
}

#[tokio::test(start_paused = true)]
async fn a_changed_role_counts_at_once_and_only_its_owner_hears_of_it() {
    let mut house = House::new();
    let session = house.session();
    let mut alice = house.join(&session, Role::Subscriber).await;
    let mut bob = house.join(&session, Role::Publisher).await;
    alice.notices();
    let change = |id: &ConnectionId, role, record| {
        let (session, connection, change) = (session.clone(), id.clone(), ConnectionChange { role, record });
        async move { session.ask(|answer| Command::ChangeConnection { connection, change, answer }).await }
    };
    assert_eq!(alice.call(&mut house, Call::Publish(publish_call())).await, Err(Denied::MayNotPublish));
    let changed = change(&alice.id(), Some(Role::Moderator), Some(false)).await.unwrap();
    assert!(!changed.record && matches!(changed.kind, ConnectionKind::Webrtc { role: Role::Moderator, .. }));
    house.pump().await;
    let told = |property, value: &str| Notice::ConnectionPropertyChanged { property, value: value.into() };
    assert_eq!(alice.notices(), [told("role", "MODERATOR"), told("record", "false")]);
    assert!(alice.call(&mut house, Call::Publish(publish_call())).await.is_ok());
    bob.notices();

    let (same, none) = (change(&alice.id(), Some(Role::Moderator), Some(false)).await, change(&alice.id(), None, None).await);
    assert_eq!((&same, none.is_ok()), (&none, true));
    // a role that is taken away does not cut what is published
    change(&alice.id(), Some(Role::Subscriber), None).await.unwrap();
    house.pump().await;
    assert_eq!((alice.notices(), bob.notices()), (vec![told("role", "SUBSCRIBER")], vec![]));
    assert!(session.snapshot().connections[0].active.as_ref().unwrap().publisher.is_some());

    let pending = house.token(&session, Role::Publisher).await;
    change(&pending.id, Some(Role::Subscriber), None).await.unwrap();
    let carol = house.try_join(&session, token_of(&pending), false).await.unwrap();
    assert_eq!((carol.joined.role, carol.joined.record), (Role::Subscriber, true));
    let camera = house.camera(&session, true).await;
    let kept = change(&camera.id, Some(Role::Publisher), Some(false)).await.unwrap();
    assert!(!kept.record && matches!(kept.kind, ConnectionKind::Camera(_)));
    assert!(matches!(change(&"con_none".into(), None, None).await, Err(Denied::UnknownConnection { .. })));
}

#[tokio::test(start_paused = true)]
async fn the_application_signals_without_a_sender() {
    let mut house = House::new();
    let session = house.session();
    let send = |to: &[&ConnectionId]| {
        let (session, to) = (session.clone(), to.iter().map(|id| (*id).clone()).collect());
        async move { session.ask(|answer| Command::Signal { to, kind: Some("signal:x".into()), data: None, answer }).await }
    };
    assert_eq!(send(&[]).await, Err(Denied::NotActive(session.id().clone())));
    let mut alice = house.join(&session, Role::Subscriber).await;
    let mut bob = house.join(&session, Role::Subscriber).await;
    let camera = house.camera(&session, true).await;
    alice.notices();
    bob.notices();
    let heard = Notice::Signal { from: None, kind: Some("signal:x".into()), data: None };
    assert_eq!(send(&[]).await, Ok(()));
    house.pump().await;
    assert_eq!((alice.notices(), bob.notices()), (vec![heard.clone()], vec![heard.clone()]));
    assert_eq!(send(&[&bob.id(), &camera.id]).await, Ok(()));
    house.pump().await;
    assert_eq!((alice.notices(), bob.notices()), (vec![], vec![heard]));
    assert_eq!(send(&[&bob.id(), &"con_none".into()]).await, Err(Denied::UnknownTarget(session.id().clone())));
    house.pump().await;
    assert_eq!(bob.notices(), []);
}
