//! `/openvidu/api/media-nodes` (rest.md §14): the nodes, their lives, and what each carries.

use super::body::Fields;
use super::error::Failure;
use super::legacy::Era;
use super::query::{flag, text};
use super::render::{self, Secrets, View};
use super::{Api, session_body};
use crate::cluster::{Error, Node, Status, Strategy, resident_kib};
use crate::config::Edition;
use crate::ids::MediaNodeId;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What a client wants to know beyond the node itself.
#[derive(Clone, Copy)]
struct Extras {
    sessions: bool,
    recordings: bool,
    info: bool,
}

/// GET: 200 with every node.
pub async fn list(State(api): State<Arc<Api>>, era: Era, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    must_be_offered(&api)?;
    let extras = Extras::of(query.as_deref())?;
    Ok(render::ok(&render::list(api.registry.cluster().nodes().iter().map(|node| json(node, extras, era, &api)).collect())))
}

/// GET of one: 200, 404 unknown.
pub async fn one(State(api): State<Arc<Api>>, era: Era, Path(id): Path<String>, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    must_be_offered(&api)?;
    let extras = Extras::of(query.as_deref())?;
    let node = api.registry.cluster().node(&id.into())?;
    Ok(render::ok(&json(&node, extras, era, &api)))
}

/// POST: 200 with the new node, 400 a bad body, 404 nobody there that may join, 409 it is known, 501 without `uri`: nothing can be
/// launched here.
pub async fn add(State(api): State<Arc<Api>>, era: Era, RawQuery(query): RawQuery, request: Request) -> Result<Response, Failure> {
    must_be_offered(&api)?;
    flag(query.as_deref(), "wait", false)?;
    let fields = Fields::read(request).await?.unwrap_or_default();
    let (uri, environment_id) = (fields.string("uri")?, fields.string("environmentId")?.map(str::to_owned));
    let uri = uri.ok_or_else(|| {
        let why = "\"uri\" parameter is mandatory: media nodes cannot be launched on premises, only added";
        Failure::own(StatusCode::NOT_IMPLEMENTED, why)
    })?;
    let node = api.registry.cluster().add(uri, environment_id).await?;
    Ok(render::ok(&json(&node, Extras::NONE, era, &api)))
}

/// PUT: 200 with the nodes that were found and added.
pub async fn discover(State(api): State<Arc<Api>>, era: Era) -> Result<Response, Failure> {
    must_be_offered(&api)?;
    Ok(render::ok(&render::list(api.registry.cluster().discover().iter().map(|node| json(node, Extras::NONE, era, &api)).collect())))
}

