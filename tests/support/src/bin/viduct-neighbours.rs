//! `make bench BENCH=neighbours`: what callers of the REST API feel of cameras that do not behave.
//!
//! One good camera plays throughout. For each kind of bad one, GETs are timed without any and then with [`BAD`] of them, which are
//! tried, fail and are tried again meanwhile. The two rows of a kind follow each other, since a shared machine changes with time.

use serde_json::json;
use std::error::Error;
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, Runtime};
use viduct_testkit::camera::crooked::{Crooked, Manner};
use viduct_testkit::camera::{Options, TestCamera};
use viduct_testkit::daemon::{self, Daemon};
use viduct_testkit::proxy::{Mode, Proxy};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Bad cameras at a time.
const BAD: usize = 8;
/// GETs of a row.
const CALLS: usize = 1000;
/// From one to the next.
const PACE: Duration = Duration::from_millis(5);

/// A kind of bad camera. Dropped, it is gone.
enum Bad {
    Crooked(Crooked),
    /// A good one behind a network that passes a byte a second.
    Slow(Proxy),
}

impl Bad {
    async fn start(kind: usize, good: &TestCamera) -> Bad {
        let manner = match kind {
            0 => Manner::Mute,
            1 => Manner::GarbageSdp,
            2 => Manner::ForeignData,
            _ => {
                let network = Proxy::before(&good.url).await;
                network.set(Mode::Trickling);
                return Bad::Slow(network);
            }
        };
        Bad::Crooked(Crooked::start(manner).await)
    }

    fn url(&self, good: &TestCamera) -> String {
        match self {
            Bad::Crooked(camera) => camera.url.clone(),
            Bad::Slow(network) => network.url(&good.url),
        }
    }
}

const KINDS: [&str; 4] = ["that accept and never answer", "with garbage for SDP", "with foreign interleaved data", "with a byte a second"];

fn main() -> Result<()> {
    // who asks does not wait for those that misbehave: they have threads of their own
    let cameras = Runtime::new()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(cameras.handle()))
}

async fn run(cameras: &Handle) -> Result<()> {
    let bin = std::env::current_exe()?.parent().ok_or("the benchmark lies in a folder")?.to_path_buf();
    let good = TestCamera::start(&Options::default())?;
    let mut daemon = daemon::Options::new(bin.join("viduct")).start().await;
    let session = daemon.rest().session(json!({})).await;
    add(&daemon, &session, &good.url).await?;
    println!("{CALLS} GETs of a session, one each {} ms; one good camera throughout\n", PACE.as_millis());
    println!("| bad cameras | p50 ms | p99 ms | longest ms |\n|---|---|---|---|");
    for (kind, what) in KINDS.into_iter().enumerate() {
        row("none", &timed(&daemon, &session).await);
        // what is asked for does not grow with the bad ones: they have a session of their own, which ends with the last of them
        let theirs = daemon.rest().session(json!({})).await;
        let (mut bad, mut connections) = (Vec::new(), Vec::new());
        for _ in 0..BAD {
            let camera = {
                let _threads = cameras.enter();
                Bad::start(kind, &good).await
            };
            connections.push(add(&daemon, &theirs, &camera.url(&good)).await?);
            bad.push(camera);
        }
        row(&format!("{BAD} {what}"), &timed(&daemon, &session).await);
        for connection in connections {
            daemon.rest().delete(&format!("/openvidu/api/sessions/{theirs}/connection/{connection}")).await.expect(204);
        }
        while daemon.workers().len() > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    daemon.stop().await;
    Ok(())
}

/// Adds a camera that plays at once; gives its connection.
async fn add(daemon: &Daemon, session: &str, url: &str) -> Result<String> {
    let body = json!({"type": "IPCAM", "rtspUri": url, "onlyPlayWithSubscribers": false});
    let connection = daemon.rest().connection(session, body).await;
    Ok(connection["id"].as_str().ok_or("a connection has an id")?.to_owned())
}

/// How long the GETs took, sorted.
async fn timed(daemon: &Daemon, session: &str) -> Vec<Duration> {
    let (rest, path) = (daemon.rest(), format!("/openvidu/api/sessions/{session}"));
    let mut spans = Vec::new();
    for _ in 0..CALLS {
        let begin = Instant::now();
        rest.get(&path).await.expect(200);
        spans.push(begin.elapsed());
        tokio::time::sleep(PACE).await;
    }
    spans.sort_unstable();
    spans
}

fn row(what: &str, spans: &[Duration]) {
    let at = |part: usize| spans[(spans.len() - 1) * part / 100].as_secs_f64() * 1000.0;
    println!("| {what} | {:.2} | {:.2} | {:.2} |", at(50), at(99), at(100));
}
