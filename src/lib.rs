//! The map of Viduct: every room, floor by floor. Imports point down only (`tests/tidy.rs` holds the table).
//!
//! | floor | rooms | what lives there |
//! |---|---|---|
//! | 6 | `main`, [`daemon`] | arguments, wiring, start, readiness, stop |
//! | 5 | [`rest`], [`signaling`], [`whip`] | the doors: parse, send one [`session::Command`], render |
//! | 5 | [`web`] | the box's own pages: the first one, the API document for people, metrics, events as they happen |
//! | 4 | [`session`] | the domain: who is in a session, who publishes, who watches. One actor per session |
//! | 3 | [`events`] | what happened, told to the world: call detail records and webhooks |
//! | 3 | [`state`] | what comes back after a power cut: sessions with cameras |
//! | 3 | [`keys`] | named API keys: who may do what |
//! | 3 | [`recording`] | recordings: made by a task each, kept on disk, finished by the next start after a crash |
//! | 3 | [`cluster`] | media nodes: the box itself, its life, where sessions are placed |
//! | 2 | [`engine`] | the media thread: one port (UDP and TCP), all peers, all tracks |
//! | 2 | [`jobs`] | the daemon's side of worker processes: start, watch, retry, stop |
//! | 2 | [`worker`] | a worker process: the only room that knows GStreamer |
//! | 1 | [`config`], [`wire`], [`rtp`], [`layout`] | properties; what daemon and workers say to each other; packets and codecs; grids |
//! | 1 | [`hardware`] | which elements decode and encode, the board's own first |
//! | 1 | [`disk`], [`mp4`] | crash-safe writes; the file of a recording: written, finished in place, recovered |
//! | 1 | [`openapi`] | routes and their description: the API document |
//! | 1 | [`guard`] | what keeps strangers from wearing the doors out: wrong secrets, crowds, bodies without end |
//! | 0 | [`ids`], [`clock`], [`causes`] | identifiers; now and sleep; errors with all that caused them |
//!
//! Three rivers run through the house. *Control*: a door builds a [`session::Command`], the session's actor decides, the answer
//! and the notices leave through the client's one outgoing queue. *Media*: RTP packets enter the [`engine`] from a browser or
//! from a worker's socket, become part of a track, and are fanned out; a session is never on their way. *Workers*: whatever
//! needs GStreamer is a process of its own, started and watched by [`jobs`].

pub mod causes;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod daemon;
pub mod disk;
pub mod engine;
pub mod events;
pub mod guard;
pub mod hardware;
pub mod ids;
pub mod jobs;
pub mod keys;
pub mod layout;
pub mod mp4;
pub mod openapi;
pub mod recording;
pub mod rest;
pub mod rtp;
pub mod session;
pub mod signaling;
pub mod state;
pub mod web;
pub mod whip;
pub mod wire;
pub mod worker;
