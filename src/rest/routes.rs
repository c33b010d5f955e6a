//! The one table of the box's routes: method, path, the right a key needs for it, the object it names, and its description.
//!
//! The router of this door is made from it, so a route that is not here does not exist. Routes of other doors stand here, too, for
//! the frame asks the table about every request that carries a scoped key. The API document is made from it (`about`).

use super::{Api, about};
use super::{
    cdr, certificate, config, connections, files, health, keys, media_nodes, recordings, restart, sessions, signal, status, tokens,
};
use crate::keys::Right;
use crate::openapi::Operation;
use axum::Router;
use axum::http::Method;
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
    /// What the API document says of it.
    pub about: fn() -> Operation,
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
#[rustfmt::skip] // a row is a line
pub const ROUTES: &[Route] = &[
    here("POST", "/openvidu/api/sessions", ChangeSessions, SessionInBody("customSessionId"), || post(sessions::create), about::sessions::create),
    here("GET", "/openvidu/api/sessions", SeeSessions, Nothing, || get(sessions::list), about::sessions::list),
    here("GET", "/openvidu/api/sessions/{session}", SeeSessions, Session, || get(sessions::one), about::sessions::one),
    here("DELETE", "/openvidu/api/sessions/{session}", ChangeSessions, Session, || delete(sessions::close), about::sessions::close),
    here("POST", "/openvidu/api/sessions/{session}/connection", ChangeSessions, Session, || post(connections::create), about::connections::create),
    here("GET", "/openvidu/api/sessions/{session}/connection", SeeSessions, Session, || get(connections::list), about::connections::list),
    here("GET", "/openvidu/api/sessions/{session}/connection/{connection}", SeeSessions, Connection, || get(connections::one), about::connections::one),
    here("PATCH", "/openvidu/api/sessions/{session}/connection/{connection}", ChangeSessions, Connection, || patch(connections::change), about::connections::change),
    here("DELETE", "/openvidu/api/sessions/{session}/connection/{connection}", ChangeSessions, Connection, || delete(connections::remove), about::connections::remove),
    here("DELETE", "/openvidu/api/sessions/{session}/stream/{stream}", ChangeSessions, Stream, || delete(connections::end_stream), about::connections::end_stream),
    here("POST", "/openvidu/api/tokens", ChangeSessions, SessionInBody("session"), || post(tokens::create), about::connections::token),
    here("POST", "/openvidu/api/signal", ChangeSessions, SessionInBody("session"), || post(signal::send), about::connections::signal),
    here("GET", "/openvidu/api/media-nodes", Administer, Nothing, || get(media_nodes::list), about::media_nodes::list),
    here("POST", "/openvidu/api/media-nodes", Administer, Nothing, || post(media_nodes::add), about::media_nodes::add),
    here("PUT", "/openvidu/api/media-nodes", Administer, Nothing, || put(media_nodes::discover), about::media_nodes::discover),
    here("GET", "/openvidu/api/media-nodes/{node}", Administer, MediaNode, || get(media_nodes::one), about::media_nodes::one),
    here("PATCH", "/openvidu/api/media-nodes/{node}", Administer, MediaNode, || patch(media_nodes::change), about::media_nodes::change),
    here("DELETE", "/openvidu/api/media-nodes/{node}", Administer, MediaNode, || delete(media_nodes::remove), about::media_nodes::remove),
    here("GET", "/openvidu/api/recordings", SeeRecordings, Nothing, || get(recordings::list), about::recordings::list),
    here("POST", "/openvidu/api/recordings/start", ChangeRecordings, SessionInBody("session"), || post(recordings::start), about::recordings::start),
    here("POST", "/openvidu/api/recordings/stop/{recording}", ChangeRecordings, Recording, || post(recordings::stop), about::recordings::stop),
    here("GET", "/openvidu/api/recordings/{recording}", SeeRecordings, Recording, || get(recordings::one), about::recordings::one),
    here("DELETE", "/openvidu/api/recordings/{recording}", ChangeRecordings, Recording, || delete(recordings::delete), about::recordings::delete),
    here("GET", "/openvidu/recordings/{recording}/{file}", Download, File, || get(files::film), about::recordings::film),
    here("GET", "/openvidu/cdr", Observe, Nothing, || get(cdr::list), about::house::records),
    here("GET", "/openvidu/cdr/{file}", Observe, File, || get(cdr::one), about::house::record),
    here("GET", "/openvidu/layouts/{*path}", Observe, File, || get(cdr::layout), about::house::layout),
    here("GET", "/openvidu/api/config", Administer, Nothing, || get(config::all), about::house::config),
    here("GET", "/openvidu/api/config/openvidu-version", Administer, Nothing, || get(config::version), about::house::version),
    public("GET", "/openvidu/api/config/openvidu-publicurl", || get(config::public_url), about::house::public_url),
    here("GET", "/openvidu/api/config/openvidu-recording", Administer, Nothing, || get(config::recording), about::house::recording),
    here("GET", "/openvidu/api/config/openvidu-recording-path", Administer, Nothing, || get(config::recording_path), about::house::recording_path),
    here("GET", "/openvidu/api/config/openvidu-cdr", Administer, Nothing, || get(config::cdr), about::house::cdr),
    here("POST", "/openvidu/api/restart", Administer, Nothing, || post(restart::restart), about::house::restart),
    here("POST", "/openvidu/api/keys", Administer, Nothing, || post(keys::create), about::keys::create),
    here("GET", "/openvidu/api/keys", Administer, Nothing, || get(keys::list), about::keys::list),
    here("GET", "/openvidu/api/keys/{key}", Administer, Key, || get(keys::one), about::keys::one),
    here("DELETE", "/openvidu/api/keys/{key}", Administer, Key, || delete(keys::revoke), about::keys::revoke),
    here("GET", "/openvidu/api/health", Health, Nothing, || get(health::health), about::house::health),
    here("GET", "/openvidu/api/status", Health, Nothing, || get(status::status), about::house::status),
    public("GET", "/openvidu/api/openapi.json", || get(about::serve), about::house::openapi),
    elsewhere("GET", "/openvidu/api/docs", None, Nothing, about::house::docs),
    public("GET", "/openvidu/accept-certificate", || get(certificate::page), about::house::certificate),
    elsewhere("GET", "/", None, Nothing, about::house::landing),
    elsewhere("GET", "/metrics", Some(Observe), Nothing, about::house::metrics),
    elsewhere("GET", "/openvidu/info", Some(Observe), Nothing, about::watching::feed),
    // these doors look at credentials themselves
    elsewhere("POST", "/whep/{session}/{stream}", Some(Watch), Stream, about::watching::watch),
    elsewhere("OPTIONS", "/whep/{session}/{stream}", None, Stream, about::watching::options),
    elsewhere("DELETE", "/whep/{session}/{stream}/{viewer}", None, Stream, about::watching::unwatch),
    elsewhere("GET", "/openvidu", None, Nothing, about::watching::signaling),
];

