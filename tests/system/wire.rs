//! Bytes on a socket, for claims about clients that no HTTP library would be.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(45);

/// Another address of this machine than the one that test clients come from.
pub const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A connection to a port of this machine.
pub async fn connect(port: u16) -> TcpStream {
    connect_from(Ipv4Addr::LOCALHOST, port).await.expect("somebody listens")
}

/// The same, coming from another loopback address.
pub async fn connect_from(address: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(address), 0))?;
    socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// All that comes until the other end closes; what was read before a reset counts.
pub async fn rest_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let reading = async {
        let mut piece = [0; 16 * 1024];
        while let Ok(length @ 1..) = stream.read(&mut piece).await {
            all.extend_from_slice(&piece[..length]);
        }
    };
    assert!(tokio::time::timeout(PATIENCE, reading).await.is_ok(), "still open after {PATIENCE:?}");
    all
}

/// Sends `request` from an address and gives status, head and body of its answer; 0 when there is none.
pub async fn ask_from(address: Ipv4Addr, port: u16, request: &[u8]) -> Answer {
    let mut stream = connect_from(address, port).await.expect("somebody listens");
    // a server that has heard enough may close while we still write
    let _ = stream.write_all(request).await;
    Answer::read(&rest_of(&mut stream).await)
}

/// The same from the usual address.
pub async fn ask(port: u16, request: &[u8]) -> Answer {
    ask_from(Ipv4Addr::LOCALHOST, port, request).await
}

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn read(bytes: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// Is it one of the API's errors, and says what it is?
    pub fn is_error(&self, status: u16) -> bool {
        let json: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        self.status == status && json["status"] == status && json["message"].as_str().is_some_and(|text| !text.is_empty())
    }
}
