//! The daemon's side of worker processes: start, watch, kill, retry with back-off.
//!
//! A [`Handle`] starts and stops jobs; what becomes of them arrives as [`Event`]s. A job outlives its processes: when one dies
//! the supervisor starts the next and gives it the same end of the media socket, so the engine sees only a new epoch.
//!
//! | file | what |
//! |---|---|
//! | `supervisor` | owns all jobs: one task each, started and stopped by commands |
//! | `job` | one job: run a process, report its end, pause, run the next |
//! | `process` | one worker process: its sockets, its group, its end |
//! | `output` | what a worker prints, into the log |
//! | `reach` | where a camera is, and whether it is there, before a process is started for it |
//! | `starting` | how many cameras' processes begin at a time |
//! | `counters` | what became of all processes so far |
//! | `budget` | what the board can carry: who may start, by what the others use. Pure core |
//! | `cpu` | how many processors there are, and how much of their time a process uses |
//! | `strikes` | which hardware is left alone, because it took its processes along. Pure |
//! | `backoff`, `health` | how long to pause; what is worth a log line. Pure |

pub mod api;
mod backoff;
pub mod budget;
pub mod counters;
mod cpu;
mod health;
mod job;
mod output;
mod process;
mod reach;
mod starting;
mod strikes;
mod supervisor;

pub use api::{Command, Event, Handle};
pub use backoff::Pauses;
pub use budget::Budget;
pub use counters::Counters;
pub use supervisor::{Settings, start};
