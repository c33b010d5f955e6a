//! The door in process, over a real session with a camera and a media thread that answers every offer with `answer`.

use super::*;
use crate::clock::Clock;
use crate::config::Secret;
use crate::engine;
use crate::guard::Lockout;
use crate::ids::SessionId;
use crate::keys::KeyFile;
use crate::session::properties::{CameraProperties, ForcedCodec, MediaMode, RecordingMode, RecordingProperties, WebrtcProperties};
use crate::session::{Command, SessionHandle, SessionProperties, Settings};
use crate::wire::camera::CameraSpec;
use axum::body::Body;
use axum::extract::connect_info::MockConnectInfo;
use axum::http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use tokio::sync::mpsc;
use tower::ServiceExt;

struct Bench {
    app: Router,
    session: SessionHandle,
    /// `/whep/<session>/<stream of the camera>`
    path: String,
    /// Offers the media thread got, and removals of peers (`bye`).
    seen: Receiver<String>,
    _jobs: mpsc::Receiver<crate::jobs::Command>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

/// A media thread that knows one trick; an offer `bad` is refused.
fn media_thread(commands: Receiver<engine::Command>, events: mpsc::Sender<engine::Event>, seen: std::sync::mpsc::SyncSender<String>) {
    std::thread::spawn(move || {
        for command in commands {
            let event = match command {
                engine::Command::Subscribe(wanted) if wanted.offer == "bad" => {
                    engine::Event::Refused { peer: wanted.peer, refusal: engine::api::Refusal::BadOffer("no m-lines".into()) }
                }
                engine::Command::Subscribe(wanted) => {
                    let _ = seen.try_send(wanted.offer);
                    engine::Event::Answered { peer: wanted.peer, sdp: "answer".into() }
                }
                engine::Command::RemovePeer { .. } => {
                    let _ = seen.try_send("bye".into());
                    continue;
                }
                _ => continue,
            };
            let _ = events.blocking_send(event);
        }
    });
}

impl Bench {
    async fn new() -> Bench {
        let (engine, commands, _) = engine::Handle::channel().unwrap();
        let (events, heard) = mpsc::channel(64);
        let (note, seen) = sync_channel(64);
        media_thread(commands, events, note);
        let (jobs, jobs_commands) = crate::jobs::Handle::channel();
        let settings =
            Settings { grace: Duration::from_secs(30), camera_linger: Duration::from_secs(5), max_recv_kbps: 1000, ..Settings::default() };
        let registry = Registry::new(settings, engine, jobs, None, Clock::System);
        let (router, (_jobs_events, jobs_heard)) = (registry.clone(), mpsc::channel(1));
        tokio::spawn(async move { router.route(heard, jobs_heard).await });
        let properties = SessionProperties {
            media_node: None,
            old_recording_keys: false,
            media_mode: MediaMode::Routed,
            recording_mode: RecordingMode::Manual,
            default_recording: RecordingProperties::default(),
            custom_session_id: Some(SessionId::from("S")),
            forced_video_codec: ForcedCodec::None,
            allow_transcoding: false,
        };
        let session = registry.create(properties).unwrap();
        let uri = "rtsp://192.0.2.9/live";
        let camera = CameraProperties {
            record: true,
            rtsp_uri: uri.into(),
            camera: CameraSpec::parse(uri, 200, false).unwrap().spec,
            data: String::new(),
            adaptative_bitrate: true,
            only_play_with_subscribers: true,
            network_cache: 200,
        };
        let camera = session.ask(|answer| Command::AddCamera { properties: camera, answer }).await.unwrap();
        let stream = camera.active.as_ref().and_then(|active| active.publisher.as_ref()).unwrap().stream.clone();
        let keys = KeyFile::in_state("/proc/no/such".as_ref());
        let keyring = Keyring::new(Secret::new("MY_SECRET"), Lockout::new(Clock::System), keys, Clock::System);
        let door = Arc::new(Door::new(registry, keyring));
        let app = routes(door).layer(MockConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4000))));
        Bench { app, session, path: format!("/whep/S/{stream}"), seen, _jobs: jobs_commands }
    }

    async fn token(&self) -> String {
        let made = self.session.ask(|answer| Command::AddWebrtc { properties: WebrtcProperties::default(), answer }).await.unwrap();
        match &made.kind {
            crate::session::snapshot::ConnectionKind::Webrtc { token, .. } => token.clone(),
            other => panic!("{other:?}"),
        }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let request = headers.iter().fold(Request::builder().method(method).uri(path), |r, (name, value)| r.header(*name, *value));
        let (parts, body) = self.app.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn offer(&self, path: &str, authorization: &str, offer: &str) -> Answer {
        self.send("POST", path, &[("authorization", authorization), ("content-type", "application/sdp")], offer.to_owned()).await
    }

    fn seen(&self) -> String {
        self.seen.recv_timeout(Duration::from_secs(10)).expect("the media thread is told")
    }
}

