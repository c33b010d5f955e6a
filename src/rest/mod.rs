//! The REST door: OpenVidu's HTTP API. Parses and checks, sends one [`session::Command`](crate::session::Command), renders.
//!
//! | path below `/openvidu/api` | methods | room |
//! |---|---|---|
//! | `/sessions`, `/sessions/{s}` | POST, GET, DELETE | `sessions` |
//! | `/sessions/{s}/connection`, `…/{c}` | POST, GET, DELETE | `connections` |
//! | `/recordings/start`, `/recordings/stop/{r}` | POST | `recordings` |
//! | `/recordings`, `/recordings/{r}` | GET, DELETE | `recordings` |
//! | `/config`, `/config/openvidu-…` | GET | `config` |
//! | `/restart` | POST | [`restart`] |
//! | `/health` | GET | [`health`] |
//!
//! Beside them stand `/openvidu/recordings/{r}/{file}`, the films (`files`), and `/openvidu/accept-certificate` (`certificate`).
//! `/config`, `/pro/config` and `/pro/restart` are the forms of releases before 2.16. [`frame()`] stands around all doors of the box. No rule of the
//! domain lives here; GET handlers read snapshots and queue nothing.

mod auth;
mod body;
mod certificate;
mod config;
mod connection_body;
mod connections;
mod cors;
mod error;
mod files;
mod frame;
pub mod health;
mod query;
mod recording_body;
mod recordings;
mod render;
pub mod restart;
mod session_body;
mod sessions;
#[cfg(test)]
mod tests;

pub use frame::frame;

use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::engine;
use crate::recording::Recordings;
use crate::session::Registry;
use axum::Router;
use axum::routing::{get, post};
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
    Router::new()
        .route("/openvidu/api/sessions", post(sessions::create).get(sessions::list))
        .route("/openvidu/api/sessions/{session}", get(sessions::one).delete(sessions::close))
        .route("/openvidu/api/sessions/{session}/connection", post(connections::create).get(connections::list))
        .route("/openvidu/api/sessions/{session}/connection/{connection}", get(connections::one).delete(connections::remove))
        .route("/openvidu/api/recordings", get(recordings::list))
        .route("/openvidu/api/recordings/start", post(recordings::start))
        .route("/openvidu/api/recordings/stop/{recording}", post(recordings::stop))
        .route("/openvidu/api/recordings/{recording}", get(recordings::one).delete(recordings::delete))
        .route("/openvidu/recordings/{recording}/{file}", get(files::film))
        .route("/openvidu/api/config", get(config::all))
        .route("/openvidu/api/config/openvidu-version", get(config::version))
        .route("/openvidu/api/config/openvidu-publicurl", get(config::public_url))
        .route("/openvidu/api/config/openvidu-recording", get(config::recording))
        .route("/openvidu/api/config/openvidu-recording-path", get(config::recording_path))
        .route("/openvidu/api/config/openvidu-cdr", get(config::cdr))
        .route("/config", get(config::old))
        .route("/pro/config", get(config::old))
        .route("/openvidu/api/restart", post(restart::restart))
        .route("/pro/restart", post(restart::restart))
        .route("/openvidu/api/health", get(health::health))
        .route("/openvidu/accept-certificate", get(certificate::page))
        .with_state(api)
}
