//! The way of a datagram: protocol, the address of this box it uses, the address of the other side.
//!
//! All three together tell transports apart. A router may give one outer address to two clients as long as they talk to
//! different addresses of this box, and a TCP port is not a UDP port.

use std::net::SocketAddr;

/// What carries datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Protocol {
    Udp,
    /// Framed (RFC 4571); the other side connects (RFC 6544).
    Tcp,
}

/// One way to a peer, in both directions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Path {
    pub protocol: Protocol,
    /// The address of this box, with the media port.
    pub local: SocketAddr,
    /// The address of the other side, as this box sees it.
    pub remote: SocketAddr,
}

impl Path {
    /// Datagrams between these addresses.
    pub fn udp(local: SocketAddr, remote: SocketAddr) -> Path {
        Path { protocol: Protocol::Udp, local, remote }
    }

    /// The connection between these addresses.
    pub fn tcp(local: SocketAddr, remote: SocketAddr) -> Path {
        Path { protocol: Protocol::Tcp, local, remote }
    }
}
