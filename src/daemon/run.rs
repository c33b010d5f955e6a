//! The wiring: ports, engine, jobs, sessions, doors; then the wait for a signal, and the stop in the reverse order.

use super::start::{Ready, Refused, say};
use super::{addresses, http, systemd};
use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::config::{Config, Problem, Secret};
use crate::recording::{Library, Recordings};
use crate::session::notice::EndReason;
use crate::session::{self, Audience, Registry};
use crate::{engine, jobs, rest, signaling, whip};
use axum::Router;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// Events from below that may wait for the router; the floors below say in their rooms what happens to more.
const EVENTS: usize = 1024;
/// A client that lost its socket has this long to come back (signaling.md §12).
const GRACE: Duration = Duration::from_secs(10);
/// A camera nobody watches any more runs on for this long.
const CAMERA_LINGER: Duration = Duration::from_secs(5);
/// What closing the sessions, with the end of their recordings, may take at the stop. A film that takes longer is finished by its
/// composer, and its metadata by the next start.
const CLOSING: Duration = Duration::from_millis(2700);
/// What each of the four other steps may take; together less than the 10 s that are promised.
const STEP: Duration = Duration::from_millis(1800);

/// Runs until SIGTERM or SIGINT, and ends within 10 s of it.
pub async fn run(ready: Ready) -> Result<(), Refused> {
    let mut signals = Signals::new().map_err(|error| Refused::System { what: "the signal handler", error })?;
    let https = http::listen(ready.config.https_port, "HTTPS_PORT")?;
    let http = ready.config.http_port.map(|port| http::listen(port, "HTTP_PORT")).transpose()?;
    let http_port = http.as_ref().map(port_of);
    let config = Arc::new(ready.config.with_https_port(port_of(&https)));

    let floors = Floors::start(&config, &ready.lan, ready.clock)?;
    // all its sockets have the same port
    let media_port = floors.engine.local.first().map_or(0, SocketAddr::port);
    let ice = vec![stun_url(&config.domain, media_port)];
    let (app, sockets) = doors(&floors, config.clone(), ready.secret, ice);
    let doors = Doors::open((https, ready.tls.0), http, app, sockets, ready.clock);
    say(&greeting(&config, http_port, media_port));
    systemd::ready();

    let name = signals.next().await;
    tracing::info!("{name}: stopping");
    systemd::stopping();
    let mut ending = pin!(stop(floors, doors));
    tokio::select! {
        () = &mut ending => tracing::info!("stopped"),
        name = signals.next() => {
            tracing::warn!("{name} again: ending now");
            // dropping what is left could wait for what hangs
            std::process::exit(1);
        }
    }
    Ok(())
}

/// What stands below the doors.
struct Floors {
    clock: Clock,
    engine: engine::Running,
    supervisor: JoinHandle<()>,
    /// `None`: this box does not record.
    recordings: Option<Recordings>,
    registry: Registry,
    /// The router of events from below, the watchdog, the load of the machine, the garbage collector.
    tasks: JoinSet<()>,
}

impl Floors {
    fn start(config: &Config, lan: &[IpAddr], clock: Clock) -> Result<Floors, Refused> {
        let (engine_events, engine_heard) = mpsc::channel(EVENTS);
        let (jobs_events, jobs_heard) = mpsc::channel(EVENTS);
        let settings = engine::Settings {
            port: config.media_port,
            candidates: addresses::candidates(config, lan),
            public: config.public_addresses.clone(),
            ..engine::Settings::default()
        };
        let engine =
            engine::start(settings, clock, engine_events).map_err(|error| http::refused("VIDUCT_MEDIA_PORT", config.media_port, &error))?;
        let (jobs, jobs_commands) = jobs::Handle::channel();
        let program = std::env::current_exe().map_err(|error| Refused::System { what: "the supervisor of workers", error })?;
        let supervisor = jobs::start(clock, jobs::Settings::new(program), jobs_commands, jobs_events);

        let recordings = match &config.recording {
            Some(recording) => {
                let library = library(&recording.path, config.public_url())?;
                Some(Recordings::new(library, engine.handle.clone(), jobs.clone(), clock))
            }
            None => None,
        };
        let cluster = Cluster::alone(&node_host(config, lan), clock);
        let settings = session_settings(config, cluster.clone());
        let registry = Registry::new(settings, engine.handle.clone(), jobs, recordings.clone(), clock);
        let mut tasks = JoinSet::new();
        let router = registry.clone();
        tasks.spawn(async move { router.route(engine_heard, jobs_heard).await });
        tasks.spawn(systemd::watchdog(engine.handle.clone(), clock));
        tasks.spawn(cluster.watch_load());
        if let Some((interval, threshold)) = config.garbage {
            tasks.spawn(registry.clone().collect_garbage(interval, threshold));
        }
        Ok(Floors { clock, engine, supervisor, recordings, registry, tasks })
    }
}

fn library(path: &Path, public_url: String) -> Result<Library, Refused> {
    Library::open(path, public_url).map_err(|error| {
        let why = format!("the folder cannot be used ({error}); choose one this user may write, or set OPENVIDU_RECORDING=false");
        Problem::new("OPENVIDU_RECORDING_PATH", path.display(), why).into()
    })
}

