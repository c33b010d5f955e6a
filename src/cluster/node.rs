//! One media node, as the API tells of it (rest.md §14.1). Plain data, changed by the directory alone.

use super::lifecycle::Status;
use crate::ids::MediaNodeId;

/// A media node.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    pub id: MediaNodeId,
    /// As whoever added it calls it.
    pub environment_id: Option<String>,
    pub ip: String,
    pub uri: String,
    /// ms since 1970.
    pub launching_time: u64,
    /// When the connection was made; `None` before. ms since 1970.
    pub connection_time: Option<u64>,
    pub status: Status,
    /// Sessions placed on it; one counts until its recordings have ended.
    pub hosted: usize,
}

impl Node {
    /// Is there a connection to it?
    pub fn is_connected(&self) -> bool {
        self.connection_time.is_some() && !self.status.is_final()
    }

    /// May a session be placed on it?
    pub fn takes_sessions(&self) -> bool {
        self.status == Status::Running && self.is_connected()
    }
}
