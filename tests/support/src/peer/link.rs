//! A client's way to the box: a UDP socket, or a connection to one of the box's TCP candidates (RFC 6544, framed as RFC 4571).

use super::Access;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;
use str0m::Candidate;
use str0m::net::{Protocol, TcpType};

/// How long a TCP candidate of the box may take to answer before the next one is tried.
const CONNECT: Duration = Duration::from_secs(2);
/// A full connection loses whole frames beyond this many bytes.
const MOST_WAITING: usize = 1 << 20;

/// Something that came.
#[derive(Debug)]
pub struct Arrived {
    pub protocol: Protocol,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub datagram: Vec<u8>,
}

/// The sockets of one client.
#[derive(Debug)]
pub struct Link {
    access: Access,
    udp: UdpSocket,
    /// The address the client knows as its own; a move changes what is behind it.
    local: SocketAddr,
    tcp: Option<Stream>,
}

impl Link {
    /// A link as `access` says; a TCP link is connected with the answer.
    pub fn new(access: Access) -> io::Result<Link> {
        let udp = socket(access.ip())?;
        let local = udp.local_addr()?;
        Ok(Link { access, udp, local, tcp: None })
    }

    /// What the offer announces.
    pub fn candidate(&self) -> Option<Candidate> {
        match self.access {
            Access::Udp(_) => Some(Candidate::host(self.local, "udp").expect("a bound address")),
            Access::Tcp(_) => None,
        }
    }

    /// Connects to a TCP candidate of the answer, if the access is TCP; gives the candidate that stands for the connection.
    /// Panics when there is none that can be reached.
    pub fn connect(&mut self, answer: &str) -> Option<Candidate> {
        let Access::Tcp(own) = self.access else { return None };
        let fits = |address: &SocketAddr| address.is_ipv4() == own.is_ipv4() && address.ip().is_loopback() == own.is_loopback();
        let offered: Vec<SocketAddr> = passive(answer).filter(fits).collect();
        let stream = offered.iter().find_map(|address| Stream::connect(*address).ok());
        let stream = stream.unwrap_or_else(|| panic!("none of the TCP candidates {offered:?} of the answer can be reached:\n{answer}"));
        let candidate = Candidate::builder().tcp().host(stream.local).tcptype(TcpType::Active).build();
        self.tcp = Some(stream);
        Some(candidate.expect("a connected address"))
    }

    /// Takes another socket, as a router does that forgot which port it had given, or a machine that changed its network.
    pub fn move_to(&mut self, ip: IpAddr) -> io::Result<()> {
        self.udp = socket(ip)?;
        Ok(())
    }

    /// What has come, one by one.
    pub fn receive(&mut self) -> Option<Arrived> {
        if let Some(stream) = &mut self.tcp {
            let datagram = stream.receive()?;
            return Some(Arrived { protocol: Protocol::Tcp, from: stream.remote, to: stream.local, datagram });
        }
        let mut datagram = [0; 2048];
        let (len, from) = self.udp.recv_from(&mut datagram).ok()?;
        Some(Arrived { protocol: Protocol::Udp, from, to: self.local, datagram: datagram[..len].to_vec() })
    }

    /// Sends a datagram; a full socket loses it, as networks do.
    pub fn send(&mut self, protocol: Protocol, to: SocketAddr, datagram: &[u8]) {
        match (&mut self.tcp, protocol) {
            (Some(stream), Protocol::Tcp) if stream.remote == to => stream.send(datagram),
            (None, Protocol::Udp) => {
                let _ = self.udp.send_to(datagram, to);
            }
            _ => {}
        }
    }
}

impl AsRawFd for Link {
    fn as_raw_fd(&self) -> RawFd {
        self.tcp.as_ref().map_or(self.udp.as_raw_fd(), |stream| stream.socket.as_raw_fd())
    }
}

fn socket(ip: IpAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((ip, 0))?;
    socket.set_nonblocking(true)?;
    let size: libc::c_int = 1 << 20;
    // SAFETY: the descriptor is open, the value lives; a smaller buffer only loses packets sooner
    unsafe {
        let value = std::ptr::from_ref(&size).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, value, size_of_val(&size) as libc::socklen_t);
    }
    Ok(socket)
}

/// The addresses of an answer that wait for TCP connections.
fn passive(answer: &str) -> impl Iterator<Item = SocketAddr> {
    answer.lines().filter_map(|line| {
        let candidate = Candidate::from_sdp_string(line.strip_prefix("a=")?).ok()?;
        (candidate.tcptype() == Some(TcpType::Passive)).then_some(candidate.addr())
    })
}

/// A connection with frames in it.
#[derive(Debug)]
struct Stream {
    socket: TcpStream,
    local: SocketAddr,
    remote: SocketAddr,
    came: Vec<u8>,
    waiting: Vec<u8>,
}

impl Stream {
    fn connect(remote: SocketAddr) -> io::Result<Stream> {
        let socket = TcpStream::connect_timeout(&remote, CONNECT)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        Ok(Stream { socket, local, remote, came: vec![], waiting: vec![] })
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        self.flush();
        if self.frame_length().is_none() {
            let mut buffer = [0; 16 << 10];
            let count = self.socket.read(&mut buffer).unwrap_or(0);
            self.came.extend_from_slice(&buffer[..count]);
        }
        let length = self.frame_length()?;
        let frame = self.came[2..length].to_vec();
        self.came.drain(..length);
        Some(frame)
    }

    /// Length of the first frame with its two bytes, if it is there.
    fn frame_length(&self) -> Option<usize> {
        let length = 2 + usize::from(u16::from_be_bytes(*self.came.first_chunk()?));
        (self.came.len() >= length).then_some(length)
    }

    fn send(&mut self, datagram: &[u8]) {
        if self.waiting.len() < MOST_WAITING {
            self.waiting.extend_from_slice(&(datagram.len() as u16).to_be_bytes());
            self.waiting.extend_from_slice(datagram);
        }
        self.flush();
    }

    fn flush(&mut self) {
        while !self.waiting.is_empty() {
            match self.socket.write(&self.waiting) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // full, or broken, which the transport will find out
                Err(_) => return,
            }
        }
    }
}
