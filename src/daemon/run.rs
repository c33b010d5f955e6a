//! The wiring: ports, engine, jobs, sessions, doors; then the wait for what ends it, and the stop in the reverse order.

use super::doors::{Doors, Ground};
use super::origin::{Origin, keep_as_good};
use super::start::{Ready, Refused, say};
use super::state::State;
use super::{addresses, http, listeners, nodes, reload, restart, systemd};
use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::config::{Config, Edition, Problem};
use crate::events::{Bus, Events};
use crate::guard::Lockout;
use crate::ids::MediaNodeId;
use crate::keys::Keyring;
use crate::recording::{Library, Recordings, Teller};
use crate::rest::restart::Request;
use crate::session::notice::EndReason;
use crate::session::{self, Audience, Registry, Transcoding};
use crate::state::{SessionRecord, Store};
use crate::web::Feed;
use crate::{engine, jobs};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};

/// Events from below that may wait for the router; the floors below say in their rooms what happens to more.
const EVENTS: usize = 1024;
/// A client that lost its socket has this long to come back (signaling.md §12).
const GRACE: Duration = Duration::from_secs(10);
/// A camera nobody watches any more runs on for this long.
const CAMERA_LINGER: Duration = Duration::from_secs(5);
/// The same for a transcoder.
const RENDITION_LINGER: Duration = Duration::from_secs(5);
/// What closing the sessions, with the end of their recordings, may take at the stop. A film that takes longer is finished by its
/// composer, and its metadata by the next start.
const CLOSING: Duration = Duration::from_millis(2700);
/// What each of the four other steps may take; together less than the 10 s that are promised.
const STEP: Duration = Duration::from_millis(1800);

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// A signal ended it.
    Stopped,
    /// Everything is stopped, and has to be started again.
    Restarting,
    /// The media thread is dead: a bug. Its transports and tracks died with it, so only a new process helps.
    Broken,
}

/// Runs until SIGTERM, SIGINT, POST restart or the death of the media thread, and ends within 10 s of it. Errors: it did not start, and nothing of it is left.
pub async fn run(ready: Ready) -> Result<Ended, Refused> {
    let (house, signals, restarts) = open(ready).await?;
    Ok(house.stay(signals, restarts).await)
}

/// Opens everything, and says that it is ready. Errors: it did not start, and nothing of it is left.
async fn open(ready: Ready) -> Result<(House, Signals, mpsc::Receiver<Request>), Refused> {
    let Ready { config, origin, text, state, secret, node, tls, clock, life } = ready;
    let signals = Signals::new().map_err(|error| Refused::System { what: "the signal handler", error })?;
    let https = http::listen(config.https_port, "HTTPS_PORT")?;
    let http = config.http_port.map(|port| http::listen(port, "HTTP_PORT")).transpose()?;
    let http_port = http.as_ref().map(port_of);
    let config = Arc::new(config.with_https_port(port_of(&https)));

    let (store, kept) = store(&config).unzip();
    let floors = Floors::start(&config, &origin.lan, node, store, clock)?;
    floors.registry.restore(kept.unwrap_or_default(), config.camera_allow_loopback).await;
    // all its sockets have the same port
    let media_port = floors.engine.local.first().map_or(0, SocketAddr::port);
    // nothing can fail from here on
    keep(&state, text).await;
    let (restart, restarts) = mpsc::channel(1);
    let lockout = Lockout::new(clock);
    let ground = Ground {
        registry: floors.registry.clone(),
        recordings: floors.recordings.clone(),
        engine: floors.engine.handle.clone(),
        counters: floors.counters.clone(),
        events: floors.events.meter(),
        feed: Arc::new(Feed::new(floors.events.bus(), clock)),
        keyring: Keyring::new(secret.clone(), lockout.clone(), state.keys(), clock),
        lockout,
        secret,
        clock,
        ice: vec![stun_url(&config.domain, media_port)],
        restart,
        life,
    };
    let doors = Doors::open(ground, (https, tls), http, config.clone());
    say(&greeting(&config, http_port, media_port));
    systemd::ready();
    Ok((House { origin, state, config, floors, doors, clock }, signals, restarts))
}

