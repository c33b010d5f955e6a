//! Stories of streams: published, received, changed, lost.

use super::*;
use crate::engine::api::Closed;
use crate::rtp::Codec;
use crate::session::command::StreamChange;
use crate::session::properties::KurentoOptions;

fn subscribers(session: &SessionHandle, client: &Client) -> usize {
    let snapshot = session.snapshot();
    let connection = snapshot.connections.iter().find(|c| c.id == client.id()).unwrap();
    connection.active.as_ref().unwrap().subscribers.len()
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_announced_after_its_publisher_knows_it() {
    let mut house = House::new();
    let session = house.session();
    let mut bob = house.join(&session, Role::Subscriber).await;
    house.manner = Manner::Wait;
    let mut alice = house.join(&session, Role::Publisher).await;
    bob.notices();
    let request = alice.start(Call::Publish(publish_call())).await;
    house.pass(1_000).await;
    assert_eq!((alice.reply_to(request), bob.notices()), (None, vec![]));
    assert!(session.snapshot().connections.iter().all(|c| c.active.as_ref().unwrap().publisher.is_none()));
    house.answer_offer().await;
    house.pump().await;
    let Some(Ok(Reply::Published { stream, created_at, answer })) = alice.reply_to(request) else { panic!() };
    assert_eq!(created_at, START_MS + 1_000);
    assert!(answer.starts_with("answer for") && stream.as_str().starts_with("str_CAM_"));
    let notices = bob.notices();
    let [Notice::ParticipantPublished { connection, stream: info }] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!((connection, &info.stream, info.created_at), (&alice.id(), &stream, created_at));
    assert_eq!(alice.notices(), []);
    let again = alice.call(&mut house, Call::Publish(publish_call())).await;
    assert_eq!(again, Err(Denied::AlreadyPublishing { connection: alice.id(), session: session.id().clone() }));
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_published() {
    let mut house = House::new();
    let session = house.session();
    let mut bob = house.join(&session, Role::Subscriber).await;
    assert_eq!(bob.call(&mut house, Call::Publish(publish_call())).await, Err(Denied::MayNotPublish));
    let mut alice = house.join(&session, Role::Publisher).await;
    let no_answer = Denied::BadOffer(format!("Error generating SDP response for publishing user {}", alice.id()));
    let nothing = PublishCall { has_audio: false, has_video: false, ..publish_call() };
    assert_eq!(alice.call(&mut house, Call::Publish(nothing)).await, Err(no_answer.clone()));
    house.manner = Manner::Refuse(Refusal::BadOffer("line 7".into()));
    assert_eq!(alice.call(&mut house, Call::Publish(publish_call())).await, Err(no_answer));
    house.manner = Manner::Refuse(Refusal::NoCodec(vec![Codec::Vp8]));
    assert!(matches!(alice.call(&mut house, Call::Publish(publish_call())).await, Err(Denied::NoCodec(_))));
    house.manner = Manner::Refuse(Refusal::Busy);
    assert!(matches!(alice.call(&mut house, Call::Publish(publish_call())).await, Err(Denied::Busy(_))));
    assert!(house.is_empty_below());
    house.manner = Manner::Answer;
    assert!(alice.call(&mut house, Call::Publish(publish_call())).await.is_ok(), "a refusal leaves nothing behind");
}

#[tokio::test(start_paused = true)]
async fn the_engine_is_told_codecs_bound_and_kinds() {
    let mut house = House::new();
    let forced = |forced_video_codec| SessionProperties { forced_video_codec, ..properties() };
    let session = house.registry.create(forced(ForcedCodec::H264)).unwrap();
    let mut alice = house.join(&session, Role::Publisher).await;
    alice.call(&mut house, Call::Publish(PublishCall { loopback: true, ..publish_call() })).await.unwrap();
    let publish = house.published.pop().unwrap();
    assert_eq!((publish.video_codecs, publish.max_video_kbps, publish.loopback), (vec![Codec::H264], Some(1000), true));

    for (bound, kbps) in [(Some(300), Some(300)), (Some(0), None), (Some(-5), None), (Some(i64::MAX), Some(u32::MAX)), (None, Some(1000))] {
        let kurento_options = Some(KurentoOptions { video_max_recv_bandwidth: bound, ..KurentoOptions::default() });
        let properties = WebrtcProperties { kurento_options, ..WebrtcProperties::default() };
        let connection = session.ask(|answer| Command::AddWebrtc { properties, answer }).await.unwrap();
        let mut client = house.try_join(&session, token_of(&connection), false).await.unwrap();
        client.call(&mut house, Call::Publish(publish_call())).await.unwrap();
        assert_eq!(house.published.pop().unwrap().max_video_kbps, kbps);
    }

    let vp9 = house.registry.create(forced(ForcedCodec::Vp9)).unwrap();
    let mut bob = house.join(&vp9, Role::Publisher).await;
    assert!(matches!(bob.call(&mut house, Call::Publish(publish_call())).await, Err(Denied::NoCodec(_))));
    let audio = PublishCall { has_video: false, type_of_video: String::new(), ..publish_call() };
    let Ok(Reply::Published { stream, .. }) = bob.call(&mut house, Call::Publish(audio)).await else { panic!() };
    assert!(stream.as_str().starts_with("str_MIC_"));
    let publish = house.published.pop().unwrap();
    assert!(publish.audio.is_some() && publish.video.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_offer_without_an_answer_times_out_and_leaves_nothing() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, stream) = house.publisher(&session).await;
    let mut bob = house.join(&session, Role::Publisher).await;
    house.manner = Manner::Wait;
    let (publish, receive) = (bob.start(Call::Publish(publish_call())).await, bob.start(subscribe(&stream)).await);
    house.pass(9_999).await;
    assert_eq!((bob.reply_to(publish), bob.reply_to(receive)), (None, None));
    let late = house.offers.clone();
    house.pass(1).await;
    assert_eq!(bob.reply_to(publish), Some(Err(Denied::TimedOut(10))));
    assert_eq!(bob.reply_to(receive), Some(Err(Denied::TimedOut(10))));
    for peer in late {
        house.say(engine::Event::Answered { peer, sdp: "too late".into() }).await;
    }
    house.pump().await;
    assert_eq!(alice.call(&mut house, Call::Unpublish).await, Ok(Reply::Done));
    assert!(house.is_empty_below());
    assert_eq!(subscribers(&session, &bob), 0);
}

#[tokio::test(start_paused = true)]
async fn those_on_hold_are_answered_when_the_session_closes_and_when_they_leave() {
    let mut house = House::new();
    let session = house.session();
    let (_alice, stream) = house.publisher(&session).await;
    let mut bob = house.join(&session, Role::Publisher).await;
    let mut carol = house.join(&session, Role::Publisher).await;
    house.manner = Manner::Wait;
    let publish = carol.start(Call::Publish(publish_call())).await;
    let leave = carol.start(Call::Leave).await;
    let receive = bob.start(subscribe(&stream)).await;
    house.pump().await;
    assert!(matches!(carol.reply_to(publish), Some(Err(Denied::UnknownConnection { .. }))));
    assert_eq!(carol.reply_to(leave), Some(Ok(Reply::Done)));
    assert_eq!(bob.reply_to(receive), None);
    let reason = EndReason::SessionClosedByServer;
    session.ask(|answer| Command::Close { reason, answer }).await.unwrap();
    house.pump().await;
    assert_eq!(bob.reply_to(receive), Some(Err(Denied::SessionClosed(session.id().clone()))));
    assert_eq!(bob.notices().last(), Some(&evicted(&bob.id(), reason)));
    assert!(house.is_empty_below());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_loses_its_socket_gives_up_its_offers() {
    let mut house = House::new();
    let session = house.session();
    let (_alice, stream) = house.publisher(&session).await;
    let mut bob = house.join(&session, Role::Publisher).await;
    house.manner = Manner::Wait;
    bob.start(Call::Publish(publish_call())).await;
    bob.start(subscribe(&stream)).await;
    house.pump().await;
    assert_eq!(house.peers.len(), 3);
    bob.detach(&mut house).await;
    assert_eq!(house.peers.len(), 1);
    bob.rejoin(&mut house).await.unwrap();
    house.manner = Manner::Answer;
    assert!(bob.call(&mut house, Call::Publish(publish_call())).await.is_ok());
    assert!(bob.call(&mut house, subscribe(&stream)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn receiving_needs_a_stream_of_somebody_else() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, stream) = house.publisher(&session).await;
    let mut bob = house.join(&session, Role::Subscriber).await;
    assert_eq!(alice.call(&mut house, subscribe(&stream)).await, Err(Denied::OwnStream));
    let of = |connection: &ConnectionId| StreamId::random("CAM", connection);
    assert_eq!(bob.call(&mut house, subscribe(&of(&bob.id()))).await, Err(Denied::OwnStream));
    let not_streaming = |connection: ConnectionId| Err(Denied::NotStreaming { connection, session: session.id().clone() });
    assert_eq!(alice.call(&mut house, subscribe(&of(&bob.id()))).await, not_streaming(bob.id()));
    let unknown = |connection: ConnectionId| Err(Denied::UnknownConnection { connection, session: session.id().clone() });
    let nobody: ConnectionId = "con_Nobody".into();
    assert_eq!(bob.call(&mut house, subscribe(&of(&nobody))).await, unknown(nobody.clone()));
    assert_eq!(bob.call(&mut house, Call::Unsubscribe { sender: nobody.clone() }).await, unknown(nobody));
    assert_eq!(bob.call(&mut house, Call::Unsubscribe { sender: alice.id() }).await, Ok(Reply::Done));
    house.manner = Manner::Refuse(Refusal::BadOffer("no fingerprint".into()));
    assert!(matches!(bob.call(&mut house, subscribe(&stream)).await, Err(Denied::BadOffer(text)) if text.contains("no fingerprint")));
    assert_eq!((house.peers.len(), subscribers(&session, &bob)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn receiving_again_replaces_the_transport() {
    let mut house = House::new();
    let session = house.session();
    let (alice, stream) = house.publisher(&session).await;
    let mut bob = house.join(&session, Role::Subscriber).await;
    assert!(bob.call(&mut house, subscribe(&stream)).await.is_ok());
    let first = house.subscribed[0].peer;
    assert_eq!(house.subscribed[0].video, house.published[0].video);
    assert!(bob.call(&mut house, subscribe(&stream)).await.is_ok());
    assert!(!house.peers.contains(&first) && house.peers.len() == 2);
    house.manner = Manner::Wait;
    let replaced = bob.start(subscribe(&stream)).await;
    let last = bob.start(subscribe(&stream)).await;
    house.pump().await;
    assert!(matches!(bob.reply_to(replaced), Some(Err(Denied::BadOffer(_)))));
    house.answer_offer().await;
    house.pump().await;
    assert!(matches!(bob.reply_to(last), Some(Ok(Reply::Subscribed { .. }))));
    assert_eq!((house.peers.len(), subscribers(&session, &bob)), (2, 1));
    assert_eq!(bob.call(&mut house, Call::Unsubscribe { sender: alice.id() }).await, Ok(Reply::Done));
    assert_eq!((house.peers.len(), subscribers(&session, &bob)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn unpublishing_ends_it_for_everybody() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, stream) = house.publisher(&session).await;
    let mut bob = house.join(&session, Role::Subscriber).await;
    let mut carol = house.join(&session, Role::Subscriber).await;
    bob.call(&mut house, subscribe(&stream)).await.unwrap();
    house.manner = Manner::Wait;
    let waits = carol.start(subscribe(&stream)).await;
    house.pump().await;
    carol.notices();
    assert_eq!(alice.call(&mut house, Call::Unpublish).await, Ok(Reply::Done));
    assert!(matches!(carol.reply_to(waits), Some(Err(Denied::NotStreaming { .. }))));
    let unpublished = Notice::ParticipantUnpublished { connection: alice.id(), reason: EndReason::Unpublish };
    assert_eq!(carol.notices(), std::slice::from_ref(&unpublished));
    assert_eq!(bob.notices().last(), Some(&unpublished));
    assert!(!alice.notices().contains(&unpublished));
    assert!(house.is_empty_below());
    assert_eq!(subscribers(&session, &bob), 0);
    assert_eq!(alice.call(&mut house, Call::Unpublish).await, Err(Denied::NotPublishing(alice.id())));
    house.manner = Manner::Answer;
    let Ok(Reply::Published { stream: second, .. }) = alice.call(&mut house, Call::Publish(publish_call())).await else { panic!() };
    assert_ne!(second, stream);
}

#[tokio::test(start_paused = true)]
async fn candidates_find_their_transport_from_the_moment_of_the_offer() {
    let mut house = House::new();
    let session = house.session();
    let (alice, stream) = house.publisher(&session).await;
    let mut bob = house.join(&session, Role::Publisher).await;
    house.manner = Manner::Wait;
    bob.start(Call::Publish(publish_call())).await;
    bob.start(subscribe(&stream)).await;
    for (endpoint, candidate) in [(bob.id(), "own"), (alice.id(), "received"), ("con_Nobody".into(), "nobody's")] {
        let candidate = Call::Candidate { endpoint, candidate: candidate.into() };
        assert_eq!(bob.call(&mut house, candidate).await, Ok(Reply::Done));
    }
    let own = house.published.last().unwrap().peer;
    let received = house.subscribed.last().unwrap().peer;
    assert_eq!(house.candidates, [(own, "own".into()), (received, "received".into())]);
}

#[tokio::test(start_paused = true)]
async fn changes_reach_the_others_and_those_who_join_later() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, stream) = house.publisher(&session).await;
    let mut bob = house.join(&session, Role::Publisher).await;
    let mute = Call::ChangeStream { change: StreamChange::VideoActive(false), reason: "publishVideo".into() };
    assert_eq!(bob.call(&mut house, mute.clone()).await, Err(Denied::NotPublishing(bob.id())));
    alice.notices();
    assert_eq!(alice.call(&mut house, mute).await, Ok(Reply::Done));
    let (property, value, reason) = ("videoActive".into(), "false".into(), "publishVideo".into());
    let changed = Notice::StreamPropertyChanged { connection: alice.id(), stream, property, value, reason };
    assert_eq!((alice.notices(), bob.notices()), (vec![], vec![changed]));
    let carol = house.join(&session, Role::Subscriber).await;
    let seen = carol.joined.others.iter().find_map(|member| member.stream.clone()).unwrap();
    assert!(!seen.video_active && seen.audio_active);
    let shown = session.snapshot().connections[0].active.clone().unwrap().publisher.unwrap();
    assert_eq!(shown, seen);
}

#[tokio::test(start_paused = true)]
async fn a_lost_transport_ends_a_subscription_but_not_a_publication() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, stream) = house.publisher(&session).await;
    let mut bob = house.join(&session, Role::Subscriber).await;
    bob.call(&mut house, subscribe(&stream)).await.unwrap();
    let (publication, subscription) = (house.published[0].peer, house.subscribed[0].peer);
    bob.notices();
    house.close_peer(subscription, Closed::IceLost).await;
    house.pump().await;
    assert_eq!(subscribers(&session, &bob), 0);
    house.close_peer(publication, Closed::ByPeer).await;
    house.pump().await;
    assert_eq!(bob.notices(), []);
    assert_eq!(session.snapshot().connections[0].active.as_ref().unwrap().publisher.as_ref().unwrap().stream, stream);
    assert!(bob.call(&mut house, subscribe(&stream)).await.is_ok(), "the publisher may come back");
    assert_eq!(alice.call(&mut house, Call::Unpublish).await, Ok(Reply::Done));
    assert!(house.is_empty_below());
}
