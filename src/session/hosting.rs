//! Media nodes and their sessions: a node that goes ends its sessions first (events.md §6, rest.md §14.2).

use super::command::Command;
use super::notice::EndReason;
use super::registry::Registry;
use crate::cluster::{Error, Node, Status, Strategy};
use crate::ids::MediaNodeId;
use std::time::Duration;
use tokio::sync::oneshot;

/// A session that was just placed is seen on its node at the end of its turn; so soon it is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Registry {
    /// Changes the status of a node; if that ends it, its sessions begin to end. `None`: it has that status.
    /// Errors: those of [`Cluster::change`](crate::cluster::Cluster::change).
    pub fn change_node(&self, id: &MediaNodeId, to: Status) -> Result<Option<Node>, Error> {
        let node = self.cluster().change(id, to)?;
        node.iter().for_each(|node| self.evacuate_if_ending(node));
        Ok(node)
    }

    /// Takes a node away: what it is then. With `now`, its sessions begin to end. Errors: those of [`Cluster::remove`](crate::cluster::Cluster::remove).
    pub fn remove_node(&self, id: &MediaNodeId, strategy: Strategy) -> Result<Node, Error> {
        let node = self.cluster().remove(id, strategy)?;
        self.evacuate_if_ending(&node);
        Ok(node)
    }

    /// The task ends with the node's last session, at the latest when the daemon closes them all.
    fn evacuate_if_ending(&self, node: &Node) {
        if node.status == Status::Terminating {
            let (registry, id) = (self.clone(), node.id.clone());
            tokio::spawn(async move { registry.evacuate(&id).await });
        }
    }

    async fn evacuate(&self, id: &MediaNodeId) {
        let (cluster, clock) = (self.cluster(), self.clock());
        let mut changes = cluster.watch();
        while cluster.node(id).is_ok_and(|node| node.status == Status::Terminating) {
            let mut gone = Vec::new();
            for session in self.all().into_iter().filter(|session| session.snapshot().media_node.as_ref() == Some(id)) {
                let (answer, wait) = oneshot::channel();
                // an error means that it has ended by itself
                if session.send(Command::Close { reason: EndReason::MediaServerDisconnect, answer }).await.is_ok() {
                    gone.push(wait);
                }
            }
            for wait in gone {
                let _ = wait.await;
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = clock.sleep(LOOK_AGAIN) => {}
            }
        }
    }
}