/// The daemon at work.
struct House {
    origin: Origin,
    state: State,
    config: Arc<Config>,
    floors: Floors,
    doors: Doors,
    clock: Clock,
}

impl House {
    /// Is at work until something ends it, and then stops.
    async fn stay(mut self, mut signals: Signals, restarts: mpsc::Receiver<Request>) -> Ended {
        let mut ended = self.live(&mut signals, restarts).await;
        match ended {
            Ended::Stopped | Ended::Broken => systemd::stopping(),
            Ended::Restarting => systemd::reloading(),
        }
        let crashed = (ended == Ended::Broken).then(|| self.config.clone());
        let mut ending = pin!(stop(self.floors, self.doors, crashed, self.clock));
        loop {
            tokio::select! {
                () = &mut ending => break,
                name = signals.end() => match ended {
                    Ended::Restarting => {
                        tracing::info!("{name}: stopping instead of beginning anew");
                        systemd::stopping();
                        ended = Ended::Stopped;
                    }
                    Ended::Stopped | Ended::Broken => {
                        tracing::warn!("{name} while stopping: ending now");
                        // dropping what is left could wait for what hangs
                        std::process::exit(1);
                    }
                },
            }
        }
        tracing::info!("stopped");
        ended
    }

    /// Waits for what ends it, and reloads when it is asked to.
    async fn live(&mut self, signals: &mut Signals, mut restarts: mpsc::Receiver<Request>) -> Ended {
        loop {
            tokio::select! {
                heard = signals.next() => match heard {
                    Heard::End(name) => {
                        tracing::info!("{name}: stopping");
                        return Ended::Stopped;
                    }
                    Heard::Reload => {
                        systemd::reloading();
                        self.reload().await;
                        systemd::ready();
                    }
                },
                () = self.floors.engine.ended() => {
                    tracing::error!("the media thread has died: stopping, so that the daemon is started again");
                    return Ended::Broken;
                }
                Some(Request { changes, answer }) = restarts.recv() => {
                    let origin = self.origin.clone();
                    let Ok(written) = spawn_blocking(move || restart::write(&origin, changes)).await else { continue };
                    let goes = written.is_ok();
                    // a client that hung up has asked all the same
                    let _ = answer.send(written);
                    if goes {
                        tracing::info!("POST restart: beginning anew");
                        return Ended::Restarting;
                    }
                }
            }
        }
    }

    async fn reload(&mut self) {
        let (origin, state, present) = (self.origin.clone(), self.state.clone(), self.config.clone());
        let fresh = match spawn_blocking(move || reload::read(&origin, &state, &present)).await {
            Ok(Ok(fresh)) => fresh,
            Ok(Err(refused)) => return tracing::error!("nothing is reloaded, the configuration is wrong: {refused}"),
            Err(error) => return tracing::error!(%error, "nothing is reloaded"),
        };
        self.config = Arc::new(fresh.config);
        self.floors.registry.set(session_settings(&self.config, self.floors.events.bus(), self.floors.registry.cluster()));
        self.doors.repaint(self.config.clone(), fresh.tls);
        keep(&self.state, fresh.text).await;
    }
}

/// The text of a file that has proved good is kept.
async fn keep(state: &State, text: Option<String>) {
    let (Some(text), state) = (text, state.clone()) else { return };
    // it has said what went wrong
    let _ = spawn_blocking(move || keep_as_good(&state, &text)).await;
}

/// What stands below the doors.
struct Floors {
    engine: engine::Running,
    supervisor: JoinHandle<()>,
    counters: jobs::Counters,
    /// `None`: this box does not record.
    recordings: Option<Recordings>,
    registry: Registry,
    events: Events,
    /// `None`: nothing comes back after a restart.
    store: Option<Store>,
    /// The router of events from below, the watchdog, the load of the machine, the garbage collector, who looks for new addresses, and
    /// the writer of the store.
    tasks: JoinSet<()>,
}

