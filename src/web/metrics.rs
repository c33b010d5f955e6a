//! GET `/metrics`: how the box fares, for Prometheus.
//!
//! One table says what there is. Labels come from closed lists (states, kinds, causes): never from what a caller or a camera sent, so
//! that no secret gets in and their number has a bound.

use super::Watched;
use super::exposition::{CONTENT_TYPE, Kind, Sample, write};
use crate::engine;
use crate::engine::api::Stats;
use crate::events::Counts;
use crate::jobs::counters::Counted;
use crate::recording::Status;
use crate::session::SessionSnapshot;
use crate::session::snapshot::{CameraState, ConnectionKind};
use crate::wire::control::FailureKind;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long the media thread may take to tell its counters; without it the page comes without them.
const PATIENCE: Duration = Duration::from_secs(1);

/// All that is read for one page.
#[derive(Default, Debug)]
struct Facts {
    sessions: Vec<Arc<SessionSnapshot>>,
    /// `None` while the media thread does not answer.
    engine: Option<Stats>,
    jobs: Counted,
    events: Counts,
    recordings: BTreeMap<&'static str, u64>,
}

/// A metric: name without `viduct_`, kind, what it means, its values.
type Metric = (&'static str, Kind, &'static str, fn(&Facts) -> Vec<Sample>);

use Kind::{Counter, Gauge};

/// What can be measured.
const METRICS: &[Metric] = &[
    ("media_up", Gauge, "Does the media thread answer?", |facts| one(facts.engine.is_some())),
    ("sessions", Gauge, "Sessions that exist, by whether anybody has joined yet.", sessions),
    ("connections", Gauge, "Connections of all sessions.", connections),
    ("subscriptions", Gauge, "Streams that members of sessions receive.", subscriptions),
    ("cameras", Gauge, "Cameras by their state.", cameras),
    ("recordings", Gauge, "Recordings that are kept, by their status.", |facts| by("status", &facts.recordings)),
    ("worker_processes", Gauge, "Worker processes that run, by kind of job.", |facts| by("job", &facts.jobs.running)),
    ("worker_starts_total", Counter, "Worker processes started, by kind of job.", |facts| by("job", &facts.jobs.started)),
    ("hardware_struck_out", Gauge, "Elements of hardware left alone until the next start: they crashed or hung.", struck_out),
    ("worker_failures_total", Counter, "Jobs that failed, by kind and cause; for a camera that is away, each look at it.", failures),
    ("viewers", Gauge, "Transports that media is sent to.", |facts| engine(facts, |stats| stats.viewers as u64)),
    ("transports", Gauge, "Transports that exist, publishers and viewers.", |facts| engine(facts, |stats| stats.peers as u64)),
    ("tracks", Gauge, "Tracks that exist.", |facts| engine(facts, |stats| stats.tracks as u64)),
    ("feeds", Gauge, "Workers' sockets that feed tracks.", |facts| engine(facts, |stats| stats.feeds as u64)),
    ("sinks", Gauge, "Workers' sockets that are given tracks.", |facts| engine(facts, |stats| stats.sinks as u64)),
    ("datagrams_received_total", Counter, "Datagrams received.", |facts| engine(facts, |stats| stats.received)),
    ("datagrams_sent_total", Counter, "Datagrams sent.", |facts| engine(facts, |stats| stats.sent)),
    ("send_calls_total", Counter, "System calls that sent them.", |facts| engine(facts, |stats| stats.send_calls)),
    ("send_errors_total", Counter, "Datagrams the kernel did not take.", |facts| engine(facts, |stats| stats.send_errors)),
    ("stray_datagrams_total", Counter, "Datagrams that belong to no transport.", |facts| engine(facts, |stats| stats.strays)),
    ("panics_total", Counter, "Panics caught while one transport was served.", |facts| engine(facts, |stats| stats.panics)),
    (
        "viewer_packets_dropped_total",
        Counter,
        "Packets that viewers were not given: before a keyframe, of a codec they do not take, beyond their backlog.",
        |facts| engine(facts, |stats| stats.dropped),
    ),
    ("worker_packets_dropped_total", Counter, "Packets that workers were not given because they read too slowly.", |facts| {
        engine(facts, |stats| stats.sink_dropped)
    }),
    ("worker_packets_unusable_total", Counter, "Packets that workers were not given because nothing can be made of them.", |facts| {
        engine(facts, |stats| stats.sink_unusable)
    }),
    ("worker_messages_ignored_total", Counter, "Messages and packets of workers that were of no use.", |facts| {
        engine(facts, |stats| stats.ignored)
    }),
    ("keyframe_requests_refused_total", Counter, "Keyframe requests that a worker's full socket did not take.", |facts| {
        engine(facts, |stats| stats.requests_refused)
    }),
    ("cdr_lost_total", Counter, "Events that could not be written to the call detail records.", |facts| count(facts.events.cdr_lost)),
    ("webhook_delivered_total", Counter, "Events the webhook's endpoint took.", |facts| count(facts.events.webhook_delivered)),
    ("webhook_refused_total", Counter, "Events the webhook's endpoint did not want.", |facts| count(facts.events.webhook_refused)),
    ("webhook_dropped_total", Counter, "Events dropped because too many waited for the webhook's endpoint.", |facts| {
        count(facts.events.webhook_dropped)
    }),
    ("webhook_waiting", Gauge, "Events that wait for the webhook's endpoint.", |facts| count(facts.events.webhook_waiting)),
    ("events_unheard_total", Counter, "Events lost because whoever writes or posts them was far behind.", |facts| {
        count(facts.events.unheard)
    }),
    ("event_followers", Gauge, "Sockets that are told what happens.", |facts| count(facts.events.followers)),
    ("event_followers_lost_total", Counter, "Sockets closed because events waited that they did not read.", |facts| {
        count(facts.events.followers_lost)
    }),
    ("media_events_lost_total", Counter, "Events of the media thread that found their queue full.", |facts| {
        engine(facts, |stats| stats.events_lost)
    }),
];

