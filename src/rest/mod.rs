//! The REST door: OpenVidu's HTTP API. Parses and checks, sends one [`session::Command`](crate::session::Command), renders.
//!
//! | path below `/openvidu/api` | methods | room |
//! |---|---|---|
//! | `/sessions`, `/sessions/{s}` | POST, GET, DELETE | `sessions` |
//! | `/sessions/{s}/connection`, `…/{c}` | POST, GET, PATCH, DELETE | `connections` |
//! | `/sessions/{s}/stream/{st}` | DELETE | `connections` |
//! | `/tokens` | POST | `tokens` |
//! | `/signal` | POST | `signal` |
//! | `/media-nodes`, `/media-nodes/{m}` | GET, POST, PUT, PATCH, DELETE | `media_nodes` |
//! | `/recordings/start`, `/recordings/stop/{r}` | POST | `recordings` |
//! | `/recordings`, `/recordings/{r}` | GET, DELETE | `recordings` |
//! | `/config`, `/config/openvidu-…` | GET | `config` |
//! | `/restart` | POST | [`restart`] |
//! | `/health` | GET | [`health`] |
//! | `/status` | GET | [`status`] |
//! | `/openapi.json` | GET | `about` |
//! | `/keys`, `/keys/{key}` | POST, GET, DELETE | `keys` |
//!
//! Beside them stand `/openvidu/recordings/{r}/{file}`, the films (`files`), `/openvidu/cdr` and `/openvidu/layouts` (`cdr`), and
//! `/openvidu/accept-certificate` (`certificate`). [`frame()`] stands around all doors of the box; there the paths of releases before
//! 2.16 become those of today (`legacy`). Router, rights and the API document (`about`) come from one table of
//! routes (`routes`); who asks is found out by `auth`, and sees what `seen` shows. No rule of the domain lives here; GET handlers read
//! snapshots and queue nothing.

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
mod keys;
mod legacy;
mod media_nodes;
mod query;
mod recording_body;
mod recordings;
mod render;
pub mod restart;
mod routes;
mod seen;
mod session_body;
mod sessions;
mod signal;
pub mod status;
#[cfg(test)]
mod tests;
mod tokens;
mod webrtc_stats;

pub use frame::frame;
pub use routes::{Names, ROUTES, Route};

use crate::clock::Clock;
use crate::config::Config;
use crate::engine;
use crate::keys::Keyring;
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
    /// Knows who is asking.
    pub keyring: Keyring,
    pub clock: Clock,
    /// Asked for a sign of life only.
    pub engine: engine::Handle,
    /// Where POST restart goes: one request at a time.
    pub restart: mpsc::Sender<restart::Request>,
    pub life: status::Life,
}

/// The routes of the API, without their frame.
pub fn routes(api: Arc<Api>) -> Router {
    routes::router().with_state(api)
}
