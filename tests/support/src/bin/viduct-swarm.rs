//! The benchmark's viewers: N str0m clients by WHEP on one thread, one JSON object at the end.
//!
//! `viduct-swarm --port HTTP_PORT --secret SECRET --path /whep/SESSION/STREAM --viewers N --seconds S`
//!
//! Viewers join one after the other, each when the one before has its first frame, so that the join time is the server's and not
//! that of a crowded client. After the last join it prints one line `measuring`, receives for S seconds, and prints the result:
//! packets and bytes received within the measured span, packets lost, join times in ms (offer → first whole decodable frame).

use serde_json::json;
use std::os::fd::AsRawFd;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use viduct_testkit::peer::core::Core;
use viduct_testkit::peer::record::Record;
use viduct_testkit::peer::{Wish, wait_readable};
use viduct_testkit::rest::Client;

/// A viewer that has no frame after this span has failed.
const PATIENCE: Duration = Duration::from_secs(30);

struct Arguments {
    port: u16,
    secret: String,
    path: String,
    viewers: usize,
    seconds: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(arguments) = arguments() else {
        eprintln!("viduct-swarm --port HTTP_PORT --secret SECRET --path /whep/SESSION/STREAM --viewers N --seconds S");
        std::process::exit(2);
    };
    let client = Client::new(arguments.port).basic("OPENVIDUAPP", &arguments.secret);
    let (arrivals, inbox) = sync_channel(1);
    let receiver = std::thread::spawn(move || receive(&inbox));
    let mut records = vec![];
    for _ in 0..arguments.viewers {
        let (core, record) = join(&client, &arguments.path).await;
        arrivals.send(core).expect("the receiving thread lives");
        first_frame(&record).await;
        records.push(record);
    }
    println!("measuring");
    let before = totals(&records);
    let begin = Instant::now();
    tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
    let after = totals(&records);
    let span = begin.elapsed();
    drop(arrivals);
    receiver.join().expect("the receiving thread does not panic");
    println!("{}", result(&records, before, after, span));
}

fn arguments() -> Option<Arguments> {
    let all: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| all.iter().position(|arg| arg == name).and_then(|at| all.get(at + 1));
    Some(Arguments {
        port: value("--port")?.parse().ok()?,
        secret: value("--secret")?.clone(),
        path: value("--path")?.clone(),
        viewers: value("--viewers")?.parse().ok()?,
        seconds: value("--seconds")?.parse().ok()?,
    })
}

async fn join(client: &Client, path: &str) -> (Core, Arc<Mutex<Record>>) {
    let (mut core, offer) = Core::new(&Wish::watch(true, true), Instant::now()).expect("a socket and an offer");
    let record = core.record();
    record.lock().expect("nobody panics").offered = Some(Instant::now());
    let response = client.post_as(path, "application/sdp", offer).await.expect(201);
    core.answer(&response.text(), Instant::now());
    // what it remembers of each packet is for tests
    core.remember(false);
    (core, record)
}

async fn first_frame(record: &Mutex<Record>) {
    let deadline = Instant::now() + PATIENCE;
    while record.lock().expect("nobody panics").join_time().is_none() {
        assert!(Instant::now() < deadline, "no frame within {PATIENCE:?}: {}", record.lock().expect("nobody panics").summary());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Drives all viewers until the sender of new ones is gone.
fn receive(arrivals: &Receiver<Core>) {
    let mut viewers: Vec<Core> = vec![];
    loop {
        match arrivals.try_recv() {
            Ok(core) => viewers.push(core),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return viewers.into_iter().for_each(Core::close),
        }
        let now = Instant::now();
        viewers.iter_mut().for_each(|viewer| viewer.turn(now));
        let sockets: Vec<i32> = viewers.iter().map(AsRawFd::as_raw_fd).collect();
        let due = viewers.iter().map(Core::due).fold(now + Duration::from_millis(2), Instant::min);
        wait_readable(&sockets, due.saturating_duration_since(Instant::now()));
    }
}

/// (packets, bytes) received by all.
fn totals(records: &[Arc<Mutex<Record>>]) -> (u64, u64) {
    records.iter().fold((0, 0), |sum, record| {
        let record = record.lock().expect("nobody panics");
        (sum.0 + record.video.packets + record.audio.packets, sum.1 + record.video.bytes + record.audio.bytes)
    })
}

fn result(records: &[Arc<Mutex<Record>>], before: (u64, u64), after: (u64, u64), span: Duration) -> serde_json::Value {
    let mut joins: Vec<f64> = vec![];
    let (mut lost, mut repaired, mut frames) = (0, 0, 0);
    for record in records {
        let record = record.lock().expect("nobody panics");
        joins.extend(record.join_time().map(|span| span.as_secs_f64() * 1000.0));
        lost += record.video.lost() + record.audio.lost();
        repaired += record.rtx_in;
        frames += record.whole_frames();
    }
    joins.sort_by(f64::total_cmp);
    let (packets, bytes) = (after.0 - before.0, after.1 - before.1);
    json!({
        "viewers": records.len(),
        "seconds": round(span.as_secs_f64()),
        "packets": packets,
        "bytes": bytes,
        "meanBytes": round(bytes as f64 / packets.max(1) as f64),
        "lost": lost,
        "repaired": repaired,
        "frames": frames,
        "joinMs": { "p50": percentile(&joins, 50), "p95": percentile(&joins, 95), "max": percentile(&joins, 100) },
    })
}

/// Nearest rank, of sorted values.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).copied().map_or(f64::NAN, round)
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