/// GET: 200, always; what cannot be read is left out.
pub async fn page(State(watched): State<Arc<Watched>>) -> Response {
    let mut recordings: BTreeMap<&'static str, u64> = BTreeMap::new();
    if let Some(kept) = &watched.recordings {
        recordings.extend(Status::ALL.map(|status| (status.as_str(), 0)));
        for recording in kept.library().list() {
            *recordings.entry(recording.status.as_str()).or_default() += 1;
        }
    }
    let facts = Facts {
        sessions: watched.registry.all().iter().map(|session| session.snapshot()).collect(),
        engine: stats(&watched.engine).await,
        jobs: watched.jobs.read(),
        events: watched.events.counts(),
        recordings,
    };
    ([(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))], text(&facts)).into_response()
}

async fn stats(engine: &engine::Handle) -> Option<Stats> {
    let (reply, answer) = oneshot::channel();
    engine.send(engine::Command::Stats { reply }).ok()?;
    tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
}

fn text(facts: &Facts) -> String {
    let mut out = String::new();
    for (name, kind, help, samples) in METRICS {
        write(&mut out, &format!("viduct_{name}"), *kind, help, &samples(facts));
    }
    out
}

fn one(flag: bool) -> Vec<Sample> {
    vec![u64::from(flag).into()]
}

fn count(value: u64) -> Vec<Sample> {
    vec![value.into()]
}

fn engine(facts: &Facts, value: fn(&Stats) -> u64) -> Vec<Sample> {
    facts.engine.iter().map(|stats| value(stats).into()).collect()
}

fn by(label: &'static str, counted: &BTreeMap<&'static str, u64>) -> Vec<Sample> {
    counted.iter().map(|(word, value)| Sample { labels: vec![(label, (*word).into())], value: *value }).collect()
}

