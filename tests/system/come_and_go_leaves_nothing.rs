//! Whoever comes and goes leaves nothing behind, in whatever way: descriptors and processes return exactly, threads but for two, and
//! memory does not grow once all has happened some times.

use crate::house::{House, PATIENCE};
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;
use viduct_testkit::holdings::Holdings;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};
use viduct_testkit::rest;
use viduct_testkit::signaling::Client;
use viduct_testkit::whep::Whep;

/// What memory may grow by in the second half of a test, in KiB: allocators keep some of what they were given back.
const FLAT: u64 = 4096;
/// A peer that never connects is given up after 30 s, a client without a socket after 10 s.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// A house in which somebody publishes all the time.
struct Scene {
    house: House,
    session: String,
    stream: String,
    _alice: crate::house::Member,
    _publisher: Peer,
}

impl Scene {
    async fn open() -> Scene {
        let house = House::open().await;
        let session = house.session(json!({})).await;
        let alice = house.join(&session, "alice").await;
        let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
        let publisher = Peer::new(&wish);
        let stream = alice.publish(&publisher, &wish).await;
        publisher.wait_until("media flows", PATIENCE, |seen| seen.sent > 30).await;
        Scene { house, session, stream, _alice: alice, _publisher: publisher }
    }

    /// Waits until nobody but the publisher is there, and the daemon has what it had; what it has then.
    async fn empty(&self, before: &Holdings) -> Holdings {
        let waiting = async {
            let mut tries = tokio::time::interval(Duration::from_millis(200));
            while self.house.look(&self.session).await["connections"]["numberOfElements"] != 1 {
                tries.tick().await;
            }
        };
        assert!(tokio::time::timeout(GIVEN_UP, waiting).await.is_ok(), "somebody is still there");
        Holdings::wait_for(self.house.daemon.pid(), before, GIVEN_UP).await
    }

    /// A viewer by signaling that leaves, or one whose network breaks for good.
    async fn by_signaling(&self, leaves: bool) {
        let bob = self.house.join(&self.session, "bob").await;
        let viewer = bob.watch(&self.stream).await;
        viewer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 0).await;
        if leaves {
            bob.client.must("leaveRoom", json!({})).await;
        }
    }

    /// A viewer by WHEP that says goodbye by DELETE, or by closing its transport.
    async fn by_whep(&self, says: bool) {
        let whep = Whep::watch(&self.house.rest, &self.session, &self.stream).await;
        whep.peer.wait_until("a picture", PATIENCE, |seen| seen.whole_frames() > 0).await;
        if says {
            whep.end().await.expect(200);
        }
    }

    /// Somebody who publishes, with media, and leaves.
    async fn publishes(&self) {
        let carol = self.house.join(&self.session, "carol").await;
        let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
        let publisher = Peer::new(&wish);
        carol.publish(&publisher, &wish).await;
        publisher.wait_until("media flows", PATIENCE, |seen| seen.sent > 0).await;
        carol.client.must("leaveRoom", json!({})).await;
    }

    /// Five who come and go.
    async fn round(&self) {
        tokio::join!(self.by_signaling(true), self.by_signaling(false), self.by_whep(true), self.by_whep(false), self.publishes());
    }
}

