//! ICE over TCP (RFC 6544, passive) for networks that bar UDP: the media port's listeners and all connections to them.
//!
//! The media thread reads and writes the connections itself, in its poll set; nothing blocks. To the core a connection is one
//! more [`Path`]: frames of RFC 4571 go in and out as datagrams do.
//!
//! | module | what lives there |
//! |---|---|
//! | [`frames`] | RFC 4571: frames out of a byte stream |
//! | [`queue`] | what a connection has not taken yet, within a bound |
//! | [`limits`] | strangers: how many, how long |
//! | [`connection`] | one connection's socket and state |
//!
//! A connection ends when its peer does, when it carries nothing useful for a minute, or when it carries rubbish.

mod connection;
mod frames;
mod limits;
mod queue;

use self::connection::{Connection, Over};
use self::limits::Strangers;
use super::path::Path;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::resource::{Resource, getrlimit};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Connections at most, where the system's limit of open files allows them; media needs few files else.
const CONNECTIONS: usize = 2048;
/// Connections that wait in the kernel to be let in.
const BACKLOG: i32 = 128;
/// Let in before others have their turn.
const TURN: usize = 32;
/// Useless datagrams in a row after which a connection is closed.
const USELESS: u32 = 16;
/// A connection without anything useful for this long is closed; ICE checks come every few seconds.
const IDLE: Duration = Duration::from_secs(60);
/// How often it is looked for connections whose time is over.
const TEND: Duration = Duration::from_secs(1);
/// Bytes read from a connection before others have their turn.
const READ: usize = 64 << 10;

/// Binds the TCP port for IPv4 and, where that is possible, the same one for IPv6.
///
/// # Errors
/// The port is busy.
pub fn listen(port: u16) -> io::Result<Vec<TcpListener>> {
    let v4 = listen_at(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))?;
    let v6 = match listen_at(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), v4.local_addr()?.port())) {
        Ok(v6) => Some(v6),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
        Err(error) => {
            tracing::debug!(%error, "no IPv6 on the TCP media port");
            None
        }
    };
    Ok(std::iter::once(v4).chain(v6).collect())
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.cloexec().nonblocking(), Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // connections of the run before, which the kernel has not forgotten yet, are no reason not to start
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Counters.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counters {
    /// Connections that exist now.
    pub open: usize,
    /// Connections that were not let in, or closed because they proved nothing.
    pub refused: u64,
    /// Datagrams left out because a connection was full.
    pub dropped: u64,
}

/// What became of datagrams for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// They will go out.
    All,
    /// The connection is full.
    Full,
    /// There is no such connection.
    Gone,
}

/// All connections.
pub struct Tcp {
    epoll: Rc<Epoll>,
    listeners: Vec<TcpListener>,
    connections: HashMap<u64, Connection>,
    tokens: HashMap<Path, u64>,
    next: u64,
    strangers: Strangers,
    most: usize,
    /// Listeners rest until then, because the process has no more files.
    resting: bool,
    next_tend: Option<Instant>,
    buffer: Vec<u8>,
    counters: Counters,
}

impl Tcp {
    /// No connections yet; their tokens in the poll set begin with `first`. The listeners are in the poll set already.
    pub fn new(listeners: Vec<TcpListener>, epoll: Rc<Epoll>, first: u64) -> Tcp {
        let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
        Tcp {
            epoll,
            listeners,
            connections: HashMap::new(),
            tokens: HashMap::new(),
            next: first,
            strangers: Strangers::default(),
            most: CONNECTIONS.min(usize::try_from(files / 4).unwrap_or(CONNECTIONS)),
            resting: false,
            next_tend: None,
            buffer: vec![0; READ],
            counters: Counters::default(),
        }
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        Counters { open: self.connections.len(), ..self.counters }
    }

    /// Lets in whoever waits at a listener, some at most.
    pub fn accept(&mut self, listener: usize, now: Instant) {
        for _ in 0..TURN {
            let Some(accepted) = self.listeners.get(listener).map(TcpListener::accept) else { return };
            match accepted {
                Ok((stream, remote)) => {
                    if self.connections.len() >= self.most {
                        self.counters.refused += 1;
                    } else if let Ok(connection) = Connection::new(stream, remote, now) {
                        self.enter(connection, now);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS)) => {
                    tracing::warn!(%error, "the media port lets no TCP connection in");
                    return self.rest(true);
                }
                // somebody who went away while he waited
                Err(error) => tracing::debug!(%error, "not accepted"),
            }
        }
    }

    fn enter(&mut self, connection: Connection, now: Instant) {
        let token = self.next;
        self.next += 1;
        if let Err(error) = self.epoll.add(&connection, EpollEvent::new(EpollFlags::EPOLLIN, token)) {
            tracing::warn!(%error, "a TCP connection cannot be polled");
            return;
        }
        let from = connection.path.remote.ip();
        self.tokens.insert(connection.path, token);
        self.connections.insert(token, connection);
        if let Some(oldest) = self.strangers.enter(token, from, now) {
            self.counters.refused += 1;
            self.end(oldest);
        }
    }