/// The address by which this box is a media node: that of the local network, if it has one.
fn node_host(config: &Config, lan: &[IpAddr]) -> String {
    lan.first().map_or_else(|| config.domain.clone(), IpAddr::to_string)
}

fn session_settings(config: &Config, cluster: Cluster) -> session::Settings {
    let (autostop, word) = config.recording.as_ref().map(|recording| (recording.autostop, recording.notification.as_str())).unzip();
    let defaults = session::Settings::default();
    session::Settings {
        grace: GRACE,
        camera_linger: CAMERA_LINGER,
        max_recv_kbps: config.max_recv_kbps,
        recording_autostop: autostop.unwrap_or(defaults.recording_autostop),
        recording_audience: word.and_then(Audience::parse).unwrap_or(defaults.recording_audience),
        cluster,
    }
}

/// All routes of the box in their frame, and the signaling door, which closes its sockets itself.
fn doors(floors: &Floors, config: Arc<Config>, secret: Secret, ice: Vec<String>) -> (Router, Arc<signaling::Door>) {
    let (registry, clock) = (&floors.registry, floors.clock);
    let sockets = Arc::new(signaling::Door::new(registry.clone(), clock, secret.reveal().to_owned(), ice));
    let viewers = Arc::new(whip::Door::new(registry.clone(), secret.clone()));
    let (engine, recordings) = (floors.engine.handle.clone(), floors.recordings.clone());
    let api = Arc::new(rest::Api { registry: registry.clone(), recordings, config, secret, clock, engine });
    let routes = rest::routes(api.clone()).merge(whip::routes(viewers)).merge(signaling::router(sockets.clone()));
    (rest::frame(routes, api), sockets)
}

/// The open doors.
struct Doors {
    stop: watch::Sender<bool>,
    servers: JoinSet<()>,
    sockets: Arc<signaling::Door>,
}

impl Doors {
    fn open(
        https: (TcpListener, TlsAcceptor),
        http: Option<TcpListener>,
        app: Router,
        sockets: Arc<signaling::Door>,
        clock: Clock,
    ) -> Doors {
        let (stop, stopped) = watch::channel(false);
        let mut servers = JoinSet::new();
        if let Some(listener) = http {
            servers.spawn(http::serve(listener, None, app.clone(), clock, stopped.clone()));
        }
        servers.spawn(http::serve(https.0, Some(https.1), app, clock, stopped));
        Doors { stop, servers, sockets }
    }
}

/// The stop: clients hear why before their sockets close, and nobody asks a floor that is gone.
async fn stop(mut floors: Floors, mut doors: Doors) {
    doors.stop.send_replace(true);
    let closing = async {
        floors.registry.close_all(EndReason::OpenviduServerStopped).await;
        if let Some(recordings) = &floors.recordings {
            recordings.finished().await;
        }
    };
    within(CLOSING, "closing the sessions", closing).await;
    within(STEP, "closing the sockets", doors.sockets.close()).await;
    within(STEP, "finishing the answers", async { while doors.servers.join_next().await.is_some() {} }).await;
    // with the last door, the last session and the router, every handle of the supervisor is gone, and so it ends
    floors.tasks.shutdown().await;
    drop((doors, floors.registry, floors.recordings));
    within(STEP, "stopping the workers", async { drop(floors.supervisor.await) }).await;
    let engine_ends = tokio::task::spawn_blocking(move || floors.engine.stop());
    within(STEP, "stopping the media thread", async { drop(engine_ends.await) }).await;
}

/// Gives a step of the stop its time.
async fn within(time: Duration, what: &str, step: impl Future<Output = ()>) {
    if tokio::time::timeout(time, step).await.is_err() {
        tracing::warn!("{what} took longer than {} ms", time.as_millis());
    }
}

/// The two signals that end the daemon.
struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}

fn port_of(listener: &TcpListener) -> u16 {
    // a listener that is bound has an address
    listener.local_addr().map_or(0, |address| address.port())
}

/// What clients ask for their own address (RFC 7064): the media port answers STUN.
fn stun_url(domain: &str, port: u16) -> String {
    match domain.parse() {
        Ok(IpAddr::V6(address)) => format!("stun:[{address}]:{port}"),
        _ => format!("stun:{domain}:{port}"),
    }
}

/// The one line of a start: where the box is, and the ports that are really bound.
fn greeting(config: &Config, http: Option<u16>, media: u16) -> String {
    let http = http.map_or("off".to_owned(), |port| port.to_string());
    let (version, url) = (env!("CARGO_PKG_VERSION"), config.public_url());
    format!("Viduct {version} is ready at {url} (https {}, http {http}, media {media})\n", config.https_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use std::collections::BTreeMap;

    #[test]
    fn the_greeting_names_url_and_ports() {
        let config = load(&Sources { demo: true, ..Sources::of(&BTreeMap::new()) }).unwrap().config;
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            greeting(&config, None, 20000),
            format!("Viduct {version} is ready at https://localhost:4443 (https 4443, http off, media 20000)\n")
        );
        assert!(greeting(&config, Some(8080), 1).ends_with("(https 4443, http 8080, media 1)\n"));
    }

    #[test]
    fn stun_urls_bracket_ipv6() {
        assert_eq!(stun_url("localhost", 20000), "stun:localhost:20000");
        assert_eq!(stun_url("fe80::1", 1), "stun:[fe80::1]:1");
    }
}
