//! The wiring: ports, engine, jobs, sessions, doors; then the wait for a signal, and the stop in the reverse order.

use super::start::{Ready, Refused, say};
use super::{addresses, http, systemd};
use crate::config::Config;
use crate::session::notice::EndReason;
use crate::session::{self, Registry};
use crate::{engine, jobs, rest, signaling, whip};
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Events from below that may wait for the router; the floors below say in their rooms what happens to more.
const EVENTS: usize = 1024;
/// A client that lost its socket has this long to come back (signaling.md §12).
const GRACE: Duration = Duration::from_secs(30);
/// A camera nobody watches any more runs on for this long.
const CAMERA_LINGER: Duration = Duration::from_secs(5);
/// What each step of the stop may take; together less than the 10 s that are promised.
const STEP: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT, and ends within 10 s of it.
pub async fn run(ready: Ready) -> Result<(), Refused> {
    let mut signals = Signals::new().map_err(|error| Refused::System { what: "the signal handler", error })?;
    let (config, clock) = (ready.config, ready.clock);
    let https = http::listen(config.https_port, "HTTPS_PORT")?;
    let http = config.http_port.map(|port| http::listen(port, "HTTP_PORT")).transpose()?;
    let config = Arc::new(config.with_https_port(port_of(&https)));

    let (engine_events, engine_heard) = mpsc::channel(EVENTS);
    let (jobs_events, jobs_heard) = mpsc::channel(EVENTS);
    let settings = engine::Settings {
        port: config.media_port,
        candidates: addresses::candidates(&config, &ready.lan),
        public: config.public_addresses.clone(),
        ..engine::Settings::default()
    };
    let engine =
        engine::start(settings, clock, engine_events).map_err(|error| http::refused("VIDUCT_MEDIA_PORT", config.media_port, &error))?;
    let media_port = engine.port();
    let jobs = jobs::start(clock, jobs_events).map_err(|error| Refused::System { what: "the supervisor of workers", error })?;

    let settings = session::Settings { grace: GRACE, camera_linger: CAMERA_LINGER, max_recv_kbps: config.max_recv_kbps };
    let registry = Registry::new(settings, engine.handle.clone(), jobs.handle.clone(), clock);
    let mut tasks = JoinSet::new();
    let router = registry.clone();
    tasks.spawn(async move { router.route(engine_heard, jobs_heard).await });
    tasks.spawn(systemd::watchdog(engine.handle.clone(), clock));

    let ice = vec![stun_url(&config.domain, media_port)];
    let sockets = Arc::new(signaling::Door::new(registry.clone(), clock, ready.secret.reveal().to_owned(), ice));
    let viewers = Arc::new(whip::Door::new(registry.clone(), ready.secret.clone()));
    let engine_handle = engine.handle.clone();
    let api =
        Arc::new(rest::Api { registry: registry.clone(), config: config.clone(), secret: ready.secret, clock, engine: engine_handle });
    let doors = rest::routes(api.clone()).merge(whip::routes(viewers)).merge(signaling::router(sockets.clone()));
    let app = rest::frame(doors, api);

    let (stop, stopped) = watch::channel(false);
    let mut servers: JoinSet<()> = JoinSet::new();
    let http_port = http.as_ref().map(port_of);
    servers.spawn(http::serve(https, Some(ready.tls.0), app.clone(), clock, stopped.clone()));
    if let Some(listener) = http {
        servers.spawn(http::serve(listener, None, app, clock, stopped));
    }
    say(&greeting(&config, http_port, media_port));
    systemd::ready();

    let name = signals.next().await;
    tracing::info!("{name}: stopping");
    systemd::stopping();
    let ending = async {
        stop.send_replace(true);
        within("closing the sessions", registry.close_all(EndReason::OpenviduServerStopped)).await;
        within("closing the sockets", sockets.close()).await;
        within("finishing the answers", async { while servers.join_next().await.is_some() {} }).await;
        within("stopping the workers", jobs.stop()).await;
        let engine_ends = tokio::task::spawn_blocking(move || engine.stop());
        within("stopping the media thread", async { drop(engine_ends.await) }).await;
        tasks.shutdown().await;
    };
    tokio::select! {
        () = ending => tracing::info!("stopped"),
        name = signals.next() => tracing::warn!("{name} again: ending now"),
    }
    Ok(())
}

/// Gives a step of the stop its time.
async fn within(what: &str, step: impl Future<Output = ()>) {
    if tokio::time::timeout(STEP, step).await.is_err() {
        tracing::warn!("{what} took longer than {} s", STEP.as_secs());
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
