//! Clients and cameras that drive the real daemon: system tests, demo and benchmarks share them.
//!
//! | module | what lives there |
//! |---|---|
//! | [`camera`] | a synthetic RTSP camera in a process of its own |
//! | [`daemon`] | the real binary in a process of its own: start, readiness, log, stop, kill |
//! | [`kills`] | a process killed at random moments, and what it had acknowledged |
//! | [`rest`] | a small HTTP client that refuses what the API does not send |
//! | [`signaling`] | a JSON-RPC client over WebSocket with an ordered log of notifications |
//! | [`feed`] | a client of the live feed of events |
//! | [`peer`] | a WebRTC client (str0m, RTP mode) that publishes or watches |
//! | [`proxy`] | a network between camera and box that can be cut, and trickle |
//! | [`whep`] | a viewer over WHEP |
//! | [`webhook`] | the other end of a webhook: up, slow, failing, down |
//! | [`frames`] | which received packets make whole, decodable frames |
//! | [`holdings`] | what a process has: descriptors, threads, children, memory |
//! | [`flashes`] | media that can be measured, and the measuring of a recorded file |
//! | [`usage`] | CPU, threads and memory of a process |
//! | [`material`] | pre-encoded clips with a flash and a beep each second |
//!
//! Nothing here knows the daemon's crate: what these clients know is the wire. They panic with a sentence where a test fails.

pub mod camera;
pub mod daemon;
pub mod feed;
pub mod flashes;
pub mod frames;
pub mod holdings;
pub mod kills;
pub mod material;
pub mod peer;
pub mod proxy;
pub mod rest;
pub mod signaling;
pub mod usage;
pub mod webhook;
pub mod whep;
