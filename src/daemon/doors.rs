//! The open doors: listeners, the routes behind them, and how both change when the configuration is reloaded.

use super::http::{self, Proxies};
use super::start::Tls;
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::events::Meter;
use crate::guard::Lockout;
use crate::keys::Keyring;
use crate::recording::Recordings;
use crate::session::Registry;
use crate::{engine, jobs, rest, signaling, web, whip};
use axum::Router;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What the doors stand on, and what stays as it is when they are repainted.
#[derive(Debug)]
pub struct Ground {
    pub registry: Registry,
    /// `None`: this box does not record.
    pub recordings: Option<Recordings>,
    pub engine: engine::Handle,
    /// What became of the workers so far.
    pub counters: jobs::Counters,
    pub events: Meter,
    /// Tells whoever listens what happens. It closes its sockets itself, and outlives reloads.
    pub feed: Arc<web::Feed>,
    /// For clients that join with it; named keys do not.
    pub secret: Secret,
    /// Shared by all doors: who guesses at one has guessed at all.
    pub lockout: Lockout,
    pub keyring: Keyring,
    pub clock: Clock,
    /// What clients ask for their own address.
    pub ice: Vec<String>,
    /// Where POST restart goes.
    pub restart: mpsc::Sender<rest::restart::Request>,
    pub life: rest::status::Life,
}

/// The doors.
pub struct Doors {
    ground: Ground,
    stop: watch::Sender<bool>,
    servers: JoinSet<()>,
    /// The signaling door; it closes its sockets itself, and outlives reloads.
    sockets: Arc<signaling::Door>,
    viewers: Arc<whip::Door>,
    app: watch::Sender<Router>,
    tls: watch::Sender<TlsAcceptor>,
}

impl Doors {
    /// Opens them. Further answers are as `config` says until [`Doors::repaint`].
    pub fn open(ground: Ground, https: (TcpListener, Tls), http: Option<TcpListener>, config: Arc<Config>) -> Doors {
        let (registry, clock, secret) = (&ground.registry, ground.clock, &ground.secret);
        let sockets = signaling::Door::new(registry.clone(), clock, secret.clone(), ground.lockout.clone(), ground.ice.clone());
        let (sockets, viewers) = (Arc::new(sockets), Arc::new(whip::Door::new(registry.clone(), ground.keyring.clone())));
        let (listener, Tls(tls)) = https;
        let (stop, stopped) = watch::channel(false);
        let (app, apps) = watch::channel(app(&ground, &sockets, &viewers, config.clone()));
        let (tls, acceptors) = watch::channel(tls);
        let (mut servers, proxies) = (JoinSet::new(), Proxies::new(&config.trusted_proxies));
        if let Some(listener) = http {
            servers.spawn(http::serve(listener, None, apps.clone(), proxies.clone(), clock, stopped.clone()));
        }
        servers.spawn(http::serve(listener, Some(acceptors), apps, proxies, clock, stopped));
        Doors { ground, stop, servers, sockets, viewers, app, tls }
    }

    /// Requests from now on are answered as `config` says, connections from now on get this certificate. Nobody who is inside notices.
    pub fn repaint(&self, config: Arc<Config>, tls: Tls) {
        let _old = self.app.send_replace(app(&self.ground, &self.sockets, &self.viewers, config));
        let _old = self.tls.send_replace(tls.0);
    }

    /// Nobody comes in any more.
    pub fn shut(&self) {
        self.stop.send_replace(true);
    }

    /// Closes the sockets of clients, which have heard why.
    pub async fn close_sockets(&self) {
        tokio::join!(self.sockets.close(), self.ground.feed.close());
    }

    /// Waits for the last answer.
    pub async fn finish(&mut self) {
        while self.servers.join_next().await.is_some() {}
    }
}

/// All routes of the box in their frame.
fn app(ground: &Ground, sockets: &Arc<signaling::Door>, viewers: &Arc<whip::Door>, config: Arc<Config>) -> Router {
    let Ground { registry, recordings, engine, counters, events, feed, keyring, clock, restart, life, .. } = ground;
    let watched = web::Watched {
        registry: registry.clone(),
        recordings: recordings.clone(),
        engine: engine.clone(),
        jobs: counters.clone(),
        events: events.clone(),
    };
    let api = Arc::new(rest::Api {
        registry: registry.clone(),
        recordings: recordings.clone(),
        config,
        keyring: keyring.clone(),
        clock: *clock,
        engine: engine.clone(),
        restart: restart.clone(),
        life: *life,
    });
    let routes = rest::routes(api.clone()).merge(web::routes(watched, feed.clone()));
    let routes = routes.merge(whip::routes(viewers.clone())).merge(signaling::router(sockets.clone()));
    rest::frame(routes, api)
}
