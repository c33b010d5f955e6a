//! The UDP sockets of the media port: one for IPv4, one for IPv6 where the machine has it, both on all addresses.
//!
//! Datagrams are read in batches with the address of this box they were sent to (IP_PKTINFO), and leave from the address that
//! was asked. Offload both ways: GRO glues on receive, GSO cuts on send. Never blocks: what the kernel does not take is lost.

use super::batch::{Outcome, Run, Transmitter};
use super::path::{Path, Protocol};
use super::tcp::{Taken, Tcp};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, SockAddr, Socket, Type};
use std::cell::RefCell;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;

/// Send and receive buffer in bytes: some key frames for all viewers. The kernel may allow less.
const BUFFER: usize = 4 << 20;
/// Longest datagram the kernel glues together.
const GLUED: usize = 64 << 10;

/// One socket of the port.
pub struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

impl Port {
    /// Binds the port for IPv4 and, where that is possible, the same one for IPv6. 0 = any.
    pub fn bind(port: u16) -> io::Result<Vec<Arc<Port>>> {
        let v4 = Port::bind_one(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))?;
        let v6 = match Port::bind_one(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), v4.local.port())) {
            Ok(v6) => Some(v6),
            Err(error) if port != 0 && error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "no IPv6 on the media port");
                None
            }
        };
        Ok(std::iter::once(v4).chain(v6).map(Arc::new).collect())
    }

    fn bind_one(address: SocketAddr) -> io::Result<Port> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM.cloexec(), Some(socket2::Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        enlarge(&socket);
        socket.bind(&SockAddr::from(address))?;
        let socket: UdpSocket = socket.into();
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?;
        Ok(Port { socket, state, local })
    }

    /// The bound port, on all addresses of its family.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Reads one batch. Each datagram is given to `take` with its path. True when more may be there.
    pub fn receive(&self, buffers: &mut Buffers, mut take: impl FnMut(Path, &[u8])) -> io::Result<bool> {
        let count = {
            let mut chunks = buffers.data.chunks_mut(GLUED);
            let mut slices: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
            match self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut buffers.metas) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        };
        for (meta, data) in buffers.metas.iter().zip(buffers.data.chunks(GLUED)).take(count) {
            let path = Path::udp(SocketAddr::new(meta.dst_ip.unwrap_or(self.local.ip()), self.local.port()), meta.addr);
            let glued = data.get(..meta.len).unwrap_or_default();
            glued.chunks(meta.stride.max(1)).for_each(|datagram| take(path, datagram));
        }
        Ok(count == BATCH_SIZE)
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Beyond the administrator's limit needs CAP_NET_ADMIN; without it the kernel cuts the size to that limit.
fn enlarge(socket: &Socket) {
    use nix::sys::socket::{setsockopt, sockopt};
    if setsockopt(socket, sockopt::RcvBufForce, &BUFFER).is_err() {
        let _ = socket.set_recv_buffer_size(BUFFER);
    }
    if setsockopt(socket, sockopt::SndBufForce, &BUFFER).is_err() {
        let _ = socket.set_send_buffer_size(BUFFER);
    }
}

/// What one batch is read into.
pub struct Buffers {
    data: Vec<u8>,
    metas: Vec<RecvMeta>,
}

impl Default for Buffers {
    fn default() -> Self {
        Buffers { data: vec![0; GLUED * BATCH_SIZE], metas: vec![RecvMeta::default(); BATCH_SIZE] }
    }
}

/// Sends runs by the socket of their family, or by their connection.
pub struct Network {
    ways: Vec<Way>,
    tcp: Rc<RefCell<Tcp>>,
}

struct Way {
    port: Arc<Port>,
    /// Of the sending side; knows whether the kernel cuts runs.
    state: UdpSocketState,
}

impl Network {
    /// Sends through these sockets and connections.
    pub fn new(ports: &[Arc<Port>], tcp: Rc<RefCell<Tcp>>) -> io::Result<Network> {
        let way = |port: &Arc<Port>| Ok(Way { port: port.clone(), state: UdpSocketState::new(UdpSockRef::from(&port.socket))? });
        Ok(Network { ways: ports.iter().map(way).collect::<io::Result<_>>()?, tcp })
    }

    fn way(&self, path: &Path) -> Option<usize> {
        self.ways.iter().position(|way| way.port.local.is_ipv4() == path.remote.is_ipv4())
    }
}

impl Transmitter for Network {
    fn longest_run(&self, path: &Path) -> usize {
        match path.protocol {
            Protocol::Udp => self.way(path).map_or(1, |way| self.ways[way].state.max_gso_segments()),
            Protocol::Tcp => usize::MAX,
        }
    }

    fn transmit(&mut self, run: &Run<'_>) -> Outcome {
        match run.path.protocol {
            Protocol::Udp => match self.way(&run.path) {
                Some(way) if self.ways[way].send(run) => Outcome::Sent,
                _ => Outcome::Refused,
            },
            Protocol::Tcp => match self.tcp.borrow_mut().send(&run.path, run.contents, run.segment) {
                Taken::All => Outcome::Sent,
                Taken::Full => Outcome::Full,
                Taken::Gone => Outcome::Refused,
            },
        }
    }

    fn forget(&mut self, path: &Path) {
        self.tcp.borrow_mut().close(path);
    }
}

