//! Stories of clients that join, talk, lose their sockets and leave.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_token_works_once_and_in_its_session_only() {
    let mut house = House::new();
    let (session, other) = (house.session(), house.session());
    let connection = house.token(&session, Role::Publisher).await;
    let token = token_of(&connection).to_owned();
    let denied = |session: &SessionHandle| Denied::BadToken(session.id().clone());
    assert_eq!(house.try_join(&other, &token, false).await.err(), Some(denied(&other)));
    assert_eq!(house.try_join(&session, "", false).await.err(), Some(denied(&session)));
    let client = house.try_join(&session, &token, false).await.unwrap();
    assert_eq!(client.id(), connection.id);
    assert_eq!(house.try_join(&session, &token, false).await.err(), Some(denied(&session)));
    assert!(session.snapshot().active && !other.snapshot().active);
}

#[tokio::test(start_paused = true)]
async fn the_join_reply_comes_first_and_shows_everybody_the_others_hear_of_it() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, stream) = house.publisher(&session).await;
    house.pass(500).await;
    let mut bob = house.join(&session, Role::Subscriber).await;
    assert_eq!(bob.joined.role, Role::Subscriber);
    assert_eq!(bob.joined.created_at, START_MS + 500);
    assert_eq!(bob.joined.metadata, "data-2");
    let [member] = bob.joined.others.as_slice() else { panic!("{:?}", bob.joined.others) };
    assert_eq!((member.connection.clone(), member.created_at), (alice.id(), START_MS));
    assert_eq!(member.stream.as_ref().unwrap().stream, stream);
    let joined = Notice::ParticipantJoined { connection: bob.id(), created_at: START_MS + 500, metadata: "data-2".into() };
    assert_eq!(alice.notices(), [joined]);
    assert_eq!(bob.notices(), []);
}

#[tokio::test(start_paused = true)]
async fn many_who_join_at_once_hear_of_each_other_in_one_order() {
    let mut house = House::new();
    let session = house.session();
    let mut receivers = Vec::new();
    for socket in 0..8 {
        let connection = house.token(&session, Role::Publisher).await;
        let (outbox, received) = Outbox::channel();
        let (token, ip) = (token_of(&connection).to_owned(), [192, 0, 2, 1].into());
        let (metadata, platform) = (String::new(), String::new());
        let (socket, request) = (SocketId(100 + socket), RequestId(1));
        let join = Join { token, by_secret: false, metadata, platform, ip, socket, outbox, request };
        session.send(Command::Join(Box::new(join))).await.unwrap();
        receivers.push((socket, received));
    }
    house.pump().await;
    for (before, (socket, received)) in receivers.into_iter().enumerate() {
        let mut client = Client::new(session.clone(), socket, received).unwrap();
        assert_eq!(client.joined.others.len(), before);
        assert_eq!(client.notices().len(), 7 - before);
    }
}

#[tokio::test(start_paused = true)]
async fn who_shows_the_secret_needs_no_token_and_is_a_moderator() {
    let mut house = House::new();
    let session = house.session();
    let client = house.try_join(&session, "", true).await.unwrap();
    assert_eq!(client.joined.role, Role::Moderator);
    assert!(client.id().as_str().starts_with("con_"));
}

#[tokio::test(start_paused = true)]
async fn the_last_one_out_closes_the_session() {
    let mut house = House::new();
    let session = house.session();
    let pending = house.token(&session, Role::Publisher).await;
    let mut alice = house.join(&session, Role::Publisher).await;
    let mut bob = house.join(&session, Role::Publisher).await;
    assert_eq!(bob.call(&mut house, Call::Leave).await, Ok(Reply::Done));
    assert!(bob.is_closed());
    assert_eq!(alice.notices().last(), Some(&left(&bob.id(), EndReason::Disconnect)));
    bob.detach(&mut house).await;
    house.pass(60_000).await;
    assert_eq!(alice.notices(), []);
    assert!(house.registry.find(session.id()).is_ok());

    assert_eq!(alice.call(&mut house, Call::Leave).await, Ok(Reply::Done));
    assert_eq!(alice.notices(), [], "who leaves is not evicted");
    assert_eq!(house.registry.find(session.id()).err(), Some(Denied::UnknownSession(session.id().clone())));
    assert_eq!(session.snapshot().connections, []);
    let late = house.try_join(&session, token_of(&pending), false).await;
    assert_eq!(late.err(), Some(Denied::SessionClosed(session.id().clone())));
    assert!(house.is_empty_below());
}