fn flat(what: &str, half: &Holdings, end: &Holdings) {
    println!("{what}: {} KiB after the first half, {} KiB at the end; {} threads", half.resident, end.resident, end.threads);
    assert!(end.resident <= half.resident + FLAT, "memory grew from {} to {} KiB", half.resident, end.resident);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_who_see_or_show_a_picture() {
    let scene = Scene::open().await;
    let alone = Holdings::at_rest(scene.house.daemon.pid(), PATIENCE).await;
    for _ in 0..20 {
        scene.round().await;
    }
    let half = scene.empty(&alone).await;
    for _ in 0..20 {
        scene.round().await;
    }
    let end = scene.empty(&alone).await;
    flat("200 joins and leaves", &half, &end);
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_fail() {
    let scene = Scene::open().await;
    let alone = Holdings::at_rest(scene.house.daemon.pid(), PATIENCE).await;
    let mut before = None;
    for _ in 0..2 {
        for _ in 0..5 {
            scene.fail_in_every_way().await;
        }
        let now = scene.empty(&alone).await;
        match &before {
            None => before = Some(now),
            Some(before) => flat("failed handshakes", before, &now),
        }
    }
    let viewer = Whep::watch(&scene.house.rest, &scene.session, &scene.stream).await;
    viewer.peer.wait_until("a picture, as ever", PATIENCE, |seen| seen.whole_frames() > 0).await;
    assert!(!scene.house.daemon.log.text().contains("panicked"));
}

impl Scene {
    async fn fail_in_every_way(&self) {
        let (rest, ports) = (&self.house.rest, self.house.daemon.ports);
        let path = format!("/whep/{}/{}", self.session, self.stream);
        // transports: one whose client goes before ICE begins, one without DTLS, one that proves to be somebody else
        let never = Peer::viewer(true, true);
        rest.post_as(&path, "application/sdp", never.offer()).await.expect(201);
        let silent = Peer::viewer(true, true);
        silent.without_dtls();
        let silent = Whep::offer(rest, &self.session, &self.stream, silent).await.expect("an answer");
        let stranger = Peer::viewer(true, true);
        let forged = forge_fingerprint(stranger.offer());
        let answer = rest.post_as(&path, "application/sdp", forged).await.expect(201);
        stranger.answer(&answer.text());
        // offers that are refused
        for (kind, offer) in [("application/sdp", "v=0"), ("application/sdp", ""), ("text/plain", never.offer())] {
            assert!(rest.post_as(&path, kind, offer).await.status >= 400);
        }
        rest.clone().bearer("tok_wrong").post_as(&path, "application/sdp", never.offer()).await.expect(401);
        let bob = self.house.join(&self.session, "bob").await;
        let publish = json!({"doLoopback": false, "hasAudio": true, "hasVideo": true, "sdpOffer": "v=0"});
        bob.client.request("publishVideo", publish).await.unwrap_err();
        bob.client.request("receiveVideoFrom", json!({"sender": self.stream, "sdpOffer": "v=0"})).await.unwrap_err();
        bob.client.must("leaveRoom", json!({})).await;
        // connections that stop in the middle
        let _unspoken = Client::open(&self.house.daemon.signaling_url(&self.session)).await;
        let begun = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\nContent-Length: 500\r\n\r\nv=0");
        let hello = [22, 3, 1, 2, 0, 1, 0, 1, 0xfc];
        let beginnings: [(u16, &[u8]); 4] =
            [(ports.http, b""), (ports.http, b"GET /whe"), (ports.http, begun.as_bytes()), (ports.https, &hello)];
        for (port, beginning) in beginnings {
            // in plain HTTP nobody listens on the other port
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            stream.write_all(beginning).expect("a connection takes some bytes");
        }
        // a whole request whose answer nobody waits for
        let mut hung_up = TcpStream::connect(("127.0.0.1", ports.http)).expect("the daemon listens");
        let credentials = "T1BFTlZJRFVBUFA6TVlfU0VDUkVU";
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{}",
            never.offer().len(),
            never.offer()
        );
        hung_up.write_all(request.as_bytes()).expect("a connection takes a request");
        drop((hung_up, silent));
    }
}

/// The offer with the fingerprint of another certificate.
fn forge_fingerprint(offer: &str) -> String {
    let forge = |line: &str| match line.split_once("a=fingerprint:sha-256 ") {
        Some((_, fingerprint)) => format!("a=fingerprint:sha-256 {}", fingerprint.split(':').rev().collect::<Vec<_>>().join(":")),
        None => line.to_owned(),
    };
    offer.lines().map(|line| forge(line) + "\r\n").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_requests_for_what_does_not_exist() {
    let house = House::open().await;
    let before = Holdings::at_rest(house.daemon.pid(), PATIENCE).await;
    ask_for_nothing(&house, 300).await;
    let half = Holdings::wait_for(house.daemon.pid(), &before, PATIENCE).await;
    ask_for_nothing(&house, 700).await;
    let end = Holdings::wait_for(house.daemon.pid(), &before, PATIENCE).await;
    flat("10 000 requests for nothing", &half, &end);
    assert_eq!(house.rest.get("/openvidu/api/sessions").await.expect(200).json()["numberOfElements"], 0);
}

/// Ten times so many requests, over every door.
async fn ask_for_nothing(house: &House, times: usize) {
    let whep = async {
        let anonymous = house.rest.clone().anonymous();
        for n in 0..times {
            for (client, status) in [(&house.rest, 404), (&anonymous, 401)] {
                client.post_as(&format!("/whep/none{n}/str_CAM_none_con_none"), "application/sdp", "v=0").await.expect(status);
            }
            house.rest.delete(&format!("/whep/none{n}/str_none/none")).await.expect(404);
        }
    };
    let rest = async {
        let client: &rest::Client = &house.rest;
        for n in 0..times {
            client.get(&format!("/openvidu/api/sessions/none{n}")).await.expect(404);
            client.delete(&format!("/openvidu/api/sessions/none{n}")).await.expect(404);
            client.post(&format!("/openvidu/api/sessions/none{n}/connection"), json!({})).await.expect(404);
            client.delete(&format!("/openvidu/api/sessions/none{n}/connection/none")).await.expect(400);
        }
    };
    let signaling = async {
        let client = Client::open(&house.daemon.signaling_url("none")).await;
        for n in 0..times {
            let joined = client.join(&format!("wss://h?sessionId=none{n}&token=tok_none{n}"), "").await;
            assert_eq!(joined.unwrap_err().code, 202);
            assert_eq!(client.request("connect", json!({"sessionId": format!("{n}.none")})).await.unwrap_err().code, 40007);
            assert_eq!(client.request("reconnectStream", json!({"stream": "none", "sdpOffer": "v=0"})).await.unwrap_err().code, 803);
        }
    };
    tokio::join!(whep, rest, signaling);
}
