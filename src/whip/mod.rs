//! The WHEP door (draft-ietf-wish-whep): one HTTP exchange makes a viewer of one stream.
//!
//! | request | answer |
//! |---|---|
//! | `POST /whep/{session}/{stream}`, SDP offer | 201, SDP answer, `Location` of the viewer |
//! | `DELETE` of that location | 200, the viewer is gone |
//! | `OPTIONS` | 204, what may be posted |
//! | `PATCH` and the rest | 405: answers carry every candidate of the box, and those of the viewer are learnt from its checks |
//!
//! POST needs credentials: `Bearer` with a connection's token, `Basic` with the API secret, or either with an API key that may watch. DELETE needs none but the location
//! itself, which nobody can guess: it is the capability to end that viewer, as the draft allows. This room keeps no table of
//! viewers (`ticket`); the session does.

mod credentials;
mod error;
#[cfg(test)]
mod tests;
mod ticket;
mod whep;

use crate::keys::Keyring;
use crate::session::Registry;
use axum::Router;
use axum::routing::post;
use std::sync::Arc;
use ticket::Seal;

/// What the handlers share; written once, at the start.
#[derive(Debug)]
pub struct Door {
    registry: Registry,
    keyring: Keyring,
    seal: Seal,
}

impl Door {
    /// The door to the sessions of `registry`; whoever `keyring` knows may be an anonymous viewer.
    pub fn new(registry: Registry, keyring: Keyring) -> Door {
        Door { registry, keyring, seal: Seal::random() }
    }
}

/// The routes of the door. Requests must carry their client's address as `ConnectInfo<SocketAddr>`.
pub fn routes(door: Arc<Door>) -> Router {
    Router::new()
        .route("/whep/{session}/{stream}", post(whep::watch).options(whep::options))
        .route("/whep/{session}/{stream}/{viewer}", axum::routing::delete(whep::unwatch))
        .with_state(door)
}
