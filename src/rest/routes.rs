//! The table of routes: the door is built of it, the API document is made of it, and who may ask for what is decided by it.

use super::{Api, about, cdr, certificate, config, connections, files, health, media_nodes, recordings, restart, sessions, signal, tokens};
use crate::openapi::Named::{All, Body, Path};
use crate::openapi::Object::{self, Public, Recording, Session};
use crate::openapi::Route;
use crate::openapi::Verb::{Delete, Get, Patch, Post, Put};
use axum::routing::on;
use std::sync::Arc;

/// Every route of this door.
#[rustfmt::skip] // a table: one row a line
pub const ROUTES: &[Route<Arc<Api>>] = &[
    Route::new(Post, "/openvidu/api/sessions", Session(Body), |verb| on(verb, sessions::create), about::sessions::create),
    Route::new(Get, "/openvidu/api/sessions", Session(All), |verb| on(verb, sessions::list), about::sessions::list),
    Route::new(Get, "/openvidu/api/sessions/{session}", Session(Path), |verb| on(verb, sessions::one), about::sessions::one),
    Route::new(Delete, "/openvidu/api/sessions/{session}", Session(Path), |verb| on(verb, sessions::close), about::sessions::close),
    Route::new(Post, "/openvidu/api/sessions/{session}/connection", Session(Path), |verb| on(verb, connections::create), about::connections::create),
    Route::new(Get, "/openvidu/api/sessions/{session}/connection", Session(Path), |verb| on(verb, connections::list), about::connections::list),
    Route::new(Get, "/openvidu/api/sessions/{session}/connection/{connection}", Session(Path), |verb| on(verb, connections::one), about::connections::one),
    Route::new(Patch, "/openvidu/api/sessions/{session}/connection/{connection}", Session(Path), |verb| on(verb, connections::change), about::connections::change),
    Route::new(Delete, "/openvidu/api/sessions/{session}/connection/{connection}", Session(Path), |verb| on(verb, connections::remove), about::connections::remove),
    Route::new(Delete, "/openvidu/api/sessions/{session}/stream/{stream}", Session(Path), |verb| on(verb, connections::end_stream), about::connections::end_stream),
    Route::new(Post, "/openvidu/api/tokens", Session(Body), |verb| on(verb, tokens::create), about::connections::token),
    Route::new(Post, "/openvidu/api/signal", Session(Body), |verb| on(verb, signal::send), about::connections::signal),
    Route::new(Post, "/openvidu/api/recordings/start", Session(Body), |verb| on(verb, recordings::start), about::recordings::start),
    Route::new(Post, "/openvidu/api/recordings/stop/{recording}", Recording(Path), |verb| on(verb, recordings::stop), about::recordings::stop),
    Route::new(Get, "/openvidu/api/recordings", Recording(All), |verb| on(verb, recordings::list), about::recordings::list),
    Route::new(Get, "/openvidu/api/recordings/{recording}", Recording(Path), |verb| on(verb, recordings::one), about::recordings::one),
    Route::new(Delete, "/openvidu/api/recordings/{recording}", Recording(Path), |verb| on(verb, recordings::delete), about::recordings::delete),
    Route::new(Get, "/openvidu/recordings/{recording}/{file}", Recording(Path), |verb| on(verb, files::film), about::recordings::film),
    Route::new(Get, "/openvidu/api/media-nodes", Object::Box, |verb| on(verb, media_nodes::list), about::media_nodes::list),
    Route::new(Post, "/openvidu/api/media-nodes", Object::Box, |verb| on(verb, media_nodes::add), about::media_nodes::add),
    Route::new(Put, "/openvidu/api/media-nodes", Object::Box, |verb| on(verb, media_nodes::discover), about::media_nodes::discover),
    Route::new(Get, "/openvidu/api/media-nodes/{node}", Object::Box, |verb| on(verb, media_nodes::one), about::media_nodes::one),
    Route::new(Patch, "/openvidu/api/media-nodes/{node}", Object::Box, |verb| on(verb, media_nodes::change), about::media_nodes::change),
    Route::new(Delete, "/openvidu/api/media-nodes/{node}", Object::Box, |verb| on(verb, media_nodes::remove), about::media_nodes::remove),
    Route::new(Get, "/openvidu/api/health", Object::Box, |verb| on(verb, health::health), about::house::health),
    Route::new(Get, "/openvidu/api/config", Object::Box, |verb| on(verb, config::all), about::house::config),
    Route::new(Get, "/openvidu/api/config/openvidu-version", Object::Box, |verb| on(verb, config::version), about::house::version),
    Route::new(Get, "/openvidu/api/config/openvidu-publicurl", Public, |verb| on(verb, config::public_url), about::house::public_url),
    Route::new(Get, "/openvidu/api/config/openvidu-recording", Object::Box, |verb| on(verb, config::recording), about::house::recording),
    Route::new(Get, "/openvidu/api/config/openvidu-recording-path", Object::Box, |verb| on(verb, config::recording_path), about::house::recording_path),
    Route::new(Get, "/openvidu/api/config/openvidu-cdr", Object::Box, |verb| on(verb, config::cdr), about::house::cdr),
    Route::new(Post, "/openvidu/api/restart", Object::Box, |verb| on(verb, restart::restart), about::house::restart),
    Route::new(Get, "/openvidu/cdr", Object::Box, |verb| on(verb, cdr::list), about::house::records),
    Route::new(Get, "/openvidu/cdr/{file}", Object::Box, |verb| on(verb, cdr::one), about::house::record),
    Route::new(Get, "/openvidu/layouts/{*path}", Object::Box, |verb| on(verb, cdr::layout), about::house::layout),
    Route::new(Get, "/openvidu/accept-certificate", Public, |verb| on(verb, certificate::page), about::house::certificate),
];
