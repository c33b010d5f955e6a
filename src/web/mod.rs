//! The box's own pages, for people and machines that watch over it.
//!
//! | path | room |
//! |---|---|
//! | `/` | `landing`: what this is, and where to go |
//! | `/metrics` | `metrics`: the table of what can be measured; `exposition`: the text it is written in |
//! | `/openvidu/api/docs` | `docs`: the API document as a page |
//! | `/openvidu/info` | `feed`: a WebSocket that tells what happens |
//!
//! What the pages for people have in common stands in `page`.
//! Credentials are checked by the frame that stands around all doors.

mod docs;
mod exposition;
mod feed;
mod landing;
mod metrics;
mod page;

pub use feed::Feed;

use crate::engine;
use crate::events::Meter;
use crate::jobs::Counters;
use crate::recording::Recordings;
use crate::session::Registry;
use axum::Router;
use axum::routing::get;
use std::sync::Arc;

/// What the pages tell of.
#[derive(Clone, Debug)]
pub struct Watched {
    pub registry: Registry,
    /// `None`: this box does not record.
    pub recordings: Option<Recordings>,
    pub engine: engine::Handle,
    pub jobs: Counters,
    pub events: Meter,
}

/// The routes, without their frame. `feed` outlives them: a reload makes others.
pub fn routes(watched: Watched, feed: Arc<Feed>) -> Router {
    let pages = Router::new().route("/", get(landing::page)).route("/openvidu/api/docs", get(docs::page));
    let feed = Router::new().route("/openvidu/info", get(feed::open)).with_state(feed);
    pages.route("/metrics", get(metrics::page)).with_state(Arc::new(watched)).merge(feed)
}
