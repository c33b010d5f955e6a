//! The cluster as everybody shares it: the directory behind a lock, and a number that counts its changes for those who wait.
//!
//! Critical sections are short, neither wait nor panic.

use super::Error;
use super::directory::{Change, Directory};
use super::lifecycle::{Cause, Status, Strategy};
use super::load::{Load, Ticks};
use super::node::Node;
use super::probe::{self, Address};
use crate::clock::Clock;
use crate::ids::MediaNodeId;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How often the load is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Tells the world of each step of a node: as it is then, and what its status was before (`None`: it has just come). Called in order,
/// and must not wait.
#[derive(Clone)]
pub struct Teller(Tell);

type Tell = Arc<dyn Fn(&Node, Option<Status>) + Send + Sync>;

impl Teller {
    /// Tells with this.
    pub fn new(tell: impl Fn(&Node, Option<Status>) + Send + Sync + 'static) -> Teller {
        Teller(Arc::new(tell))
    }

    /// Tells nobody.
    pub fn silent() -> Teller {
        Teller::new(|_, _| {})
    }
}

/// The media nodes of this box's cluster. Cheap to clone.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    directory: Mutex<Directory>,
    /// Counts changes of status and ends of sessions.
    changes: watch::Sender<u64>,
    /// This box: the id it keeps whenever it is part of the cluster, and where it is.
    id: MediaNodeId,
    own: Address,
    load: Load,
    clock: Clock,
    teller: Teller,
}

impl Cluster {
    /// A cluster of this box alone, which is the node `id`, is reached by `host`, and runs.
    pub fn alone(id: MediaNodeId, host: &str, clock: Clock, teller: Teller) -> Cluster {
        let own = Address::of_host(host);
        let inner = Inner { directory: Mutex::default(), changes: watch::Sender::new(0), id, own, load: Load::default(), clock, teller };
        let cluster = Cluster(Arc::new(inner));
        cluster.discover();
        cluster
    }

    /// The id of this box, be it part of the cluster now or not.
    pub fn own_id(&self) -> &MediaNodeId {
        &self.0.id
    }

    /// Every node.
    pub fn nodes(&self) -> Vec<Node> {
        self.lock().all().to_vec()
    }

    /// The node of that id. Errors: [`Error::Unknown`].
    pub fn node(&self, id: &MediaNodeId) -> Result<Node, Error> {
        self.lock().get(id).cloned()
    }

    /// CPU load of a node in percent.
    pub fn load(&self, node: &Node) -> f64 {
        if node.uri == self.0.own.uri { self.0.load.percent() } else { 0.0 }
    }

    /// Is there a node that takes sessions?
    pub fn is_up(&self) -> bool {
        self.lock().all().iter().any(Node::takes_sessions)
    }

    /// Adds the node at `uri`. Errors: [`Error::BadUri`], [`Error::Exists`], [`Error::Unreachable`], [`Error::NotProven`].
    pub async fn add(&self, uri: &str, environment_id: Option<String>) -> Result<Node, Error> {
        let address = Address::parse(uri)?;
        if self.lock().all().iter().any(|node| node.uri == address.uri) {
            return Err(Error::Exists(address.uri));
        }
        if address.uri == self.0.own.uri { self.enter_self(environment_id) } else { Err(probe::invite(&address, self.0.clock).await) }
    }

    /// Looks for nodes that run but are not part of the cluster, and adds them: this box itself, if it was removed.
    pub fn discover(&self) -> Vec<Node> {
        self.enter_self(None).into_iter().collect()
    }

    fn enter_self(&self, environment_id: Option<String>) -> Result<Node, Error> {
        let Inner { id, own, clock, .. } = &*self.0;
        let now = clock.unix_ms();
        let (ip, uri) = (own.host.clone(), own.uri.clone());
        let (status, connection_time, hosted) = (Status::Launching, None, 0);
        let node = Node { id: id.clone(), environment_id, ip, uri, launching_time: now, connection_time, status, hosted };
        let mut directory = self.lock();
        let mut changes = vec![directory.enter(node.clone())?];
        // its connection is this process
        changes.extend(directory.happened(id, Cause::Launched, now));
        let after = directory.get(id).cloned();
        self.tell(&node, &changes, &directory);
        after
    }

