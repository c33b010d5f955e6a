//! Stories of media that broke and came back: reconnectStream of publishers and subscribers.

use super::*;
use crate::engine::api::Closed;

fn reconnect(stream: &StreamId) -> Call {
    Call::Reconnect { stream: stream.clone(), offer: "another offer".into() }
}

fn subscribed_at(session: &SessionHandle, client: &Client) -> Option<u64> {
    let snapshot = session.snapshot();
    let connection = snapshot.connections.iter().find(|c| c.id == client.id()).unwrap();
    connection.active.as_ref().unwrap().subscribers.first().map(|subscriber| subscriber.created_at)
}

#[tokio::test(start_paused = true)]
async fn a_publisher_goes_on_under_its_viewers() {
    let mut house = House::new();
    let session = house.session();
    let mut alice = house.join(&session, Role::Publisher).await;
    let publish = PublishCall { loopback: true, ..publish_call() };
    let Ok(Reply::Published { stream, created_at, .. }) = alice.call(&mut house, Call::Publish(publish)).await else { panic!() };
    let mut bob = house.join(&session, Role::Subscriber).await;
    bob.call(&mut house, subscribe(&stream)).await.unwrap();
    alice.notices();
    let (first, watching) = (house.published.pop().unwrap(), house.subscribed[0].peer);
    house.pass(5_000).await;

    for round in 0..3 {
        // with the old transport still standing, after it was lost, and over another socket
        match round {
            1 => {
                let lost = *house.peers.iter().find(|peer| **peer != watching).unwrap();
                house.close_peer(lost, Closed::IceLost).await;
                house.pump().await;
            }
            2 => {
                alice.detach(&mut house).await;
                alice.rejoin(&mut house).await.unwrap();
            }
            _ => {}
        }
        let again = alice.call(&mut house, reconnect(&stream)).await;
        let Ok(Reply::Published { stream: same, created_at: then, answer }) = again else { panic!("{again:?}") };
        assert_eq!((same, then), (stream.clone(), created_at));
        let publish = house.published.pop().unwrap();
        assert_eq!(answer, format!("answer for {:?}", publish.peer));
        assert_eq!((publish.audio, publish.video, publish.loopback), (first.audio, first.video, true), "the same tracks");
        assert_eq!((publish.video_codecs, publish.max_video_kbps), (first.video_codecs.clone(), first.max_video_kbps));
        assert_eq!(publish.offer, "another offer");
        assert_eq!(house.peers, BTreeSet::from([publish.peer, watching]), "the old transport is gone, the viewer's stays");
        let (endpoint, candidate) = (alice.id(), "candidate:1".to_owned());
        alice.call(&mut house, Call::Candidate { endpoint, candidate: candidate.clone() }).await.unwrap();
        assert_eq!(house.candidates.last(), Some(&(publish.peer, candidate)));
    }
    assert_eq!((alice.notices(), bob.notices()), (vec![], vec![]), "nobody hears of it");
    assert_eq!(alice.call(&mut house, Call::Unpublish).await, Ok(Reply::Done));
    assert!(house.is_empty_below());
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_is_refused_may_try_again() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, stream) = house.publisher(&session).await;
    house.manner = Manner::Refuse(Refusal::BadOffer("line 7".into()));
    let no_answer = Denied::BadOffer(format!("Error generating SDP response for publishing user {}", alice.id()));
    assert_eq!(alice.call(&mut house, reconnect(&stream)).await, Err(no_answer));
    assert_eq!((house.peers.len(), house.tracks.len()), (0, 2), "the stream stays, without a transport");
    let mut bob = house.join(&session, Role::Subscriber).await;
    assert_eq!(bob.joined.others[0].stream.as_ref().map(|info| &info.stream), Some(&stream));

    house.manner = Manner::Wait;
    let silence = alice.start(reconnect(&stream)).await;
    house.pass(10_000).await;
    assert_eq!(alice.reply_to(silence), Some(Err(Denied::TimedOut(10))));
    house.manner = Manner::Answer;
    assert!(alice.call(&mut house, reconnect(&stream)).await.is_ok());
    assert!(bob.call(&mut house, subscribe(&stream)).await.is_ok());
    assert_eq!(house.peers.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_new_transport_is_answered_whatever_happens() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, stream) = house.publisher(&session).await;
    let mut bob = house.join(&session, Role::Subscriber).await;
    house.manner = Manner::Wait;
    let first = alice.start(reconnect(&stream)).await;
    let second = alice.start(reconnect(&stream)).await;
    let received = bob.start(reconnect(&stream)).await;
    house.pump().await;
    assert!(matches!(alice.reply_to(first), Some(Err(Denied::BadOffer(_)))), "replaced by the second");
    assert_eq!((alice.reply_to(second), bob.reply_to(received)), (None, None));
    assert_eq!(alice.call(&mut house, Call::Unpublish).await, Ok(Reply::Done));
    assert_eq!(alice.reply_to(second), Some(Err(Denied::NotPublishing(alice.id()))));
    assert!(matches!(bob.reply_to(received), Some(Err(Denied::NotStreaming { .. }))));
    assert!(house.is_empty_below());

    house.manner = Manner::Answer;
    let Ok(Reply::Published { stream, .. }) = alice.call(&mut house, Call::Publish(publish_call())).await else { panic!() };
    house.manner = Manner::Wait;
    alice.start(reconnect(&stream)).await;
    house.pump().await;
    // the socket goes before the answer comes: the client asks again when it is back
    alice.detach(&mut house).await;
    assert_eq!((house.peers.len(), house.tracks.len()), (0, 2));
    house.manner = Manner::Answer;
    alice.rejoin(&mut house).await.unwrap();
    assert!(alice.call(&mut house, reconnect(&stream)).await.is_ok());
    house.manner = Manner::Wait;
    alice.start(reconnect(&stream)).await;
    assert_eq!(alice.call(&mut house, Call::Leave).await, Ok(Reply::Done));
    assert!(house.is_empty_below());
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_gets_another_transport_and_is_a_subscriber_all_the_time() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let stream = stream_of(&camera);
    let mut bob = house.join(&session, Role::Subscriber).await;
    assert!(bob.call(&mut house, reconnect(&stream)).await.is_ok(), "one that the server never completed is a new one");
    let since = subscribed_at(&session, &bob);
    assert!(since.is_some());
    let job = house.jobs.clone();
    assert_eq!(job.len(), 1);
    house.pass(3_000).await;
    house.manner = Manner::Wait;
    let before = house.peers.clone();
    let request = bob.start(reconnect(&stream)).await;
    house.pump().await;
    assert!(house.peers.is_disjoint(&before) && house.peers.len() == 1, "the old transport is gone");
    assert_eq!(subscribed_at(&session, &bob), since);
    house.pass(2_000).await;
    house.answer_offer().await;
    house.pump().await;
    assert!(matches!(bob.reply_to(request), Some(Ok(Reply::Subscribed { .. }))));
    house.pass(60_000).await;
    assert_eq!((subscribed_at(&session, &bob), &house.jobs), (since, &job), "the camera ran all the time");
}