    /// Reads a connection, some bytes at most; gives its path and each frame that came.
    pub fn read(&mut self, token: u64) -> Option<(Path, Vec<Vec<u8>>)> {
        let connection = self.connections.get_mut(&token)?;
        let (path, mut frames) = (connection.path, Vec::new());
        if let Err(over) = connection.read(&mut self.buffer, |frame| frames.push(frame.to_vec())) {
            self.over(token, &over);
        }
        Some((path, frames))
    }

    /// A frame of this connection was of use, or not; `proves`: it was a check that a peer accepted.
    pub fn judge(&mut self, token: u64, useful: bool, proves: bool, now: Instant) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if useful {
            connection.heard = now;
            connection.useless = 0;
        } else {
            connection.useless += 1;
        }
        if proves && !connection.proved {
            connection.proved = true;
            self.strangers.leave(token);
        } else if connection.useless > USELESS {
            self.counters.refused += 1;
            self.end(token);
        }
    }

    /// Queues datagrams of `segment` bytes each (the last may be shorter) and writes what the connection takes now.
    pub fn send(&mut self, path: &Path, contents: &[u8], segment: usize) -> Taken {
        let Some(token) = self.tokens.get(path).copied() else { return Taken::Gone };
        let Some(connection) = self.connections.get_mut(&token) else { return Taken::Gone };
        let left_out = contents.chunks(segment.max(1)).filter(|datagram| !connection.push(datagram)).count();
        self.counters.dropped += left_out as u64;
        self.flush(token);
        if left_out > 0 { Taken::Full } else { Taken::All }
    }

    /// Writes what waits for a connection that has room; its path when it was full and is not any more.
    pub fn write(&mut self, token: u64) -> Option<Path> {
        self.flush(token);
        let connection = self.connections.get_mut(&token)?;
        connection.relieved().then_some(connection.path)
    }

    fn flush(&mut self, token: u64) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        let left = match connection.flush() {
            Ok(left) => left,
            Err(over) => return self.over(token, &over),
        };
        if left != connection.polled_for_room {
            let flags = if left { EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN };
            connection.polled_for_room = left;
            if let Err(error) = self.epoll.modify(&*connection, &mut EpollEvent::new(flags, token)) {
                tracing::warn!(%error, "a TCP connection cannot be polled");
                self.end(token);
            }
        }
    }

    /// Its peer is gone: closes a connection. What the kernel holds of it still goes out.
    pub fn close(&mut self, path: &Path) {
        if let Some(token) = self.tokens.get(path).copied() {
            self.flush(token);
            self.end(token);
        }
    }

    /// Closes the connections whose time is over; to be called in each turn.
    pub fn tend(&mut self, now: Instant) {
        if self.next_tend.is_some_and(|at| now < at) {
            return;
        }
        self.next_tend = Some(now + TEND);
        self.rest(false);
        while let Some(late) = self.strangers.late(now) {
            self.counters.refused += 1;
            self.end(late);
        }
        let idle: Vec<u64> =
            self.connections.iter().filter(|(_, c)| now.saturating_duration_since(c.heard) >= IDLE).map(|(token, _)| *token).collect();
        idle.into_iter().for_each(|token| self.end(token));
    }

    /// Lets the listeners rest, or wakes them.
    fn rest(&mut self, rest: bool) {
        if self.resting == rest {
            return;
        }
        self.resting = rest;
        for (index, listener) in self.listeners.iter().enumerate() {
            let flags = if rest { EpollFlags::empty() } else { EpollFlags::EPOLLIN };
            // the worst that can come of an error is one more turn
            let _ = self.epoll.modify(listener, &mut EpollEvent::new(flags, LISTENERS + index as u64));
        }
    }

    fn over(&mut self, token: u64, over: &Over) {
        tracing::debug!(%over, "a TCP connection ended");
        self.end(token);
    }

    fn end(&mut self, token: u64) {
        // closing the socket takes it out of the poll set
        if let Some(connection) = self.connections.remove(&token) {
            self.strangers.leave(token);
            if self.tokens.get(&connection.path) == Some(&token) {
                self.tokens.remove(&connection.path);
            }
        }
    }
}