    /// An operator wants a node in another status. `None`: it is in that status already. Whoever makes it `Terminating` has to end
    /// its sessions; it is gone with the last one. Errors: [`Error::Unknown`], [`Error::Forbidden`].
    pub fn change(&self, id: &MediaNodeId, to: Status) -> Result<Option<Node>, Error> {
        let mut directory = self.lock();
        let before = directory.get(id)?.clone();
        if before.status == to {
            return Ok(None);
        }
        let changes = directory.happened(id, Cause::Asked(to), self.0.clock.unix_ms());
        let after = directory.get(id).cloned();
        let Some(last) = changes.last() else { return Err(Error::Forbidden { node: id.clone(), from: before.status, to }) };
        self.tell(&before, &changes, &directory);
        // one that had no sessions is gone already; that is the last anybody hears of it
        Ok(Some(after.unwrap_or(Node { status: last.to, ..before })))
    }

    /// An operator wants a node away: what it is then. Whoever makes it `Terminating` has to end its sessions.
    /// Errors: [`Error::Unknown`], [`Error::NotIdle`], [`Error::Forbidden`].
    pub fn remove(&self, id: &MediaNodeId, strategy: Strategy) -> Result<Node, Error> {
        let node = self.node(id)?;
        let to = match (node.status, strategy) {
            (Status::Launching | Status::Canceled, _) => Status::Canceled,
            (Status::Terminating, _) => Status::Terminating,
            (_, Strategy::IfNoSessions) if node.hosted > 0 => return Err(Error::NotIdle { node: node.id, sessions: node.hosted }),
            // one that is idle ends at once; a session that comes in this very moment is not cut off
            (_, Strategy::IfNoSessions | Strategy::WhenNoSessions) => Status::WaitingIdleToTerminate,
            (_, Strategy::Now) => Status::Terminating,
        };
        Ok(self.change(id, to)?.unwrap_or(node))
    }

