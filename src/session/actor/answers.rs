//! The engine's word on an offer, or its silence: whoever is on hold is answered, and what the offer was for comes true or is undone.

use super::Actor;
use super::publish::no_answer;
use super::watch::Viewer;
use crate::engine::api::{Closed, Refusal};
use crate::ids::{ConnectionId, PeerId};
use crate::session::below::Use;
use crate::session::command::{Answer, ViewerId, Watching};
use crate::session::connection::{Active, Subscription};
use crate::session::error::Denied;
use crate::session::holds::{Asker, Entering, Hold};
use crate::session::lifecycle::Timer;
use crate::session::notice::{EndReason, Notice, Reply};
use crate::session::stream::{Publishing, Source};

impl Actor {
    /// The engine answered an offer. Word of one that nobody waits for any more is ignored: its peer was removed.
    pub(super) fn on_answered(&mut self, peer: PeerId, sdp: String) {
        match self.off_hold(peer) {
            Some(Hold::Publish(asker)) => self.published(asker, sdp),
            Some(Hold::Reconnect(asker)) => self.reconnected(asker, sdp),
            Some(Hold::Subscribe { asker, publisher }) => self.subscribed(asker, &publisher, sdp),
            Some(Hold::Watch { viewer, enters, answer }) => self.watched(peer, viewer, enters, sdp, answer),
            None => tracing::debug!(?peer, "an answer that nobody waits for"),
        }
    }

    /// The engine refused an offer; the peer does not exist.
    pub(super) fn on_refused(&mut self, peer: PeerId, refusal: &Refusal) {
        let Some(what) = self.below.forget_peer(peer) else { return };
        tracing::info!(session = %self.id, ?what, %refusal, "an offer was refused");
        let denied = match (refusal, what) {
            (Refusal::BadOffer(_), Use::Publication { of }) => no_answer(&of),
            (Refusal::BadOffer(_), _) => Denied::BadOffer(refusal.to_string()),
            (Refusal::NoCodec(_), _) => Denied::NoCodec(refusal.to_string()),
            (Refusal::Busy, _) => Denied::Busy(refusal.to_string()),
        };
        self.undo(peer, denied);
    }

    /// A transport is up.
    pub(super) fn on_connected(&mut self, peer: PeerId) {
        tracing::debug!(session = %self.id, ?peer, "media is connected");
        let Some(Use::Publication { of }) = self.below.use_of(peer).cloned() else { return };
        if let Some(active) = self.roster.get_mut(&of).and_then(|connection| connection.active_mut()) {
            active.publishing.heard();
        }
    }

    /// A transport ended by itself; the peer does not exist any more.
    pub(super) fn on_closed(&mut self, peer: PeerId, cause: Closed) {
        let Some(what) = self.below.forget_peer(peer) else { return };
        if self.holds.contains(peer) {
            return self.undo(peer, Denied::BadOffer(format!("the transport ended: {cause}")));
        }
        match what {
            Use::Publication { of } if self.lost_answer(&of) => {
                self.lose_transport(&of);
                self.end_unheard(&of);
            }
            Use::Publication { of } => {
                tracing::info!(connection = %of, %cause, "the media transport of a publisher ended; its stream stays published");
                self.lose_transport(&of);
            }
            Use::Subscription { by, to } => {
                tracing::info!(connection = %by, publisher = %to, %cause, "the media transport of a subscriber ended");
                let reason = if cause == Closed::ByPeer { EndReason::Unsubscribe } else { EndReason::NetworkDisconnect };
                self.chronicle.unsubscribed(&by, &to, reason.as_str());
                self.drop_subscription(&by, &to);
                self.review_camera(&to);
            }
            Use::Viewer { viewer, to } => {
                let by_peer = cause == Closed::ByPeer;
                self.end_viewer(viewer, if by_peer { EndReason::Disconnect } else { EndReason::NetworkDisconnect });
                self.review_camera(&to);
            }
        }
    }

    /// Gives up all that `id` waits for.
    pub(super) fn give_up_offers(&mut self, id: &ConnectionId, denied: &Denied) {
        for peer in self.holds.of(id) {
            self.give_up(peer, denied.clone());
        }
    }

    /// Gives up an offer the engine has not answered.
    pub(super) fn give_up(&mut self, peer: PeerId, denied: Denied) {
        self.below.remove_peer(peer);
        self.undo(peer, denied);
    }

