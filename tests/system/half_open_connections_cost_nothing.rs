//! Connections to the HTTPS door that never become requests: silent ones, those that say one byte a second, half a handshake, no
//! handshake at all, half a request. They cost nobody else anything, they are dropped after a bound, and their descriptors return.

use crate::house::{House, PATIENCE};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use viduct::clock::Clock;
use viduct_testkit::daemon::SECRET;
use viduct_testkit::holdings::Holdings;
use viduct_testkit::rest::Client;

/// Of each kind.
const OF_EACH: usize = 60;
/// A handshake and the head of a request may take 10 s each.
const DROPPED: Duration = Duration::from_secs(60);
/// How long an ordinary request may take meanwhile.
const ORDINARY: Duration = Duration::from_secs(5);

/// A record that promises a ClientHello of 512 bytes and holds its beginning.
const HALF_HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 7, 7, 7, 7];

#[derive(Clone, Copy, Debug)]
enum Kind {
    Silent,
    OneByteASecond,
    HalfAHandshake,
    NoHandshake,
}

/// Opens one and keeps it open until the box drops it; how long that took.
async fn hold(to: SocketAddr, kind: Kind) -> Duration {
    let begin = Clock::System.now();
    let mut stream = TcpStream::connect(to).await.expect("the door is open");
    let first: &[u8] = match kind {
        Kind::Silent => &[],
        Kind::OneByteASecond => &HALF_HELLO[..1],
        Kind::HalfAHandshake => HALF_HELLO,
        Kind::NoHandshake => b"GET / HTTP/1.1\r\n\r\n",
    };
    // the box may have dropped it by the time we write
    let _ = stream.write_all(first).await;
    let mut buffer = [0; 256];
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let mut next = 1;
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => if !matches!(read, Ok(1..)) { return begin.elapsed() },
            _ = ticks.tick() => if let (Kind::OneByteASecond, Some(byte)) = (kind, HALF_HELLO.get(next)) {
                let _ = stream.write_all(&[*byte]).await;
                next += 1;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_every_kind() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let alice = house.join(&session, "alice").await;
    let secure = Client::tls(house.daemon.ports.https).basic("OPENVIDUAPP", SECRET);
    secure.get("/openvidu/api/health").await.expect(200);
    let before = Holdings::at_rest(house.daemon.pid(), PATIENCE).await;

    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, house.daemon.ports.https));
    let kinds = [Kind::Silent, Kind::OneByteASecond, Kind::HalfAHandshake, Kind::NoHandshake];
    let mut held = JoinSet::new();
    for kind in kinds.into_iter().cycle().take(OF_EACH * kinds.len()) {
        held.spawn(async move { (kind, tokio::time::timeout(DROPPED, hold(to, kind)).await) });
    }
    // somebody else goes on all the time
    let mut slowest = Duration::ZERO;
    let mut dropped = Vec::new();
    while !held.is_empty() {
        let begin = Clock::System.now();
        secure.get("/openvidu/api/sessions").await.expect(200);
        slowest = slowest.max(begin.elapsed());
        alice.client.must("echo", json!({})).await;
        while let Some(ended) = held.try_join_next() {
            dropped.push(ended.unwrap());
        }
        Clock::System.sleep(Duration::from_millis(100)).await;
    }
    let latest = dropped.iter().map(|(kind, took)| *took.as_ref().unwrap_or_else(|_| panic!("{kind:?} is held for {DROPPED:?}"))).max();
    println!("{} dropped, the last after {latest:.1?}; the slowest ordinary request took {slowest:.2?}", dropped.len());
    assert!(slowest < ORDINARY, "{slowest:?}");
    let after = Holdings::wait_for(house.daemon.pid(), &before, PATIENCE).await;
    assert_eq!(after.descriptors, before.descriptors);
}
