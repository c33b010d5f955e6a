//! The whole door in process: a real router over real sessions, with a media thread that only answers signs of life.

use super::*;
use crate::config::{Sources, load};
use crate::guard::Lockout;
use crate::ids::SessionKey;
use crate::jobs;
use crate::keys::KeyFile;
use crate::recording::played::Composers;
use crate::recording::{Library, Teller};
use crate::session::Settings;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tower::ServiceExt;

mod document;
mod errors;
mod golden;
mod keys;
mod legacy;
mod media_nodes;
mod recordings;
mod requests;
mod restart;

/// A box without media.
struct Bench {
    app: Router,
    api: Arc<Api>,
    composers: Arc<Mutex<Composers>>,
    /// What POST restart asked for.
    restarts: Arc<Mutex<Vec<crate::rest::restart::Changes>>>,
    /// Of the recordings.
    folder: TempDir,
    /// Of the keys.
    _state: TempDir,
}

/// Plays the supervisor: composers compose, cameras never come.
async fn play(mut commands: mpsc::Receiver<jobs::Command>, composers: Arc<Mutex<Composers>>, recordings: Option<Recordings>) {
    while let Some(command) = commands.recv().await {
        let job = match &command {
            jobs::Command::Start { job, .. } | jobs::Command::Tell { job, .. } | jobs::Command::Stop { job } => *job,
        };
        let Some(recordings) = recordings.as_ref().filter(|_| job.session() == SessionKey::RECORDINGS) else { continue };
        let events = composers.lock().unwrap().on(command);
        for event in events {
            recordings.hear(event).await;
        }
    }
}

/// An answer: status, headers, body.
struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn content_type(&self) -> &str {
        self.headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap())
    }
}

impl Bench {
    /// `--demo` with further properties; a media thread that is dead when `alive` is false.
    fn with(properties: &[(&str, &str)], alive: bool) -> Bench {
        let env: BTreeMap<_, _> = properties.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let config = load(&Sources { demo: true, ..Sources::of(&env) }).unwrap().config;
        let (engine, commands, _) = engine::Handle::channel().unwrap();
        if alive {
            std::thread::spawn(move || {
                while let Ok(command) = commands.recv() {
                    match command {
                        engine::Command::Stats { reply } => drop(reply.send(engine::api::Stats::default())),
                        engine::Command::Report { reply, .. } => drop(reply.send(Default::default())),
                        _ => {}
                    }
                }
            });
        }
        let (jobs, jobs_commands) = crate::jobs::Handle::channel();
        let folder = tempfile::tempdir().unwrap();
        let recordings = config.recording.as_ref().map(|_| {
            let library = Library::open(folder.path(), config.public_url()).unwrap();
            Recordings::new(library, engine.clone(), jobs.clone(), Teller::default(), Clock::System)
        });
        let registry = Registry::new(Settings::default(), engine.clone(), jobs, recordings.clone(), Clock::System);
        let composers = Arc::new(Mutex::new(Composers::default()));
        tokio::spawn(play(jobs_commands, composers.clone(), recordings.clone()));
        let state = tempfile::tempdir().unwrap();
        let keyring =
            Keyring::new(config.secret.clone().unwrap(), Lockout::new(Clock::System), KeyFile::in_state(state.path()), Clock::System);
        let (restart, mut requests) = mpsc::channel(1);
        let restarts = Arc::<Mutex<Vec<_>>>::default();
        let seen = restarts.clone();
        tokio::spawn(async move {
            while let Some(crate::rest::restart::Request { changes, answer }) = requests.recv().await {
                seen.lock().unwrap().push(changes);
                let _ = answer.send(Ok(()));
            }
        });
        let life = status::Life { since: 1_600_000_000_000, restarts: 2, last_restart: Some(1_600_000_060_000) };
        let api = Arc::new(Api { registry, recordings, config: Arc::new(config), keyring, clock: Clock::System, engine, restart, life });
        Bench { app: frame(routes(api.clone()), api.clone()), api, composers, restarts, folder, _state: state }
    }

    fn new() -> Bench {
        Bench::with(&[], true)
    }

