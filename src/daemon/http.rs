//! Serving HTTP: listeners, TLS, limits and timeouts, and a stop that lets answers finish. Knows no path.
//!
//! | a client that | meets |
//! |---|---|
//! | opens many connections | [`OF_ONE`] from its address, unless it is a trusted proxy, then they are closed at once; [`CONNECTIONS`] of all |
//! | does not finish its TLS handshake, or the head of a request, or sends none | [`PATIENCE`] |
//! | sends a head without end | 431 beyond what the frame of the doors allows, and the cut at [`HEADERS`] |
//! | sends a body slowly or without end | 408 and 413, in [`guard::body`](crate::guard::body) |
//! | does not read its answer | the end of the connection, in [`guard::pace`](crate::guard::pace), if it takes nothing at all |

use crate::clock::Clock;
use crate::config::{Network, Problem};
use crate::guard::pace::Paced;
use crate::guard::{Crowd, Place, forwarded};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::HeaderMap;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Connections at a time; more wait in the kernel's queue. A WebSocket gives its place back when it is upgraded.
const CONNECTIONS: usize = 2048;
/// Of these, those of one address; more are closed at once. Whoever sits behind one router shares them.
const OF_ONE: usize = 512;
/// Connections that may wait in the kernel's queue.
const BACKLOG: i32 = 1024;
/// How long a TLS handshake, and how long the head of a request may take, the wait for its first byte included.
const PATIENCE: Duration = Duration::from_secs(10);
/// Headers may not be larger than this many bytes.
const HEADERS: usize = 64 * 1024;
/// Least time between two log lines about the same trouble.
const QUIET: Duration = Duration::from_secs(60);
/// Pause after an accept that failed for want of descriptors or memory.
const BREATH: Duration = Duration::from_millis(100);

/// Opens `port` (0 = any) on all addresses, IPv4 and IPv6. Errors name `property`.
pub fn listen(port: u16, property: &'static str) -> Result<TcpListener, Problem> {
    let open = |address: SocketAddr| -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    open((Ipv6Addr::UNSPECIFIED, port).into())
        .or_else(|error| match error.kind() {
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
            // a kernel without IPv6
            _ => open((Ipv4Addr::UNSPECIFIED, port).into()),
        })
        .map_err(|error| refused(property, port, &error))
}

/// The problem with a port that cannot be opened.
pub fn refused(property: &'static str, port: u16, error: &io::Error) -> Problem {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "the port is in use; choose another, or stop whoever has it",
        io::ErrorKind::PermissionDenied => "ports below 1024 need the capability CAP_NET_BIND_SERVICE; grant it, or choose another port",
        _ => return Problem::new(property, port, format!("the port cannot be opened: {error}")),
    };
    Problem::new(property, port, remedy)
}

/// Serves `app`, the one of the moment a request comes in, until `stop` turns true, then until every answer under way has left.
/// `tls` likewise is the one of the moment a connection comes in. A request carries the address of its client as [`ConnectInfo`]: the
/// other end of the connection, or whom `proxies` say it stands for. Dropping it cuts what is left.
pub async fn serve(
    listener: TcpListener,
    tls: Option<watch::Receiver<TlsAcceptor>>,
    app: watch::Receiver<Router>,
    proxies: Proxies,
    clock: Clock,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let crowd = Crowd::new(OF_ONE);
    let mut complaints = Complaints { clock, last: None };
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener, clock), if connections.len() < CONNECTIONS => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let mut place = None;
        if !proxies.trust(peer.ip()) {
            place = crowd.enter(peer.ip());
            if place.is_none() {
                complaints.say(format_args!("{} has {OF_ONE} connections open; more are closed at once", peer.ip()));
                continue;
            }
        }
        let peer = Peer { address: peer, proxies: proxies.clone(), _place: place };
        let (acceptor, app, stop) = (acceptor(tls.as_ref()), app.clone(), stop.clone());
        connections.spawn(connection(Paced::new(stream), peer, acceptor, app, stop));
        if connections.len() == CONNECTIONS {
            complaints.say(format_args!("{CONNECTIONS} connections are open; more have to wait"));
        }
    }
    drop((listener, app));
    while connections.join_next().await.is_some() {}
}

/// The proxies that the operator trusts. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub struct Proxies(Arc<[Network]>);

