//! Media nodes: which machines carry sessions, how far each is in its life, and which one a session is placed on.
//!
//! One box alone is a cluster of one: itself, running from the start. Knows no session, only how many are placed on each node.
//!
//! | file | what lives there |
//! |---|---|
//! | `lifecycle` | the states of a node and what leads from one to the next. Pure |
//! | `node` | one node: what the API says of it |
//! | `directory` | all nodes; placement. Pure but for the load |
//! | `members` | [`Cluster`]: the directory shared by everybody, with those who wait for its changes |
//! | `load` | how busy this machine is |
//! | `probe` | is there anybody at a node's address? |
//!
//! A node of another machine can only join when it proves that it knows a key of this cluster. No such proof exists yet, so none
//! joins: [`Cluster::add`] looks whether somebody answers and says what is missing. `probe` is the place where it will be asked for.

mod directory;
mod lifecycle;
mod load;
mod members;
mod node;
mod probe;

pub use lifecycle::{Status, Strategy};
pub use load::{Load, resident_kib};
pub use members::{Cluster, Placement, Teller};
pub use node::Node;

use crate::ids::MediaNodeId;
use thiserror::Error;

/// Why a node is not added, changed or removed. The text is for clients.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Error {
    #[error("Media node {0} not found")]
    Unknown(MediaNodeId),
    #[error("Parameter 'uri' is not valid: {0}. It must look like ws://HOST:8888/kurento")]
    BadUri(String),
    #[error("A media node with uri {0} is already part of the cluster")]
    Exists(String),
    #[error("Media node {uri} cannot be reached: {why}")]
    Unreachable { uri: String, why: String },
    #[error("{uri} answers, but proves no key of this cluster; media nodes on other machines cannot join this version")]
    NotProven { uri: String },
    #[error("Media node {node} cannot change its status from {from} to {to}")]
    Forbidden { node: MediaNodeId, from: Status, to: Status },
    #[error("Media node {node} hosts {sessions} session(s); choose another deletion-strategy, or close them first")]
    NotIdle { node: MediaNodeId, sessions: usize },
}
