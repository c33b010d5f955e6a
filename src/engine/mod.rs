//! The media thread: one port (UDP and TCP), all peers, all tracks, the daemon's ends of the workers' media sockets.
//!
//! Floor 4 says [`Command`]s through a [`Handle`] and hears [`Event`]s; both channels are bounded. Nothing here knows sessions,
//! HTTP or GStreamer; str0m is known to this room alone and none of its types leave it.
//!
//! ```text
//!  sockets ──datagrams──> demux ──> peer (str0m) ──packets──> track ──fan-out──> peer: outgoing ──> batch ──> sockets
//!  intake ──messages────> feed ─────────────────packets──────>  │ gop (cache)       consumer (numbers, times)
//!                                                               │                   backlog (paced joins)
//!                                                               └─────────> sink: assemble (whole frames) ──> outlet
//! ```
//!
//! `core` owns all state and is driven with `now`: datagrams, messages, commands and timeouts in, runs of datagrams and events
//! out. It knows no socket, so tests drive it in simulated time. [`run`] is the thin shell: the thread, epoll, the sockets.

pub mod api;
mod assemble;
mod backlog;
mod batch;
mod capture;
mod consumer;
mod core;
mod demux;
mod early;
mod feed;
mod gop;
mod incoming;
mod intake;
mod keyframes;
mod limit;
pub mod negotiate;
mod outbox;
mod outgoing;
mod outlet;
mod path;
mod peer;
mod report;
mod route;
pub mod run;
mod sdp;
mod settings;
#[cfg(test)]
mod simulation;
mod sink;
mod sockets;
mod stun;
mod tcp;
mod track;
mod transport;

pub use api::{Command, Event, Handle};
pub use report::{Report, Traffic};
pub use run::{Running, start};
pub use settings::Settings;