    /// Every answer is held against the API document.
    async fn send(&self, request: Request<Body>) -> Answer {
        let asked = document::Asked::of(&request, self.api.config.deprecated_api);
        let response: Response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() };
        asked.must_allow(&answer);
        answer
    }

    /// A request with credentials; `body` is sent as JSON.
    async fn ask(&self, method: &str, path: &str, body: impl Into<Option<Value>>) -> Answer {
        let body = body.into().map(|value| value.to_string());
        self.ask_text(method, path, Some("application/json").filter(|_| body.is_some()), body.unwrap_or_default()).await
    }

    /// A request with credentials and any body.
    async fn ask_text(&self, method: &str, path: &str, content_type: Option<&str>, body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, basic("MY_SECRET"));
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }
}

fn basic(secret: &str) -> String {
    viduct_testkit::rest::basic("OPENVIDUAPP", secret)
}

#[tokio::test]
async fn nothing_below_the_api_is_seen_without_credentials() {
    let bench = Bench::new();
    for (method, path) in [
        ("GET", "/openvidu/api/sessions"),
        ("POST", "/openvidu/api/sessions/"),
        ("DELETE", "/openvidu/api/sessions"),
        ("GET", "/openvidu/api/no/such/thing"),
        ("HEAD", "/openvidu/api/health"),
        ("OPTIONS", "/openvidu/api/sessions"),
    ] {
        for authorization in [None, Some(basic("WRONG"))] {
            let mut request = Request::builder().method(method).uri(path);
            if let Some(authorization) = &authorization {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let answer = bench.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 401, "{method} {path}");
            assert!(answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Basic"));
            assert!(method == "HEAD" || answer.json()["timestamp"].is_string());
            assert!(!answer.text.contains("MY_SECRET") && !answer.text.contains("WRONG"));
        }
        // a right one in between, or the address would have to wait
        assert_eq!(bench.ask("GET", "/openvidu/api/sessions", None).await.status, 200);
    }
}

#[tokio::test]
async fn a_preflight_needs_no_credentials() {
    let preflight = Request::builder()
        .method(Method::OPTIONS)
        .uri("/openvidu/api/sessions")
        .header(header::ORIGIN, "https://app.example.org")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
    let answer = Bench::new().send(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_METHODS], "POST");
    assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_HEADERS], "authorization,content-type");
}

#[tokio::test]
async fn a_foreign_page_cannot_restart_the_box_with_credentials_its_browser_knows() {
    let bench = Bench::new();
    for (method, path) in [
        ("POST", "/openvidu/api/restart"),
        ("POST", "/pro/restart/"),
        ("OPTIONS", "/openvidu/api/restart"),
        ("GET", "/config"),
        ("DELETE", "/openvidu/api/media-nodes/m"),
    ] {
        for (origin, status) in [("https://evil.example", 403), ("null", 403), ("https://box", 0)] {
            let request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, basic("MY_SECRET"));
            let request =
                request.header(header::HOST, "box").header(header::ORIGIN, origin).header("access-control-request-method", "POST");
            let answer = bench.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status == 403, status == 403, "{method} {path} from {origin}: {}", answer.text);
            assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
        }
    }
    assert_eq!(bench.restarts.lock().unwrap().len(), 2, "those of the box's own page");
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused_in_the_form_of_all_errors() {
    let bench = Bench::new();
    let long = "x".repeat(9000);
    let answer = bench.ask("GET", &format!("/openvidu/api/sessions?{long}"), None).await;
    assert_eq!((answer.status, &answer.json()["status"]), (414, &json!(414)));
    let request = Request::get("/openvidu/api/sessions").header("a", &long).header("b", &long).body(Body::empty()).unwrap();
    let answer = bench.send(request).await;
    assert_eq!((answer.status, &answer.json()["error"]), (431, &json!("Request Header Fields Too Large")));
}

#[tokio::test]
async fn wrong_secrets_make_an_address_wait_and_it_is_told_how_long() {
    let bench = Bench::new();
    let ask = |secret: Option<&str>| {
        let mut request = Request::get("/openvidu/api/sessions");
        request = secret.into_iter().fold(request, |request, secret| request.header(header::AUTHORIZATION, basic(secret)));
        bench.send(request.body(Body::empty()).unwrap())
    };
    for n in 0..5 {
        assert_eq!(ask(Some(&format!("WRONG{n}"))).await.status, 401, "{n}");
        assert_eq!(ask(None).await.status, 401, "{n}: the challenge");
    }
    let locked = ask(Some("MY_SECRET")).await;
    assert_eq!((locked.status, locked.headers[header::RETRY_AFTER].to_str().unwrap()), (429, "1"));
    assert!(locked.json()["message"].as_str().unwrap().ends_with("try again in 1 s"), "{}", locked.text);
    // another address is another matter
    let mut other = Request::get("/openvidu/api/sessions").header(header::AUTHORIZATION, basic("MY_SECRET")).body(Body::empty()).unwrap();
    other.extensions_mut().insert(axum::extract::ConnectInfo(std::net::SocketAddr::from(([192, 0, 2, 1], 1))));
    assert_eq!(bench.send(other).await.status, 200);
}

