//! Keys: made, listed, revoked; and the matrix of every scope × every route × what is its own, foreign or absent.
//!
//! What is expected comes from [`RULE`], written down here a second time, and from the answers that the owner of the API secret gets in
//! a twin of the same box: a key may do a thing as the owner does it, or hears what the owner hears of things that never were.

use super::*;
use crate::keys::Wish;
use crate::rest::routes::{ROUTES, Route};
use axum::routing::get;
use std::collections::BTreeSet;

const KEYS: &str = "/openvidu/api/keys";
const SESSIONS: &str = "/openvidu/api/sessions";
/// Nobody but the owner and who wrote it may read it.
const PASSWORD: &str = "hunter2";

/// Method, path, and for each of [`SCOPES`]: `y` may, `o` may where it is its own, `.` may not. `p`: nobody is asked who they are.
const RULE: &[(&str, &str, &str)] = &[
    ("POST", "/openvidu/api/sessions", "y.o."),
    ("GET", "/openvidu/api/sessions", "yyo."),
    ("GET", "/openvidu/api/sessions/{session}", "yyo."),
    ("DELETE", "/openvidu/api/sessions/{session}", "y.o."),
    ("POST", "/openvidu/api/sessions/{session}/connection", "y.o."),
    ("GET", "/openvidu/api/sessions/{session}/connection", "yyo."),
    ("GET", "/openvidu/api/sessions/{session}/connection/{connection}", "yyo."),
    ("PATCH", "/openvidu/api/sessions/{session}/connection/{connection}", "y.o."),
    ("DELETE", "/openvidu/api/sessions/{session}/connection/{connection}", "y.o."),
    ("DELETE", "/openvidu/api/sessions/{session}/stream/{stream}", "y.o."),
    ("POST", "/openvidu/api/tokens", "y.o."),
    ("POST", "/openvidu/api/signal", "y.o."),
    ("GET", "/openvidu/api/recordings", "yyoy"),
    ("POST", "/openvidu/api/recordings/start", "y.oy"),
    ("POST", "/openvidu/api/recordings/stop/{recording}", "y.oy"),
    ("GET", "/openvidu/api/recordings/{recording}", "yyoy"),
    ("DELETE", "/openvidu/api/recordings/{recording}", "y.oy"),
    ("GET", "/openvidu/recordings/{recording}/{file}", "y.oy"),
    ("GET", "/openvidu/api/media-nodes", "y..."),
    ("POST", "/openvidu/api/media-nodes", "y..."),
    ("PUT", "/openvidu/api/media-nodes", "y..."),
    ("GET", "/openvidu/api/media-nodes/{node}", "y..."),
    ("PATCH", "/openvidu/api/media-nodes/{node}", "y..."),
    ("DELETE", "/openvidu/api/media-nodes/{node}", "y..."),
    ("GET", "/openvidu/api/config", "y..."),
    ("GET", "/openvidu/api/config/openvidu-version", "y..."),
    ("GET", "/openvidu/api/config/openvidu-recording", "y..."),
    ("GET", "/openvidu/api/config/openvidu-recording-path", "y..."),
    ("GET", "/openvidu/api/config/openvidu-cdr", "y..."),
    ("POST", "/openvidu/api/restart", "y..."),
    ("POST", "/openvidu/api/keys", "y..."),
    ("GET", "/openvidu/api/keys", "y..."),
    ("GET", "/openvidu/api/keys/{key}", "y..."),
    ("DELETE", "/openvidu/api/keys/{key}", "y..."),
    ("GET", "/openvidu/api/health", "yyyy"),
    ("GET", "/openvidu/api/status", "yyyy"),
    ("GET", "/metrics", "yy.."),
    ("GET", "/openvidu/info", "yy.."),
    ("GET", "/openvidu/cdr", "yy.."),
    ("GET", "/openvidu/cdr/{file}", "yy.."),
    ("GET", "/openvidu/layouts/{*path}", "yy.."),
    ("GET", "/openvidu/api/config/openvidu-publicurl", "pppp"),
    ("GET", "/openvidu/api/openapi.json", "pppp"),
    ("GET", "/openvidu/api/docs", "pppp"),
    ("GET", "/openvidu/accept-certificate", "pppp"),
    ("GET", "/openvidu", "pppp"),
    ("GET", "/", "pppp"),
    ("OPTIONS", "/whep/{session}/{stream}", "pppp"),
    ("DELETE", "/whep/{session}/{stream}/{viewer}", "pppp"),
    ("POST", "/whep/{session}/{stream}", "y.o."),
];
const SCOPES: [&str; 4] = ["everything", "read-only", "session:own", "recordings"];
/// Served by other doors, which are not in this bench; the tests of those doors try them.
const ELSEWHERE: [&str; 3] = ["/whep/", "/openvidu", "/openvidu/info"];

