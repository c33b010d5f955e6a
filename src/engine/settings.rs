//! What the media thread is told at its start.

use std::net::IpAddr;

/// Settings of the media thread; fixed for its life but for the addresses.
#[derive(Clone, Debug)]
pub struct Settings {
    /// UDP and TCP port, IPv4 and IPv6; 0 = any.
    pub port: u16,
    /// Addresses of this box that answers announce as host candidates; [`Command::Addresses`](super::Command::Addresses)
    /// replaces them.
    pub candidates: Vec<IpAddr>,
    /// Addresses under which a router forwards the port to this box; announced besides the host candidates.
    pub public: Vec<IpAddr>,
    /// Packets a viewer may ask for again, per video line. 512 cost 0.2 MB a viewer.
    pub retransmit_packets: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { port: 0, candidates: Vec::new(), public: Vec::new(), retransmit_packets: 512 }
    }
}
