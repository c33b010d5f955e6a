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
//!
//! Beside them stand `/openvidu/recordings/{r}/{file}`, the films (`files`), `/openvidu/cdr` and `/openvidu/layouts` (`cdr`), and
//! `/openvidu/accept-certificate` (`certificate`). [`frame()`] stands around all doors of the box; there the paths of releases before
//! 2.16 become those of today (`legacy`). No rule of the domain lives here; GET handlers read snapshots and queue nothing.

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
mod session_body;
mod sessions;
mod signal;
#[cfg(test)]
mod tests;
mod tokens;
mod webrtc_stats;

pub use frame::frame;

use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::engine;
use crate::guard::Lockout;
use crate::recording::Recordings;
use crate::session::Registry;
use axum::Router;
use axum::routing::{delete, get, post};
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
    /// Bounds guesses at the secret.
    pub lockout: Lockout,
    pub clock: Clock,
    /// Asked for a sign of life only.
    pub engine: engine::Handle,
    /// Where POST restart goes: one request at a time.
    pub restart: mpsc::Sender<restart::Request>,
}

/// The routes of the API, without their frame.
pub fn routes(api: Arc<Api>) -> Router {
    Router::new()
        .route("/openvidu/api/sessions", post(sessions::create).get(sessions::list))
        .route("/openvidu/api/sessions/{session}", get(sessions::one).delete(sessions::close))
        .route("/openvidu/api/sessions/{session}/connection", post(connections::create).get(connections::list))
        .route(
            "/openvidu/api/sessions/{session}/connection/{connection}",
            get(connections::one).patch(connections::change).delete(connections::remove),
        )
        .route("/openvidu/api/sessions/{session}/stream/{stream}", delete(connections::end_stream))
        .route("/openvidu/api/tokens", post(tokens::create))
        .route("/openvidu/api/signal", post(signal::send))
        .route("/openvidu/api/media-nodes", get(media_nodes::list).post(media_nodes::add).put(media_nodes::discover))
        .route("/openvidu/api/media-nodes/{node}", get(media_nodes::one).patch(media_nodes::change).delete(media_nodes::remove))
        .route("/openvidu/api/recordings", get(recordings::list))
        .route("/openvidu/api/recordings/start", post(recordings::start))
        .route("/openvidu/api/recordings/stop/{recording}", post(recordings::stop))
        .route("/openvidu/api/recordings/{recording}", get(recordings::one).delete(recordings::delete))
        .route("/openvidu/recordings/{recording}/{file}", get(files::film))
        .route("/openvidu/cdr", get(cdr::list))
        .route("/openvidu/cdr/{file}", get(cdr::one))
        .route("/openvidu/layouts/{*path}", get(cdr::layout))
        .route("/openvidu/api/config", get(config::all))
        .route("/openvidu/api/config/openvidu-version", get(config::version))
        .route("/openvidu/api/config/openvidu-publicurl", get(config::public_url))
        .route("/openvidu/api/config/openvidu-recording", get(config::recording))
        .route("/openvidu/api/config/openvidu-recording-path", get(config::recording_path))
        .route("/openvidu/api/config/openvidu-cdr", get(config::cdr))
        .route("/openvidu/api/restart", post(restart::restart))
        .route("/openvidu/api/health", get(health::health))
        .route("/openvidu/accept-certificate", get(certificate::page))
        .with_state(api)
}