impl Proxies {
    /// Those of the configuration.
    pub fn new(networks: &[Network]) -> Proxies {
        Proxies(networks.into())
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// The other end of a connection.
struct Peer {
    address: SocketAddr,
    proxies: Proxies,
    /// A trusted proxy needs none.
    _place: Option<Place>,
}

impl Peer {
    /// Whose request it is. The port says nothing where a proxy has the connection.
    fn client(&self, headers: &HeaderMap) -> SocketAddr {
        let client = forwarded::client(self.address.ip(), headers, |address| self.proxies.trust(address));
        SocketAddr::new(client, self.address.port())
    }
}

/// Warnings that strangers can cause at will, said now and then.
struct Complaints {
    clock: Clock,
    last: Option<Instant>,
}

impl Complaints {
    fn say(&mut self, what: std::fmt::Arguments<'_>) {
        let now = self.clock.now();
        if self.last.is_none_or(|last| now.duration_since(last) >= QUIET) {
            self.last = Some(now);
            tracing::warn!("{what}");
        }
    }
}

fn acceptor(tls: Option<&watch::Receiver<TlsAcceptor>>) -> Option<TlsAcceptor> {
    tls.map(|tls| tls.borrow().clone())
}

/// The next connection and its client. May be dropped and called anew.
async fn accept(listener: &TcpListener, clock: Clock) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // without it answers may wait for the client's acknowledgements; no reason to refuse the client
                let _ = stream.set_nodelay(true);
                return (stream, SocketAddr::new(peer.ip().to_canonical(), peer.port()));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                clock.sleep(BREATH).await;
            }
        }
    }
}

/// Errors of accept(2) that say nothing about the next connection.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused)
}

async fn connection(
    stream: Paced<TcpStream>,
    peer: Peer,
    tls: Option<TlsAcceptor>,
    app: watch::Receiver<Router>,
    mut stop: watch::Receiver<bool>,
) {
    let Some(tls) = tls else { return requests(stream, peer, app, stop).await };
    let address = peer.address;
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(PATIENCE, tls.accept(stream)) => shaken,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    match shaken {
        Ok(Ok(stream)) => requests(stream, peer, app, stop).await,
        Ok(Err(error)) => tracing::debug!(peer = %address, %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(peer = %address, "TLS handshake took too long"),
    }
}

/// Serves the requests of one connection.
async fn requests<S>(stream: S, peer: Peer, app: watch::Receiver<Router>, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let address = peer.address;
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        let client = peer.client(request.headers());
        request.extensions_mut().insert(ConnectInfo(client));
        // a router is always ready
        let mut app = app.borrow().clone();
        tower_service::Service::call(&mut app, request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let mut stopping = false;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %address, %error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Semaphore;

    struct Served {
        port: u16,
        stop: watch::Sender<bool>,
        task: tokio::task::JoinHandle<()>,
    }

    fn start(app: Router) -> Served {
        start_behind(Proxies::default(), app)
    }

    fn start_behind(proxies: Proxies, app: Router) -> Served {
        let listener = listen(0, "HTTP_PORT").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = watch::channel(false);
        Served { port, stop, task: tokio::spawn(serve(listener, None, watch::channel(app).1, proxies, Clock::System, stopped)) }
    }

    async fn ask(port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn requests_know_their_client() {
        let served =
            start(Router::new().route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() })));
        let answer = ask(served.port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n127.0.0.1"), "{answer}");
    }

    #[tokio::test]
    async fn a_trusted_proxy_says_whose_request_it_is() {
        let app = || Router::new().route("/", get(|ConnectInfo(client): ConnectInfo<SocketAddr>| async move { client.ip().to_string() }));
        let request = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.1\r\nConnection: close\r\n\r\n";
        for (trusted, client) in [("127.0.0.0/8", "198.51.100.1"), ("10.0.0.0/8", "127.0.0.1")] {
            let served = start_behind(Proxies::new(&[trusted.parse().unwrap()]), app());
            assert!(ask(served.port, request).await.ends_with(&format!("\r\n{client}")), "{trusted}");
        }
    }

    #[tokio::test]
    async fn a_stop_lets_an_answer_finish_and_closes_idle_connections() {
        let (go, begun) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (gate, mark) = (go.clone(), begun.clone());
        let slow = move || async move {
            mark.add_permits(1);
            gate.acquire().await.map(|_| "done").unwrap_or_default()
        };
        let served = start(Router::new().route("/", get(slow)));
        let mut idle = TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
        let asking = tokio::spawn(async move { ask(served.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await });
        let _ = begun.acquire().await.unwrap();
        served.stop.send_replace(true);
        assert_eq!(idle.read(&mut [0; 8]).await.unwrap_or_default(), 0);
        assert!(!served.task.is_finished());
        go.add_permits(1);
        assert!(asking.await.unwrap().ends_with("done"));
        served.task.await.unwrap();
        assert!(TcpStream::connect(("127.0.0.1", served.port)).await.is_err());
    }

    #[tokio::test]
    async fn endless_headers_are_cut() {
        let served = start(Router::new());
        let mut stream = TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
        let junk = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(HEADERS + 16 * 1024));
        let _ = stream.write_all(junk.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    }

    #[tokio::test]
    async fn a_busy_port_names_its_property() {
        let taken = listen(0, "HTTPS_PORT").unwrap();
        let port = taken.local_addr().unwrap().port();
        let problem = listen(port, "HTTPS_PORT").unwrap_err().to_string();
        assert_eq!(problem, format!("Property HTTPS_PORT={port}: the port is in use; choose another, or stop whoever has it"));
    }
}
