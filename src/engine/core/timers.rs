//! When peers and sinks are woken, and when paced joins go on. One heap entry per peer: a later wish waits until the entry comes
//! up. The sinks, a handful, are woken together.

use super::Core;
use crate::engine::peer::Peer;
use crate::ids::PeerId;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::{Duration, Instant};

/// Time between two releases of paced joins.
const PACE: Duration = Duration::from_millis(5);
/// A loop that was held up longer does not make up for it in one burst.
const LONGEST_PACE: Duration = Duration::from_millis(50);

/// Who is to be woken when.
#[derive(Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Instant, PeerId)>>,
    /// Peers whose backlog is being released, and when that was done last.
    paced: BTreeSet<PeerId>,
    last_pace: Option<Instant>,
    /// When a sink wants to be woken, at the earliest.
    tend: Option<Instant>,
}

impl Timers {
    /// The next moment at which there is something to do.
    pub fn next(&self) -> Option<Instant> {
        let peer = self.heap.peek().map(|Reverse((at, _))| *at);
        let pace = self.last_pace.map(|last| last + PACE);
        peer.into_iter().chain(pace).chain(self.tend).min()
    }

    /// Notes when a sink wants to be woken.
    pub fn tend_at(&mut self, at: Option<Instant>) {
        self.tend = self.tend.into_iter().chain(at).min();
    }

    /// Does a sink want to be woken now? Its wish is forgotten by that.
    pub fn tend_due(&mut self, now: Instant) -> bool {
        self.tend.take_if(|at| *at <= now).is_some()
    }

    /// Notes when a peer wants to be woken.
    pub fn schedule(&mut self, id: PeerId, peer: &mut Peer) {
        if peer.scheduled.is_none_or(|at| peer.wake < at) {
            peer.scheduled = Some(peer.wake);
            self.heap.push(Reverse((peer.wake, id)));
        }
    }

    /// Begins to release a peer's backlog.
    pub fn pace(&mut self, id: PeerId, now: Instant) {
        self.paced.insert(id);
        self.last_pace.get_or_insert(now);
    }

    /// A peer is gone. Its heap entries are skipped when they come up.
    pub fn forget(&mut self, id: PeerId) {
        self.paced.remove(&id);
    }
}

impl Core {
    /// A peer that is to be woken now.
    pub(super) fn due_peer(&mut self, now: Instant) -> Option<PeerId> {
        while let Some(Reverse((at, id))) = self.timers.heap.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.timers.heap.pop();
            let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.scheduled == Some(at)) else { continue };
            peer.scheduled = None;
            if peer.wake <= now {
                return Some(id);
            }
            self.timers.schedule(id, peer);
        }
        None
    }

    /// Releases what is due of the paced joins.
    pub(super) fn pace(&mut self, now: Instant) {
        let Some(elapsed) = self.timers.last_pace.map(|last| now.saturating_duration_since(last)) else { return };
        if elapsed < PACE {
            return;
        }
        let elapsed = elapsed.min(LONGEST_PACE);
        let still: BTreeSet<PeerId> =
            std::mem::take(&mut self.timers.paced).into_iter().filter(|id| self.release(*id, elapsed, now)).collect();
        self.timers.paced.extend(still);
        self.timers.last_pace = if self.timers.paced.is_empty() { None } else { Some(now) };
    }

    /// Releases what is due of one peer's backlogs; `false` when nothing waits any more.
    fn release(&mut self, id: PeerId, elapsed: Duration, now: Instant) -> bool {
        let Some(peer) = self.peers.get(&id) else { return false };
        let paced = peer.outgoing.iter().filter(|out| out.paced()).map(|out| out.track);
        let views: Vec<_> = paced.filter_map(|track| Some((track, self.tracks.get(&track)?.view()))).collect();
        self.turn(id, now, |peer| {
            views.iter().for_each(|(track, view)| peer.release(*track, elapsed, *view, now));
            peer.tick(now).map(|()| true)
        });
        self.peers.get(&id).is_some_and(|peer| peer.outgoing.iter().any(|out| out.paced()))
    }
}