#[tokio::test(start_paused = true)]
async fn a_pending_session_does_not_end_by_itself() {
    let mut house = House::new();
    let session = house.session();
    let pending = house.token(&session, Role::Publisher).await;
    let id = pending.id.clone();
    session.ask(|answer| Command::RemoveConnection { connection: id, answer }).await.unwrap();
    assert_eq!(session.snapshot().connections, []);
    let denied = house.try_join(&session, token_of(&pending), false).await.err();
    assert_eq!(denied, Some(Denied::BadToken(session.id().clone())));
    house.pass(3_600_000).await;
    assert!(house.registry.find(session.id()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_lost_client_may_come_back_within_the_grace_time_and_missed_nothing() {
    let mut house = House::new();
    let session = house.session();
    let mut alice = house.join(&session, Role::Publisher).await;
    let mut bob = house.join(&session, Role::Publisher).await;
    let old = bob.socket;
    bob.detach(&mut house).await;
    let (carol, stream) = house.publisher(&session).await;
    house.pass(9_900).await;
    assert_eq!(bob.rejoin(&mut house).await, Ok(Reply::Rejoined { connection: bob.id(), rpc: bob.joined.rpc.clone() }));
    match bob.notices().as_slice() {
        [Notice::ParticipantJoined { connection: joined, .. }, Notice::ParticipantPublished { connection: published, stream: info }] => {
            assert_eq!((joined, published, &info.stream), (&carol.id(), &carol.id(), &stream));
        }
        other => panic!("{other:?}"),
    }
    let (connection, socket) = (bob.id(), old);
    session.send(Command::Detached { connection, socket }).await.unwrap();
    house.pass(60_000).await;
    assert!(!alice.notices().contains(&left(&bob.id(), EndReason::NetworkDisconnect)), "the old socket is history");
    assert_eq!(bob.call(&mut house, subscribe(&stream)).await.map(|_| ()), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_client_may_come_back_before_its_old_socket_is_known_to_be_dead() {
    let mut house = House::new();
    let session = house.session();
    let mut alice = house.join(&session, Role::Publisher).await;
    let old = std::mem::replace(&mut alice.received, Outbox::channel().1);
    assert!(alice.rejoin(&mut house).await.is_ok());
    assert!(old.is_closed(), "its door closes the old socket");
    house.manner = Manner::Wait;
    alice.start(Call::Publish(publish_call())).await;
    house.pump().await;
    assert!(alice.rejoin(&mut house).await.is_ok(), "the reply to the offer cannot be sent, and that is no second loss");
    house.pass(60_000).await;
    assert!(!alice.is_closed() && house.is_empty_below());
    assert_eq!(alice.call(&mut house, Call::Unsubscribe { sender: alice.id() }).await, Ok(Reply::Done));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_come_back_in_time_is_gone() {
    let mut house = House::new();
    let session = house.session();
    let mut alice = house.join(&session, Role::Publisher).await;
    let (mut bob, _) = house.publisher(&session).await;
    bob.detach(&mut house).await;
    house.pass(9_999).await;
    assert!(session.snapshot().connections.iter().any(|c| c.id == bob.id()));
    house.pass(1).await;
    assert_eq!(alice.notices().last(), Some(&left(&bob.id(), EndReason::NetworkDisconnect)));
    assert_eq!(bob.rejoin(&mut house).await, Err(Denied::UnknownClient));
    assert!(house.is_empty_below());
    alice.detach(&mut house).await;
    house.pass(10_000).await;
    assert!(house.registry.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nobody_comes_back_under_a_wrong_id() {
    let mut house = House::new();
    let session = house.session();
    let mut alice = house.join(&session, Role::Publisher).await;
    let (key, secret) = alice.joined.rpc.split_once('.').unwrap();
    for rpc in [format!("{key}."), format!("{key}.{}", secret.to_lowercase()), format!("9{key}.{secret}"), secret.into(), String::new()] {
        alice.joined.rpc = rpc.clone();
        assert_eq!(alice.rejoin(&mut house).await, Err(Denied::UnknownClient), "{rpc}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_evicted_client_alone_hears_of_its_eviction() {
    let mut house = House::new();
    let session = house.session();
    let mut alice = house.join(&session, Role::Publisher).await;
    let mut bob = house.join(&session, Role::Publisher).await;
    alice.notices();
    let id = bob.id();
    session.ask(|answer| Command::RemoveConnection { connection: id, answer }).await.unwrap();
    assert_eq!(session.snapshot().connections.len(), 1, "readers know before the answer");
    house.pump().await;
    assert_eq!(alice.notices(), [left(&bob.id(), EndReason::ForceDisconnectByServer)]);
    assert_eq!(bob.notices(), [evicted(&bob.id(), EndReason::ForceDisconnectByServer)]);
    assert!(bob.is_closed());
    let id = bob.id();
    let again = session.ask(|answer| Command::RemoveConnection { connection: id, answer }).await;
    assert_eq!(again, Err(Denied::UnknownConnection { connection: bob.id(), session: session.id().clone() }));
}

#[tokio::test(start_paused = true)]
async fn closing_evicts_everybody_with_the_reason() {
    let mut house = House::new();
    let (session, other) = (house.session(), house.session());
    let (mut alice, _) = house.publisher(&session).await;
    let mut bob = house.join(&session, Role::Publisher).await;
    alice.notices();
    house.registry.close_all(EndReason::OpenviduServerStopped).await;
    assert!(house.registry.all().is_empty());
    house.pump().await;
    assert_eq!(alice.notices(), [evicted(&alice.id(), EndReason::OpenviduServerStopped)]);
    assert_eq!(bob.notices(), [evicted(&bob.id(), EndReason::OpenviduServerStopped)]);
    assert!(alice.is_closed() && bob.is_closed() && house.is_empty_below());
    let reason = EndReason::SessionClosedByServer;
    let again = other.ask(|answer| Command::Close { reason, answer }).await;
    assert_eq!(again, Err(Denied::SessionClosed(other.id().clone())));
}

#[tokio::test(start_paused = true)]
async fn the_registry_knows_sessions_by_id_and_in_order() {
    let mut house = House::new();
    let first = house.session();
    let named = SessionProperties { custom_session_id: Some("hall".into()), ..properties() };
    let hall = house.registry.create(named.clone()).unwrap();
    assert_eq!(house.registry.create(named.clone()).err(), Some(Denied::SessionExists("hall".into())));
    let all: Vec<_> = house.registry.all().iter().map(|s| s.id().clone()).collect();
    assert_eq!(all, [first.id().clone(), "hall".into()]);
    assert!(first.id().as_str().starts_with("ses_"));
    let reason = EndReason::SessionClosedByServer;
    hall.ask(|answer| Command::Close { reason, answer }).await.unwrap();
    assert!(house.registry.create(named).is_ok(), "the name is free before the answer");
    house.pump().await;
}

#[tokio::test(start_paused = true)]
async fn a_signal_reaches_its_targets_or_everybody_and_with_an_unknown_target_nobody() {
    let mut house = House::new();
    let session = house.session();
    let mut alice = house.join(&session, Role::Publisher).await;
    let mut bob = house.join(&session, Role::Subscriber).await;
    let camera = house.camera(&session, true).await;
    let pending = house.token(&session, Role::Publisher).await;
    alice.notices();
    bob.notices();
    let signal = |to: &[&ConnectionId]| Call::Signal {
        to: to.iter().map(|id| (*id).clone()).collect(),
        kind: Some("signal:chat".into()),
        data: Some("hello".into()),
    };
    let heard = Notice::Signal { from: Some(bob.id()), kind: Some("signal:chat".into()), data: Some("hello".into()) };

    assert_eq!(bob.call(&mut house, signal(&[])).await, Ok(Reply::Done));
    assert_eq!((alice.notices(), bob.notices()), (vec![heard.clone()], vec![heard.clone()]));
    assert_eq!(bob.call(&mut house, signal(&[&alice.id(), &alice.id(), &camera.id])).await, Ok(Reply::Done));
    assert_eq!((alice.notices(), bob.notices()), (vec![heard], vec![]));
    for unknown in [&"con_X".into(), &pending.id] {
        let denied = bob.call(&mut house, signal(&[&alice.id(), unknown])).await;
        assert_eq!(denied, Err(Denied::UnknownTarget(session.id().clone())));
        assert_eq!((alice.notices(), bob.notices()), (vec![], vec![]));
    }
}
