//! Getting out: by leaving, by eviction, by silence, and all together when the session ends (signaling.md §4.4, §7.4, §7.5).

use super::Actor;
use super::record::stop_reason;
use crate::ids::ConnectionId;
use crate::session::command::Answer;
use crate::session::connection::State;
use crate::session::error::Denied;
use crate::session::holds::Asker;
use crate::session::lifecycle::{Life, Timer};
use crate::session::links::Delivery;
use crate::session::notice::{EndReason, Notice, Reply};

impl Actor {
    /// leaveRoom. The client is gone at once; what its socket does later concerns nobody.
    pub(super) fn on_leave(&mut self, asker: &Asker) {
        let last_words = Delivery::Reply { asker: asker.clone(), result: Ok(Reply::Done) };
        self.depart(&asker.connection, EndReason::Disconnect, Some(last_words));
    }

    /// REST removes a connection: a pending one loses its token, an active one is evicted.
    pub(super) fn on_remove(&mut self, id: ConnectionId, answer: Answer<()>) {
        let result = match self.roster.get(&id).map(|connection| &connection.state) {
            None => Err(self.unknown(&id)),
            Some(State::Pending) => {
                self.roster.remove(&id);
                Ok(())
            }
            Some(State::Entering) => {
                self.give_up_offers(&id, &self.unknown(&id));
                Ok(())
            }
            Some(State::Active(_)) => {
                self.evict(&id, EndReason::ForceDisconnectByServer, None);
                Ok(())
            }
        };
        self.answer(answer, result);
    }

    /// Makes a participant leave: the others hear of it, then `between` goes out, then it hears itself.
    pub(super) fn evict(&mut self, id: &ConnectionId, reason: EndReason, between: Option<Delivery>) {
        let notice = Notice::ParticipantEvicted { connection: id.clone(), reason };
        let eviction = Delivery::To { connection: id.clone(), notice };
        self.depart(id, reason, between.into_iter().chain([eviction]));
    }

    /// A participant leaves with all it has; the others hear why, it hears `last_words`. Ends the session with the last
    /// one, unless it is recorded.
    pub(super) fn depart(&mut self, id: &ConnectionId, reason: EndReason, last_words: impl IntoIterator<Item = Delivery>) {
        if self.roster.get(id).and_then(|connection| connection.active()).is_none() {
            return;
        }
        self.chronicle.left(id, reason.as_str());
        self.give_up_offers(id, &self.unknown(id));
        self.timers.clear(&Timer::Grace(id.clone()));
        let left = self.roster.remove(id);
        tracing::info!(session = %self.id, connection = %id, reason = reason.as_str(), "left");
        self.tell_others(id, Notice::ParticipantLeft { connection: id.clone(), reason });
        self.deliveries.extend(last_words);
        self.deliveries.push(Delivery::Unlink { connection: id.clone() });
        let State::Active(mut active) = left.map_or(State::Pending, |connection| connection.state) else { return };
        self.viewers.retain(|_, viewer| viewer.connection.as_ref() != Some(id));
        for (publisher, subscription) in active.subscriptions {
            self.below.remove_peer(subscription.peer);
            self.review_camera(&publisher);
        }
        if let Some(stream) = active.publishing.end() {
            self.end_stream(id, stream, reason);
        }
        if self.life.ends_with(self.roster.active().count()) && !self.outlived_by_film() {
            self.end(EndReason::LastParticipantLeft);
        }
    }

    /// The session ends: everybody on hold is answered, everybody else evicted, nothing is left below.
    pub(super) fn end(&mut self, reason: EndReason) {
        if self.life == Life::Gone {
            return;
        }
        self.life = Life::Gone;
        self.chronicle.ended(reason.as_str());
        // a box that stops or breaks does not send its cameras away
        let stays = matches!(reason, EndReason::OpenviduServerStopped | EndReason::NodeCrashed);
        if let Some(store) = self.store.as_ref().filter(|_| !stays) {
            store.remove(self.id.as_str());
        }
        for peer in self.holds.all() {
            self.give_up(peer, Denied::SessionClosed(self.id.clone()));
        }
        self.stop_recording(stop_reason(reason));
        let members: Vec<_> = self.roster.active().map(|connection| connection.id.clone()).collect();
        for connection in members {
            self.tell(&connection, Notice::ParticipantEvicted { connection: connection.clone(), reason });
            self.deliveries.push(Delivery::Unlink { connection });
        }
        self.roster.clear();
        self.viewers.clear();
        self.timers.clear_all();
        self.below.end_all();
        tracing::info!(session = %self.id, reason = reason.as_str(), "session ended");
    }
}