#[tokio::test]
async fn errors_can_be_read_by_scripts_of_other_origins() {
    let request = Request::get("/openvidu/api/sessions").header(header::ORIGIN, "https://app.example.org").body(Body::empty()).unwrap();
    let answer = Bench::new().send(request).await;
    assert_eq!((answer.status, &answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN]), (401, &header::HeaderValue::from_static("*")));
}

#[tokio::test]
async fn slashes_at_the_end_and_head_are_served() {
    let bench = Bench::new();
    assert_eq!(bench.ask("POST", "/openvidu/api/sessions/", json!({"customSessionId": "S"})).await.status, 200);
    assert_eq!(bench.ask("GET", "/openvidu/api/sessions/S/", None).await.status, 200);
    let head = bench.ask("HEAD", "/openvidu/api/sessions/S", None).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(head.content_type(), "application/json");
}

#[tokio::test]
async fn the_public_places_are_public() {
    let bench = Bench::new();
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let url = bench.send(get("/openvidu/api/config/openvidu-publicurl")).await;
    assert_eq!((url.status, url.text.as_str()), (200, "https://localhost:4443/"));
    let page = bench.send(get("/openvidu/accept-certificate")).await;
    assert_eq!(page.status, 200);
    assert!(page.content_type().starts_with("text/html"));
    assert_eq!(bench.send(get("/nothing")).await.status, 404);
}

#[tokio::test]
async fn small_config_endpoints() {
    let bench = Bench::with(&[("OPENVIDU_CDR", "true"), ("OPENVIDU_RECORDING_PATH", "/data/rec")], true);
    for (path, text) in [
        ("openvidu-version", "2.20.0"),
        ("openvidu-publicurl", "https://localhost:4443/"),
        ("openvidu-recording", "true"),
        ("openvidu-recording-path", "/data/rec/"),
        ("openvidu-cdr", "true"),
    ] {
        let answer = bench.ask("GET", &format!("/openvidu/api/config/{path}"), None).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, text), "{path}");
    }
}

#[tokio::test]
async fn config_shows_what_its_switches_say_and_never_the_secret() {
    let on = [
        ("OPENVIDU_EDITION", "ce"),
        ("OPENVIDU_RECORDING", "true"),
        ("OPENVIDU_WEBHOOK", "true"),
        ("OPENVIDU_WEBHOOK_ENDPOINT", "https://hook.example.org/x"),
        ("OPENVIDU_WEBHOOK_HEADERS", "['A: b']"),
        ("OPENVIDU_WEBHOOK_EVENTS", "[sessionCreated]"),
    ];
    let config = Bench::with(&on, true).ask("GET", "/openvidu/api/config", None).await;
    assert!(!config.text.contains("MY_SECRET"));
    let config = config.json();
    let keys: Vec<&str> = config.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "VERSION",
            "DOMAIN_OR_PUBLIC_IP",
            "HTTPS_PORT",
            "OPENVIDU_PUBLICURL",
            "OPENVIDU_CDR",
            "OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH",
            "OPENVIDU_STREAMS_VIDEO_MIN_RECV_BANDWIDTH",
            "OPENVIDU_STREAMS_VIDEO_MAX_SEND_BANDWIDTH",
            "OPENVIDU_STREAMS_VIDEO_MIN_SEND_BANDWIDTH",
            "OPENVIDU_STREAMS_FORCED_VIDEO_CODEC",
            "OPENVIDU_STREAMS_ALLOW_TRANSCODING",
            "OPENVIDU_SESSIONS_GARBAGE_INTERVAL",
            "OPENVIDU_SESSIONS_GARBAGE_THRESHOLD",
            "OPENVIDU_RECORDING",
            "OPENVIDU_RECORDING_VERSION",
            "OPENVIDU_RECORDING_PATH",
            "OPENVIDU_RECORDING_PUBLIC_ACCESS",
            "OPENVIDU_RECORDING_NOTIFICATION",
            "OPENVIDU_RECORDING_CUSTOM_LAYOUT",
            "OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT",
            "OPENVIDU_WEBHOOK",
            "OPENVIDU_WEBHOOK_ENDPOINT",
            "OPENVIDU_WEBHOOK_HEADERS",
            "OPENVIDU_WEBHOOK_EVENTS",
        ]
    );
    assert_eq!(config["OPENVIDU_WEBHOOK_HEADERS"], json!(["A: b"]));
    assert_eq!(config["OPENVIDU_RECORDING_PATH"], "/tmp/viduct-demo/recordings/");
}

