//! Candidates that come before their peer: a client trickles as soon as it has made its offer, on another path than the offer.

use crate::ids::PeerId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Peers waited for; beyond it the oldest is forgotten.
const PEERS: usize = 256;
/// Candidates kept for one peer; beyond it the rest is ignored.
const CANDIDATES: usize = 32;
/// How long a peer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Candidates of peers that do not exist yet, oldest peer first.
#[derive(Default, Debug)]
pub struct EarlyCandidates {
    peers: VecDeque<(PeerId, Instant, Vec<String>)>,
}

impl EarlyCandidates {
    /// Keeps a candidate for later.
    pub fn keep(&mut self, peer: PeerId, candidate: String, now: Instant) {
        while self.peers.front().is_some_and(|(_, since, _)| now.saturating_duration_since(*since) > PATIENCE) {
            self.peers.pop_front();
        }
        if let Some((_, _, candidates)) = self.peers.iter_mut().find(|(id, ..)| *id == peer) {
            if candidates.len() < CANDIDATES {
                candidates.push(candidate);
            }
            return;
        }
        if self.peers.len() >= PEERS {
            self.peers.pop_front();
        }
        self.peers.push_back((peer, now, vec![candidate]));
    }

    /// The candidates kept for a peer; forgets them.
    pub fn take(&mut self, peer: PeerId) -> Vec<String> {
        let found = self.peers.iter().position(|(id, ..)| *id == peer);
        found.and_then(|at| self.peers.remove(at)).map(|(_, _, candidates)| candidates).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::ids::SessionKey;

    fn peer(number: u32) -> PeerId {
        PeerId::new(SessionKey(1), number)
    }

    #[test]
    fn candidates_wait_for_their_peer_within_bounds() {
        let now = Clock::System.now();
        let mut early = EarlyCandidates::default();
        for n in 0..100 {
            early.keep(peer(1), format!("candidate {n}"), now);
        }
        assert_eq!(early.take(peer(1)).len(), CANDIDATES);
        assert!(early.take(peer(1)).is_empty());
        for n in 0..1000 {
            early.keep(peer(n), "candidate".into(), now);
        }
        assert_eq!(early.peers.len(), PEERS);
        assert_eq!(early.take(peer(999)), ["candidate"]);
        early.keep(peer(2000), "candidate".into(), now + PATIENCE * 2);
        assert_eq!(early.peers.len(), 1);
    }
}