fn basic(secret: &str) -> String {
    viduct_testkit::rest::basic("OPENVIDUAPP", secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_anonymous_viewer_comes_and_goes() {
    let bench = Bench::new().await;
    let answer = bench.offer(&bench.path, &basic("MY_SECRET"), "offer").await;
    assert_eq!((answer.status, answer.text.as_str()), (201, "answer"));
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/sdp");
    assert_eq!(bench.seen(), "offer");
    assert_eq!(bench.session.snapshot().connections.len(), 1, "only the camera is listed");

    let location = answer.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert!(location.starts_with(&bench.path) && location.len() > bench.path.len() + 20, "{location}");
    let mut forged = location.clone();
    forged.replace_range(location.len() - 2.., "AA");
    assert_eq!(bench.send("DELETE", &forged, &[], Body::empty()).await.status, 404);
    assert_eq!(bench.send("DELETE", &location, &[], Body::empty()).await.status, 200);
    assert_eq!(bench.seen(), "bye");
    assert_eq!(bench.send("DELETE", &location, &[], Body::empty()).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_makes_its_connection_active_once() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    let url = format!("Bearer wss://localhost:4443?sessionId=S&token={token}");
    assert_eq!(bench.offer(&bench.path, &url, "offer").await.status, 201);
    let snapshot = bench.session.snapshot();
    let viewer = snapshot.connections.iter().find_map(|c| c.active.as_ref().filter(|active| active.publisher.is_none())).unwrap();
    assert_eq!((viewer.ip, viewer.subscribers.len()), (Some([192, 0, 2, 7].into()), 1));
    assert_eq!(bench.offer(&bench.path, &url, "offer").await.status, 401, "used once");
    let other = bench.token().await;
    assert_eq!(bench.offer(&bench.path, &format!("Bearer {other}"), "offer").await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_problem_details() {
    let bench = Bench::new().await;
    let (right, path) = (basic("MY_SECRET"), bench.path.clone());
    let sdp = ("content-type", "application/sdp");
    for (method, path, headers, body, status) in [
        ("POST", path.as_str(), vec![sdp], "offer", 401),
        ("POST", path.as_str(), vec![sdp, ("authorization", "Bearer tok_unknown")], "offer", 401),
        ("POST", path.as_str(), vec![sdp, ("authorization", "Basic !")], "offer", 401),
        ("POST", path.as_str(), vec![("authorization", right.as_str())], "offer", 415),
        ("POST", path.as_str(), vec![("authorization", right.as_str()), ("content-type", "application/json")], "{}", 415),
        ("POST", path.as_str(), vec![("authorization", right.as_str()), sdp], "", 400),
        ("POST", path.as_str(), vec![("authorization", right.as_str()), sdp], "bad", 400),
        ("POST", "/whep/NONE/x", vec![("authorization", right.as_str()), sdp], "offer", 404),
        ("POST", "/whep/S/x", vec![("authorization", right.as_str()), sdp], "offer", 404),
        ("DELETE", "/whep/S/x/1-AAAA", vec![], "", 404),
    ] {
        let answer = bench.send(method, path, &headers, body).await;
        assert_eq!(answer.status, status, "{method} {path} {headers:?} {}", answer.text);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
        let json: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(json["status"], status);
        assert!(!answer.text.contains("MY_SECRET"));
        assert_eq!(answer.headers.contains_key(header::WWW_AUTHENTICATE), status == 401);
    }
    let huge = "x".repeat(70_000);
    assert_eq!(bench.offer(&bench.path, &right, &huge).await.status, 413);
}

#[tokio::test]
async fn options_say_what_may_be_posted_and_the_rest_is_not_allowed() {
    let bench = Bench::new().await;
    let options = bench.send("OPTIONS", &bench.path, &[], Body::empty()).await;
    assert_eq!((options.status, &options.headers["accept-post"]), (204, &header::HeaderValue::from_static("application/sdp")));
    let location = format!("{}/1-x", bench.path);
    for (method, path) in [("GET", &bench.path), ("PATCH", &location), ("GET", &location)] {
        assert_eq!(bench.send(method, path, &[], Body::empty()).await.status, 405, "{method}");
    }
}
