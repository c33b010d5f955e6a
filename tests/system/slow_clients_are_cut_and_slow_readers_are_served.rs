//! Clients that trickle, send nothing, send without end or take nothing lose their connection in bounded time and are told why where
//! they can be told; one that reads slowly gets all of a large file, and nobody else notices anything.

use crate::house::{House, options, until};
use crate::wire::{self, Answer};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use viduct::clock::Clock;

/// What is promised to a head that does not come, to a body that does not come, and to a reader that does not read; waited for
/// three times over.
const HEAD: Duration = Duration::from_secs(10);
const BODY: Duration = Duration::from_secs(15);
const READER: Duration = Duration::from_secs(30);
/// Size of the large file in bytes: no buffers on the way hold it.
const FILE: u64 = 32 * 1024 * 1024;
/// `OPENVIDUAPP:MY_SECRET`
const RIGHT: &str = "Authorization: Basic T1BFTlZJRFVBUFA6TVlfU0VDUkVU\r\n";

/// Writes `piece` again and again until the server has closed or answered; gives what it said, and prints how long that took.
async fn trickle(what: &str, mut stream: TcpStream, piece: &[u8], promised: Duration) -> Answer {
    let begin = Clock::System.now();
    let (mut from, mut to) = stream.split();
    let mut said = Vec::new();
    let reading = async {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            said.extend_from_slice(&buffer[..length]);
        }
    };
    let writing = async {
        loop {
            Clock::System.sleep(Duration::from_millis(500)).await;
            if to.write_all(piece).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
        () = Clock::System.sleep(promised * 3) => panic!("{what}: still open after {:?}", promised * 3),
    }
    let answer = Answer::read(&said);
    println!("{what}: closed after {:.1?}, promised are {promised:?}; answered {}", begin.elapsed(), answer.status);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_bodies_that_do_not_come() {
    let house = House::open().await;
    let port = house.daemon.ports.http;
    let open = |begin: String| async move {
        let mut stream = wire::connect(port).await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        stream
    };
    let post = format!("POST /openvidu/api/sessions HTTP/1.1\r\nHost: x\r\n{RIGHT}Content-Type: application/json\r\n");
    let (handshake, silent, head, kept, body, chunks, others) = tokio::join!(
        async { trickle("no TLS", wire::connect(house.daemon.ports.https).await, b"", HEAD).await },
        async { trickle("no request", open(String::new()).await, b"", HEAD).await },
        async { trickle("a head a byte at a time", open("GET / HTTP/1.1\r\nX: ".into()).await, b"x", HEAD).await },
        async { trickle("a kept connection", open("GET / HTTP/1.1\r\nHost: x\r\n\r\n".into()).await, b"", HEAD).await },
        async { trickle("a body a byte at a time", open(format!("{post}Content-Length: 5000\r\n\r\n{{")).await, b" ", BODY + HEAD).await },
        async { trickle("chunks", open(format!("{post}Transfer-Encoding: chunked\r\n\r\n")).await, b"1\r\n \r\n", BODY + HEAD).await },
        async {
            for _ in 0..100 {
                Clock::System.sleep(Duration::from_millis(100)).await;
                house.rest.get("/openvidu/api/health").await.expect(200);
            }
        },
    );
    assert_eq!(handshake.status, 0);
    assert_eq!((silent.status, head.status, kept.status, others), (0, 0, 200, ()));
    assert!(body.is_error(408) && chunks.is_error(408), "{body:?} {chunks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_bodies_without_end() {
    let house = House::open().await;
    let port = house.daemon.ports.http;
    let request = |more: &str| format!("POST /openvidu/api/sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{RIGHT}{more}");
    let large = " ".repeat(1_000_000);
    let body = request(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{large}", large.len()));
    let answer = wire::ask(port, body.as_bytes()).await;
    assert!(answer.is_error(413), "{answer:?}");
    let answer = wire::ask(port, request(&format!("X: {}\r\n\r\n", "x".repeat(20_000))).as_bytes()).await;
    assert!(answer.is_error(431), "{answer:?}");
    let answer = wire::ask(port, format!("GET /openvidu/api/sessions?{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(9000)).as_bytes()).await;
    assert!(answer.is_error(414), "{answer:?}");
    // far more is not read at all
    for head in [format!("X: {}", "x".repeat(10_000_000)), "A: b\r\n".repeat(1_000_000)] {
        let answer = wire::ask(port, request(&head).as_bytes()).await;
        assert!([0, 431].contains(&answer.status), "{}", answer.status);
    }
    // a message of signaling: the socket ends and says why, the box does not
    let client = viduct_testkit::signaling::Client::open(&house.daemon.signaling_url("s")).await;
    client.send_text(format!("\"{}\"", "x".repeat(300_000))).await;
    let closed = client.closed(HEAD * 3).await;
    assert_eq!(closed.code, 1009, "{closed:?}");
    assert!(house.daemon.holdings().resident < 300_000, "{} KiB", house.daemon.holdings().resident);
    house.rest.get("/openvidu/api/health").await.expect(200);
}

/// A daemon with a large file to download, and the request for it.
async fn with_a_large_file(folder: &Path) -> (House, String) {
    let file = std::fs::File::create(folder.join("large.bin")).unwrap();
    file.set_len(FILE).unwrap();
    let house = House::of(options().env("OPENVIDU_RECORDING_CUSTOM_LAYOUT", folder.display())).await;
    (house, format!("GET /openvidu/layouts/large.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{RIGHT}\r\n"))
}

/// Asks, with a receive buffer that takes little at a time.
async fn download(house: &House, request: &str) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stream = socket.connect(([127, 0, 0, 1], house.daemon.ports.http).into()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_is_cut_and_who_reads_slowly_gets_all() {
    let folder = tempfile::tempdir().unwrap();
    let (house, request) = with_a_large_file(folder.path()).await;
    let path = folder.path().canonicalize().unwrap().join("large.bin").display().to_string();
    let open = || house.daemon.holdings().descriptors.get(&path).copied().unwrap_or_default();
    let stalled = download(&house, &request).await;
    let mut slow = download(&house, &request).await;
    until("both files are open", HEAD, || open() == 2).await;

    let begin = Clock::System.now();
    let mut taken = 0;
    let mut piece = vec![0; 128 * 1024];
    let (mut cut, mut rounds) = (None, 0);
    // longer than nothing may be taken, and until the other is cut
    while begin.elapsed() < READER + HEAD || cut.is_none() {
        assert!(begin.elapsed() < READER * 3, "the connection that takes nothing is still there after {:?}", begin.elapsed());
        Clock::System.sleep(Duration::from_millis(700)).await;
        taken += slow.read(&mut piece).await.unwrap();
        rounds += 1;
        if open() == 1 && cut.is_none() {
            cut = Some(begin.elapsed());
        }
    }
    println!("taking nothing: cut after {:.1?}, promised are {READER:?}; slow: {taken} bytes in {rounds} reads", cut.unwrap_or_default());
    assert!((taken as u64) < FILE, "it was slow");
    let rest = async {
        while let Ok(length @ 1..) = slow.read(&mut piece).await {
            taken += length;
        }
    };
    tokio::time::timeout(READER * 3, rest).await.expect("the rest comes");
    assert!(taken as u64 > FILE && (taken as u64) < FILE + 2000, "{taken} of {FILE} bytes and a head");
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_cannot_take_all_connections() {
    let house = House::open().await;
    let port = house.daemon.ports.http;
    let full = |line: &str| line.contains("127.0.0.2 has") && line.contains("connections open");
    let mut held = Vec::new();
    let begin = Clock::System.now();
    while !house.daemon.log.lines().iter().any(|line| full(line)) {
        assert!(begin.elapsed() < HEAD * 6, "never full");
        // more than a batch may time out on a slow machine before the next one is open
        for _ in 0..700 {
            held.extend(wire::connect_from(wire::ELSEWHERE, port).await.ok());
        }
        Clock::System.sleep(Duration::from_millis(300)).await;
    }
    // everybody else is served as before
    house.rest.get("/openvidu/api/health").await.expect(200);
    println!("{} connections of one address, then {:.1?} later it was told", held.len(), begin.elapsed());
    drop(held);
    let again = async {
        let request = format!("GET /openvidu/api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{RIGHT}\r\n");
        while wire::ask_from(wire::ELSEWHERE, port, request.as_bytes()).await.status != 200 {
            Clock::System.sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(HEAD * 3, again).await.expect("who gave its connections back is served again");
}
