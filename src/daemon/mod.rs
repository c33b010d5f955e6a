//! The daemon's start and end: arguments, configuration, wiring, readiness, stop. The only room that knows all others.
//!
//! | file | what lives there |
//! |---|---|
//! | `args` | the command line |
//! | `start` | configuration and files, up to the point where nothing but ports can fail |
//! | `run` | the wiring: engine, jobs, sessions, doors; the order of the stop |
//! | `http` | listeners, TLS, limits |
//! | `listeners` | who is told of events |
//! | `tls`, `state` | certificate and secret, and the folder that keeps them |
//! | `addresses`, `log`, `systemd` | the box's addresses; where log lines go; readiness and watchdog |

mod addresses;
pub mod args;
mod http;
mod listeners;
mod log;
mod run;
mod start;
mod state;
mod systemd;
mod tls;

pub use start::main;
