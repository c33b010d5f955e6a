//! The one table of the box's routes: method, path, the right a key needs for it, and the object it names.
//!
//! The router of this door is made from it, so a route that is not here does not exist. Routes of other doors stand here, too, for
//! the frame asks the table about every request that carries a scoped key.

use super::Api;
use super::{cdr, certificate, config, connections, files, health, keys, media_nodes, recordings, restart, sessions, signal, tokens};
use crate::keys::Right;
use axum::Router;
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use std::sync::Arc;

/// One method on one path.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// GET stands for HEAD, too.
    pub method: &'static str,
    /// With `{…}` for segments, as axum writes it.
    pub path: &'static str,
    /// What a key must be allowed to do; `None`: the frame asks for no credentials.
    pub needs: Option<Right>,
    pub names: Names,
    /// `None`: another door serves it.
    serve: Option<fn() -> MethodRouter<Arc<Api>>>,
}

/// The object a request is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Names {
    /// None, or all of a kind.
    Nothing,
    /// `{session}` of the path.
    Session,
    /// A session, by this field of the body.
    SessionInBody(&'static str),
    /// `{connection}` in `{session}`.
    Connection,
    /// `{stream}` in `{session}`.
    Stream,
    /// `{recording}`.
    Recording,
    /// `{file}` of a recording, or a file of the box.
    File,
    /// `{node}`.
    MediaNode,
    /// `{key}`.
    Key,
}

use Names::*;
use Right::*;

/// All of them.
pub const ROUTES: &[Route] = &[
    here("POST", "/openvidu/api/sessions", ChangeSessions, SessionInBody("customSessionId"), || post(sessions::create)),
    here("GET", "/openvidu/api/sessions", SeeSessions, Nothing, || get(sessions::list)),
    here("GET", "/openvidu/api/sessions/{session}", SeeSessions, Session, || get(sessions::one)),
    here("DELETE", "/openvidu/api/sessions/{session}", ChangeSessions, Session, || delete(sessions::close)),
    here("POST", "/openvidu/api/sessions/{session}/connection", ChangeSessions, Session, || post(connections::create)),
    here("GET", "/openvidu/api/sessions/{session}/connection", SeeSessions, Session, || get(connections::list)),
    here("GET", "/openvidu/api/sessions/{session}/connection/{connection}", SeeSessions, Connection, || get(connections::one)),
    here("PATCH", "/openvidu/api/sessions/{session}/connection/{connection}", ChangeSessions, Connection, || patch(connections::change)),
    here("DELETE", "/openvidu/api/sessions/{session}/connection/{connection}", ChangeSessions, Connection, || delete(connections::remove)),
    here("DELETE", "/openvidu/api/sessions/{session}/stream/{stream}", ChangeSessions, Stream, || delete(connections::end_stream)),
    here("POST", "/openvidu/api/tokens", ChangeSessions, SessionInBody("session"), || post(tokens::create)),
    here("POST", "/openvidu/api/signal", ChangeSessions, SessionInBody("session"), || post(signal::send)),
    here("GET", "/openvidu/api/media-nodes", Administer, Nothing, || get(media_nodes::list)),
    here("POST", "/openvidu/api/media-nodes", Administer, Nothing, || post(media_nodes::add)),
    here("PUT", "/openvidu/api/media-nodes", Administer, Nothing, || put(media_nodes::discover)),
    here("GET", "/openvidu/api/media-nodes/{node}", Administer, MediaNode, || get(media_nodes::one)),
    here("PATCH", "/openvidu/api/media-nodes/{node}", Administer, MediaNode, || patch(media_nodes::change)),
    here("DELETE", "/openvidu/api/media-nodes/{node}", Administer, MediaNode, || delete(media_nodes::remove)),
    here("GET", "/openvidu/api/recordings", SeeRecordings, Nothing, || get(recordings::list)),
    here("POST", "/openvidu/api/recordings/start", ChangeRecordings, SessionInBody("session"), || post(recordings::start)),
    here("POST", "/openvidu/api/recordings/stop/{recording}", ChangeRecordings, Recording, || post(recordings::stop)),
    here("GET", "/openvidu/api/recordings/{recording}", SeeRecordings, Recording, || get(recordings::one)),
    here("DELETE", "/openvidu/api/recordings/{recording}", ChangeRecordings, Recording, || delete(recordings::delete)),
    here("GET", "/openvidu/recordings/{recording}/{file}", Download, File, || get(files::film)),
    here("GET", "/openvidu/cdr", Observe, Nothing, || get(cdr::list)),
    here("GET", "/openvidu/cdr/{file}", Observe, File, || get(cdr::one)),
    here("GET", "/openvidu/layouts/{*path}", Observe, File, || get(cdr::layout)),
    here("GET", "/openvidu/api/config", Administer, Nothing, || get(config::all)),
    here("GET", "/openvidu/api/config/openvidu-version", Administer, Nothing, || get(config::version)),
    public("GET", "/openvidu/api/config/openvidu-publicurl", || get(config::public_url)),
    here("GET", "/openvidu/api/config/openvidu-recording", Administer, Nothing, || get(config::recording)),
    here("GET", "/openvidu/api/config/openvidu-recording-path", Administer, Nothing, || get(config::recording_path)),
    here("GET", "/openvidu/api/config/openvidu-cdr", Administer, Nothing, || get(config::cdr)),
    here("POST", "/openvidu/api/restart", Administer, Nothing, || post(restart::restart)),
    here("POST", "/openvidu/api/keys", Administer, Nothing, || post(keys::create)),
    here("GET", "/openvidu/api/keys", Administer, Nothing, || get(keys::list)),
    here("GET", "/openvidu/api/keys/{key}", Administer, Key, || get(keys::one)),
    here("DELETE", "/openvidu/api/keys/{key}", Administer, Key, || delete(keys::revoke)),
    here("GET", "/openvidu/api/health", Health, Nothing, || get(health::health)),
    public("GET", "/openvidu/accept-certificate", || get(certificate::page)),
    elsewhere("GET", "/metrics", Some(Observe), Nothing),
    // these doors look at credentials themselves
    elsewhere("POST", "/whep/{session}/{stream}", Some(Watch), Stream),
    elsewhere("OPTIONS", "/whep/{session}/{stream}", None, Stream),
    elsewhere("DELETE", "/whep/{session}/{stream}/{viewer}", None, Stream),
    elsewhere("GET", "/openvidu", None, Nothing),
];

/// The router of this door, without its frame.
pub fn router() -> Router<Arc<Api>> {
    let served = ROUTES.iter().filter_map(|route| Some((route.path, route.serve?)));
    served.fold(Router::new(), |router, (path, serve)| router.route(path, serve()))
}

type Serve = fn() -> MethodRouter<Arc<Api>>;

const fn here(method: &'static str, path: &'static str, needs: Right, names: Names, serve: Serve) -> Route {
    Route { method, path, needs: Some(needs), names, serve: Some(serve) }
}

const fn public(method: &'static str, path: &'static str, serve: Serve) -> Route {
    Route { method, path, needs: None, names: Nothing, serve: Some(serve) }
}

const fn elsewhere(method: &'static str, path: &'static str, needs: Option<Right>, names: Names) -> Route {
    Route { method, path, needs, names, serve: None }
}
