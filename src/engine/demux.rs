//! Which peer a datagram is for. One port serves all: ICE checks name their peer, everything else is known by its address.
//!
//! Only the core writes here, and it enters an address only after str0m verified a check from it, so that a stranger cannot
//! take an address over. Both look-ups are one hash each, however many peers there are.

use super::stun;
use crate::ids::PeerId;
use std::collections::HashMap;
use std::net::SocketAddr;

/// Addresses kept for one peer; a NAT that rebinds more often than this drops the oldest.
const ADDRESSES: usize = 8;

/// The two tables of a shared port.
#[derive(Default, Debug)]
pub struct Demux {
    ufrags: HashMap<String, PeerId>,
    addresses: HashMap<SocketAddr, PeerId>,
    /// The addresses of each peer, oldest first.
    peers: HashMap<PeerId, Vec<SocketAddr>>,
}

/// What a datagram turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination {
    /// A check for this peer; enter its address once it proves right.
    Check(PeerId),
    /// Anything else from a known address.
    Known(PeerId),
    /// STUN without a name: a question for the sender's own address.
    Question,
    /// From an address nobody has checked, or the check of a peer that is gone.
    Stray,
}

impl Demux {
    /// Looks a datagram up. A check wins over the address: a NAT may hand an old address to a new peer.
    pub fn find(&self, from: SocketAddr, datagram: &[u8]) -> Destination {
        let known = self.addresses.get(&from).copied();
        if !stun::is_stun(datagram) {
            return known.map_or(Destination::Stray, Destination::Known);
        }
        match stun::receiver_ufrag(datagram) {
            Some(ufrag) => self.ufrags.get(ufrag).copied().map_or(Destination::Stray, Destination::Check),
            None if stun::is_request(datagram) => Destination::Question,
            // responses to our own checks carry no USERNAME
            None => known.map_or(Destination::Stray, Destination::Known),
        }
    }

    /// A peer that will be checked under `ufrag`.
    pub fn insert(&mut self, peer: PeerId, ufrag: String) {
        self.ufrags.insert(ufrag, peer);
    }

    /// A check from `from` was right: what comes from there is this peer's.
    pub fn learn(&mut self, peer: PeerId, from: SocketAddr) {
        match self.addresses.insert(from, peer) {
            Some(owner) if owner == peer => return,
            Some(owner) => self.peers.entry(owner).or_default().retain(|address| *address != from),
            None => {}
        }
        let addresses = self.peers.entry(peer).or_default();
        addresses.push(from);
        if addresses.len() > ADDRESSES {
            let oldest = addresses.remove(0);
            self.addresses.remove(&oldest);
        }
    }

    /// Forgets a peer.
    pub fn remove(&mut self, peer: PeerId, ufrag: &str) {
        self.ufrags.remove(ufrag);
        for address in self.peers.remove(&peer).unwrap_or_default() {
            self.addresses.remove(&address);
        }
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.ufrags.is_empty() && self.addresses.is_empty() && self.peers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionKey;

    fn peer(number: u32) -> PeerId {
        PeerId::new(SessionKey(1), number)
    }

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn check(ufrag: &str) -> Vec<u8> {
        let username = format!("{ufrag}:they");
        let mut out = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        out.extend_from_slice(&[7; 12]);
        out.extend_from_slice(&[0, 6, 0, username.len() as u8]);
        out.extend_from_slice(username.as_bytes());
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    const MEDIA: [u8; 12] = [0x80; 12];

    #[test]
    fn a_check_names_its_peer_and_its_address_follows() {
        let mut demux = Demux::default();
        demux.insert(peer(1), "one".into());
        assert_eq!(demux.find(address(1), &check("one")), Destination::Check(peer(1)));
        assert_eq!(demux.find(address(1), &MEDIA), Destination::Stray);
        demux.learn(peer(1), address(1));
        assert_eq!(demux.find(address(1), &MEDIA), Destination::Known(peer(1)));
        assert_eq!(demux.find(address(1), &check("gone")), Destination::Stray);
        let mut nameless = check("x");
        nameless.truncate(20);
        assert_eq!(demux.find(address(1), &nameless), Destination::Question);
        nameless[0] = 1;
        assert_eq!(demux.find(address(1), &nameless), Destination::Known(peer(1)), "a response");
        assert_eq!(demux.find(address(2), &nameless), Destination::Stray);
    }

    #[test]
    fn an_address_that_changes_hands_follows_the_last_check() {
        let mut demux = Demux::default();
        demux.insert(peer(1), "one".into());
        demux.insert(peer(2), "two".into());
        demux.learn(peer(1), address(1));
        demux.learn(peer(2), address(1));
        assert_eq!(demux.find(address(1), &MEDIA), Destination::Known(peer(2)));
        // the end of the first one does not take the address from the second
        demux.remove(peer(1), "one");
        assert_eq!(demux.find(address(1), &MEDIA), Destination::Known(peer(2)));
        demux.remove(peer(2), "two");
        assert!(demux.is_empty());
    }

    #[test]
    fn a_peer_that_roams_for_ever_keeps_a_bounded_number_of_addresses() {
        let mut demux = Demux::default();
        demux.insert(peer(1), "one".into());
        for port in 0..100 {
            demux.learn(peer(1), address(port));
        }
        assert_eq!(demux.addresses.len(), ADDRESSES);
        assert_eq!(demux.find(address(99), &MEDIA), Destination::Known(peer(1)));
        assert_eq!(demux.find(address(0), &MEDIA), Destination::Stray);
    }
}
