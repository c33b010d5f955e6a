//! What one transport is like: for people who look for a fault, on request alone. Plain data, noted by the peer.

use std::net::SocketAddr;

/// An SDP longer than this is not kept.
const LONGEST_SDP: usize = 32 * 1024;

/// A transport at one moment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Report {
    /// The client's offer, and the answer; empty when they were absurdly long.
    pub remote_sdp: String,
    pub local_sdp: String,
    /// Candidates of the client (`candidate:…`), from its offer and trickled.
    pub candidates: Vec<String>,
    /// Our address and the client's, as the last datagram went.
    pub pair: Option<(SocketAddr, SocketAddr)>,
    /// Are ICE and DTLS up?
    pub connected: bool,
    pub received: Traffic,
    pub sent: Traffic,
    /// Packets this viewer was not given.
    pub dropped: u64,
}

/// Datagrams and their bytes, without UDP and IP headers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Traffic {
    pub datagrams: u64,
    pub bytes: u64,
}

impl Report {
    /// Notes how the transport was negotiated.
    pub fn negotiated(&mut self, offer: &str, answer: &str) {
        let kept = |sdp: &str| if sdp.len() <= LONGEST_SDP { sdp.to_owned() } else { String::new() };
        (self.remote_sdp, self.local_sdp) = (kept(offer), kept(answer));
    }
}

impl Traffic {
    /// One more datagram.
    pub fn add(&mut self, bytes: usize) {
        self.datagrams += 1;
        self.bytes += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absurd_sdp_is_not_kept() {
        let mut report = Report::default();
        report.negotiated(&"x".repeat(LONGEST_SDP + 1), "v=0");
        assert_eq!((report.remote_sdp.as_str(), report.local_sdp.as_str()), ("", "v=0"));
    }
}
