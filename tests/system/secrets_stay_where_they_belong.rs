//! Secrets are planted wherever one can be, everything is exercised that may tell of them, failures, a crash and a restart included,
//! with a log that says all it can say; then everything the box says, writes and shows is searched for them.
//!
//! Where a secret may be found is in [`planted`]: the one table of it. A place that is named there and where it is not found is no
//! failure, but the searches are proven to find: see `the_search_finds`.

use crate::house::{House, Member, PATIENCE, options, recording_to, until};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use viduct::clock::Clock;
use viduct_testkit::camera::crooked::{Crooked, Manner};
use viduct_testkit::camera::{Options as CameraOptions, TestCamera};
use viduct_testkit::daemon::{nix_pid, nix_signal};
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};
use viduct_testkit::rest::{Client as Rest, Response};
use viduct_testkit::webhook::Receiver;
use viduct_testkit::whep::Whep;

/// Where something can be found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Place {
    /// What the daemon and its workers write to stdout, stderr and the log.
    Log,
    /// Call detail records.
    Cdr,
    /// Bodies of posts to the webhook.
    Post,
    Metrics,
    /// Answers to whoever has the API secret.
    Answer,
    /// Refusals, and answers to whoever has no credentials.
    Refusal,
    /// What another participant hears.
    Notice,
    /// The state folder: for this user alone.
    State,
    /// The configuration file after POST restart: for this user alone.
    File,
    /// The folder of the recordings.
    Films,
    /// Command line and environment of a worker.
    Worker,
    /// Command line of the daemon.
    CommandLine,
}

use Place::{Answer, Cdr, CommandLine, File, Films, Log, Metrics, Notice, Post, Refusal, State, Worker};

/// A secret: what it is, its text, where it may be.
type Planted = (&'static str, String, &'static [Place]);

/// What a password looks like in a Basic header as well.
fn forms(secret: &str) -> Vec<String> {
    let basic = |user: &str| STANDARD.encode(format!("{user}:{secret}"));
    vec![secret.to_owned(), basic("admin"), basic("OPENVIDUAPP")]
}

const BEFORE: &str = "PlantedApiSecretBefore";
const AFTER: &str = "PlantedApiSecretAfter";
const GUESS: &str = "PlantedWrongApiSecret";
const JOIN: &str = "PlantedWrongJoinSecret";
const DIGEST: &str = "PlantedPasswordOfTheCamera";
const REFUSED: &str = "PlantedPasswordTheCameraRefuses";
const QUERY: &str = "PlantedPasswordInTheQuery";
const PATH: &str = "PlantedPasswordInThePath";
const NOWHERE: &str = "PlantedPasswordOfNoHost";
const TO_USER: &str = "PlantedPasswordOfARedirection";
const TO_QUERY: &str = "PlantedQueryOfARedirection";
const BAD_SCHEME: &str = "PlantedPasswordWithAWrongScheme";
const BAD_PORT: &str = "PlantedPasswordWithAWrongPort";
const BROKEN_JSON: &str = "PlantedPasswordInBrokenJson";
const HOOK_USER: &str = "PlantedPasswordOfTheWebhook";
const HOOK_QUERY: &str = "PlantedKeyOfTheWebhook";
const HOOK_HEADER: &str = "PlantedHeaderOfTheWebhook";
const BAD_HEADER: &str = "PlantedHeaderWithoutAColon";
const BAD_URL: &str = "PlantedPasswordOfNoUrl";
const BAD_SECRET: &str = "Planted Secret With Blanks";
const TOKEN: &str = "tok_PlantedUnknownToken";
const BEARER: &str = "tok_PlantedUnknownBearer";
const TURN: &str = "PlantedTurnCredential";

