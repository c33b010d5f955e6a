//! Workers that are given tracks: which of their slots carries which track, and their share of the turns. A sink is a consumer
//! without a transport; where there is none, nothing here is done.

use super::Core;
use crate::engine::capture::Moment;
use crate::engine::outlet::Outlet;
use crate::engine::sink::Sink;
use crate::ids::{JobId, TrackId};
use crate::rtp::{Kind, Packet};
use std::time::Instant;

impl Core {
    /// A worker will be given tracks through `outlet`. `tie` is a moment of the clock that workers tell times in.
    pub fn attach_sink(&mut self, job: JobId, outlet: Box<dyn Outlet>, tie: Moment) {
        self.detach_sink(job);
        self.sinks.insert(job, Sink::new(outlet, tie));
    }

    /// That worker is given nothing more.
    pub fn detach_sink(&mut self, job: JobId) {
        let Some(sink) = self.sinks.remove(&job) else { return };
        self.lost += sink.losses();
        self.ignored += sink.ignored;
        for track in self.tracks.values_mut() {
            track.sinks.retain(|(its, _)| *its != job);
        }
    }

    /// A slot of a worker begins to carry a track: its format and its cached GOP at once. A slot in use is replaced; a track or a
    /// sink that is gone is no error.
    pub fn add_slot(&mut self, job: JobId, slot: u8, track: TrackId, now: Instant) {
        self.remove_slot(job, slot);
        let (Some(sink), Some(its)) = (self.sinks.get_mut(&job), self.tracks.get_mut(&track)) else { return };
        let waits = sink.add(slot, track, its.kind, its.cached(), its.view(), now);
        self.timers.tend_at(sink.wake(now));
        its.sinks.push((job, slot));
        if waits || (its.kind == Kind::Video && its.cached().is_empty()) {
            self.want_keyframe(track, now);
        }
    }

    /// A slot carries nothing more.
    pub fn remove_slot(&mut self, job: JobId, slot: u8) {
        let track = self.sinks.get_mut(&job).and_then(|sink| sink.remove(slot));
        if let Some(track) = track.and_then(|track| self.tracks.get_mut(&track)) {
            track.sinks.retain(|its| *its != (job, slot));
        }
    }

    /// Gives a track's fresh packets to its sinks. True when one of them waits for a key frame.
    pub(super) fn forward_to_sinks(&mut self, id: TrackId, packets: &[Packet], now: Instant) -> bool {
        let Some(track) = self.tracks.get(&id) else { return false };
        let mut waits = false;
        for (job, slot) in &track.sinks {
            let Some(sink) = self.sinks.get_mut(job) else { continue };
            waits |= sink.forward(*slot, packets, track.view(), now);
            self.timers.tend_at(sink.wake(now));
        }
        waits
    }

    /// Wakes the sinks, if one of them is due.
    pub(super) fn tend_sinks(&mut self, now: Instant) {
        if !self.timers.tend_due(now) {
            return;
        }
        let mut wanted = Vec::new();
        for sink in self.sinks.values_mut() {
            wanted.extend(sink.tick(now));
            self.timers.tend_at(sink.wake(now));
        }
        wanted.into_iter().for_each(|track| self.want_keyframe(track, now));
    }
}
