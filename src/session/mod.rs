//! The domain: who is in a session, who publishes, who watches. Knows nothing of HTTP, WebSocket, JSON or GStreamer.
//!
//! One actor per session is the only writer of its state. Doors send it a [`Command`]; it decides, tells the engine and the
//! jobs, answers, and tells the others by [`Notice`]s through each client's [`Outbox`]. Readers take a [`SessionSnapshot`]
//! that the actor publishes; they queue nothing.

mod actor;
mod below;
mod camera;
pub mod command;
mod connection;
pub mod error;
mod garbage;
mod holds;
mod hosting;
mod keeping;
mod lifecycle;
mod links;
pub mod notice;
pub mod outbox;
pub mod properties;
pub mod registry;
mod rendition;
pub mod role;
mod roster;
pub mod snapshot;
mod stream;
#[cfg(test)]
mod tests;
mod token;
mod told;
mod untold;

pub use command::{Access, Call, Command, Watching};
pub use error::Denied;
pub use notice::{Notice, Reply};
pub use outbox::{Inbox, Outbox, Outgoing};
pub use properties::SessionProperties;
pub use registry::{Registry, SessionHandle, Settings, Transcoding};
pub use role::{Audience, Role};
pub use snapshot::{ConnectionSnapshot, SessionSnapshot};