/// The table.
fn planted() -> Vec<Planted> {
    let fixed: Vec<(&'static str, &str, &'static [Place])> = vec![
        ("the API secret before the restart", BEFORE, &[]),
        ("the API secret after it", AFTER, &[File, State]),
        ("a wrong API secret", GUESS, &[]),
        ("a wrong secret of joinRoom", JOIN, &[]),
        ("a camera's password", DIGEST, &[Answer, State]),
        ("a password that a camera refuses", REFUSED, &[Answer, State]),
        ("a password in a camera's query", QUERY, &[Answer, State]),
        ("a password in a camera's path", PATH, &[Answer, State]),
        ("the password of a camera that is nowhere", NOWHERE, &[Answer, State]),
        ("the password a camera redirects with", TO_USER, &[]),
        ("the query a camera redirects with", TO_QUERY, &[]),
        ("the password in a URI of another scheme", BAD_SCHEME, &[]),
        ("the password in a URI that is none", BAD_PORT, &[]),
        ("a password in broken JSON", BROKEN_JSON, &[]),
        ("the password of the webhook", HOOK_USER, &[Answer]),
        ("the key of the webhook", HOOK_QUERY, &[Answer]),
        ("a header of the webhook", HOOK_HEADER, &[Answer]),
        ("a header that is none", BAD_HEADER, &[]),
        ("a webhook that is none", BAD_URL, &[]),
        ("a secret that is none", BAD_SECRET, &[]),
        ("a token nobody gave", TOKEN, &[]),
        ("a bearer nobody gave", BEARER, &[]),
        ("a TURN credential", TURN, &[Answer, State]),
    ];
    fixed.into_iter().map(|(name, text, places)| (name, text.to_owned(), places)).collect()
}

/// Everything that was said so far, by place.
#[derive(Default)]
struct Heard(Vec<(Place, String, String)>);

impl Heard {
    fn add(&mut self, place: Place, what: impl Into<String>, text: impl Into<String>) {
        self.0.push((place, what.into(), text.into()));
    }

    fn answer(&mut self, what: &str, response: &Response) {
        let headers: Vec<_> =
            response.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default())).collect();
        let place = if response.status < 300 { Answer } else { Refusal };
        self.add(place, what, format!("{}\n{}", headers.join("\n"), response.text()));
    }

    /// The secrets that are where they do not belong.
    fn leaks(&self, planted: &[Planted]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (name, secret, belongs) in planted {
            // what is shorter may stand anywhere by chance
            assert!(secret.len() >= 8, "{name} is {secret:?}");
            for (place, what, text) in self.0.iter().filter(|(place, ..)| !belongs.contains(place)) {
                if let Some(form) = forms(secret).into_iter().find(|form| text.contains(form.as_str())) {
                    let line = text.lines().find(|line| line.contains(&form)).unwrap_or_default();
                    found.insert(format!("{name} in {place:?} {what}: {line:.400}"));
                }
            }
        }
        found
    }

    fn files(&mut self, place: Place, folder: &Path) {
        assert!(folder.is_dir(), "{} is not there", folder.display());
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            // what a living box has removed meanwhile is not there to be read
            for path in fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
                match path.is_dir() {
                    true => folders.push(path),
                    false => self.add(place, path.display().to_string(), String::from_utf8_lossy(&fs::read(&path).unwrap_or_default())),
                }
            }
        }
    }
}

/// The box and what it writes.
struct Scene {
    house: House,
    folder: tempfile::TempDir,
    receiver: Receiver,
    heard: Heard,
}

