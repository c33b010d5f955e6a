//! All media nodes, their changes, and where a session goes. Pure: time and load are arguments.

use super::Error;
use super::lifecycle::{Cause, Status};
use super::node::Node;
use crate::ids::MediaNodeId;

/// The nodes that are part of the cluster, in the order they came. One that has ended is not.
#[derive(Clone, Default, Debug)]
pub(super) struct Directory {
    nodes: Vec<Node>,
}

/// A node changed its status: what `mediaNodeStatusChanged` tells (events.md §4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Change {
    pub node: MediaNodeId,
    /// `None`: it came into being.
    pub from: Option<Status>,
    pub to: Status,
}

impl Directory {
    /// Every node.
    pub fn all(&self) -> &[Node] {
        &self.nodes
    }

    /// The node of that id. Errors: [`Error::Unknown`].
    pub fn get(&self, id: &MediaNodeId) -> Result<&Node, Error> {
        self.nodes.iter().find(|node| node.id == *id).ok_or_else(|| Error::Unknown(id.clone()))
    }

    /// A node comes in; it is launching. Errors: [`Error::Exists`].
    pub fn enter(&mut self, node: Node) -> Result<Change, Error> {
        if self.nodes.iter().any(|known| known.uri == node.uri) {
            return Err(Error::Exists(node.uri));
        }
        let change = Change { node: node.id.clone(), from: None, to: node.status };
        self.nodes.push(node);
        Ok(change)
    }

    /// Something happened to a node: the changes that come of it, in order, none when it changes nothing.
    pub fn happened(&mut self, id: &MediaNodeId, cause: Cause, now_ms: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut cause = Some(cause);
        let Some(node) = self.nodes.iter_mut().find(|node| node.id == *id) else { return changes };
        while let Some(to) = cause.take().and_then(|cause| node.status.after(cause)) {
            changes.push(Change { node: id.clone(), from: Some(node.status), to });
            node.status = to;
            match to {
                Status::Running => node.connection_time = node.connection_time.or(Some(now_ms)),
                Status::WaitingIdleToTerminate | Status::Terminating if node.hosted == 0 => cause = Some(Cause::Idle),
                _ => {}
            }
        }
        self.nodes.retain(|node| !node.status.is_final());
        changes
    }

    /// The node for a new session: the one that is `wanted`, else of those that take sessions the least loaded.
    pub fn place(&mut self, wanted: Option<&MediaNodeId>, load: impl Fn(&Node) -> f64) -> Option<MediaNodeId> {
        let least = |a: &&mut Node, b: &&mut Node| load(a).total_cmp(&load(b)).then(a.hosted.cmp(&b.hosted));
        let mut open: Vec<&mut Node> = self.nodes.iter_mut().filter(|node| node.takes_sessions()).collect();
        if let Some(wanted) = wanted.and_then(|wanted| open.iter().position(|node| node.id == *wanted)) {
            open = vec![open.swap_remove(wanted)];
        }
        let node = open.into_iter().min_by(least)?;
        node.hosted += 1;
        Some(node.id.clone())
    }

    /// A session ended that was placed on a node; the last one may have been waited for.
    pub fn release(&mut self, id: &MediaNodeId, now_ms: u64) -> Vec<Change> {
        let Some(node) = self.nodes.iter_mut().find(|node| node.id == *id) else { return Vec::new() };
        node.hosted = node.hosted.saturating_sub(1);
        if node.hosted > 0 { Vec::new() } else { self.happened(id, Cause::Idle, now_ms) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node(id: &str, uri: &str) -> Node {
        Node {
            id: id.into(),
            environment_id: None,
            ip: "192.0.2.1".into(),
            uri: uri.into(),
            launching_time: 1,
            connection_time: None,
            status: Status::Launching,
            hosted: 0,
        }
    }

    fn running(ids: &[&str]) -> Directory {
        let mut directory = Directory::default();
        for id in ids {
            directory.enter(node(id, id)).unwrap();
            directory.happened(&(*id).into(), Cause::Launched, 2);
        }
        directory
    }

    #[test]
    fn a_node_that_waits_ends_with_its_last_session() {
        let mut directory = running(&["a"]);
        let a = MediaNodeId::from("a");
        assert_eq!((directory.place(None, |_| 0.0), directory.place(None, |_| 0.0)), (Some(a.clone()), Some(a.clone())));
        assert_eq!(directory.happened(&a, Cause::Asked(Status::WaitingIdleToTerminate), 3).len(), 1);
        assert_eq!(directory.place(None, |_| 0.0), None, "it takes no more");
        assert_eq!(directory.release(&a, 4), []);
        let words: Vec<_> = directory.release(&a, 5).iter().map(|change| (change.from.unwrap().as_str(), change.to.as_str())).collect();
        assert_eq!(words, [("waiting-idle-to-terminate", "terminating"), ("terminating", "terminated")]);
        assert_eq!(directory.get(&a).err(), Some(Error::Unknown(a)), "what has ended leaves the list");
    }

    #[test]
    fn one_uri_is_one_node() {
        let mut directory = running(&["a"]);
        assert_eq!(directory.enter(node("b", "a")), Err(Error::Exists("a".into())));
        assert!(directory.enter(node("b", "b")).is_ok());
        assert_eq!(directory.place(Some(&"b".into()), |_| 0.0), Some("a".into()), "b is still launching");
    }

    #[test]
    fn a_session_goes_where_it_is_wanted_or_where_least_is_done() {
        let mut directory = running(&["a", "b", "c"]);
        let load = |node: &Node| if node.id.as_str() == "b" { 3.0 } else { 40.0 };
        assert_eq!(directory.place(None, load), Some("b".into()));
        assert_eq!(directory.place(Some(&"c".into()), load), Some("c".into()));
        assert_eq!(directory.place(Some(&"x".into()), load), Some("b".into()));
        assert_eq!(directory.place(None, |_| 1.0), Some("a".into()), "equal load: fewest sessions");
    }

    proptest! {
        #[test]
        fn sessions_are_placed_on_running_nodes_alone_and_none_is_lost(steps in proptest::collection::vec((0u8..6, 0usize..3), 0..60)) {
            let ids = ["a", "b", "c"].map(MediaNodeId::from);
            let mut directory = running(&["a", "b", "c"]);
            let mut placed: Vec<MediaNodeId> = Vec::new();
            for (step, n) in steps {
                match step {
                    0..=1 => placed.extend(directory.place(Some(&ids[n]), |_| 0.0).inspect(|id| {
                        assert_eq!(directory.get(id).map(|node| node.status), Ok(Status::Running));
                    })),
                    2 if !placed.is_empty() => {
                        let id = placed.remove(n % placed.len());
                        directory.release(&id, 9);
                    }
                    3 => drop(directory.happened(&ids[n], Cause::Asked(Status::WaitingIdleToTerminate), 9)),
                    4 => drop(directory.happened(&ids[n], Cause::Asked(Status::Running), 9)),
                    _ => drop(directory.happened(&ids[n], Cause::Asked(Status::Terminating), 9)),
                }
                for id in &ids {
                    let hosted = placed.iter().filter(|on| *on == id).count();
                    match directory.get(id) {
                        Ok(node) => {
                            prop_assert_eq!(node.hosted, hosted);
                            prop_assert!(hosted > 0 || node.status == Status::Running, "{} waits for nothing", node.status);
                        }
                        Err(_) => prop_assert_eq!(hosted, 0),
                    }
                }
            }
        }
    }
}
