//! A network that can be unplugged: a TCP proxy in front of a camera, which passes bytes, holds them, trickles them or is gone.
//! It may also bar UDP: then the camera agrees to send that way, and nothing arrives.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What the network does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Passes everything on.
    Open,
    /// A cable that is out: what is open stays open and is silent, and nobody answers who knocks.
    Cut,
    /// A machine without the service: connections are closed, new ones refused.
    Refusing,
    /// Passes a byte a second.
    Trickling,
}

/// A running proxy. Dropped, it closes everything.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    barred: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// What the connections of a proxy share.
#[derive(Clone, Debug)]
struct Way {
    target: SocketAddr,
    mode: watch::Receiver<Mode>,
    bars_udp: bool,
    barred: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy on 127.0.0.1 in front of `url`.
    pub async fn before(url: &str) -> Proxy {
        Proxy::start(url, false)
    }

    /// The same, and no UDP packet of the camera gets through.
    pub async fn barring_udp(url: &str) -> Proxy {
        Proxy::start(url, true)
    }

    fn start(url: &str, bars_udp: bool) -> Proxy {
        let target = authority(url).parse().expect("the URL of a test camera has an address and a port");
        let listener = listen(0);
        let address = listener.local_addr().expect("a bound socket has an address");
        let (mode, heard) = watch::channel(Mode::Open);
        let barred = Arc::<AtomicUsize>::default();
        let way = Way { target, mode: heard, bars_udp, barred: barred.clone() };
        Proxy { address, mode, barred, task: tokio::spawn(run(Some(listener), address, way)) }
    }

    /// Requests for packets over UDP that were barred.
    pub fn barred(&self) -> usize {
        self.barred.load(Relaxed)
    }

    /// `url`, through the proxy.
    pub fn url(&self, url: &str) -> String {
        url.replacen(authority(url), &self.address.to_string(), 1)
    }

    /// From now on the network is like that.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn authority(url: &str) -> &str {
    url.split('/').nth(2).unwrap_or_default()
}

/// A queue as short as the kernel makes it: once it is full, who knocks is not answered.
fn listen(port: u16) -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option every kernel has");
    socket.bind((Ipv4Addr::LOCALHOST, port).into()).expect("the port is free");
    socket.listen(1).expect("a bound socket can listen")
}

async fn run(mut listener: Option<TcpListener>, address: SocketAddr, way: Way) {
    let mut mode = way.mode.clone();
    let mut connections = JoinSet::new();
    let mut knocking = Vec::new();
    loop {
        let now = *mode.borrow_and_update();
        match now {
            Mode::Refusing => {
                listener = None;
                connections.shutdown().await;
            }
            _ if listener.is_none() => listener = Some(listen(address.port())),
            // the queue is filled, so that nobody gets in
            Mode::Cut if knocking.is_empty() => {
                for _ in 0..8 {
                    let knock = tokio::time::timeout(Duration::from_millis(50), TcpStream::connect(address)).await;
                    knocking.extend(knock.ok().and_then(Result::ok));
                }
            }
            _ => {}
        }
        if now != Mode::Cut {
            knocking.clear();
        }
        let accepted = async {
            match &listener {
                Some(listener) if now != Mode::Cut => listener.accept().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = mode.changed() => if changed.is_err() { return },
            accepted = accepted => if let Ok((client, _)) = accepted {
                connections.spawn(connection(client, way.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(client: TcpStream, way: Way) {
    let Ok(server) = TcpStream::connect(way.target).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    // the end of either direction is the end of both
    tokio::select! {
        () = pump(from_client, to_server, way.mode.clone(), |bytes| if way.bars_udp && misdirect(bytes) {
            way.barred.fetch_add(1, Relaxed);
        }) => {}
        () = pump(from_server, to_client, way.mode.clone(), |_| {}) => {}
    }
}

/// Puts the discard port (RFC 863) in place of the ports to which an RTSP client wants its packets. Digits stay as many as they are.
fn misdirect(bytes: &mut [u8]) -> bool {
    const PORTS: &[u8] = b"client_port=";
    let Some(at) = bytes.windows(PORTS.len()).position(|part| part == PORTS) else { return false };
    let ports = bytes[at + PORTS.len()..].split_mut(|byte| *byte != b'-' && !byte.is_ascii_digit()).next();
    for port in ports.into_iter().flat_map(|ports| ports.split_mut(|byte| *byte == b'-')) {
        port.fill(b'0');
        port.iter_mut().last().into_iter().for_each(|digit| *digit = b'9');
    }
    true
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Mode>, change: impl Fn(&mut [u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        change(&mut buffer[..length]);
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let Ok(now) = mode.wait_for(|mode| *mode != Mode::Cut).await.map(|mode| *mode) else { return };
            let part = if now == Mode::Trickling { 1 } else { rest.len() };
            if to.write_all(&rest[..part]).await.is_err() {
                return;
            }
            rest = &rest[part..];
            if now == Mode::Trickling {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ports_of_a_client_are_changed() {
        for (given, changed) in [
            ("SETUP x\r\nTransport: RTP/AVP;unicast;client_port=51234-51235\r\n", "client_port=00009-00009\r\n"),
            ("client_port=1-22;mode=play", "client_port=9-09;mode=play"),
        ] {
            let mut bytes = given.as_bytes().to_vec();
            assert!(misdirect(&mut bytes));
            assert!(String::from_utf8(bytes).unwrap().ends_with(changed));
        }
        assert!(!misdirect(&mut b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1".to_vec()));
    }
}