#[tokio::test]
async fn the_pro_edition_shows_what_its_tests_ask_for() {
    let path = "/openvidu/api/config";
    let (pro, ce) = (
        Bench::new().ask("GET", path, None).await.json(),
        Bench::with(&[("OPENVIDU_EDITION", "ce")], true).ask("GET", path, None).await.json(),
    );
    let more: Vec<&str> = pro.as_object().unwrap().keys().map(String::as_str).filter(|key| ce.get(key).is_none()).collect();
    assert_eq!(
        more,
        [
            "OPENVIDU_SERVER_DEPENDENCY_VERSION",
            "KMS_URIS",
            "OPENVIDU_PRO_STATS_SESSION_INTERVAL",
            "OPENVIDU_PRO_STATS_SERVER_INTERVAL",
            "OPENVIDU_PRO_STATS_MONITORING_INTERVAL",
            "OPENVIDU_PRO_STATS_WEBRTC_INTERVAL",
            "OPENVIDU_PRO_CLUSTER_ID",
            "OPENVIDU_PRO_CLUSTER_ENVIRONMENT",
            "OPENVIDU_PRO_CLUSTER_MEDIA_NODES",
            "OPENVIDU_PRO_CLUSTER_PATH",
            "OPENVIDU_PRO_CLUSTER_AUTOSCALING",
            "OPENVIDU_PRO_ELASTICSEARCH",
            "OPENVIDU_PRO_KIBANA",
            "OPENVIDU_PRO_RECORDING_STORAGE",
            "OPENVIDU_PRO_NETWORK_QUALITY",
        ]
    );
}

#[tokio::test]
async fn the_old_paths_show_the_keys_of_old_behind_those_of_today() {
    let bench = Bench::new();
    let today = bench.ask("GET", "/openvidu/api/config", None).await.json();
    for path in ["/config", "/pro/config", "/pro/config/"] {
        let old = bench.ask("GET", path, None).await.json();
        assert!(today.as_object().unwrap().iter().all(|(key, value)| old[key] == *value), "{path}");
        assert_eq!((&old["version"], &old["openviduPublicurl"]), (&json!("2.20.0"), &json!("https://localhost:4443/")));
        assert_eq!((&old["maxRecvBandwidth"], &old["OPENVIDU_PRO_CLUSTER_MODE"]), (&json!(1000), &json!("manual")));
        assert_eq!(bench.send(Request::get(path).body(Body::empty()).unwrap()).await.status, 401);
    }
}

