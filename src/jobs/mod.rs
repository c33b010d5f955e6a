//! The daemon's side of worker processes: start, watch, kill, retry with back-off.
//!
//! A [`Handle`] starts and stops jobs; what becomes of them arrives as [`Event`]s. A job outlives its processes: when one dies
//! the supervisor starts the next and gives it the same end of the media socket, so the engine sees only a new epoch.

pub mod api;

pub use api::{Command, Event, Handle};