/// Token of the first listener in the poll set.
pub const LISTENERS: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use nix::sys::epoll::{EpollCreateFlags, EpollTimeout};
    use std::io::{Read, Write};
    use std::net::TcpStream;

    const FIRST: u64 = 100;

    struct Rig {
        tcp: Tcp,
        epoll: Rc<Epoll>,
        address: SocketAddr,
        now: Instant,
    }

    fn rig() -> Rig {
        let listeners = listen(0).or_else(|_| listen(0)).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], listeners[0].local_addr().unwrap().port()));
        let epoll = Rc::new(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap());
        epoll.add(&listeners[0], EpollEvent::new(EpollFlags::EPOLLIN, LISTENERS)).unwrap();
        Rig { tcp: Tcp::new(listeners, epoll.clone(), FIRST), epoll, address, now: Clock::System.now() }
    }

    impl Rig {
        /// Waits for the next thing that can be done; its token.
        fn next(&mut self) -> u64 {
            let mut ready = [EpollEvent::empty()];
            assert_eq!(self.epoll.wait(&mut ready, EpollTimeout::from(5000u16)).unwrap(), 1, "nothing happens");
            ready[0].data()
        }

        fn connect(&mut self) -> (TcpStream, u64) {
            let client = TcpStream::connect(self.address).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            assert_eq!(self.next(), LISTENERS);
            self.tcp.accept(0, self.now);
            (client, self.tcp.next - 1)
        }
    }

    #[test]
    fn frames_go_both_ways() {
        let mut rig = rig();
        let (mut client, token) = rig.connect();
        client.write_all(&[0, 3, 1, 2, 3, 0, 1, 9]).unwrap();
        assert_eq!(rig.next(), token);
        let (path, frames) = rig.tcp.read(token).unwrap();
        assert_eq!(path, Path::tcp(rig.address, client.local_addr().unwrap()));
        assert_eq!(frames, [vec![1, 2, 3], vec![9]]);
        assert_eq!(rig.tcp.send(&path, &[7; 5], 3), Taken::All);
        let mut got = [0; 9];
        client.read_exact(&mut got).unwrap();
        assert_eq!(got, [0, 3, 7, 7, 7, 0, 2, 7, 7]);
        drop(client);
        assert_eq!(rig.next(), token);
        assert_eq!(rig.tcp.read(token).unwrap().1, Vec::<Vec<u8>>::new());
        assert_eq!((rig.tcp.send(&path, &[1], 1), rig.tcp.counters().open), (Taken::Gone, 0));
    }

    #[test]
    fn a_connection_that_is_not_read_is_full_and_has_room_again_when_it_is() {
        let mut rig = rig();
        let (mut client, token) = rig.connect();
        let path = Path::tcp(rig.address, client.local_addr().unwrap());
        let media = vec![0x80; 1200 * 50];
        let full = (0..10_000).any(|_| rig.tcp.send(&path, &media, 1200) == Taken::Full);
        assert!(full && rig.tcp.counters().dropped > 0);
        assert_eq!(rig.tcp.send(&path, &[0x00, 0x01], 2), Taken::All, "a check still passes");
        let mut buffer = vec![0; 1 << 20];
        let relieved = loop {
            assert!(client.read(&mut buffer).unwrap() > 0);
            let mut ready = [EpollEvent::empty()];
            if rig.epoll.wait(&mut ready, EpollTimeout::ZERO).unwrap() == 1
                && let Some(relieved) = rig.tcp.write(token)
            {
                break relieved;
            }
        };
        assert_eq!(relieved, path);
    }

    #[test]
    fn strangers_have_little_time_and_rubbish_ends_them_at_once() {
        let mut rig = rig();
        let (_silent, _) = rig.connect();
        let (_proves, proved) = rig.connect();
        rig.tcp.judge(proved, true, true, rig.now);
        let (mut long, token) = rig.connect();
        long.write_all(&[0xff; 100]).unwrap();
        assert_eq!(rig.next(), token);
        rig.tcp.read(token);
        assert_eq!(rig.tcp.counters().open, 2, "no frame is that long");
        let (_useless, token) = rig.connect();
        (0..=USELESS).for_each(|_| rig.tcp.judge(token, false, false, rig.now));
        assert_eq!(rig.tcp.counters().open, 2);
        rig.tcp.tend(rig.now + limits::PROOF);
        assert_eq!((rig.tcp.counters().open, rig.tcp.counters().refused), (1, 2), "the silent one had its time");
        rig.tcp.tend(rig.now + IDLE);
        assert_eq!(rig.tcp.counters().open, 0, "proved, but idle");
    }

    #[test]
    fn one_address_has_a_bounded_number_of_strangers() {
        let mut rig = rig();
        let clients: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(rig.address).unwrap()).collect();
        for _ in 0..20 {
            rig.tcp.accept(0, rig.now);
        }
        let counters = rig.tcp.counters();
        assert!((1..100).contains(&counters.open) && counters.open + counters.refused as usize == clients.len(), "{counters:?}");
    }

    #[test]
    fn a_closed_connection_says_its_last_words() {
        let mut rig = rig();
        let (mut client, _) = rig.connect();
        let path = Path::tcp(rig.address, client.local_addr().unwrap());
        assert_eq!(rig.tcp.send(&path, &[7; 3], 3), Taken::All);
        rig.tcp.close(&path);
        let mut got = vec![];
        client.read_to_end(&mut got).unwrap();
        assert_eq!(got, [0, 3, 7, 7, 7]);
    }
}
