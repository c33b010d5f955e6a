//! `make bench BENCH=viewers`: what it costs to send one camera to many viewers, beside the floor measured in the same run.
//!
//! Starts the release daemon and a 720p30 1.5 Mbit/s H.264 test camera, lets 1, 10 and 50 str0m viewers in another process join
//! over WHEP, and reads the daemon's CPU time from /proc. The floor is the same packets at
//! the same pace, merely protected and sent. All numbers of
//! one run are comparable with each other; on a shared machine those of different runs differ by up to 20 %.

use serde_json::{Value, json};
use std::error::Error;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use viduct_testkit::camera::{Options, TestCamera, Video};
use viduct_testkit::daemon::{self, Daemon, SECRET};
use viduct_testkit::usage::Usage;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What the daemon may cost, in floors.
const BOUND: f64 = 3.5;
/// Viewers of the measured steps.
const STEPS: [usize; 3] = [1, 10, 50];
/// How long a step is measured, in s.
const SPAN: u64 = 10;

#[tokio::main]
async fn main() -> Result<()> {
    let bin = std::env::current_exe()?.parent().ok_or("the benchmark lies in a folder")?.to_path_buf();
    println!("one H.264 camera 1280x720 at 30 frames/s, 1.5 Mbit/s, no audio; viewers: str0m over WHEP on the loopback interface\n");
    println!(
        "| GOP s | viewers | CPU µs/packet | floor µs | ratio | CPU % of a core | threads | MB | MB/viewer | join p50 ms | p95 ms | lost |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    let mut worst: f64 = 0.0;
    for gop in [1, 10] {
        for viewers in STEPS {
            let step = measure(&bin, gop, viewers).await?;
            if viewers == STEPS[2] {
                worst = worst.max(step.cost / step.floor);
            }
            println!("{}", step.row());
        }
    }
    let verdict = if worst <= BOUND { "kept" } else { "BROKEN" };
    println!("\nat {} viewers the daemon costs at most {worst:.2} floors; the bound of {BOUND} is {verdict}", STEPS[2]);
    if worst > BOUND { Err("the bound is broken".into()) } else { Ok(()) }
}

/// One line of the table.
struct Step {
    gop: u64,
    viewers: usize,
    /// µs of the daemon's CPU per packet that arrived.
    cost: f64,
    floor: f64,
    cpu: f64,
    threads: u64,
    memory: f64,
    memory_before: f64,
    joins: Value,
    lost: f64,
}

impl Step {
    fn row(&self) -> String {
        let per_viewer = (self.memory - self.memory_before) / self.viewers as f64;
        let ms = |key: &str| self.joins[key].as_f64().unwrap_or(f64::NAN);
        format!(
            "| {} | {} | {:.1} | {:.1} | {:.2} | {:.1} | {} | {:.0} | {:.2} | {:.0} | {:.0} | {:.0} |",
            self.gop,
            self.viewers,
            self.cost,
            self.floor,
            self.cost / self.floor,
            self.cpu * 100.0,
            self.threads,
            self.memory,
            per_viewer,
            ms("p50"),
            ms("p95"),
            self.lost
        )
    }
}

async fn measure(bin: &Path, gop: u64, viewers: usize) -> Result<Step> {
    let video = Video { width: 1280, height: 720, fps: 30, gop: 30 * gop as usize, kbps: 1500, ..Video::default() };
    let camera = TestCamera::start(&Options { video: Some(video), audio: None, ..Options::default() })?;
    let mut daemon = daemon::Options::new(bin.join("viduct")).start().await;
    let path = open_session(&daemon, &camera.url).await?;
    settle(gop).await;
    let before = Usage::of(daemon.pid())?;
    let mut swarm = Swarm::start(bin, &daemon, &path, viewers)?;
    let from = Usage::of(daemon.pid())?;
    let result = swarm.result()?;
    let to = Usage::of(daemon.pid())?;
    daemon.stop().await;
    drop(camera);
    let number = |key: &str| result[key].as_f64().unwrap_or(0.0);
    let (packets, span) = (number("packets"), number("seconds"));
    if packets <= 0.0 {
        return Err(format!("nothing was received: {result}").into());
    }
    Ok(Step {
        gop,
        viewers,
        cost: (to.cpu - from.cpu) * 1e6 / packets,
        floor: floor(bin, viewers)?,
        cpu: (to.cpu - from.cpu) / span,
        threads: to.threads,
        memory: to.memory,
        memory_before: before.memory,
        joins: result["joinMs"].clone(),
        lost: number("lost"),
    })
}

/// A session with the camera, already playing: the path of its WHEP door.
async fn open_session(daemon: &Daemon, url: &str) -> Result<String> {
    let rest = daemon.rest();
    let session = rest.session(json!({"customSessionId": "bench"})).await;
    let body = json!({"type": "IPCAM", "rtspUri": url, "onlyPlayWithSubscribers": false});
    let connection = rest.connection(&session, body).await;
    let stream = connection["publishers"][0]["streamId"].as_str().ok_or("a camera publishes")?;
    Ok(format!("/whep/{session}/{stream}"))
}

/// Lets the camera start and, with a long GOP, gets well into it, so that joins are judged where they are hardest.
async fn settle(gop: u64) {
    tokio::time::sleep(Duration::from_secs(2) + Duration::from_millis(800) * gop as u32).await;
}

/// µs a packet costs at least when it is merely protected and sent, at the pace of the camera.
fn floor(bin: &Path, viewers: usize) -> Result<f64> {
    let out = Command::new(bin.join("viduct-floor")).args(["--viewers", &viewers.to_string(), "--seconds", "4"]).output()?;
    let line: Value = serde_json::from_slice(&out.stdout)?;
    // browsers and str0m agree on AES-256 with the daemon
    Ok(line["paced"]["aes256"].as_f64().ok_or("the floor prints a number")?)
}

/// The viewers' process.
struct Swarm {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Swarm {
    /// Returns when all viewers have their first frame and the measured span begins.
    fn start(bin: &Path, daemon: &Daemon, path: &str, viewers: usize) -> Result<Swarm> {
        let mut command = Command::new(bin.join("viduct-swarm"));
        command.args(["--port", &daemon.ports.http.to_string(), "--secret", SECRET, "--path", path]);
        command.args(["--viewers", &viewers.to_string(), "--seconds", &SPAN.to_string()]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("the output is piped")?;
        let mut swarm = Swarm { child, lines: BufReader::new(output).lines() };
        match swarm.lines.next() {
            Some(Ok(line)) if line == "measuring" => Ok(swarm),
            other => Err(format!("the viewers did not join: {other:?}").into()),
        }
    }

    /// What the viewers received in the measured span; read when it is over.
    fn result(&mut self) -> Result<Value> {
        let line = self.lines.next().ok_or("the viewers ended early")??;
        self.child.wait()?;
        Ok(serde_json::from_str(&line)?)
    }
}