    /// Returns when a node is no part of the cluster any more, or runs again.
    pub async fn ended(&self, id: &MediaNodeId) {
        let mut changes = self.0.changes.subscribe();
        while self.node(id).is_ok_and(|node| node.status != Status::Running) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Becomes new with every change of a status and every end of a session.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// A place for a session: on the node that is `wanted`, if it takes sessions, else on the least loaded one. `None`: no node runs.
    pub fn place(&self, wanted: Option<&MediaNodeId>) -> Option<Placement> {
        let node = self.lock().place(wanted, |node| self.load(node))?;
        Some(Placement { node, cluster: self.clone() })
    }

    /// Looks at the load of this machine from now on; never returns.
    pub async fn watch_load(self) {
        let mut last = Ticks::default();
        loop {
            last = self.0.load.sample(last);
            self.0.clock.sleep(LOOK).await;
        }
    }

    /// Tells of the changes of one node, while the directory is held: so they are told in their order.
    fn tell(&self, node: &Node, changes: &[Change], _held: &Directory) {
        for Change { from, to, .. } in changes {
            self.0.teller.0(&Node { status: *to, ..node.clone() }, *from);
            let from = from.map_or("nothing", Status::as_str);
            tracing::info!(node = %node.id, from, to = to.as_str(), "the status of a media node changed");
        }
        self.0.changes.send_modify(|count| *count += 1);
    }

    // No critical section panics; one that did would still leave a directory that is whole.
    fn lock(&self) -> MutexGuard<'_, Directory> {
        self.0.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Cluster {
    /// A box that only itself can reach.
    fn default() -> Cluster {
        Cluster::alone(MediaNodeId::random(), "127.0.0.1", Clock::System, Teller::silent())
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.nodes()).finish()
    }
}

/// A session's place on a node; dropping it gives the place up.
#[derive(Debug)]
pub struct Placement {
    node: MediaNodeId,
    cluster: Cluster,
}

impl Placement {
    /// The node.
    pub fn node(&self) -> &MediaNodeId {
        &self.node
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        let now = self.cluster.0.clock.unix_ms();
        let mut directory = self.cluster.lock();
        let Ok(node) = directory.get(&self.node).cloned() else { return };
        let changes = directory.release(&self.node, now);
        self.cluster.tell(&node, &changes, &directory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> (Cluster, Node) {
        let cluster = Cluster::alone(MediaNodeId::random(), "192.0.2.7", Clock::System, Teller::silent());
        let node = cluster.nodes().remove(0);
        (cluster, node)
    }

    #[tokio::test]
    async fn a_box_is_its_own_node_and_may_leave_and_come_back() {
        let (cluster, node) = cluster();
        assert!(node.id.as_str().starts_with("media_") && node.id.as_str().len() == 14);
        assert_eq!((node.status, node.uri.as_str()), (Status::Running, "ws://192.0.2.7:8888/kurento"));
        assert!(cluster.discover().is_empty(), "it is known");
        assert_eq!(cluster.add(&node.uri, None).await, Err(Error::Exists(node.uri.clone())));
        let gone = cluster.change(&node.id, Status::Terminating).unwrap().unwrap();
        assert_eq!(gone.status, Status::Terminated);
        assert!(!cluster.is_up() && cluster.place(None).is_none());
        let again = cluster.add(&node.uri, Some("shed".into())).await.unwrap();
        assert_eq!((again.status, again.environment_id.as_deref()), (Status::Running, Some("shed")));
        assert!(cluster.is_up() && again.id == node.id);
    }

    #[test]
    fn the_world_is_told_of_every_step_in_order() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        let teller = Teller::new(move |node, from| heard.lock().unwrap().push((from, node.status)));
        let cluster = Cluster::alone(MediaNodeId::random(), "192.0.2.7", Clock::System, teller);
        let place = cluster.place(None).unwrap();
        cluster.remove(place.node(), Strategy::WhenNoSessions).unwrap();
        drop(place);
        let steps = [Status::Launching, Status::Running, Status::WaitingIdleToTerminate, Status::Terminating, Status::Terminated];
        let before = [None].into_iter().chain(steps.map(Some));
        assert_eq!(*told.lock().unwrap(), before.zip(steps).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn whoever_waits_for_the_end_is_told() {
        let (cluster, node) = cluster();
        let place = cluster.place(None).unwrap();
        assert_eq!(place.node(), &node.id);
        let waiting = cluster.change(&node.id, Status::WaitingIdleToTerminate).unwrap().unwrap();
        assert_eq!(waiting.status, Status::WaitingIdleToTerminate);
        assert_eq!(cluster.change(&node.id, Status::WaitingIdleToTerminate), Ok(None));
        let refused = cluster.change(&node.id, Status::Canceled).unwrap_err();
        assert!(refused.to_string().contains("from waiting-idle-to-terminate to canceled"), "{refused}");
        let ended = tokio::spawn({
            let (cluster, id) = (cluster.clone(), node.id.clone());
            async move { cluster.ended(&id).await }
        });
        tokio::task::yield_now().await;
        assert!(!ended.is_finished());
        let refused = cluster.remove(&node.id, Strategy::IfNoSessions);
        assert_eq!(refused, Err(Error::NotIdle { node: node.id.clone(), sessions: 1 }));
        let waiting = cluster.remove(&node.id, Strategy::WhenNoSessions).unwrap();
        assert_eq!(waiting.status, Status::WaitingIdleToTerminate);
        drop(place);
        ended.await.unwrap();
        assert_eq!(cluster.node(&node.id), Err(Error::Unknown(node.id)));
    }
}
