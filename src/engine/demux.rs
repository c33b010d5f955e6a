//! Which peer a datagram is for. One port serves all: ICE checks name their peer, everything else is known by its path.
//!
//! Only the core writes here, and it enters a path only after str0m verified a check on it, so that a stranger cannot
//! take a path over. Both look-ups are one hash each, however many peers there are.

use super::path::Path;
use super::stun;
use crate::ids::PeerId;
use std::collections::HashMap;

/// Paths kept for one peer: its addresses times ours, over UDP and TCP. Beyond it the one checked longest ago is dropped.
const PATHS: usize = 64;

/// The two tables of a shared port.
#[derive(Default, Debug)]
pub struct Demux {
    ufrags: HashMap<String, PeerId>,
    paths: HashMap<Path, PeerId>,
    /// The paths of each peer, the one checked last at the end.
    peers: HashMap<PeerId, Vec<Path>>,
}

/// What a datagram turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination {
    /// A check for this peer; enter its path once it proves right.
    Check(PeerId),
    /// Anything else on a known path.
    Known(PeerId),
    /// STUN without a name: a question for the sender's own address.
    Question,
    /// On a path nobody has checked, or the check of a peer that is gone.
    Stray,
}

impl Demux {
    /// Looks a datagram up. A check wins over the path: a NAT may hand an old address to a new peer.
    pub fn find(&self, path: &Path, datagram: &[u8]) -> Destination {
        let known = self.owner(path);
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

    /// Whose path it is.
    pub fn owner(&self, path: &Path) -> Option<PeerId> {
        self.paths.get(path).copied()
    }

    /// A check on `path` was right: what comes from there is this peer's.
    pub fn learn(&mut self, peer: PeerId, path: Path) {
        match self.paths.insert(path, peer) {
            Some(owner) => self.peers.entry(owner).or_default().retain(|known| *known != path),
            None => {}
        }
        let paths = self.peers.entry(peer).or_default();
        paths.push(path);
        if paths.len() > PATHS {
            let oldest = paths.remove(0);
            self.paths.remove(&oldest);
        }
    }

    /// Forgets a peer; gives its paths.
    pub fn remove(&mut self, peer: PeerId, ufrag: &str) -> Vec<Path> {
        self.ufrags.remove(ufrag);
        let paths = self.peers.remove(&peer).unwrap_or_default();
        for path in &paths {
            self.paths.remove(path);
        }
        paths
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.ufrags.is_empty() && self.paths.is_empty() && self.peers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionKey;

    fn peer(number: u32) -> PeerId {
        PeerId::new(SessionKey(1), number)
    }

    fn path(port: u16) -> Path {
        Path::udp(([192, 0, 2, 9], 20_000).into(), ([192, 0, 2, 1], port).into())
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
    fn a_check_names_its_peer_and_its_path_follows() {
        let mut demux = Demux::default();
        demux.insert(peer(1), "one".into());
        assert_eq!(demux.find(&path(1), &check("one")), Destination::Check(peer(1)));
        assert_eq!(demux.find(&path(1), &MEDIA), Destination::Stray);
        demux.learn(peer(1), path(1));
        assert_eq!(demux.find(&path(1), &MEDIA), Destination::Known(peer(1)));
        assert_eq!(demux.find(&path(1), &check("gone")), Destination::Stray);
        let mut nameless = check("x");
        nameless.truncate(20);
        assert_eq!(demux.find(&path(1), &nameless), Destination::Question);
        nameless[0] = 1;
        assert_eq!(demux.find(&path(1), &nameless), Destination::Known(peer(1)), "a response");
        assert_eq!(demux.find(&path(2), &nameless), Destination::Stray);
    }

    #[test]
    fn a_path_is_both_addresses_and_the_protocol() {
        let mut demux = Demux::default();
        demux.insert(peer(1), "one".into());
        demux.learn(peer(1), path(1));
        let tcp = Path::tcp(path(1).local, path(1).remote);
        let elsewhere = Path::udp(([192, 0, 2, 8], 20_000).into(), path(1).remote);
        assert_eq!([tcp, elsewhere].map(|path| demux.find(&path, &MEDIA)), [Destination::Stray; 2]);
        assert_eq!(demux.remove(peer(1), "one"), [path(1)]);
    }

    #[test]
    fn a_path_that_changes_hands_follows_the_last_check() {
        let mut demux = Demux::default();
        demux.insert(peer(1), "one".into());
        demux.insert(peer(2), "two".into());
        demux.learn(peer(1), path(1));
        demux.learn(peer(2), path(1));
        assert_eq!(demux.find(&path(1), &MEDIA), Destination::Known(peer(2)));
        // the end of the first one does not take the path from the second
        demux.remove(peer(1), "one");
        assert_eq!(demux.find(&path(1), &MEDIA), Destination::Known(peer(2)));
        demux.remove(peer(2), "two");
        assert!(demux.is_empty());
    }

    #[test]
    fn a_peer_that_roams_for_ever_keeps_a_bounded_number_of_paths() {
        let mut demux = Demux::default();
        demux.insert(peer(1), "one".into());
        for port in 0..1000 {
            demux.learn(peer(1), path(port));
            // the one that is in use is checked again and again
            demux.learn(peer(1), path(0));
        }
        assert_eq!((demux.paths.len(), demux.peers[&peer(1)].len()), (PATHS, PATHS));
        assert_eq!([999, 0].map(|port| demux.find(&path(port), &MEDIA)), [Destination::Known(peer(1)); 2]);
        assert_eq!(demux.find(&path(1), &MEDIA), Destination::Stray);
    }
}