impl Floors {
    fn start(config: &Config, lan: &[IpAddr], node: MediaNodeId, store: Option<Store>, clock: Clock) -> Result<Floors, Refused> {
        let events = listeners::start(config, clock)?;
        let library = config.recording.as_ref().map(|recording| library(&recording.path, config.public_url())).transpose()?;
        let program = std::env::current_exe().map_err(|error| Refused::System { what: "the supervisor of workers", error })?;
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
        let budget = jobs::Budget::new(config.cpu_budget.map(|percent| percent.saturating_mul(10)), clock);
        let (jobs, jobs_commands) = jobs::Handle::with(budget);
        let counters = jobs.counters();
        let supervisor = jobs::start(clock, jobs::Settings::new(program, counters.clone()), jobs_commands, jobs_events);

        let teller = Teller::new(events.bus(), (config.edition == Edition::Pro).then(|| node.clone()));
        let recordings = library.map(|library| Recordings::new(library, engine.handle.clone(), jobs.clone(), teller, clock));
        let cluster = nodes::cluster(config, lan, node, events.bus(), clock);
        let settings = session_settings(config, events.bus(), cluster.clone());
        let mut registry = Registry::new(settings, engine.handle.clone(), jobs, recordings.clone(), clock);
        let mut tasks = JoinSet::new();
        if let Some(store) = &store {
            registry = registry.keeping(store.clone());
            tasks.spawn(store.clone().run(clock));
        }
        let router = registry.clone();
        tasks.spawn(async move { router.route(engine_heard, jobs_heard).await });
        tasks.spawn(systemd::watchdog(engine.handle.clone(), clock));
        tasks.spawn(cluster.watch_load());
        if let Some((interval, threshold)) = config.garbage {
            tasks.spawn(registry.clone().collect_garbage(interval, threshold));
        }
        tasks.spawn(addresses::follow(engine.handle.clone(), lan.to_vec(), config.loopback_candidates, clock));
        Ok(Floors { engine, supervisor, counters, recordings, registry, events, store, tasks })
    }
}

/// What is kept over a restart, unless the box shall forget.
fn store(config: &Config) -> Option<(Store, Vec<SessionRecord>)> {
    if config.restore_cameras {
        return Some(Store::open(&config.state_path));
    }
    Store::forget(&config.state_path);
    None
}

fn library(path: &Path, public_url: String) -> Result<Library, Refused> {
    Library::open(path, public_url).map_err(|error| {
        let why = format!("the folder cannot be used ({error}); choose one this user may write, or set OPENVIDU_RECORDING=false");
        Problem::new("OPENVIDU_RECORDING_PATH", path.display(), why).into()
    })
}

fn session_settings(config: &Config, events: Bus, cluster: Cluster) -> session::Settings {
    let (autostop, word) = config.recording.as_ref().map(|recording| (recording.autostop, recording.notification.as_str())).unzip();
    session::Settings {
        grace: GRACE,
        camera_linger: CAMERA_LINGER,
        max_recv_kbps: config.max_recv_kbps,
        transcoding: Transcoding { min_kbps: config.min_send_kbps, max_kbps: config.max_send_kbps, hardware: config.hardware_codecs },
        rendition_linger: RENDITION_LINGER,
        recording_autostop: autostop.unwrap_or_default(),
        recording_audience: word.and_then(Audience::parse).unwrap_or_default(),
        cluster,
        events,
    }
}

/// The stop: clients hear why before their sockets close, and nobody asks a floor that is gone. `crashed`: the media thread is one.
async fn stop(mut floors: Floors, mut doors: Doors, crashed: Option<Arc<Config>>, clock: Clock) {
    doors.shut();
    let closing = async {
        if let Some(config) = crashed {
            let events = floors.events.bus();
            nodes::crashed(&config, &floors.registry, floors.recordings.as_ref(), &events, clock).await;
        }
        floors.registry.close_all(EndReason::OpenviduServerStopped).await;
        if let Some(recordings) = &floors.recordings {
            recordings.finished().await;
        }
        if let Some(store) = &floors.store {
            store.all_durable().await;
        }
    };
    within(CLOSING, "closing the sessions", closing).await;
    within(STEP, "closing the sockets", doors.close_sockets()).await;
    within(STEP, "finishing the answers", doors.finish()).await;
    // with the last door, the last session and the router, every handle of the supervisor is gone, and so it ends
    floors.tasks.shutdown().await;
    drop((doors, floors.registry, floors.recordings));
    let workers = within(STEP, "stopping the workers", async { drop(floors.supervisor.await) });
    // what cannot be posted now waits on disk for the next start
    let events = within(STEP, "telling the last events", floors.events.end());
    tokio::join!(workers, events);
    let engine_ends = tokio::task::spawn_blocking(move || floors.engine.stop());
    within(STEP, "stopping the media thread", async { drop(engine_ends.await) }).await;
}

