//! The address of a camera: parsed and checked once, credentials split off, safe to log.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A camera as a worker needs it. `Debug` and `Display` never show the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CameraSpec {
    /// URL without user info: `rtsp://host[:port]/path?query`.
    pub url: String,
    /// User name, percent-decoded; empty when the URL has none.
    pub user: String,
    /// Password, percent-decoded.
    pub password: String,
    /// Jitter buffer of the receiver in ms (`networkCache`).
    pub latency_ms: u32,
    /// May the camera be on a loopback or link-local address?
    pub allow_loopback: bool,
}

impl fmt::Debug for CameraSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CameraSpec")
            .field("url", &self.url)
            .field("user", &self.user)
            .field("latency_ms", &self.latency_ms)
            .finish_non_exhaustive()
    }
}
