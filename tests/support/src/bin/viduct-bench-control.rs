//! `make bench BENCH=control`: what the control plane costs, and how soon it is there.
//!
//! Starts the release daemon and asks it over connections that stay open. Requests are counted against the processor time of the daemon
//! that /proc tells, so the numbers are about one core that does nothing else, whatever else the machine does. `MEDIAMTX` may name a
//! binary of MediaMTX, which is then asked what it can be asked as well: one path, and a list of as many paths.

use serde_json::{Value, json};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use viduct_testkit::daemon::{self, Daemon, Ports, SECRET};
use viduct_testkit::rest::{Client, Line};
use viduct_testkit::usage::Usage;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Starts that are measured; the median is told.
const STARTS: usize = 9;
/// Requests for one object that are measured.
const GETS: usize = 20_000;
/// Sessions in the list, and connections in each.
const SESSIONS: usize = 1000;
const CONNECTIONS: usize = 4;
/// Lists that are measured.
const LISTS: usize = 50;
/// How long the other server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<()> {
    let bin = std::env::current_exe()?.parent().ok_or("the benchmark lies in a folder")?.to_path_buf();
    println!("| what | GETs/s of one core | p50 ms | bytes |\n|---|---|---|---|");
    viduct(&bin.join("viduct")).await?;
    match std::env::var_os("MEDIAMTX").map(PathBuf::from) {
        Some(program) => mediamtx(&program).await?,
        None => println!("\nMediaMTX was not measured: MEDIAMTX names no binary of it"),
    }
    Ok(())
}

async fn viduct(program: &Path) -> Result<()> {
    let daemon = daemon::Options::new(program).start().await;
    let rest = daemon.rest();
    fill(&rest, 1).await?;
    let (tls, path) = (Client::tls(daemon.ports.https).basic("OPENVIDUAPP", SECRET), "/openvidu/api/sessions/s0");
    for (what, client) in [("a session with 4 connections, HTTP", &rest), ("the same, HTTPS", &tls)] {
        println!("{}", ask(what, daemon.pid(), client.line().await?, path, GETS).await?);
    }
    let began = (Usage::of(daemon.pid())?, Instant::now());
    fill(&rest, SESSIONS).await?;
    let posts = ((SESSIONS - 1) * (CONNECTIONS + 1)) as f64;
    let cost = (Usage::of(daemon.pid())?.cpu - began.0.cpu) * 1e6 / posts;
    let what = format!("{SESSIONS} sessions with {CONNECTIONS} connections each");
    println!("{}", ask(&what, daemon.pid(), rest.line().await?, "/openvidu/api/sessions?pendingConnections=true", LISTS).await?);
    println!("\nmaking them: {cost:.0} µs of processor time a POST, {:.1} s in all", began.1.elapsed().as_secs_f64());
    println!("memory with them: {:.0} MB, {:.0} MB before", Usage::of(daemon.pid())?.memory, began.0.memory);
    drop(daemon);
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(start(program).await?);
    }
    starts.sort_unstable();
    let ms = |at: usize| starts[at].as_secs_f64() * 1000.0;
    println!("start to health UP: {:.0} ms in the median of {STARTS}, {:.0} at worst", ms(STARTS / 2), ms(STARTS - 1));
    Ok(())
}

/// Makes sessions until there are `count`: `s0`, `s1` and so on.
async fn fill(rest: &Client, count: usize) -> Result<()> {
    let mut line = rest.line().await?;
    let there = line.get("/openvidu/api/sessions").await?.json()["numberOfElements"].as_u64().ok_or("a list counts")?;
    for number in there..count as u64 {
        line.post("/openvidu/api/sessions", &json!({"customSessionId": format!("s{number}")})).await?.expect(200);
        for _ in 0..CONNECTIONS {
            line.post(&format!("/openvidu/api/sessions/s{number}/connection"), &json!({"data": "of the server"})).await?.expect(200);
        }
    }
    Ok(())
}

/// From the start of the process until health says UP, asked every millisecond.
async fn start(program: &Path) -> Result<Duration> {
    let begin = Instant::now();
    let daemon: Daemon = daemon::Options::new(program).spawn();
    let rest = daemon.rest();
    while !rest.try_get("/openvidu/api/health").await.is_ok_and(|answer| answer.status == 200) {
        if begin.elapsed() > PATIENCE {
            return Err(format!("the daemon does not start:\n{}", daemon.log.text()).into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(begin.elapsed())
}

/// Asks `count` times and gives a row of the table.
async fn ask(what: &str, pid: i32, mut line: Line, path: &str, count: usize) -> Result<String> {
    let bytes = line.get(path).await?.expect(200).body.len();
    let before = Usage::of(pid)?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begin = Instant::now();
        line.get(path).await?.expect(200);
        times.push(begin.elapsed());
    }
    let cpu = Usage::of(pid)?.cpu - before.cpu;
    times.sort_unstable();
    let p50 = times[count / 2].as_secs_f64() * 1000.0;
    Ok(format!("| {what} | {:.0} | {p50:.2} | {bytes} |", count as f64 / cpu.max(0.01)))
}

/// The same of MediaMTX: paths are what it has in the place of sessions.
async fn mediamtx(program: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (file, port) = (folder.path().join("mediamtx.yml"), Ports::free().http);
    std::fs::write(&file, settings(port))?;
    let mut server = Server(Command::new(program).arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
    let (client, begin) = (Client::new(port), Instant::now());
    let list = format!("/v3/paths/list?itemsPerPage={SESSIONS}");
    while !client.try_get(&list).await.is_ok_and(|answer| answer.json()["itemCount"] == json!(SESSIONS)) {
        if begin.elapsed() > PATIENCE || server.0.try_wait()?.is_some() {
            return Err(format!("{} does not start", program.display()).into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let pid = server.0.id() as i32;
    println!("{}", ask("MediaMTX: a path, HTTP", pid, client.line().await?, "/v3/paths/get/s0", GETS).await?);
    println!("{}", ask(&format!("MediaMTX: {SESSIONS} paths"), pid, client.line().await?, &list, LISTS).await?);
    Ok(())
}

/// Nothing but its API, and paths that nobody publishes to.
fn settings(port: u16) -> String {
    let servers = ["rtsp", "rtmp", "hls", "webrtc", "srt"].map(|server| (server.to_owned(), Value::Bool(false)));
    let paths = (0..SESSIONS).map(|number| (format!("s{number}"), json!({})));
    let mut settings = json!({"logLevel": "error", "api": true, "apiAddress": format!("127.0.0.1:{port}")});
    settings["paths"] = Value::Object(paths.collect());
    for (server, off) in servers {
        settings[server] = off;
    }
    // JSON is YAML
    settings.to_string()
}

/// Killed when it is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // an error means that it is gone
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