/// PATCH: 200 with the node as it is then, 204 it has that status, 404 unknown, 400 a bad body or a status it cannot get now.
pub async fn change(State(api): State<Arc<Api>>, era: Era, Path(id): Path<String>, request: Request) -> Result<Response, Failure> {
    must_be_offered(&api)?;
    let fields = Fields::require(request).await?;
    let id = api.registry.cluster().node(&id.into())?.id;
    let word = fields.string("status")?.ok_or_else(|| Failure::bad("\"status\" parameter is mandatory"))?;
    let status = Status::parse(word).ok_or_else(|| {
        let words = Status::ALL.map(Status::as_str).join(", ");
        Failure::bad(format!("Parameter 'status' {word} is not defined: it must be one of {words}"))
    })?;
    match api.registry.change_node(&id, status)? {
        Some(node) => Ok(render::ok(&json(&node, Extras::NONE, era, &api))),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// DELETE: 204 when it is gone (or, with `now` and without `wait`, about to be), 202 when it waits for its last session, 404 unknown,
/// 409 it has sessions, 400 an unknown `deletion-strategy`.
pub async fn remove(State(api): State<Arc<Api>>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Result<StatusCode, Failure> {
    must_be_offered(&api)?;
    let wait = flag(query.as_deref(), "wait", false)?;
    let strategy = match text(query.as_deref(), "deletion-strategy") {
        None => Strategy::default(),
        Some(word) => Strategy::parse(&word).ok_or_else(|| {
            Failure::bad(format!("Parameter 'deletion-strategy' {word} is not defined: it must be if-no-sessions, when-no-sessions or now"))
        })?,
    };
    let id = MediaNodeId::from(id);
    let node = api.registry.remove_node(&id, strategy)?;
    if wait {
        api.registry.cluster().ended(&id).await;
        if let Ok(node) = api.registry.cluster().node(&id) {
            // somebody changed their mind meanwhile
            return Err(Error::NotIdle { node: node.id, sessions: node.hosted }.into());
        }
    }
    Ok(if node.status == Status::WaitingIdleToTerminate && !wait { StatusCode::ACCEPTED } else { StatusCode::NO_CONTENT })
}

/// A node that a request names must be one that takes sessions, where nodes are offered. Errors: 400.
pub fn must_exist(id: Option<&MediaNodeId>, api: &Api) -> Result<(), Failure> {
    let Some(id) = id else { return Ok(()) };
    let node = api.registry.cluster().node(id).map_err(|error| Failure::bad(format!("Parameter 'mediaNode' is wrong. {error}")))?;
    if node.takes_sessions() {
        return Ok(());
    }
    Err(Failure::bad(format!("Parameter 'mediaNode' is wrong. Media node {id} takes no sessions: its status is {}", node.status)))
}

/// The node that POST recordings/start names must exist. Errors: 400.
pub fn of_recording_must_exist(fields: &Fields, api: &Api) -> Result<(), Failure> {
    if api.config.edition == Edition::Ce {
        return Ok(());
    }
    session_body::media_node(fields).and_then(|node| must_exist(node.as_ref(), api))
}

/// Errors: 404 in the community edition, 501 with `OPENVIDU_PRO_CLUSTER=false`.
fn must_be_offered(api: &Api) -> Result<(), Failure> {
    if api.config.edition == Edition::Ce {
        let why = "there are no media nodes in this edition (OPENVIDU_EDITION=ce)";
        return Err(Failure::framework(StatusCode::NOT_FOUND, why));
    }
    if !api.config.media_nodes {
        let why = "media nodes are not offered: OPENVIDU_PRO_CLUSTER is false";
        return Err(Failure::own(StatusCode::NOT_IMPLEMENTED, why));
    }
    Ok(())
}

impl Extras {
    const NONE: Extras = Extras { sessions: false, recordings: false, info: false };

    /// The flags of a query; `load` of 2.13 is checked and changes nothing, for the load is always told. Errors: 400.
    fn of(query: Option<&str>) -> Result<Extras, Failure> {
        let flag = |name| flag(query, name, false);
        flag("load")?;
        Ok(Extras { sessions: flag("sessions")?, recordings: flag("recordings")?, info: flag("extra-info")? })
    }
}

fn json(node: &Node, extras: Extras, era: Era, api: &Api) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.into(), value);
    put("id", json!(node.id.as_str()));
    put("object", json!("mediaNode"));
    put("environmentId", json!(node.environment_id));
    put("ip", json!(node.ip));
    put("uri", json!(node.uri));
    put("launchingTime", json!(node.launching_time));
    put("connected", json!(node.is_connected()));
    put("connectionTime", json!(node.connection_time));
    put("load", json!(api.registry.cluster().load(node)));
    put("status", json!(node.status.as_str()));
    if extras.sessions {
        put("sessions", sessions(node, era, api));
    }
    if extras.recordings {
        put("recordingIds", recordings(api));
    }
    if extras.info && node.is_connected() {
        put("kurentoInfo", info());
    }
    object.into()
}

fn sessions(node: &Node, era: Era, api: &Api) -> Value {
    let snapshots = api.registry.all().into_iter().map(|session| session.snapshot());
    let hosted = snapshots.filter(|snapshot| snapshot.media_node.as_ref() == Some(&node.id));
    hosted.map(|snapshot| render::session(&snapshot, View { secrets: Secrets::All, ..View::new(&api.config, era) })).collect()
}

/// What is being recorded; all of it on this box.
fn recordings(api: &Api) -> Value {
    let list = api.recordings.as_ref().map(|recordings| recordings.library().list()).unwrap_or_default();
    list.iter().filter(|recording| !recording.status.is_final()).map(|recording| json!(recording.id.as_str())).collect()
}

/// The media stack of this box in the shape of the original's.
fn info() -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let factories = ["WebRtcEndpoint", "PlayerEndpoint", "RecorderEndpoint"];
    json!({
        "memory": resident_kib(),
        "version": version,
        "capabilities": ["transactions"],
        "modules": [{ "name": "viduct", "version": version, "factories": factories }],
    })
}