fn sessions(facts: &Facts) -> Vec<Sample> {
    let active = facts.sessions.iter().filter(|session| session.active).count();
    let state = |word: &str, count: usize| Sample { labels: vec![("status", word.into())], value: count as u64 };
    vec![state("active", active), state("pending", facts.sessions.len() - active)]
}

fn connections(facts: &Facts) -> Vec<Sample> {
    let mut counted = BTreeMap::from([(("IPCAM", "active"), 0), (("WEBRTC", "active"), 0), (("WEBRTC", "pending"), 0)]);
    for connection in facts.sessions.iter().flat_map(|session| &session.connections) {
        let kind = match connection.kind {
            ConnectionKind::Webrtc { .. } => "WEBRTC",
            ConnectionKind::Camera(_) => "IPCAM",
        };
        let status = if connection.active.is_some() { "active" } else { "pending" };
        *counted.entry((kind, status)).or_default() += 1;
    }
    let sample =
        |((kind, status), value): ((&str, &str), u64)| Sample { labels: vec![("type", kind.into()), ("status", status.into())], value };
    counted.into_iter().map(sample).collect()
}

fn subscriptions(facts: &Facts) -> Vec<Sample> {
    let all = facts.sessions.iter().flat_map(|session| &session.connections).filter_map(|connection| connection.active.as_ref());
    vec![(all.map(|active| active.subscribers.len()).sum::<usize>() as u64).into()]
}

fn cameras(facts: &Facts) -> Vec<Sample> {
    let mut counted: BTreeMap<CameraState, u64> = CameraState::ALL.map(|state| (state, 0)).into();
    let connections = facts.sessions.iter().flat_map(|session| &session.connections);
    for camera in connections.filter_map(|connection| connection.active.as_ref()?.camera.as_ref()) {
        *counted.entry(camera.state).or_default() += 1;
    }
    counted.into_iter().map(|(state, value)| Sample { labels: vec![("state", state.word().into())], value }).collect()
}

fn struck_out(facts: &Facts) -> Vec<Sample> {
    facts.jobs.struck_out.iter().map(|element| Sample { labels: vec![("element", (*element).into())], value: 1 }).collect()
}

fn failures(facts: &Facts) -> Vec<Sample> {
    let sample = |(&(job, cause), &value): (&(&'static str, FailureKind), &u64)| Sample {
        labels: vec![("job", job.into()), ("cause", cause.to_string())],
        value,
    };
    facts.jobs.failed.iter().map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/web/metrics.txt");

    #[test]
    fn the_golden_page() {
        let facts = Facts {
            engine: Some(Stats { peers: 3, viewers: 2, sent: 1000, ..Stats::default() }),
            jobs: Counted {
                running: [("camera", 1)].into(),
                started: [("camera", 4), ("compose", 1)].into(),
                failed: [(("camera", FailureKind::Refused), 7), (("camera", FailureKind::Crashed), 1)].into(),
                struck_out: ["v4l2h264enc"].into(),
            },
            recordings: [("ready", 2)].into(),
            ..Facts::default()
        };
        let page = text(&facts);
        if std::env::var_os("VIDUCT_GOLDEN").is_some_and(|word| word == "write") {
            std::fs::write(GOLDEN, &page).unwrap();
        }
        assert_eq!(page, std::fs::read_to_string(GOLDEN).unwrap());
    }

    #[test]
    fn names_are_as_prometheus_wants_them() {
        let mut seen = std::collections::BTreeSet::new();
        for (name, kind, help, _) in METRICS {
            assert!(seen.insert(name), "{name} twice");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Counter, "{name}");
            assert!(help.ends_with(['.', '?']) && !help.contains('\n'), "{name}: {help}");
        }
    }

    #[test]
    fn without_the_media_thread_the_rest_is_told() {
        let page = text(&Facts::default());
        assert!(page.contains("\nviduct_media_up 0\n") && page.contains("\nviduct_cameras{state=\"connected\"} 0\n"), "{page}");
        assert!(!page.contains("\nviduct_tracks "), "{page}");
    }
}
