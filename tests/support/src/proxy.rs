//! A network that can be unplugged: a TCP proxy in front of a camera, which passes bytes, holds them, trickles them or is gone.

use std::net::{Ipv4Addr, SocketAddr};
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
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy on 127.0.0.1 in front of `url`.
    pub async fn before(url: &str) -> Proxy {
        let target = authority(url).parse().expect("the URL of a test camera has an address and a port");
        let listener = listen(0);
        let address = listener.local_addr().expect("a bound socket has an address");
        let (mode, heard) = watch::channel(Mode::Open);
        Proxy { address, mode, task: tokio::spawn(run(Some(listener), address, target, heard)) }
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

async fn run(mut listener: Option<TcpListener>, address: SocketAddr, target: SocketAddr, mut mode: watch::Receiver<Mode>) {
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
                connections.spawn(connection(client, target, mode.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(client: TcpStream, target: SocketAddr, mode: watch::Receiver<Mode>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    // the end of either direction is the end of both
    tokio::select! {
        () = pump(from_client, to_server, mode.clone()) => {}
        () = pump(from_server, to_client, mode) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Mode>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
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
