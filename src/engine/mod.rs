//! The media thread: one UDP port, all peers, all tracks, the daemon's ends of the workers' media sockets.
//!
//! Floor 4 says [`Command`]s through a [`Handle`] and hears [`Event`]s; both channels are bounded. Nothing here knows sessions,
//! HTTP or GStreamer; str0m is known to this room alone and none of its types leave it.

pub mod api;

pub use api::{Command, Event, Handle};