#[tokio::test(start_paused = true)]
async fn only_streams_that_exist_are_reconnected() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, stream) = house.publisher(&session).await;
    let mut bob = house.join(&session, Role::Publisher).await;
    let unknown = |stream: &StreamId| Denied::UnknownStream { stream: stream.clone(), session: session.id().clone() };
    for odd in ["", "str_CAM_none_con_none", alice.id().as_str()] {
        assert_eq!(bob.call(&mut house, reconnect(&odd.into())).await, Err(unknown(&odd.into())));
    }
    alice.call(&mut house, Call::Unpublish).await.unwrap();
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.call(&mut house, reconnect(&stream)).await, Err(unknown(&stream)));
    }
    assert!(house.is_empty_below());
}

/// The answer to publishVideo went into a socket that was dead: the session has a stream of which its publisher knows nothing.
async fn unknown_stream(house: &mut House, session: &SessionHandle) -> (Client, PeerId) {
    let mut alice = house.join(session, Role::Publisher).await;
    alice.start(Call::Publish(publish_call())).await;
    house.pump().await;
    let peer = house.published.last().unwrap().peer;
    // what waits on the old socket is never read
    alice.rejoin(house).await.unwrap();
    (alice, peer)
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_publisher_never_heard_of_it_is_replaced_by_its_next() {
    let mut house = House::new();
    let session = house.session();
    let mut bob = house.join(&session, Role::Subscriber).await;
    let (mut alice, lost) = unknown_stream(&mut house, &session).await;
    let notices = bob.notices();
    let Some(Notice::ParticipantPublished { stream: stale, .. }) = notices.last() else { panic!("{notices:?}") };
    bob.call(&mut house, subscribe(&stale.stream)).await.unwrap();

    // an offer that is refused at once changes nothing
    let nothing = PublishCall { has_audio: false, has_video: false, ..publish_call() };
    assert!(alice.call(&mut house, Call::Publish(nothing)).await.is_err());
    assert_eq!(bob.notices(), []);
    let Ok(Reply::Published { stream, .. }) = alice.call(&mut house, Call::Publish(publish_call())).await else { panic!() };
    assert_ne!(stream, stale.stream);
    let (connection, reason) = (alice.id(), EndReason::NetworkDisconnect);
    let notices = bob.notices();
    let [unpublished, Notice::ParticipantPublished { stream: fresh, .. }] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!((unpublished, &fresh.stream), (&Notice::ParticipantUnpublished { connection, reason }, &stream));
    assert!(!house.peers.contains(&lost) && house.peers.len() == 1 && house.tracks.len() == 2, "nothing of the first is left");
    assert_eq!(alice.notices(), []);
    let again = alice.call(&mut house, Call::Publish(publish_call())).await;
    assert!(matches!(again, Err(Denied::AlreadyPublishing { .. })), "of this one it knows: {again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_publisher_never_heard_of_it_ends_with_its_transport() {
    let mut house = House::new();
    let session = house.session();
    let mut bob = house.join(&session, Role::Subscriber).await;
    let (mut alice, lost) = unknown_stream(&mut house, &session).await;
    bob.notices();
    house.close_peer(lost, Closed::NeverConnected).await;
    house.pump().await;
    let (connection, reason) = (alice.id(), EndReason::NetworkDisconnect);
    assert_eq!(bob.notices(), [Notice::ParticipantUnpublished { connection, reason }]);
    assert!(house.is_empty_below());
    assert!(alice.call(&mut house, Call::Publish(publish_call())).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_its_publisher_knows_of_outlives_the_socket_of_its_answer() {
    for knows_by_media in [true, false] {
        let mut house = House::new();
        let session = house.session();
        let mut bob = house.join(&session, Role::Subscriber).await;
        let (mut alice, peer) = unknown_stream(&mut house, &session).await;
        let notices = bob.notices();
        let Some(Notice::ParticipantPublished { stream, .. }) = notices.last() else { panic!("{notices:?}") };
        let stream = stream.stream.clone();
        let mut transport = peer;
        if knows_by_media {
            house.say(engine::Event::Connected { peer }).await;
        } else {
            assert!(alice.call(&mut house, reconnect(&stream)).await.is_ok());
            transport = house.published.last().unwrap().peer;
        }
        house.pump().await;
        bob.notices();
        let again = alice.call(&mut house, Call::Publish(publish_call())).await;
        assert!(matches!(again, Err(Denied::AlreadyPublishing { .. })), "{again:?}");
        house.close_peer(transport, Closed::IceLost).await;
        house.pump().await;
        assert_eq!(bob.notices(), [], "it may come back");
        assert!(alice.call(&mut house, reconnect(&stream)).await.is_ok());
    }
}
