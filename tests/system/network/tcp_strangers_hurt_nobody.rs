//! Whoever connects to the media port without belonging to anybody is let go, and costs nobody else anything.

use super::lab::publishing;
use crate::house::{House, PATIENCE};
use serde_json::json;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::peer::{Access, Peer, Wish};

/// Three times what a stranger is given.
const LET_GO: Duration = Duration::from_secs(30);

/// Until the other side ends it.
fn ended(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 100]) {
        Ok(count) => count == 0,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_chattering_and_broken_ones() {
    let house = House::open().await;
    let session = house.session(json!({})).await;
    let alice = house.join(&session, "alice").await;
    let own = Access::Tcp(Ipv4Addr::LOCALHOST.into());
    let wish = publishing(own);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;

    publisher.wait_until("its connection", PATIENCE, |seen| seen.connected.is_some()).await;
    let port = house.daemon.ports.media;
    let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the media port listens");
    let begin = Clock::System.now();
    let mut strangers: Vec<TcpStream> = (0..300).map(|_| connect()).collect();
    for (number, stranger) in strangers.iter_mut().enumerate() {
        let words: &[u8] = match number % 5 {
            0 => &[],
            1 => b"GET / HTTP/1.1\r\n\r\n",
            2 => &[0, 20, 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
            3 => &[0, 0, 0, 0, 0],
            _ => &[0xff, 0xff, 1],
        };
        // those beyond the bound are closed already
        let _ = stranger.write_all(words);
        stranger.set_read_timeout(Some(Duration::from_millis(1))).expect("a time");
    }

    let bob = house.join(&session, "bob").await;
    let viewer = Peer::new(&Wish::watch(true, true).over(own));
    let viewer = bob.watch_as(&stream, viewer).await;
    viewer.wait_until("a picture, with a door full of strangers", PATIENCE, |seen| seen.whole_frames() > 30).await;

    let gone = tokio::task::spawn_blocking(move || {
        while !strangers.is_empty() {
            assert!(begin.elapsed() < LET_GO, "{} strangers are still there", strangers.len());
            strangers.retain_mut(|stranger| !ended(stranger));
        }
        begin.elapsed()
    });
    println!("the last stranger was let go after {:?}", gone.await.expect("all are let go"));
    let before = viewer.look().whole_frames();
    viewer.wait_until("its picture goes on", PATIENCE, |seen| seen.whole_frames() > before + 30).await;
}