impl Way {
    fn send(&mut self, run: &Run<'_>) -> bool {
        let (source, destination) = (Some(run.path.local.ip()).filter(|ip| !ip.is_unspecified()), run.path.remote);
        // ICE pairs every local with every remote candidate; the kernel calls this pair an invalid argument
        if source.is_some_and(|ip| ip.is_loopback()) && !destination.ip().is_loopback() {
            return false;
        }
        let transmit = quinn_udp::Transmit {
            destination,
            ecn: None,
            contents: run.contents,
            segment_size: (run.datagrams > 1).then_some(run.segment),
            src_ip: source,
        };
        let could_cut = self.state.max_gso_segments() > 1;
        let sent = self.state.try_send(UdpSockRef::from(&self.port.socket), &transmit).is_ok();
        // quinn-udp takes some errors for a network card without offload. A single datagram tells nothing about that: an odd
        // candidate of one client must not cost all others the runs.
        if !sent
            && could_cut
            && run.datagrams == 1
            && self.state.max_gso_segments() == 1
            && let Ok(state) = UdpSocketState::new(UdpSockRef::from(&self.port.socket))
        {
            self.state = state;
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::epoll::{Epoll, EpollCreateFlags};
    use std::net::IpAddr;

    fn network(here: &[Arc<Port>]) -> Network {
        let epoll = Rc::new(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap());
        Network::new(here, Rc::new(RefCell::new(Tcp::new(vec![], epoll, 0)))).unwrap()
    }

    /// What arrives at `port` until `count` datagrams have come.
    fn receive(port: &Port, count: usize) -> Vec<(Path, Vec<u8>)> {
        let (mut buffers, mut got) = (Buffers::default(), vec![]);
        while got.len() < count {
            let ready = poll(&mut [PollFd::new(port.as_fd(), PollFlags::POLLIN)], PollTimeout::from(5000u16)).unwrap();
            assert!(ready > 0, "only {} of {count} datagrams", got.len());
            while port.receive(&mut buffers, |path, bytes| got.push((path, bytes.to_vec()))).unwrap() {}
        }
        got
    }

    fn run<'a>(source: [u8; 4], destination: SocketAddr, contents: &'a [u8], segment: usize) -> Run<'a> {
        let path = Path::udp(SocketAddr::new(source.into(), 1), destination);
        Run { path, contents, segment, datagrams: contents.len().div_ceil(segment) }
    }

    #[test]
    fn both_families_have_the_same_port() {
        let here = Port::bind(0).unwrap();
        let mut network = network(&here);
        for port in &here {
            assert_eq!(port.local().port(), here[0].local().port());
            let loopback = if port.local().is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { IpAddr::from(Ipv6Addr::LOCALHOST) };
            let to = SocketAddr::new(loopback, port.local().port());
            let path = Path::udp(to, to);
            assert_eq!(network.transmit(&Run { path, contents: b"hello", segment: 5, datagrams: 1 }), Outcome::Sent);
            assert_eq!(receive(port, 1), [(path, b"hello".to_vec())]);
        }
    }

    #[test]
    fn a_run_arrives_as_datagrams_from_and_to_the_addresses_that_were_asked() {
        let here = Port::bind(0).unwrap();
        let there = Port::bind(0).unwrap();
        let mut network = network(&here);
        let to = SocketAddr::new([127, 0, 0, 3].into(), there[0].local().port());
        let contents: Vec<u8> = (0..2500).map(|n| (n / 1000) as u8).collect();
        let whole = run([127, 0, 0, 2], to, &contents, 1000);
        if network.longest_run(&whole.path) > 1 {
            assert_eq!(network.transmit(&whole), Outcome::Sent);
        } else {
            contents.chunks(1000).for_each(|c| assert_eq!(network.transmit(&run([127, 0, 0, 2], to, c, 1000)), Outcome::Sent));
        }
        let got = receive(&there[0], 3);
        let path = Path::udp(to, SocketAddr::new([127, 0, 0, 2].into(), here[0].local().port()));
        assert!(got.iter().all(|(p, _)| *p == path), "{got:?}");
        assert_eq!(got.iter().map(|(_, b)| b.len()).collect::<Vec<_>>(), [1000, 1000, 500]);
    }

    #[test]
    fn an_odd_destination_costs_nobody_the_offload() {
        let here = Port::bind(0).unwrap();
        let mut network = network(&here);
        let good = SocketAddr::from(([127, 0, 0, 1], here[0].local().port()));
        let to_good = run([127, 0, 0, 1], good, b"x", 1);
        let before = network.longest_run(&to_good.path);
        for odd in ["192.0.2.1:9", "255.255.255.255:9", "240.0.0.1:9", "0.0.0.0:0"] {
            network.transmit(&run([127, 0, 0, 1], odd.parse().unwrap(), b"x", 1));
            network.transmit(&run([192, 0, 2, 77], odd.parse().unwrap(), b"x", 1));
        }
        assert_eq!(network.longest_run(&to_good.path), before);
        assert_eq!(network.transmit(&to_good), Outcome::Sent);
        assert_eq!(receive(&here[0], 1).len(), 1);
    }

    #[test]
    fn a_busy_port_is_an_error() {
        let here = Port::bind(0).unwrap();
        let busy = Port::bind(here[0].local().port()).err().unwrap();
        assert_eq!(busy.kind(), io::ErrorKind::AddrInUse);
    }
}
