//! The REST door: OpenVidu's HTTP API. Parses and checks, sends one [`session::Command`](crate::session::Command), renders.
//!
//! `routes` is the table of all there is; the door is built of it, and so is its part of the API document (`about`). A resource has a
//! file of its own: `sessions`, `connections` with `tokens` and `signal`, `recordings` with `files`, `media_nodes`, `config`,
//! [`restart`], [`health`], `cdr`, `certificate`. What bodies may ask for is in `*_body`, what answers look like in `render`.
//!
//! [`frame()`] stands around all doors of the box; there the paths of releases before 2.16 become those of today (`legacy`). No rule
//! of the domain lives here; GET handlers read snapshots and queue nothing.

mod about;
mod auth;
mod body;
mod cdr;
mod certificate;
mod config;
mod connection_body;
mod connections;
mod cors;
mod error;
mod files;
mod frame;
pub mod health;
mod legacy;
mod media_nodes;
mod query;
mod recording_body;
mod recordings;
mod render;
pub mod restart;
mod routes;
mod session_body;
mod sessions;
mod signal;
#[cfg(test)]
mod tests;
mod tokens;
mod webrtc_stats;

pub use about::part;
pub use frame::frame;

use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::engine;
use crate::openapi::router;
use crate::recording::Recordings;
use crate::session::Registry;
use axum::Router;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What the handlers share; a reload makes another one.
#[derive(Clone, Debug)]
pub struct Api {
    pub registry: Registry,
    /// `None`: this box does not record.
    pub recordings: Option<Recordings>,
    /// With the port that is really bound.
    pub config: Arc<Config>,
    pub secret: Secret,
    pub clock: Clock,
    /// Asked for a sign of life only.
    pub engine: engine::Handle,
    /// Where POST restart goes: one request at a time.
    pub restart: mpsc::Sender<restart::Request>,
}

/// The routes of the API, without their frame.
pub fn routes(api: Arc<Api>) -> Router {
    router(routes::ROUTES).with_state(api)
}