    /// Ends a transport, whether or not the engine has answered its offer; whoever waits for that is told.
    pub(super) fn end_transport(&mut self, peer: PeerId, denied: Denied) {
        if self.holds.contains(peer) {
            self.give_up(peer, denied);
        } else {
            self.below.remove_peer(peer);
        }
    }

    /// Notes that a published stream has no transport.
    fn lose_transport(&mut self, of: &ConnectionId) {
        let active = self.roster.get_mut(of).and_then(|connection| connection.active_mut());
        if let Some(stream) = active.and_then(|active| active.publishing.live_mut())
            && let Source::Client { peer, .. } = &mut stream.source
        {
            *peer = None;
        }
    }

    fn off_hold(&mut self, peer: PeerId) -> Option<Hold> {
        self.timers.clear(&Timer::Hold(peer));
        self.holds.take(peer)
    }

    /// Nothing comes of an offer whose peer is gone: whoever waits is told, and what was made for it goes.
    fn undo(&mut self, peer: PeerId, denied: Denied) {
        match self.off_hold(peer) {
            None => {}
            Some(Hold::Publish(asker)) => {
                let active = self.roster.get_mut(&asker.connection).and_then(|connection| connection.active_mut());
                if let Some(stream) = active.and_then(|active| active.publishing.end()) {
                    self.below.remove_tracks(stream.tracks);
                }
                self.reply(asker, Err(denied));
            }
            Some(Hold::Reconnect(asker)) => {
                self.lose_transport(&asker.connection);
                self.reply(asker, Err(denied));
            }
            Some(Hold::Subscribe { asker, publisher }) => {
                // it may have received it before, over another transport
                self.chronicle.unsubscribed(&asker.connection, &publisher, EndReason::Unsubscribe.as_str());
                self.drop_subscription(&asker.connection, &publisher);
                self.reply(asker, Err(denied));
            }
            Some(Hold::Watch { enters, answer, .. }) => {
                if let Some(enters) = enters {
                    self.roster.remove(&enters.connection);
                }
                self.answer(answer, Err(denied));
            }
        }
    }

    fn published(&mut self, asker: Asker, answer: String) {
        let created_at = self.clock.unix_ms();
        let Some(active) = self.roster.get_mut(&asker.connection).and_then(|connection| connection.active_mut()) else { return };
        let Publishing::Offered(mut stream) = std::mem::take(&mut active.publishing) else { return };
        stream.info.created_at = created_at;
        let info = stream.info.clone();
        active.publishing = Publishing::Live(stream);
        let connection = asker.connection.clone();
        self.went_live(&connection);
        self.reply(asker, Ok(Reply::Published { stream: info.stream.clone(), created_at, answer }));
        self.tell_others(&connection, Notice::ParticipantPublished { connection: connection.clone(), stream: info });
    }

    fn subscribed(&mut self, asker: Asker, publisher: &ConnectionId, answer: String) {
        let now = self.clock.unix_ms();
        let active = self.roster.get_mut(&asker.connection).and_then(|connection| connection.active_mut());
        if let Some(subscription) = active.and_then(|active| active.subscriptions.get_mut(publisher)) {
            subscription.created_at.get_or_insert(now);
        }
        self.chronicle.subscribed(&asker.connection, publisher);
        self.reply(asker, Ok(Reply::Subscribed { answer }));
        self.review_camera(publisher);
    }

    fn watched(&mut self, peer: PeerId, viewer: ViewerId, enters: Option<Entering>, sdp: String, answer: Answer<Watching>) {
        let Some(what) = self.below.use_of(peer).cloned() else { return };
        if answer.is_closed() {
            // the door hung up: nobody would know how to end this viewer
            self.below.remove_peer(peer);
            if let Some(enters) = enters {
                self.roster.remove(&enters.connection);
            }
            return;
        }
        let connection = enters.as_ref().map(|enters| enters.connection.clone());
        if let Some(Entering { connection, ip, platform }) = enters {
            let now = self.clock.unix_ms();
            let mut active = Active::new(now, Some(ip), platform, Some(String::new()));
            let live = what.watches().and_then(|to| Some((to, self.roster.get(to)?.live()?)));
            if let Some((to, live)) = live {
                let subscription = Subscription { stream: live.info.stream.clone(), peer, created_at: Some(now) };
                active.subscriptions.insert(to.clone(), subscription);
            }
            self.enter(&connection, active);
            if let Some(to) = what.watches() {
                self.chronicle.subscribed(&connection, to);
            }
        }
        self.viewers.insert(viewer, Viewer { peer, connection });
        self.answer(answer, Ok(Watching { viewer, answer: sdp }));
        self.review_publisher_of(&what);
    }
}