/// Gives a step of the stop its time.
async fn within(time: Duration, what: &str, step: impl Future<Output = ()>) {
    if tokio::time::timeout(time, step).await.is_err() {
        tracing::warn!("{what} took longer than {} ms", time.as_millis());
    }
}

/// The signals that the daemon obeys: two that end it, one that reloads.
struct Signals {
    term: Signal,
    int: Signal,
    reload: Signal,
}

/// What a signal means.
enum Heard {
    /// Its name.
    End(&'static str),
    Reload,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())?, reload: signal(SignalKind::hangup())? })
    }

    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.term.recv() => Heard::End("SIGTERM"),
            _ = self.int.recv() => Heard::End("SIGINT"),
            _ = self.reload.recv() => Heard::Reload,
        }
    }

    /// Waits for one that ends it.
    async fn end(&mut self) -> &'static str {
        loop {
            if let Heard::End(name) = self.next().await {
                return name;
            }
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
    use super::super::args::Options;
    use super::super::start::{prepare, verdict};
    use super::*;
    use crate::config::{Sources, load};
    use std::collections::BTreeMap;
    use std::os::unix::net::UnixDatagram;
    use std::process::{Child, Command, ExitCode, ExitStatus, Output, Stdio};

    /// Set in the process that is to die.
    const DOOMED: &str = "DAEMON_WITH_A_BUG";
    /// The stop is done within 10 s.
    const LIMIT: Duration = Duration::from_secs(30);

    /// This very program as the daemon, into whose media thread a bug is put as soon as it is ready.
    fn doomed() -> ! {
        let origin = Origin::new(&Options::default(), vec![]);
        let ready = prepare(&origin, None, None).expect("a configuration that is right");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let ended = runtime.block_on(async {
            let (house, signals, restarts) = open(ready).await?;
            house.floors.engine.handle.send(crate::engine::Command::Panic).expect("the thread lives");
            Ok(house.stay(signals, restarts).await)
        });
        std::process::exit(if verdict(ended) == ExitCode::FAILURE { 1 } else { 0 });
    }

    fn ended_within(mut child: Child, span: Duration) -> (ExitStatus, Output) {
        let begin = Clock::System.now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return (status, child.wait_with_output().unwrap());
            }
            if begin.elapsed() > span {
                let _ = child.kill();
                panic!("it lives on for {span:?}: {:?}", child.wait_with_output());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whatever a dead media thread leaves behind, systemd starts the box again (`Restart=always`): the process must not linger.
    #[test]
    fn a_media_thread_that_dies_takes_the_process_with_it() {
        if std::env::var_os(DOOMED).is_some() {
            doomed();
        }
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&socket).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["daemon::run::tests::a_media_thread_that_dies_takes_the_process_with_it", "--exact", "--nocapture"])
            .env(DOOMED, "1")
            .env("NOTIFY_SOCKET", &socket)
            .env("VIDUCT_STATE_PATH", folder.path())
            .env("DOMAIN_OR_PUBLIC_IP", "127.0.0.1")
            .env("OPENVIDU_SECRET", "MY_SECRET")
            .envs([("HTTPS_PORT", "0"), ("VIDUCT_MEDIA_PORT", "0")])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let begin = Clock::System.now();
        let (status, output) = ended_within(command.spawn().unwrap(), LIMIT);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        println!("{status} after {:?}", begin.elapsed());
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("is ready at") && said.contains("the media thread has died"), "{said}");
        systemd.set_nonblocking(true).unwrap();
        let mut told = vec![];
        let mut word = [0; 64];
        while let Ok(length) = systemd.recv(&mut word) {
            told.push(String::from_utf8_lossy(&word[..length]).into_owned());
        }
        assert_eq!(told, ["READY=1", "STOPPING=1"]);
        assert!(include_str!("../../systemd/viduct.service").contains("\nRestart=always\n"));
    }

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
