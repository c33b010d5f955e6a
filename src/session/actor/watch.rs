//! WHEP viewers. With a token the viewer is a participant that only receives; with the API secret it is nobody: demand for a camera,
//! not for the session's life, and in no list. Both come for one stream and end with it.

use super::Actor;
use crate::ids::{ConnectionId, PeerId, StreamId};
use crate::session::below::Use;
use crate::session::command::{Access, Answer, ViewerId, Watching};
use crate::session::connection::State;
use crate::session::error::Denied;
use crate::session::holds::{Entering, Hold};
use crate::session::notice::EndReason;
use std::net::IpAddr;

/// A viewer whose offer was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Viewer {
    pub peer: PeerId,
    /// The participant it is; none for an anonymous one.
    pub connection: Option<ConnectionId>,
}

impl Actor {
    /// An offer to receive `stream`. A token is spent by the attempt, unless there is no such stream, nothing of it can be
    /// had, or the engine takes no more.
    pub(super) fn on_watch(
        &mut self,
        stream: StreamId,
        offer: String,
        access: Access,
        (ip, platform): (IpAddr, String),
        answer: Answer<Watching>,
    ) {
        let Some(to) = self.roster.publisher(&stream).map(|c| c.id.clone()) else {
            return self.answer(answer, Err(Denied::UnknownStream { stream, session: self.id.clone() }));
        };
        let enters = match access {
            Access::Secret => None,
            Access::Token(token) => match self.roster.by_token(&token) {
                Some(connection) => Some(Entering { connection, ip, platform }),
                None => return self.answer(answer, Err(Denied::BadToken(self.id.clone()))),
            },
        };
        let viewer = self.below.new_viewer();
        let found = self.tracks_for(&to, &offer);
        let peer = match found.and_then(|(tracks, view)| self.below.subscribe(Use::Viewer { viewer, to }, tracks, view, offer)) {
            Ok(peer) => peer,
            Err(denied) => return self.answer(answer, Err(denied)),
        };
        if let Some(connection) = enters.as_ref().and_then(|enters| self.roster.get_mut(&enters.connection)) {
            connection.state = State::Entering;
        }
        self.hold(peer, Hold::Watch { viewer, enters, answer });
    }

    /// A viewer ends by its own wish.
    pub(super) fn on_unwatch(&mut self, viewer: ViewerId, answer: Answer<()>) {
        let known = self.end_viewer(viewer, EndReason::Disconnect);
        let result = if known { Ok(()) } else { Err(Denied::UnknownViewer(self.id.clone())) };
        self.answer(answer, result);
    }

    /// Ends a viewer; false if there is none of that number.
    pub(super) fn end_viewer(&mut self, viewer: ViewerId, reason: EndReason) -> bool {
        let Some(Viewer { peer, connection }) = self.viewers.remove(&viewer) else { return false };
        match connection {
            // its one subscription goes with it
            Some(connection) => self.depart(&connection, reason, None),
            None => self.drop_peer(peer),
        }
        true
    }

    fn drop_peer(&mut self, peer: PeerId) {
        let what = self.below.use_of(peer).cloned();
        self.below.remove_peer(peer);
        if let Some(what) = what {
            self.review_publisher_of(&what);
        }
    }
}