/// A box with two sessions, `own` and `foreign`, alike: a camera, a connection nobody has used, a finished recording.
struct World {
    bench: Bench,
    /// The connection and the stream in each session.
    ids: BTreeMap<&'static str, (String, String)>,
    node: String,
    /// What no scoped key may read.
    secrets: Vec<String>,
    /// The headers of keys, by scope.
    askers: BTreeMap<&'static str, String>,
}

/// What was recorded of both sessions.
#[derive(Clone, Copy, PartialEq)]
enum Recorded {
    Nothing,
    /// One recording, finished.
    Once,
    /// The same, and another that goes on.
    Twice,
}

impl World {
    /// With keys of these scopes, called as these but with `-`, and one `spare`.
    async fn new(recorded: Recorded, scopes: &[&'static str]) -> World {
        let mut bench = Bench::new();
        // other doors behind the same frame
        let page = get(|| async { axum::response::Html("<p>for people</p>") });
        let pages = Router::new().route("/", page.clone()).route("/openvidu/api/docs", page);
        let others = pages.route("/metrics", get(|| async { "measured" }));
        bench.app = frame(routes(bench.api.clone()).merge(others), bench.api.clone());
        let (mut ids, mut secrets) = (BTreeMap::new(), vec![PASSWORD.to_owned()]);
        for session in ["own", "foreign"] {
            assert_eq!(bench.ask("POST", SESSIONS, json!({ "customSessionId": session })).await.status, 200);
            let path = format!("{SESSIONS}/{session}/connection");
            let camera = json!({"type": "IPCAM", "rtspUri": format!("rtsp://admin:{PASSWORD}@192.0.2.9/live?password={PASSWORD}")});
            let camera = bench.ask("POST", &path, camera).await.json();
            let pending = bench.ask("POST", &path, json!({})).await.json();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            ids.insert(session, (text(&pending["id"]), text(&camera["publishers"][0]["streamId"])));
            secrets.push(text(&pending["token"]).split("token=").nth(1).unwrap().to_owned());
            let start = || async {
                let started = bench.ask("POST", "/openvidu/api/recordings/start", json!({ "session": session })).await;
                assert_eq!(started.status, 200, "{}", started.text);
            };
            if recorded != Recorded::Nothing {
                start().await;
                assert_eq!(bench.ask("POST", &format!("/openvidu/api/recordings/stop/{session}"), None).await.status, 200);
            }
            if recorded == Recorded::Twice {
                start().await;
            }
        }
        let nodes = bench.ask("GET", "/openvidu/api/media-nodes", None).await.json();
        let node = nodes["content"][0]["id"].as_str().unwrap().to_owned();
        let mut world = World { bench, ids, node, secrets, askers: BTreeMap::new() };
        world.askers = scopes.iter().map(|scope| (*scope, world.key(&scope.replace(':', "-"), scope))).collect();
        world.key("spare", "recordings");
        world
    }

    /// Makes a key; gives the header that presents it.
    fn key(&self, name: &str, scope: &str) -> String {
        let wish = Wish { name: name.into(), scope: scope.parse().unwrap(), expires_at: None };
        format!("Bearer {}", self.bench.api.keyring.file().create(wish, 0).unwrap().1)
    }

    async fn ask_as(&self, authorization: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !authorization.is_empty() {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        self.bench.send(request.body(Body::from(body.map(|body| body.to_string()).unwrap_or_default())).unwrap()).await
    }

    /// The request of `route` about what belongs to `session`, in the way of `era`.
    async fn ask_for(&self, authorization: &str, route: &Route, session: &str, era: fn(&str) -> String) -> Answer {
        // to what is absent belongs nothing: the ids are those of what is foreign
        let (connection, stream) = &self.ids[if session == "own" { "own" } else { "foreign" }];
        let recording = if route.path.contains("/stop/") { format!("{session}~1") } else { session.to_owned() };
        let path = route.path.replace("{session}", session).replace("{connection}", connection).replace("{stream}", stream);
        let path = path.replace("{recording}", &recording).replace("{node}", &self.node).replace("{key}", "spare");
        let path = path.replace("{file}", &format!("{session}.mp4")).replace("{*path}", "a/b.html");
        self.ask_as(authorization, route.method, &era(&path), body(route, session)).await
    }

    /// All there is, as the owner sees it.
    async fn all(&self) -> [String; 3] {
        let paths = ["/openvidu/api/sessions?pendingConnections=true", "/openvidu/api/recordings", KEYS];
        let mut seen = paths.map(str::to_owned);
        for text in &mut seen {
            *text = self.bench.ask("GET", text, None).await.text;
        }
        seen
    }
}

fn body(route: &Route, session: &str) -> Option<Value> {
    let path = route.path.trim_start_matches("/openvidu/api/");
    match (route.method, path) {
        ("POST", "sessions") => Some(json!({ "customSessionId": session })),
        ("POST", "sessions/{session}/connection") => Some(json!({"role": "SUBSCRIBER"})),
        ("PATCH", "sessions/{session}/connection/{connection}") => Some(json!({"role": "SUBSCRIBER"})),
        ("POST", "tokens" | "recordings/start") => Some(json!({ "session": session })),
        ("POST", "signal") => Some(json!({"session": session, "type": "x"})),
        ("POST", "media-nodes" | "restart") => Some(json!({})),
        ("PATCH", "media-nodes/{node}") => Some(json!({"status": "running"})),
        ("POST", "keys") => Some(json!({"name": "new", "scope": "recordings"})),
        _ => None,
    }
}

fn modern(path: &str) -> String {
    path.to_owned()
}

fn legacy(path: &str) -> String {
    match path.strip_prefix("/openvidu/api/media-nodes") {
        Some(rest) => format!("/pro/media-nodes{rest}"),
        None => path.strip_prefix("/openvidu").unwrap_or(path).replace("/layouts/", "/layouts/custom/"),
    }
}

/// Status and body without what differs from one asking to the next; `object` is called OBJECT.
fn normal(answer: &Answer, object: &str) -> (u16, String) {
    let mut body = serde_json::from_str(&answer.text).unwrap_or(Value::Null);
    if let Some(body) = body.as_object_mut() {
        body.remove("timestamp");
    }
    (answer.status, body.to_string().replace(object, "OBJECT"))
}

/// Status, and which keys a body has.
fn shape(answer: &Answer) -> (u16, Vec<String>) {
    let body = serde_json::from_str(&answer.text).unwrap_or(Value::Null);
    (answer.status, body.as_object().map(|body| body.keys().cloned().collect()).unwrap_or_default())
}

#[test]
fn every_route_has_its_rule() {
    let ruled: BTreeSet<_> = RULE.iter().map(|(method, path, _)| (*method, *path)).collect();
    let routed: BTreeSet<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    assert_eq!(ruled, routed, "the table of routes and the rule of this test name the same routes");
    assert_eq!((ruled.len(), routed.len()), (RULE.len(), ROUTES.len()), "none is named twice");
    for (method, path, rule) in RULE {
        let public = ROUTES.iter().any(|route| (route.method, route.path) == (*method, *path) && route.needs.is_none());
        assert_eq!(public, *rule == "pppp", "{method} {path}");
    }
}

/// The matrix. Each request that may change something has a world and a twin of its own, so of these only what tells something new
/// is asked: to a key to everything all is its own, and the old paths lead to the same handlers. All others share two worlds.
#[tokio::test]
async fn nobody_reaches_what_is_not_theirs() {
    let (still, recorded) = (World::new(Recorded::Once, &SCOPES).await, World::new(Recorded::Twice, &SCOPES).await);
    let mut asked = 0;
    for (method, path, rule) in RULE.iter().filter(|(_, path, _)| !path.starts_with(ELSEWHERE[0]) && !ELSEWHERE[1..].contains(path)) {
        let route = ROUTES.iter().find(|route| (route.method, route.path) == (*method, *path)).unwrap();
        let shared = if path.contains("/stop/") { &recorded } else { &still };
        for (scope, may) in SCOPES.into_iter().zip(rule.chars()) {
            for object in ["own", "foreign", "nowhere"] {
                for era in [modern, legacy] {
                    asked += check(route, shared, scope, may, object, era).await;
                }
            }
        }
    }
    println!("{asked} requests of keys");
}

/// Asks once, if it tells something new; gives how often it asked.
async fn check(route: &Route, shared: &World, scope: &'static str, may: char, object: &str, era: fn(&str) -> String) -> usize {
    let what = format!("{} {} of {object} by {scope}", route.method, era(route.path));
    let names_one =
        route.path.contains("{session}") || route.path.contains("{recording}") || matches!(route.names, Names::SessionInBody(_));
    let reached = may == 'y' || (may == 'o' && (object == "own" || !names_one));
    let changes = reached && route.method != "GET";
    if changes && (era(route.path) != route.path || (scope == "everything" && object != "own")) {
        return 0;
    }
    let recorded = match route.path {
        path if path.contains("/stop/") => Recorded::Twice,
        path if path.contains("/recordings") => Recorded::Once,
        _ => Recorded::Nothing,
    };
    let fresh = if changes { Some((World::new(recorded, &[scope]).await, World::new(recorded, &[]).await)) } else { None };
    let (world, twin) = fresh.as_ref().map_or((shared, shared), |(world, twin)| (world, twin));
    let (owner, asker) = (basic("MY_SECRET"), &world.askers[scope]);
    let refused = !reached && route.method != "GET";
    let before = if refused { Some(world.all().await) } else { None };
    let answer = world.ask_for(asker, route, object, era).await;
    if may == 'p' {
        assert_eq!(answer.status, 200, "{what}");
        assert_eq!(world.ask_for("", route, object, era).await.text, answer.text, "{what}");
    } else if reached {
        let expected = twin.ask_for(&owner, route, object, era).await;
        assert_eq!(shape(&answer), shape(&expected), "{what}: {}", answer.text);
        assert!(![401, 403].contains(&answer.status), "{what}: {}", answer.text);
        if may == 'o' {
            assert!(!answer.text.contains("foreign"), "{what}: {}", answer.text);
        }
    } else if may == 'o' && (route.method, route.path) != ("POST", SESSIONS) {
        let absent = twin.ask_for(&owner, route, "nowhere", era).await;
        assert!(absent.status >= 400, "{what}: it is there");
        assert_eq!(normal(&answer, object), normal(&absent, "nowhere"), "{what}");
    } else {
        assert_eq!(answer.status, 403, "{what}: {}", answer.text);
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains(&format!("{} has scope {scope}", scope.replace(':', "-"))) && message.contains("everything"),
            "{what}: {message}"
        );
    }
    if let Some(before) = before {
        assert_eq!(world.all().await.map(without_keys), before.map(without_keys), "{what}: something changed");
    }
    if scope != "everything" {
        let found = world.secrets.iter().find(|secret| answer.text.contains(*secret));
        assert_eq!(found, None, "{what}: {}", answer.text);
    }
    assert!(!answer.text.contains(&asker["Bearer ".len()..]), "{what}: a key is told once");
    1
}

/// The list of keys without days of use.
fn without_keys(text: String) -> String {
    let mut value: Value = serde_json::from_str(&text).unwrap();
    for key in value["content"].as_array_mut().into_iter().flatten().filter(|entry| entry["object"] == "key") {
        key["lastUsedAt"] = Value::Null;
    }
    value.to_string()
}

#[tokio::test]
async fn a_route_that_is_not_in_the_table_does_not_exist_for_scoped_keys() {
    let mut world = World::new(Recorded::Once, &[]).await;
    let stray = Router::new().route("/openvidu/api/stray", get(|| async { "found" }));
    world.bench.app = frame(routes(world.bench.api.clone()).merge(stray), world.bench.api.clone());
    for (scope, status) in [("everything", 200), ("read-only", 404), ("session:own", 404), ("recordings", 404)] {
        let key = world.key(&scope.replace(':', "-"), scope);
        for method in ["GET", "HEAD"] {
            assert_eq!(world.ask_as(&key, method, "/openvidu/api/stray", None).await.status, status, "{method} {scope}");
        }
        assert_eq!(world.ask_as(&key, "GET", "/openvidu/api/nothing", None).await.status, 404);
        assert_eq!(world.ask_as(&key, "DELETE", SESSIONS, None).await.status, 405);
    }
}

#[tokio::test]
async fn lists_hold_what_a_key_may_see() {
    let world = World::new(Recorded::Once, &[]).await;
    let own = world.key("own", "session:own");
    let sessions = world.ask_as(&own, "GET", SESSIONS, None).await.json();
    assert_eq!((&sessions["numberOfElements"], &sessions["content"][0]["id"]), (&json!(1), &json!("own")));
    let recordings = world.ask_as(&own, "GET", "/openvidu/api/recordings", None).await.json();
    assert_eq!((&recordings["count"], &recordings["items"][0]["id"]), (&json!(1), &json!("own")));
    for scope in ["read-only", "recordings"] {
        let key = world.key(scope, scope);
        assert_eq!(world.ask_as(&key, "GET", "/openvidu/api/recordings", None).await.json()["count"], 2, "{scope}");
    }
    let nobody = world.key("nobody", "session:nowhere");
    assert_eq!(world.ask_as(&nobody, "GET", SESSIONS, None).await.json()["numberOfElements"], 0);
}

#[tokio::test]
async fn a_session_s_key_makes_that_session_and_gets_its_tokens_once() {
    let world = World::new(Recorded::Once, &[]).await;
    let key = world.key("new", "session:new");
    assert_eq!(world.ask_as(&key, "GET", &format!("{SESSIONS}/new"), None).await.status, 404);
    for body in [None, Some(json!({})), Some(json!({"customSessionId": "other"})), Some(json!({"customSessionId": "own"}))] {
        let refused = world.ask_as(&key, "POST", SESSIONS, body.clone()).await;
        assert_eq!(refused.status, 403, "{body:?}");
        assert!(refused.text.contains("customSessionId new"), "{}", refused.text);
    }
    assert_eq!(world.ask_as(&key, "POST", SESSIONS, Some(json!({"customSessionId": "new"}))).await.status, 200);
    for (path, body) in [(format!("{SESSIONS}/new/connection"), json!({})), ("/openvidu/api/tokens".to_owned(), json!({"session": "new"}))]
    {
        let token = world.ask_as(&key, "POST", &path, Some(body)).await.json()["token"].as_str().unwrap().to_owned();
        assert!(token.contains("&token=tok_"), "{token}");
        let seen = world.ask_as(&key, "GET", &format!("{SESSIONS}/new/connection"), None).await;
        assert!(!seen.text.contains(&token) && seen.text.contains("&token=***"), "{}", seen.text);
        assert!(world.bench.ask("GET", &format!("{SESSIONS}/new/connection"), None).await.text.contains(&token));
    }
    // what is foreign is not reached through the own session either
    let path = format!("{SESSIONS}/new/connection/{}", world.ids["foreign"].0);
    assert_eq!(world.ask_as(&key, "DELETE", &path, None).await.status, 404);
}

#[tokio::test]
async fn only_a_key_to_everything_reads_passwords() {
    let world = World::new(Recorded::Once, &[]).await;
    let (all, some) = (world.key("all", "everything"), world.key("some", "read-only"));
    for path in [format!("{SESSIONS}?webRtcStats=true"), format!("{SESSIONS}/own"), format!("{SESSIONS}/own/connection")] {
        let (shown, hidden) = (world.ask_as(&all, "GET", &path, None).await.text, world.ask_as(&some, "GET", &path, None).await.text);
        assert!(shown.contains(&format!("rtsp://admin:{PASSWORD}@192.0.2.9/live?password={PASSWORD}")), "{path}: {shown}");
        assert!(hidden.contains("\"rtspUri\":\"rtsp://admin:***@192.0.2.9/live\"") && !hidden.contains(PASSWORD), "{path}: {hidden}");
    }
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked() {
    let bench = Bench::new();
    let none = bench.ask("GET", KEYS, None).await;
    assert_eq!((none.status, none.json()), (200, json!({"numberOfElements": 0, "content": []})));
    let end = Clock::System.unix_ms() + 3_600_000;
    let made = bench.ask("POST", KEYS, json!({"name": "gate", "scope": "session:S", "expiresAt": end})).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let mut made = made.json();
    let names: Vec<&str> = made.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["name", "object", "scope", "createdAt", "lastUsedAt", "expiresAt", "key"]);
    let secret = made.as_object_mut().unwrap().remove("key").unwrap().as_str().unwrap().to_owned();
    assert_eq!((&made["scope"], &made["expiresAt"], &made["lastUsedAt"]), (&json!("session:S"), &json!(end), &json!(null)));
    assert_eq!(bench.ask("GET", KEYS, None).await.json(), json!({"numberOfElements": 1, "content": [made]}));
    assert_eq!(bench.ask("GET", &format!("{KEYS}/gate"), None).await.json(), made);
    assert!(!bench.ask("GET", KEYS, None).await.text.contains(&secret));

    // as client libraries of OpenVidu send it
    let ask = |path: &'static str| Request::get(path).header(header::AUTHORIZATION, basic(&secret)).body(Body::empty()).unwrap();
    assert_eq!(bench.send(ask(SESSIONS)).await.status, 200);
    assert_eq!(bench.send(ask(KEYS)).await.status, 403);
    assert!(bench.ask("GET", &format!("{KEYS}/gate"), None).await.json()["lastUsedAt"].is_u64());
    assert_eq!(bench.ask("DELETE", &format!("{KEYS}/gate"), None).await.status, 204);
    assert_eq!(bench.send(ask(SESSIONS)).await.status, 401);
    for method in ["GET", "DELETE"] {
        assert_eq!(bench.ask(method, &format!("{KEYS}/gate"), None).await.status, 404);
    }
}

#[tokio::test]
async fn bad_keys_are_refused_by_name() {
    let bench = Bench::new();
    let good = json!({"name": "a", "scope": "recordings", "expiresAt": null});
    assert_eq!(bench.ask("POST", KEYS, good.clone()).await.status, 200);
    assert_eq!(bench.ask("POST", KEYS, None).await.status, 400);
    for (body, status, message) in [
        (good, 409, "a key a exists already"),
        (json!({"scope": "recordings"}), 400, "\"name\" parameter is mandatory"),
        (json!({"name": "b"}), 400, "\"scope\" parameter is mandatory"),
        (json!({"name": 5, "scope": "recordings"}), 400, "'name' must be a string"),
        (json!({"name": "b", "scope": ["recordings"]}), 400, "'scope' must be a string"),
        (json!({"name": "b", "scope": "admin"}), 400, "one of everything, read-only, session:<id>, recordings"),
        (json!({"name": "b", "scope": "session:"}), 400, "one of everything"),
        (json!({"name": "OPENVIDUAPP", "scope": "recordings"}), 400, "not OPENVIDUAPP"),
        (json!({"name": "a b", "scope": "recordings"}), 400, "a key's name"),
        (json!({"name": "b", "scope": "recordings", "expiresAt": "x"}), 400, "'expiresAt'"),
        (json!({"name": "b", "scope": "recordings", "expiresAt": 1000}), 400, "future"),
        (json!({"name": "b", "scope": "recordings", "expiresAt": -1}), 400, "future"),
    ] {
        let answer = bench.ask("POST", KEYS, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert!(answer.json()["message"].as_str().unwrap().contains(message), "{body}: {}", answer.text);
    }
    assert_eq!(bench.ask("GET", KEYS, None).await.json()["numberOfElements"], 1);
}

#[tokio::test]
async fn films_that_are_public_need_no_key_and_no_scope() {
    let world = World::new(Recorded::Once, &[]).await;
    let mut api = (*world.bench.api).clone();
    let mut config = (*api.config).clone();
    config.recording.as_mut().unwrap().public_access = true;
    api.config = Arc::new(config);
    let api = Arc::new(api);
    let bench = Bench { app: frame(routes(api.clone()), api.clone()), ..world.bench };
    for request in [
        Request::get("/openvidu/recordings/foreign/foreign.mp4"),
        Request::get("/openvidu/recordings/foreign/foreign.mp4").header(header::AUTHORIZATION, "Bearer vk_wrong"),
    ] {
        let response: Response = bench.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}
