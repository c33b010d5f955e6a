//! The daemon's start and end: arguments, configuration, wiring, readiness, stop. The only room that knows all others.
//!
//! | file | what lives there |
//! |---|---|
//! | `args` | the command line |
//! | `origin` | where the configuration comes from, and the last good one |
//! | `start` | configuration and files, up to the point where nothing but ports can fail |
//! | `run` | the wiring: engine, jobs, sessions, doors; what reloads and restarts; the order of the stop |
//! | `doors` | listeners and routes, which a reload replaces |
//! | `reload`, `restart`, `life` | SIGHUP; POST restart; how often that was |
//! | `nodes` | this box as a media node |
//! | `key` | `viduct key` |
//! | `http` | listeners, TLS, limits |
//! | `listeners` | who is told of events |
//! | `tls`, `state` | certificate and secret, and the folder that keeps them |
//! | `addresses`, `log`, `systemd` | the box's addresses; where log lines go; readiness and watchdog |

mod addresses;
pub mod args;
mod doors;
mod http;
mod key;
mod life;
mod listeners;
mod log;
mod nodes;
mod origin;
mod reload;
mod restart;
mod run;
mod start;
mod state;
mod systemd;
mod tls;

pub use start::main;