impl Scene {
    async fn begin() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("viduct.toml"), "# the box at the gate\n").unwrap();
        let receiver = Receiver::start().await;
        let hook = receiver.url().replace("http://", &format!("http://admin:{HOOK_USER}@")) + &format!("&key2={HOOK_QUERY}");
        let options = recording_to(&folder.path().join("films"))
            .arg("--config")
            .arg(path("viduct.toml"))
            .state(path("state"))
            .env("OPENVIDU_SECRET", BEFORE)
            .env("OPENVIDU_CDR", "true")
            .env("OPENVIDU_CDR_PATH", path("cdr"))
            .env("OPENVIDU_WEBHOOK", "true")
            .env("OPENVIDU_WEBHOOK_ENDPOINT", hook)
            .env("OPENVIDU_WEBHOOK_HEADERS", format!("[\"X-Key: {HOOK_HEADER}\"]"))
            .env("VIDUCT_LOG", "trace");
        let daemon = options.spawn();
        let rest = Rest::new(daemon.ports.http).basic("OPENVIDUAPP", BEFORE);
        daemon.log.wait_for("the start", PATIENCE, |line| line.contains("is ready at")).await;
        Scene { house: House { daemon, rest }, folder, receiver, heard: Heard::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn refused(&mut self, what: &str, path: &str, body: Value) {
        let response = self.house.rest.post(path, body).await;
        assert!(response.status >= 400, "{what}: {}", response.status);
        self.heard.answer(what, &response);
    }

    /// Adds a camera and waits until GET says of it what is expected.
    async fn camera(&self, url: &str, state: &str) -> String {
        let (connection, _) = self.house.camera("gate", url, false).await;
        let path = format!("/openvidu/api/sessions/gate/connection/{connection}?webRtcStats=true");
        let deadline = Clock::System.now() + PATIENCE * 2;
        loop {
            let camera = self.house.rest.get(&path).await.expect(200).json()["camera"].clone();
            if camera["state"].as_str().is_some_and(|now| state.contains(now)) && (state == "connected" || camera["cause"].is_string()) {
                return connection;
            }
            assert!(Clock::System.now() < deadline, "{connection}: {camera}");
            Clock::System.sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// What REST says to whoever has the secret, and to whoever has not.
    async fn ask_everything(&mut self) {
        for path in [
            "/openvidu/api/sessions?webRtcStats=true",
            "/openvidu/api/sessions/gate/connection?webRtcStats=true",
            "/openvidu/api/config",
            "/pro/config",
            "/openvidu/api/media-nodes?sessions=true&recordings=true&extra-info=true",
            "/openvidu/api/recordings",
            "/openvidu/api/health",
            "/openvidu/api/no/such",
            "/openvidu/api/sessions/nobody",
        ] {
            let answer = self.house.rest.get(path).await;
            self.heard.answer(path, &answer);
            let refusal = self.house.rest.clone().anonymous().get(path).await.expect(401);
            self.heard.answer(path, &refusal);
        }
        for path in ["/openvidu/api/config/openvidu-publicurl", "/openvidu/accept-certificate", "/", "/metrics"] {
            let answer = self.house.rest.clone().anonymous().get(path).await;
            self.heard.add(Refusal, path, answer.text());
        }
        self.heard.add(Metrics, "/metrics", self.house.rest.get("/metrics").await.expect(200).text());
        let listed = self.house.rest.get("/openvidu/cdr").await.expect(200).json();
        for name in listed.as_array().unwrap().iter().filter_map(Value::as_str) {
            self.heard.add(Cdr, name, self.house.rest.get(&format!("/openvidu/cdr/{name}")).await.expect(200).text());
        }
    }

    /// What processes show of themselves.
    async fn look_at_processes(&mut self) {
        let read = |pid: i32, file: &str| {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', "\n")
        };
        // between fork and exec a process is still the daemon, environment included
        let is_worker = |pid: &i32| read(*pid, "cmdline").lines().any(|word| word == "worker");
        let mut workers = Vec::new();
        until("workers to look at", PATIENCE, || {
            workers = self.house.daemon.workers().into_iter().filter(is_worker).collect();
            !workers.is_empty()
        })
        .await;
        for pid in workers {
            self.heard.add(Worker, format!("worker {pid}"), read(pid, "cmdline") + &read(pid, "environ"));
        }
        self.heard.add(CommandLine, "daemon", read(self.house.daemon.pid(), "cmdline"));
    }

    /// What lies on the disk, and who may read it.
    fn look_at_files(&mut self) {
        for (place, name) in [(State, "state"), (Films, "films"), (Cdr, "cdr")] {
            self.heard.files(place, &self.path(name));
        }
        self.heard.add(File, "viduct.toml", fs::read_to_string(self.path("viduct.toml")).unwrap());
        // `None`: the box has removed it meanwhile
        let mode = |path: &Path| fs::metadata(path).ok().map(|facts| facts.permissions().mode() & 0o777);
        assert_eq!(mode(&self.path("state")), Some(0o700));
        for entry in fs::read_dir(self.path("state")).unwrap().flatten().filter(|entry| entry.path().is_file()) {
            assert_eq!(mode(&entry.path()).unwrap_or(0) & 0o077, 0, "{} is for its user alone", entry.path().display());
        }
    }
}

/// The values of an SDP's `a=ice-pwd`.
fn ice_passwords(sdp: &str) -> Vec<String> {
    sdp.lines().filter_map(|line| line.strip_prefix("a=ice-pwd:")).map(|word| word.trim().to_owned()).collect()
}

/// Everything that can go wrong with cameras whose URIs hold passwords.
async fn cameras(scene: &mut Scene) -> (TestCamera, Crooked, Crooked) {
    let protected = CameraOptions { auth: Some(("admin".into(), DIGEST.into())), digest: true, ..CameraOptions::default() };
    let camera = TestCamera::start(&protected).unwrap();
    let place = camera.url.split_once("://").unwrap().1.rsplit('@').next().unwrap().to_owned();
    let host = place.split('/').next().unwrap().to_owned();
    scene.camera(&format!("rtsp://admin:{DIGEST}@{place}"), "connected").await;
    scene.camera(&format!("rtsp://admin:{REFUSED}@{place}"), "disconnected failed").await;
    scene.camera(&format!("rtsp://{host}/none?user=admin&password={QUERY}"), "disconnected failed").await;
    scene.camera(&format!("rtsp://{host}/user=admin_password={PATH}_channel=1.sdp"), "disconnected failed").await;
    scene.camera(&format!("rtsp://admin:{NOWHERE}@no-such-host.invalid/cam"), "disconnected failed").await;
    let circle = Crooked::start(Manner::Redirect(format!("rtsp://admin:{TO_USER}@{{}}/cam?password={TO_QUERY}"))).await;
    scene.camera(&circle.url, "disconnected failed").await;
    let away = Crooked::start(Manner::Redirect(format!("http://admin:{TO_USER}@127.0.0.1:9/cam?password={TO_QUERY}"))).await;
    scene.camera(&away.url.replace("/cam", "/other"), "disconnected failed").await;
    (camera, circle, away)
}

/// Requests that are refused, with secrets in them.
async fn refusals(scene: &mut Scene) {
    const CONNECTION: &str = "/openvidu/api/sessions/gate/connection";
    const RESTART: &str = "/openvidu/api/restart";
    for uri in [format!("http://admin:{BAD_SCHEME}@cam/"), format!("rtsp://admin:{BAD_PORT}@cam:0/")] {
        scene.refused("a URI that is none", CONNECTION, json!({"type": "IPCAM", "rtspUri": uri})).await;
    }
    let wrong_type = json!({"type": "IPCAM", "rtspUri": [format!("rtsp://admin:{BAD_PORT}@cam/")]});
    scene.refused("a URI that is no text", CONNECTION, wrong_type).await;
    let broken = format!("{{\"type\": \"IPCAM\", \"rtspUri\": \"rtsp://admin:{BROKEN_JSON}@cam/\", nonsense");
    let response = scene.house.rest.post_as(CONNECTION, "application/json", broken.clone()).await.expect(400);
    scene.heard.answer("broken JSON", &response);
    let response = scene.house.rest.post_as(CONNECTION, "text/plain", broken).await.expect(415);
    scene.heard.answer("no JSON", &response);
    for body in [
        json!({ "OPENVIDU_WEBHOOK_HEADERS": [BAD_HEADER] }),
        json!({ "OPENVIDU_WEBHOOK_ENDPOINT": format!("admin:{BAD_URL}@host") }),
        json!({ "OPENVIDU_WEBHOOK_ENDPOINT": format!("ftp://admin:{BAD_URL}@host/") }),
        json!({ "OPENVIDU_SECRET": BAD_SECRET }),
        json!({"OPENVIDU_SECRET": AFTER, "HTTPS_PORT": 1}),
    ] {
        scene.refused("a restart", RESTART, body).await;
    }
    let guess = scene.house.rest.clone().basic("OPENVIDUAPP", GUESS).get("/openvidu/api/sessions").await.expect(401);
    scene.heard.answer("a guess", &guess);
    let bearer = scene.house.rest.clone().bearer(BEARER).post_as("/whep/gate/nothing", "application/sdp", "v=0").await;
    scene.heard.answer("a bearer", &bearer);
    let turn = json!({"type": "WEBRTC", "customIceServers": [{"url": "turn:192.0.2.1", "username": "u", "credential": TURN}]});
    let response = scene.house.rest.post(CONNECTION, turn).await;
    scene.heard.answer("a TURN server", &response);
}

/// Two participants, one of whom publishes; gives what became secret meanwhile.
async fn participants(scene: &mut Scene) -> (Vec<Planted>, Member, Member, Peer, Peer) {
    let house = &scene.house;
    let alice = house.join("gate", "alice").await;
    let stranger = viduct_testkit::signaling::Client::open(&house.daemon.signaling_url("gate")).await;
    // whoever sent it hears it again
    let token = format!("wss://127.0.0.1:4443?sessionId=gate&token={TOKEN}");
    assert_eq!(stranger.join(&token, "stranger").await.unwrap_err().code, 401);
    let join = json!({"token": "", "session": "gate", "platform": "p", "metadata": "", "secret": JOIN, "recorder": false});
    assert_eq!(stranger.request("joinRoom", join).await.unwrap_err().code, 401);
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let publisher = Peer::new(&wish);
    let stream = alice.publish(&publisher, &wish).await;
    let bob = house.join("gate", "bob").await;
    let viewer = bob.watch(&stream).await;
    viewer.wait_until("media", PATIENCE, |seen| !seen.packets.is_empty()).await;
    let whep = Whep::watch(&house.rest, "gate", &stream).await;

    let frames = alice.client.frames().join("\n");
    let used = frames.split("token=").nth(1).and_then(|rest| rest.split(['"', '&', '\\']).next()).unwrap().to_owned();
    let pending = house.token("gate", "SUBSCRIBER").await.split("token=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let rpc = alice.joined["sessionId"].as_str().unwrap().to_owned();
    // number and seal; a seal may have a dash in it
    let seal = whep.location.rsplit('/').next().unwrap().split_once('-').unwrap().1.to_owned();
    let answers = frames.split("sdpAnswer\":\"").nth(1).unwrap().replace("\\r\\n", "\n");
    let mut ice = ice_passwords(publisher.offer());
    ice.extend(ice_passwords(&answers));
    assert!(ice.len() >= 2 && used.starts_with("tok_") && pending.starts_with("tok_"), "{ice:?} {used} {pending}");
    let mut more: Vec<Planted> = vec![
        ("alice's token", used, &[Answer, State]),
        ("a token nobody used", pending, &[Answer, State]),
        ("the id alice comes back with", rpc, &[]),
        ("the location of a viewer", seal, &[]),
    ];
    // webRtcStats tells of descriptions
    more.extend(ice.into_iter().map(|password| ("an ICE password", password, &[Answer][..])));
    let _ = whep.end().await.expect(200);
    (more, alice, bob, publisher, viewer)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens() {
    let mut scene = Scene::begin().await;
    let mut secrets = planted();
    scene.house.session(json!({"customSessionId": "gate"})).await;
    scene.receiver.behave(500, std::time::Duration::ZERO);
    let _cameras = cameras(&mut scene).await;
    refusals(&mut scene).await;
    let (more, alice, bob, publisher, viewer) = participants(&mut scene).await;
    secrets.extend(more);
    scene.house.record_some_time("gate", json!({"name": "visit", "resolution": "320x240"})).await;
    scene.look_at_processes().await;
    for worker in scene.house.daemon.workers() {
        // one that has ended by itself is no loss
        let _ = nix_signal::kill(nix_pid(worker), nix_signal::Signal::SIGABRT);
    }
    let crashed = |line: &str| line.contains("signal: 6");
    scene.house.daemon.log.wait_for("a crash is told", PATIENCE, crashed).await;
    // the journal of the webhook, too
    scene.look_at_files();
    scene.receiver.behave(200, std::time::Duration::ZERO);
    scene.house.daemon.signal(nix_signal::Signal::SIGHUP);
    scene.ask_everything().await;

    let key = fs::read_dir(scene.path("state")).unwrap().flatten().find_map(|entry| {
        let text = fs::read_to_string(entry.path()).ok()?;
        text.contains("PRIVATE KEY").then(|| text.lines().nth(1).unwrap_or_default().to_owned())
    });
    secrets.push(("the key of the certificate", key.expect("there is a key"), &[State]));

    let response = scene.house.rest.post("/openvidu/api/restart", json!({ "OPENVIDU_SECRET": AFTER })).await.expect(200);
    scene.heard.answer("a restart", &response);
    scene.house.rest = scene.house.rest.clone().basic("OPENVIDUAPP", AFTER);
    let log = scene.house.daemon.log.clone();
    let starts = || log.lines().iter().filter(|line| line.contains("is ready at")).count();
    until("the restart", PATIENCE, || starts() == 2).await;
    // cameras come back, and with them their passwords
    scene.house.workers(1, PATIENCE).await;
    scene.ask_everything().await;
    scene.look_at_processes().await;
    let status = scene.house.daemon.stop().await.0;
    assert!(status.success());
    scene.look_at_files();
    for frame in bob.client.frames() {
        scene.heard.add(Notice, "bob", frame.strip_prefix("< ").unwrap_or_default());
    }
    for post in scene.receiver.posts() {
        scene.heard.add(Post, post.event().to_owned(), post.body.to_string());
    }
    scene.heard.add(Log, "stdout and stderr", scene.house.daemon.log.text());
    drop((alice, publisher, viewer));

    the_search_finds(&scene.heard, &secrets);
    let leaks = scene.heard.leaks(&secrets);
    println!(
        "{} secrets, {} texts, {} bytes",
        secrets.len(),
        scene.heard.0.len(),
        scene.heard.0.iter().map(|(.., text)| text.len()).sum::<usize>()
    );
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.into_iter().collect::<Vec<_>>().join("\n"));
}

/// Each place has been looked at, and what belongs somewhere is found there: a search that finds nothing proves nothing.
fn the_search_finds(heard: &Heard, secrets: &[Planted]) {
    for place in [Log, Cdr, Post, Metrics, Answer, Refusal, Notice, State, File, Films, Worker, CommandLine] {
        assert!(heard.0.iter().any(|(at, _, text)| *at == place && !text.is_empty()), "nothing was heard at {place:?}");
    }
    let has = |place: Place, word: &str| heard.0.iter().any(|(at, _, text)| *at == place && text.contains(word));
    for secret in [DIGEST, REFUSED, QUERY, PATH, NOWHERE] {
        assert!(has(Answer, secret) && has(State, secret), "{secret} is told to whoever has the API secret, and kept");
    }
    for secret in [HOOK_USER, HOOK_QUERY, HOOK_HEADER] {
        assert!(has(Answer, secret), "{secret} is in GET config");
    }
    assert!(has(File, AFTER) && has(Log, "TRACE") && has(Log, "no-such-host.invalid") && secrets.len() >= 25);
}

/// A box that makes its own secret shows it once, where whoever started it reads it, and writes it nowhere else but its state folder.
#[tokio::test(flavor = "multi_thread")]
async fn a_generated_secret_is_shown_once() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let start = || async {
        let mut daemon = options().state(&state).env("OPENVIDU_SECRET", "").env("VIDUCT_LOG", "trace").spawn();
        daemon.log.wait_for("the start", PATIENCE, |line| line.contains("is ready at")).await;
        daemon.stop().await;
        daemon.log.text()
    };
    let first = start().await;
    let secret = fs::read_to_string(state.join("secret")).unwrap().trim().to_owned();
    assert_eq!(first.matches(&secret).count(), 1, "shown once");
    assert_eq!(start().await.matches(&secret).count(), 0, "and never again");
}
