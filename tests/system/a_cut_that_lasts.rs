//! A client whose WebSocket stays away for good is gone for everybody after the grace time, once, with the reason `networkDisconnect`,
//! however the socket ended: without a word, closed without leaving, or silent as a pulled cable. Nothing of its media is left.

use crate::house::{House, Member, PATIENCE, options};
use serde_json::{Value, json};
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::holdings::Holdings;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};
use viduct_testkit::webhook::Receiver;

/// 10 s of grace, after 15 s of silence where the socket stands; three times that.
const GIVEN_UP: Duration = Duration::from_secs(75);

#[derive(Clone, Copy, Debug)]
enum Cut {
    /// The socket breaks.
    Broken,
    /// The client closes it in order, but never leaves the session.
    Closed,
    /// Nothing comes any more, and nobody says so.
    Silent,
}

/// Somebody who publishes and watches the other one.
struct Guest {
    member: Member,
    publisher: Peer,
    stream: String,
}

async fn guest(house: &House, session: &str, name: &str) -> Guest {
    let member = house.join(session, name).await;
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    let stream = member.publish(&publisher, &wish).await;
    Guest { member, publisher, stream }
}

/// What is told of a session from here on, in short.
fn told(receiver: &Receiver, session: &str, names: &[(&str, &str)]) -> Vec<String> {
    let named = |value: &Value| {
        let id = value.as_str()?;
        Some(names.iter().find(|(known, _)| *known == id).map_or(id, |(_, name)| *name).to_owned())
    };
    let posts = receiver.posts().into_iter().filter(|post| post.body["sessionId"] == session);
    let gone = posts.filter(|post| ["webrtcConnectionDestroyed", "participantLeft", "sessionDestroyed"].contains(&post.event()));
    gone.map(|post| {
        let words = [&post.body["connectionId"], &post.body["receivingFrom"], &post.body["reason"]];
        [post.event().to_owned()].into_iter().chain(words.into_iter().filter_map(named)).collect::<Vec<_>>().join(" ")
    })
    .collect()
}

async fn story(house: &House, receiver: &Receiver, cut: Cut) {
    let session = house.session(json!({})).await;
    let alice = guest(house, &session, "alice").await;
    let bob = guest(house, &session, "bob").await;
    let (by_alice, by_bob) = (alice.member.watch(&bob.stream).await, bob.member.watch(&alice.stream).await);
    for viewer in [&by_alice, &by_bob] {
        viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 5).await;
    }
    let (her, his) = (alice.member.id.clone(), bob.member.id.clone());
    let log = bob.member.client.log().len();

    let begin = Clock::System.now();
    match cut {
        Cut::Broken => drop(alice.member.client),
        Cut::Closed => alice.member.client.close().await,
        Cut::Silent => alice.member.client.deaf(),
    }
    let left = bob.member.client.wait_up_to(GIVEN_UP, "participantLeft", |_| true).await;
    println!("{cut:?}: gone after {:.1?}", begin.elapsed());
    assert_eq!((&left["connectionId"], &left["reason"]), (&json!(her), &json!("networkDisconnect")), "{cut:?}");
    // whatever it had of media ends with it, though her media never broke
    for (peer, whose) in [(&alice.publisher, "what she publishes"), (&by_alice, "what she watches"), (&by_bob, "what of her is watched")] {
        peer.wait_until(&format!("{whose} ends"), PATIENCE, |seen| seen.closed.is_some()).await;
    }
    let connections = house.look(&session).await["connections"]["content"].clone();
    let there: Vec<_> = connections.as_array().unwrap().iter().filter(|c| c["status"] == "active").map(|c| c["id"].clone()).collect();
    assert_eq!(there, [json!(his)], "{cut:?}");

    bob.member.client.must("leaveRoom", json!({})).await;
    let ended = |posts: &[viduct_testkit::webhook::Post]| {
        posts.iter().any(|p| p.event() == "sessionDestroyed" && p.body["sessionId"] == session.as_str())
    };
    receiver.wait_for("the end of the session", PATIENCE, ended).await;
    // by now everything has been said that ever will be
    let new: Vec<_> = bob.member.client.log().split_off(log);
    assert_eq!(new.iter().map(|n| n.method.as_str()).collect::<Vec<_>>(), ["participantLeft"], "{cut:?}: {new:?}");
    let mut told = told(receiver, &session, &[(&her, "alice"), (&his, "bob")]);
    // of streams that end in the same moment any may be the first
    told[..3].sort();
    let expected = [
        "webrtcConnectionDestroyed alice bob networkDisconnect",
        "webrtcConnectionDestroyed alice networkDisconnect",
        "webrtcConnectionDestroyed bob alice networkDisconnect",
        "participantLeft alice networkDisconnect",
        "webrtcConnectionDestroyed bob disconnect",
        "participantLeft bob disconnect",
        "sessionDestroyed lastParticipantLeft",
    ];
    assert_eq!(told, expected, "{cut:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_every_kind() {
    let receiver = Receiver::start().await;
    let house = House::of(options().env("OPENVIDU_WEBHOOK", "true").env("OPENVIDU_WEBHOOK_ENDPOINT", receiver.url())).await;
    // once before: what stays of the first of all stays for good
    story(&house, &receiver, Cut::Broken).await;
    let before = Holdings::at_rest(house.daemon.pid(), GIVEN_UP).await;
    tokio::join!(
        story(&house, &receiver, Cut::Broken),
        story(&house, &receiver, Cut::Closed),
        story(&house, &receiver, Cut::Silent),
        story(&house, &receiver, Cut::Silent),
    );
    let after = Holdings::wait_for(house.daemon.pid(), &before, GIVEN_UP).await;
    println!("before {before:?}\nafter {after:?}");
}
