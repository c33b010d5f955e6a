//! What clients tell each other: signals, and changes of their streams (signaling.md §6.10, §6.11, §7.6, §7.8).

use super::Actor;
use crate::events::record::Signal;
use crate::ids::ConnectionId;
use crate::session::command::StreamChange;
use crate::session::error::Denied;
use crate::session::lifecycle::Life;
use crate::session::notice::Notice;
use crate::session::stream;

impl Actor {
    /// sendMessage: to the named ones, or to everybody, the sender included. One unknown target, and nobody gets it.
    pub(super) fn on_signal(
        &mut self,
        from: Option<&ConnectionId>,
        to: &[ConnectionId],
        kind: Option<String>,
        data: Option<String>,
    ) -> Result<(), Denied> {
        if !to.iter().all(|id| self.roster.get(id).is_some_and(|connection| connection.active().is_some())) {
            return Err(Denied::UnknownTarget(self.id.clone()));
        }
        // each once, in the order they came in
        let named = |id: &&ConnectionId| to.is_empty() || to.contains(id);
        let targets: Vec<_> = self.roster.active().map(|connection| &connection.id).filter(named).cloned().collect();
        let to = targets.clone();
        self.chronicle.signalled(Signal { from: from.cloned(), to, kind: kind.clone(), data: data.clone() });
        for target in targets {
            self.tell(&target, Notice::Signal { from: from.cloned(), kind: kind.clone(), data: data.clone() });
        }
        Ok(())
    }

    /// REST: a signal of the application. Nobody hears one in a session that nobody has joined.
    pub(super) fn on_server_signal(&mut self, to: &[ConnectionId], kind: Option<String>, data: Option<String>) -> Result<(), Denied> {
        match self.life {
            Life::Pending => Err(Denied::NotActive(self.id.clone())),
            Life::Active | Life::Gone => self.on_signal(None, to, kind, data),
        }
    }

    /// streamPropertyChanged: kept for those who join later, told to all others.
    pub(super) fn on_change(&mut self, id: &ConnectionId, change: StreamChange, reason: String) -> Result<(), Denied> {
        let active = self.roster.get_mut(id).and_then(|connection| connection.active_mut());
        let live = active.and_then(|active| active.publishing.live_mut());
        let info = &mut live.ok_or_else(|| Denied::NotPublishing(id.clone()))?.info;
        let stream = info.stream.clone();
        let (property, value) = stream::apply(info, change);
        self.tell_others(id, Notice::StreamPropertyChanged { connection: id.clone(), stream, property, value, reason });
        Ok(())
    }
}
