//! A signaling client that never reads is flooded: the others are answered as ever, and its socket is closed.

use crate::house::{House, PATIENCE};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Bytes of one signal; some dozens fill every buffer between the box and a client that does not read.
const SIGNAL: usize = 200_000;

#[tokio::test(flavor = "multi_thread")]
async fn the_others_are_answered() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let (alice, bob) = (house.join(&session, "alice").await, house.join(&session, "bob").await);
    let token = house.token(&session, "SUBSCRIBER").await;
    let deaf = join_and_read_no_more(house.daemon.ports.http, &session, &token);
    bob.client.notice("participantJoined", |p| p["metadata"] == "deaf%/%server").await;

    let flood = json!({"message": json!({"to": [], "data": "x".repeat(SIGNAL), "type": "signal:flood"}).to_string()});
    for _ in 0..60 {
        alice.client.must("sendMessage", flood.clone()).await;
    }
    for n in 0..600 {
        let message = json!({"to": [], "data": n.to_string(), "type": "signal:last"}).to_string();
        alice.client.must("sendMessage", json!({ "message": message })).await;
    }
    bob.client.notice("sendMessage", |p| p["data"] == "599").await;
    bob.client.must("echo", json!({})).await;
    let signals = bob.client.log().iter().filter(|n| n.method == "sendMessage").count();
    assert_eq!(signals, 660, "nothing is lost for those who read");

    // the box gave it up: after what was in flight, the stream ends
    let ended = tokio::task::spawn_blocking(move || drain(deaf));
    tokio::time::timeout(PATIENCE * 2, ended).await.expect("its socket is closed").unwrap();
}

/// Opens a WebSocket by hand, joins, reads the result and stops reading.
fn join_and_read_no_more(port: u16, session: &str, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let upgrade = format!(
        "GET /openvidu?sessionId={session} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(upgrade.as_bytes()).unwrap();
    let params = json!({"token": token, "session": session, "platform": "deaf", "metadata": "deaf", "secret": "", "recorder": false});
    let join = json!({"jsonrpc": "2.0", "method": "joinRoom", "params": params, "id": 0}).to_string();
    // one masked text frame with a mask of zeros (RFC 6455 §5.2)
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend((join.len() as u16).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(join.as_bytes());
    stream.write_all(&frame).unwrap();
    stream
}

fn drain(mut stream: TcpStream) {
    let mut buffer = vec![0; 1 << 16];
    while stream.read(&mut buffer).is_ok_and(|len| len > 0) {}
}