/// The router of this door, without its frame.
pub fn router() -> Router<Arc<Api>> {
    let served = ROUTES.iter().filter_map(|route| Some((route.path, route.serve?)));
    served.fold(Router::new(), |router, (path, serve)| router.route(path, serve()))
}

/// The path of a route whose last word may be the id of an object, too: a session, and so its recording, may be called `start`.
const WORD: &str = "/openvidu/api/recordings/start";
/// The same path, written so that the router reads that word as an id (RFC 3986 §6.2.2.2).
const ID: &str = "/openvidu/api/recordings/%73tart";

/// The path by which the router finds the object that is called like a route; `None` for any other request.
pub fn of_object(method: &Method, path: &str) -> Option<&'static str> {
    ([Method::GET, Method::HEAD, Method::DELETE].contains(method) && path == WORD).then_some(ID)
}

/// The path as it was asked for.
pub fn as_asked(path: &str) -> &str {
    if path == ID { WORD } else { path }
}

type Serve = fn() -> MethodRouter<Arc<Api>>;
type About = fn() -> Operation;

const fn here(method: &'static str, path: &'static str, needs: Right, names: Names, serve: Serve, about: About) -> Route {
    Route { method, path, needs: Some(needs), names, serve: Some(serve), about }
}

const fn public(method: &'static str, path: &'static str, serve: Serve, about: About) -> Route {
    Route { method, path, needs: None, names: Nothing, serve: Some(serve), about }
}

const fn elsewhere(method: &'static str, path: &'static str, needs: Option<Right>, names: Names, about: About) -> Route {
    Route { method, path, needs, names, serve: None, about }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Is what `pattern` calls a variable a fixed word in `path`, and all else the same?
    fn hides(path: &str, pattern: &str) -> bool {
        let (words, parts): (Vec<_>, Vec<_>) = (path.split('/').collect(), pattern.split('/').collect());
        let fits = |(word, part): (&&str, &&str)| word == part || (part.starts_with('{') && !part.starts_with("{*"));
        path != pattern && words.len() == parts.len() && words.iter().zip(&parts).all(fits)
    }

    #[test]
    fn no_other_route_hides_objects() {
        let hiding = |route: &&Route| ROUTES.iter().any(|other| hides(route.path, other.path));
        assert_eq!(ROUTES.iter().filter(hiding).map(|route| (route.method, route.path)).collect::<Vec<_>>(), [("POST", WORD)]);
        let hidden: Vec<_> = ROUTES.iter().filter(|route| hides(WORD, route.path)).map(|route| route.method).collect();
        assert_eq!(hidden, ["GET", "DELETE"]);
        for (method, there) in [("GET", true), ("HEAD", true), ("DELETE", true), ("POST", false), ("OPTIONS", false), ("PUT", false)] {
            let method: Method = method.parse().unwrap();
            assert_eq!(of_object(&method, WORD).map(as_asked), there.then_some(WORD), "{method}");
            assert_eq!(of_object(&method, "/openvidu/api/recordings/starts"), None);
        }
    }
}
