//! Unmodified releases of `openvidu-java-client` get from the daemon, over TLS, what they insist on: every public call of theirs, and
//! the statuses of what is refused.
//!
//! The exchange itself is Java, in `tests/java`: it prints what it wants from us, and we are its clients with media. Maven brings the
//! jars at the first run; a machine without it skips this by name.

use crate::house::{House, Member, recording_to};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use viduct::clock::Clock;
use viduct_testkit::camera::{Options, TestCamera};
use viduct_testkit::daemon::SECRET;
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};
use viduct_testkit::signaling::Client;

/// How long one program may take; it is done in a few seconds where the machine has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often Maven may try: registries have bad moments.
const TRIES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn by_2_16() {
    let Some(jars) = jars("2.16.0").await else { return };
    run("Exchange", &jars).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_2_20() {
    let Some(jars) = jars("2.20.0").await else { return };
    run("Exchange", &jars).await;
    run("Since218", &jars).await;
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java")
}

/// The class path of a release of the client. `None`: this machine lacks what is needed, and that was said.
async fn jars(release: &str) -> Option<String> {
    static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let there = |program: &str| Command::new(program).arg("-version").output().is_ok_and(|output| output.status.success());
    let maven = there("mvn");
    if !maven || (!there("javac") && std::env::var("CI").map_or(true, |ci| ci != "true")) {
        let lacks = if maven { "javac" } else { "mvn" };
        // not println: the harness shows nothing of a test that passes
        let line = format!("SKIPPED: openvidu-java-client {release} (this machine has no {lacks})\n");
        std::io::stdout().write_all(line.as_bytes()).expect("a console");
        return None;
    }
    let _alone = ONE_AT_A_TIME.lock().await;
    let (target, pom) = (folder().join("target"), folder().join("pom.xml"));
    let complete = target.join("complete");
    let made = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    if made(&complete).is_none_or(|jars| made(&pom).is_some_and(|pom| pom > jars)) {
        fetch().await;
        std::fs::write(complete, "").expect("target can be written");
    }
    Some(format!("{0}/{release}/*:{0}/common/*", target.display()))
}

/// Has Maven bring the jars.
async fn fetch() {
    let mut said = String::new();
    for _ in 0..TRIES {
        let mut maven = Command::new("mvn");
        maven.args(["--quiet", "--batch-mode", "initialize"]).current_dir(folder()).stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || maven.output()).await.expect("no panic").expect("mvn can be started");
        if output.status.success() {
            return;
        }
        said = String::from_utf8_lossy(&output.stdout).into_owned();
    }
    panic!("Maven does not bring the jars of the Java client:\n{said}");
}

/// A daemon, a camera, and a program of `tests/java` that must come to its end.
async fn run(program: &str, jars: &str) {
    let films = tempfile::tempdir().expect("a folder");
    let house = House::of(recording_to(films.path())).await;
    let camera = TestCamera::start(&Options::default()).expect("a camera");
    let mut java = tokio::process::Command::new("java");
    // a short life: no time is spent on making it fast
    java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-classpath", jars]);
    java.arg(folder().join(format!("src/{program}.java")));
    java.args([&format!("https://127.0.0.1:{}", house.daemon.ports.https), SECRET, &camera.url]);
    java.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let begin = Clock::System.now();
    let said = tokio::time::timeout(PATIENCE, converse(java, &house)).await;
    let errors = said.unwrap_or_else(|_| panic!("{program} is not done within {PATIENCE:?}")).err();
    assert_eq!(errors, None, "{program} did not come to its end");
    println!("{program}: {:.1} s", begin.elapsed().as_secs_f64());
}

/// Gives the program the clients it asks for, until it is done. Errors: what it said when it failed.
async fn converse(mut java: tokio::process::Command, house: &House) -> Result<(), String> {
    let mut child = java.spawn().expect("java can be started");
    let (mut stdin, stdout) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let mut errors = child.stderr.take().expect("piped");
    let errors = tokio::spawn(async move {
        let mut text = String::new();
        errors.read_to_string(&mut text).await.map(|_| text).unwrap_or_default()
    });
    let (mut lines, mut clients, mut done) = (BufReader::new(stdout).lines(), Vec::new(), false);
    while let Ok(Some(line)) = lines.next_line().await {
        done |= line == "done";
        if let Some(token) = line.strip_prefix("publish ") {
            let (member, peer, stream) = publisher(house, token).await;
            stdin.write_all(format!("{stream}\n").as_bytes()).await.expect("java listens");
            clients.push((member, peer));
        }
    }
    let status = child.wait().await.expect("it can be waited for");
    let errors = errors.await.expect("no panic");
    for (member, _) in &clients {
        let told = member.client.notice("participantEvicted", |_| true).await;
        assert_eq!(told["reason"], "forceDisconnectByServer", "each of them was evicted at last");
    }
    if status.success() && done { Ok(()) } else { Err(format!("{status}\n{errors}")) }
}

/// A client that joins with this token and publishes; and its stream.
async fn publisher(house: &House, token: &str) -> (Member, Peer, String) {
    let client = Client::open(&house.daemon.signaling_url("")).await;
    let joined = client.join(token, "the test").await.expect("the token is good");
    client.keep_alive();
    let member = Member { client, id: joined["id"].as_str().expect("an id").to_owned(), joined };
    let wish = Wish::publish(&[Media::Opus, Media::Vp8]);
    let peer = Peer::new(&wish);
    let stream = member.publish(&peer, &wish).await;
    (member, peer, stream)
}
