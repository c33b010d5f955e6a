//! The door over real sockets and real sessions; only the media thread is played by the test.

mod golden;

use super::*;
use crate::engine;
use crate::jobs;
use crate::session::command::Command;
use crate::session::notice::EndReason;
use crate::session::properties::{ForcedCodec, MediaMode, RecordingMode, RecordingProperties, SessionProperties, WebrtcProperties};
use crate::session::snapshot::ConnectionKind;
use crate::session::{SessionHandle, Settings};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpListener;
use viduct_testkit::signaling::Client;

/// A message that makes the door panic, in tests alone.
pub const BUG: &str = "a bug";
const SOON: Duration = Duration::from_secs(5);

/// A door on a port of this machine, with a session behind it.
struct House {
    door: Arc<Door>,
    registry: Registry,
    session: SessionHandle,
    port: u16,
}

impl House {
    async fn open() -> House {
        let (engine, commands, _wake) = engine::Handle::channel().unwrap();
        let (jobs, _jobs) = jobs::Handle::channel();
        let settings =
            Settings { grace: Duration::from_secs(10), camera_linger: Duration::from_secs(5), max_recv_kbps: 0, ..Settings::default() };
        let registry = Registry::new(settings, engine, jobs, None, Clock::System);
        let (events, heard) = tokio::sync::mpsc::channel(16);
        let (_job_events, no_jobs) = tokio::sync::mpsc::channel(1);
        // answers every offer; ends with the registry
        std::thread::spawn(move || {
            for command in commands {
                let peer = match command {
                    engine::Command::Publish(publish) => publish.peer,
                    engine::Command::Subscribe(subscribe) => subscribe.peer,
                    _ => continue,
                };
                let _ = events.blocking_send(engine::Event::Answered { peer, sdp: "v=0 answer".into() });
            }
        });
        let router_registry = registry.clone();
        tokio::spawn(async move { router_registry.route(heard, no_jobs).await });
        let properties = SessionProperties {
            media_node: None,
            old_recording_keys: false,
            media_mode: MediaMode::Routed,
            recording_mode: RecordingMode::Manual,
            default_recording: RecordingProperties::default(),
            custom_session_id: Some("ses_A".into()),
            forced_video_codec: ForcedCodec::Vp8,
            allow_transcoding: false,
        };
        let session = registry.create(properties).unwrap();
        let lockout = Lockout::new(Clock::System);
        let door =
            Arc::new(Door::new(registry.clone(), Clock::System, Secret::new("MY_SECRET"), lockout, vec!["stun:192.0.2.1:20000".into()]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = router(door.clone()).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        House { door, registry, session, port }
    }

    async fn token(&self) -> String {
        let properties = WebrtcProperties::default();
        let connection = self.session.ask(|answer| Command::AddWebrtc { properties, answer }).await.unwrap();
        let ConnectionKind::Webrtc { token, .. } = &connection.kind else { panic!() };
        format!("wss://127.0.0.1:4443?sessionId=ses_A&token={token}")
    }

    async fn client(&self) -> Client {
        Client::open(&format!("ws://127.0.0.1:{}/openvidu?sessionId=ses_A&anything=x", self.port)).await
    }

    /// Waits until so many sockets are open and every closed one has been reported to its session.
    async fn sockets(&self, count: usize) {
        while self.door.stop.receiver_count() != count {
            tokio::task::yield_now().await;
        }
    }

    async fn joined(&self, name: &str) -> (Client, Value) {
        let client = self.client().await;
        let result = client.join(&self.token().await, name).await.unwrap();
        (client, result)
    }
}

fn publish() -> Value {
    json!({"doLoopback":false,"hasAudio":true,"hasVideo":true,"audioActive":true,"videoActive":true,"typeOfVideo":"CAMERA",
        "frameRate":30,"videoDimensions":"{\"width\":640,\"height\":480}","sdpOffer":"v=0"})
}

/// Whatever a client puts in the place of a parameter, the request is read or refused in words.
#[test]
fn parameters_of_any_type_are_read_or_refused() {
    let good = [
        ("ping", json!({"interval": 5000})),
        ("connect", json!({"sessionId": "1.x"})),
        (
            "joinRoom",
            json!({"token": "wss://h?token=t", "session": "ses_A", "platform": "x", "secret": "", "metadata": "{}", "sdkVersion": "2"}),
        ),
        ("publishVideo", publish()),
        ("receiveVideoFrom", json!({"sender": "str_CAM_x_con_A", "sdpOffer": "v=0"})),
        ("unsubscribeFromVideo", json!({"sender": "con_A"})),
        ("reconnectStream", json!({"stream": "str_CAM_x_con_A", "sdpOffer": "v=0", "sdpString": "v=0"})),
        ("onIceCandidate", json!({"endpointName": "con_A", "candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0})),
        ("sendMessage", json!({"message": r#"{"to":["con_A"],"data":"x","type":"signal:chat"}"#})),
        ("streamPropertyChanged", json!({"streamId": "str", "property": "videoActive", "newValue": false, "reason": "x"})),
        ("forceDisconnect", json!({"connectionId": "con_A"})),
        ("forceUnpublish", json!({"streamId": "str"})),
    ];
    let odd = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("\u{0}\u{202e}{\"to\":3}"),
        json!("{\"to\":[".repeat(10_000)),
        json!([]),
        json!([[[null]], {}]),
        json!({}),
        json!({"a": {"b": [null]}}),
    ];
    let mut refused = 0;
    for (name, params) in good {
        let method = methods::Method::named(name).unwrap();
        let params = params.as_object().unwrap();
        let mut read = |params: &serde_json::Map<String, Value>, what: &str| match method.read(name, params) {
            Ok(_) => {}
            Err(error) => {
                assert!(error.code != 0 && !error.message.is_empty(), "{what}: {error:?}");
                refused += 1;
            }
        };
        for key in params.keys() {
            let mut without = params.clone();
            without.remove(key);
            read(&without, &format!("{name} without {key}"));
            for value in &odd {
                let mut changed = params.clone();
                changed[key] = value.clone();
                read(&changed, &format!("{name} with {key} = {:.60}", value.to_string()));
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn only_a_proxy_on_this_machine_may_name_the_client() {
    let mut headers = HeaderMap::new();
    headers.insert("x-real-ip", "192.0.2.7".parse().unwrap());
    let cases = [("127.0.0.1", "192.0.2.7"), ("::ffff:127.0.0.1", "192.0.2.7"), ("::1", "192.0.2.7"), ("198.51.100.4", "198.51.100.4")];
    for (peer, client) in cases {
        assert_eq!(client_address(peer.parse().unwrap(), &headers), client.parse::<IpAddr>().unwrap(), "{peer}");
    }
    headers.insert("x-real-ip", "not an address".parse().unwrap());
    assert_eq!(client_address("127.0.0.1".parse().unwrap(), &headers), "127.0.0.1".parse::<IpAddr>().unwrap());
}

#[tokio::test]
async fn the_secret_is_compared_whole_and_never_empty() {
    let house = House::open().await;
    let client = IpAddr::from([192, 0, 2, 1]);
    let admits = |given: &str| house.door.admits(client, given).unwrap();
    assert!(admits("MY_SECRET"));
    assert!(!admits("MY_SECRE") && !admits("") && !admits("MY_SECRET "));
    let open = Door::new(house.registry.clone(), Clock::System, Secret::new(""), Lockout::new(Clock::System), vec![]);
    assert_eq!(open.admits(client, ""), Ok(false), "an empty secret is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_of_two() {
    let house = House::open().await;
    let (alice, joined) = house.joined("alice").await;
    let me = joined["id"].as_str().unwrap().to_owned();
    assert_eq!((&joined["session"], &joined["value"], &joined["role"]), (&json!("ses_A"), &json!([]), &json!("PUBLISHER")));
    assert_eq!(joined["customIceServers"], json!([{"url": "stun:192.0.2.1:20000"}]));
    let rpc = joined["sessionId"].clone();

    // candidates overtake the answer, as clients do
    let published = alice.start("publishVideo", publish()).await;
    let candidate = alice.must("onIceCandidate", json!({"endpointName": me, "candidate": "", "sdpMid": "0", "sdpMLineIndex": 0})).await;
    assert_eq!(candidate, json!({ "sessionId": rpc }));
    let published = published.reply().await.unwrap();
    assert_eq!(published["sdpAnswer"], "v=0 answer");
    let stream = published["id"].as_str().unwrap();

    let (bob, joined) = house.joined("bob").await;
    assert_eq!(joined["value"][0]["id"], me.as_str());
    assert_eq!(joined["value"][0]["streams"][0]["id"], stream);
    assert_eq!(bob.must("receiveVideoFrom", json!({"sender": stream, "sdpOffer": "v=0"})).await["sdpAnswer"], "v=0 answer");
    let them = joined["id"].as_str().unwrap();
    assert_eq!(alice.notice("participantJoined", |p| p["id"] == them).await["metadata"], "bob");

    bob.must("sendMessage", json!({"message": "{\"to\":[],\"data\":\"hi\",\"type\":\"signal:chat\"}"})).await;
    assert_eq!(alice.notice("sendMessage", |_| true).await, json!({"data": "hi", "type": "signal:chat", "from": them}));
    alice
        .must("streamPropertyChanged", json!({"streamId": stream, "property": "videoActive", "newValue": false, "reason": "publishVideo"}))
        .await;
    assert_eq!(bob.notice("streamPropertyChanged", |_| true).await["newValue"], "false");
    for nothing in ["echo", "videoData"] {
        assert_eq!(alice.must(nothing, json!({})).await, json!({ "sessionId": rpc }));
    }

    alice.must("leaveRoom", json!({})).await;
    assert_eq!(bob.notice("participantLeft", |p| p["connectionId"] == me.as_str()).await["reason"], "disconnect");
    assert_eq!(alice.must("ping", json!({})).await, json!({"value": "pong"}), "a client that left may still ping until it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_a_session_only_the_first_methods_work() {
    let house = House::open().await;
    let client = house.client().await;
    assert_eq!(client.must("ping", json!({"interval": 5000})).await, json!({"value": "pong"}));
    for method in ["publishVideo", "leaveRoom", "echo", "applyFilter", "onIceCandidate"] {
        let refusal = client.request(method, json!({})).await.unwrap_err();
        assert_eq!(refusal.code, 803, "{method}");
        assert!(refusal.message.starts_with("No connection found for participant with privateId "), "{}", refusal.message);
        assert!(refusal.message.ends_with("must be the first operation called in any session. Code: 803"), "{}", refusal.message);
    }
    assert_eq!(client.request("nonsense", json!({})).await.unwrap_err().code, -32601);
    let lost = client.request("connect", json!({"sessionId": "unknown"})).await.unwrap_err();
    assert_eq!((lost.code, lost.message.as_str()), (40007, "reconnection error"));
    assert_eq!(client.must("connect", json!({})).await["value"], "OK");
    assert_eq!(client.must("closeSession", json!({})).await["value"], "bye");
    assert_eq!(client.closed(SOON).await.code, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_fails_leaves_the_socket_open() {
    let house = House::open().await;
    let client = house.client().await;
    let unknown = client.join("wss://h?sessionId=ses_none&token=tok_1", "").await.unwrap_err();
    assert_eq!((unknown.code, unknown.message.as_str()), (202, "Unable to join session. Session ses_none cannot be found. Code: 202"));
    let token = "wss://h?sessionId=ses_A&token=tok_wrong";
    let wrong = client.join(token, "").await.unwrap_err();
    assert_eq!((wrong.code, wrong.message), (401, format!("Unable to join session ses_A. Token {token}is not valid. Code: 401")));
    let good = house.token().await;
    assert!(client.join(&good, "").await.is_ok(), "the same socket may try again");
    assert_eq!(client.join(&good, "").await.unwrap_err().code, 104);
    let late = house.client().await;
    assert_eq!(late.join(&good, "").await.unwrap_err().code, 401, "a token is used once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_opens_without_a_token() {
    let house = House::open().await;
    let join =
        |secret: &str| json!({"token": "", "session": "ses_A", "platform": "p", "metadata": "", "secret": secret, "recorder": false});
    let client = house.client().await;
    assert_eq!(client.request("joinRoom", join("")).await.unwrap_err().code, 401);
    assert_eq!(client.request("joinRoom", join("WRONG")).await.unwrap_err().code, 401);
    assert_eq!(client.must("joinRoom", join("MY_SECRET")).await["role"], "MODERATOR");
    // guesses are counted over all sockets of an address
    for n in 0..5 {
        assert_eq!(house.client().await.request("joinRoom", join(&format!("WRONG{n}"))).await.unwrap_err().code, 401);
    }
    let refused = house.client().await.request("joinRoom", join("MY_SECRET")).await.unwrap_err();
    assert!(refused.code == 401 && refused.message.contains("try again in 1 s"), "{refused:?}");
    assert!(house.client().await.join(&house.token().await, "alice").await.is_ok(), "a token is no guess");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_socket_comes_back_on_another_and_misses_nothing() {
    let house = House::open().await;
    let (alice, _) = house.joined("alice").await;
    let (bob, joined) = house.joined("bob").await;
    let rpc = joined["sessionId"].clone();
    drop(bob);
    house.sockets(1).await;
    alice.must("sendMessage", json!({"message": "{\"to\":[],\"data\":\"missed?\",\"type\":\"signal:signal\"}"})).await;
    let bob = house.client().await;
    let back = bob.must("connect", json!({"sessionId": rpc, "reconnect": true})).await;
    assert_eq!(back, json!({"value": "reconnection successful", "sessionId": rpc}));
    bob.notice("sendMessage", |p| p["data"] == "missed?").await;
    assert_eq!(bob.order()[0], "#0", "nothing overtakes the reply to connect");
    assert_eq!(bob.must("connect", json!({ "sessionId": rpc })).await["value"], "reconnection successful");
    assert!(alice.log().iter().all(|n| n.method != "participantLeft"));

    // a new socket while the old one still stands takes over; the old one is closed
    let again = house.client().await;
    again.must("connect", json!({ "sessionId": rpc })).await;
    bob.closed(SOON).await;
    again.must("echo", json!({})).await;
    assert!(alice.log().iter().all(|n| n.method != "participantLeft"), "the late end of the old socket evicts nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_network_swallowed_is_told_over_the_next_socket_and_nothing_twice() {
    let house = House::open().await;
    let (alice, _) = house.joined("alice").await;
    let (bob, joined) = house.joined("bob").await;
    let say = |n: usize| json!({"message": json!({"to": [], "data": n.to_string(), "type": "signal:n"}).to_string()});
    alice.must("sendMessage", say(0)).await;
    bob.notice("sendMessage", |p| p["data"] == "0").await;
    // the door's question and its answer have passed before those of later requests
    for _ in 0..2 {
        bob.must("echo", json!({})).await;
    }
    // the cable is pulled and nobody notices: what is said now is written to a socket that nobody reads
    bob.deaf();
    for n in 1..=3 {
        alice.must("sendMessage", say(n)).await;
    }
    let back = house.client().await;
    back.must("connect", json!({"sessionId": joined["sessionId"]})).await;
    back.notice("sendMessage", |p| p["data"] == "3").await;
    let heard: Vec<_> = back.log().iter().map(|n| n.params["data"].clone()).collect();
    assert_eq!(heard, ["1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bug_that_one_socket_meets_costs_that_socket_alone() {
    let house = House::open().await;
    let (alice, joined) = house.joined("alice").await;
    let (bob, _) = house.joined("bob").await;
    alice.send_text(BUG).await;
    assert_eq!(alice.closed(SOON).await.code, 1011);
    house.sockets(1).await;
    bob.must("echo", json!({})).await;
    // its session knows that it is away, and takes it back
    let back = house.client().await;
    back.must("connect", json!({"sessionId": joined["sessionId"]})).await;
    back.must("echo", json!({})).await;
    assert!(bob.log().iter().all(|n| n.method != "participantLeft"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evicted_client_hears_why_and_nothing_more() {
    let house = House::open().await;
    let (alice, joined) = house.joined("alice").await;
    let me = joined["id"].as_str().unwrap();
    house.session.ask(|answer| Command::Close { reason: EndReason::SessionClosedByServer, answer }).await.unwrap();
    assert_eq!(alice.notice("participantEvicted", |p| p["connectionId"] == me).await["reason"], "sessionClosedByServer");
    // the door learns of the end a moment after the client
    let refused = async {
        loop {
            if let Err(refusal) = alice.request("echo", json!({})).await {
                return refusal;
            }
        }
    };
    assert_eq!(tokio::time::timeout(SOON, refused).await.unwrap().code, 803);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_json_rpc_closes_the_socket() {
    let house = House::open().await;
    let client = house.client().await;
    client.send_text("hello").await;
    assert_eq!(client.closed(SOON).await.code, 1007);
    let client = house.client().await;
    client.send_text(r#"{"jsonrpc":"2.0","method":"ping"}"#).await;
    client.send_text(r#"{"jsonrpc":"2.0","id":5,"result":"push"}"#).await;
    assert_eq!(client.must("ping", json!({})).await["value"], "pong", "what waits for no reply gets none");
    for length in [LONGEST_MESSAGE + 1, LONGEST_READ] {
        let client = house.client().await;
        client.send_text("x".repeat(length)).await;
        let closed = client.closed(SOON).await;
        assert_eq!((closed.code, closed.reason.as_str()), (1009, "A message is longer than 256 KiB"), "{length}");
    }
    let client = house.client().await;
    client.send_text("x".repeat(LONGEST_READ + 1)).await;
    client.closed(SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_that_stay_away_close_the_socket() {
    let house = House::open().await;
    let client = house.client().await;
    // the shortest interval that is taken: 1 s
    client.must("ping", json!({"interval": 1})).await;
    let closed = client.closed(SOON).await;
    assert_eq!((closed.code, closed.reason.as_str()), (1000, "Close for not receive ping from client"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_closes_waits_for_its_sockets() {
    let house = House::open().await;
    let (alice, _) = house.joined("alice").await;
    let ((), closed) = tokio::join!(house.door.close(), alice.closed(SOON));
    assert_eq!(closed.code, 1001);
    assert_eq!(house.door.stop.receiver_count(), 0);
    let refused = viduct_testkit::rest::Client::new(house.port).try_get("/openvidu").await;
    assert!(refused.is_ok_and(|response| response.status >= 400));
}