#[tokio::test]
async fn health_follows_the_media_thread() {
    let up = Bench::new().ask("GET", "/openvidu/api/health", None).await;
    assert_eq!((up.status, up.text.as_str()), (200, r#"{"status":"UP"}"#));
    let down = Bench::with(&[], false).ask("GET", "/openvidu/api/health", None).await;
    assert_eq!((down.status, down.text.as_str()), (503, r#"{"status":"DOWN"}"#));
}

#[tokio::test]
async fn status_tells_of_restarts() {
    let status = Bench::new().ask("GET", "/openvidu/api/status", None).await;
    let text = r#"{"startTime":1600000000000,"restartCounter":2,"lastRestartTime":1600000060000}"#;
    assert_eq!((status.status, status.text.as_str()), (200, text));
}

#[tokio::test]
async fn a_session_without_a_body_ignores_configured_codecs() {
    let bench = Bench::with(&[("OPENVIDU_STREAMS_FORCED_VIDEO_CODEC", "H264"), ("OPENVIDU_STREAMS_ALLOW_TRANSCODING", "true")], true);
    let path = "/openvidu/api/sessions";
    let without = bench.ask("POST", path, None).await.json();
    assert_eq!((&without["forcedVideoCodec"], &without["allowTranscoding"]), (&json!("VP8"), &json!(false)));
    let with = bench.ask("POST", path, json!({})).await.json();
    assert_eq!((&with["forcedVideoCodec"], &with["allowTranscoding"]), (&json!("H264"), &json!(true)));
}

#[tokio::test]
async fn default_recording_properties_come_back_as_they_count() {
    let bench = Bench::new();
    let composed = r#""recordingLayout":"BEST_FIT","resolution":"1280x720","frameRate":25,"shmSize":536870912"#;
    for (given, kept) in [
        (json!({}), format!(r#"{{"name":"","hasAudio":true,"hasVideo":true,"outputMode":"COMPOSED",{composed}}}"#)),
        // without a mode the details do not count
        (json!({"resolution": "1x1"}), format!(r#"{{"name":"","hasAudio":true,"hasVideo":true,"outputMode":"COMPOSED",{composed}}}"#)),
        (
            json!({"outputMode": "COMPOSED_QUICK_START", "resolution": "640x480", "frameRate": "30", "shmSize": 1, "name": "n",
                "recordingLayout": "CUSTOM", "customLayout": "mine"}),
            concat!(
                r#"{"name":"n","hasAudio":true,"hasVideo":true,"outputMode":"COMPOSED_QUICK_START","recordingLayout":"CUSTOM","#,
                r#""resolution":"640x480","frameRate":30,"shmSize":1,"customLayout":"mine"}"#
            )
            .to_owned(),
        ),
        (
            json!({"outputMode": "COMPOSED", "hasVideo": "no", "frameRate": 5}),
            r#"{"name":"","hasAudio":true,"hasVideo":false,"outputMode":"COMPOSED"}"#.to_owned(),
        ),
        (
            json!({"outputMode": "INDIVIDUAL", "hasAudio": false, "ignoreFailedStreams": true, "mediaNode": {"id": "media_1"}}),
            concat!(
                r#"{"name":"","hasAudio":false,"hasVideo":true,"outputMode":"INDIVIDUAL","ignoreFailedStreams":true,"#,
                r#""mediaNode":"media_1"}"#
            )
            .to_owned(),
        ),
    ] {
        let answer = bench.ask("POST", "/openvidu/api/sessions", json!({"defaultRecordingProperties": given})).await;
        assert_eq!(answer.json()["defaultRecordingProperties"].to_string(), kept);
    }
}

#[tokio::test]
async fn lists_hide_and_show_pending_connections() {
    let bench = Bench::new();
    bench.ask("POST", "/openvidu/api/sessions", json!({"customSessionId": "S"})).await;
    bench.ask("POST", "/openvidu/api/sessions/S/connection", json!({})).await;
    for (path, shown) in [
        ("/openvidu/api/sessions/S", 0),
        ("/openvidu/api/sessions/S?pendingConnections=true", 1),
        ("/openvidu/api/sessions/S?pendingConnections=YES&webRtcStats=on", 1),
    ] {
        assert_eq!(bench.ask("GET", path, None).await.json()["connections"]["numberOfElements"], shown, "{path}");
    }
    for (path, shown) in [("/openvidu/api/sessions/S/connection", 1), ("/openvidu/api/sessions/S/connection?pendingConnections=false", 0)] {
        assert_eq!(bench.ask("GET", path, None).await.json()["numberOfElements"], shown, "{path}");
    }
    assert_eq!(
        bench.ask("GET", "/openvidu/api/sessions?pendingConnections=1", None).await.json()["content"][0]["connections"]["numberOfElements"],
        1
    );
}

#[tokio::test]
async fn a_deleted_pending_connection_is_gone() {
    let bench = Bench::new();
    bench.ask("POST", "/openvidu/api/sessions", json!({"customSessionId": "S"})).await;
    let id = bench.ask("POST", "/openvidu/api/sessions/S/connection", json!({})).await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/openvidu/api/sessions/S/connection/{id}");
    let gone = bench.ask("DELETE", &path, None).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert_eq!(bench.ask("GET", &path, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(bench.ask("DELETE", &path, None).await.status, StatusCode::NOT_FOUND);
}
