//! Recordings: made, kept, found again after a crash. Knows nothing of HTTP, of clients or of GStreamer.
//!
//! A session asks [`Recordings`] for a recording, gets a [`Recorder`], and says through it who is shown and when to stop. The rest
//! is a task's, which may outlive the session: composer, folder, metadata. Readers take the [`Library`].
//!
//! | file | what | its steps |
//! |---|---|---|
//! | `plan` | what shall be recorded; what a recording is at one moment; its states. Pure | |
//! | `recorder` | the session's hold on its recording, and those who follow it | |
//! | `recordings` | all that are being made; the way of the composers' events | |
//! | `control` | one recording, from the request to its end | C1 to C8 |
//! | `slots` | which track has which slot. Pure | |
//! | `library` | metadata on disk and in memory; ids; deletion; which files are served | L1 to L4 |
//! | `metadata` | a recording as JSON, for answers and for the disk. Pure | |
//! | `parts` | the files, when nobody writes them any more | P1 to P3 |
//! | `recovery` | the next start | R1 to R3 |
//! | `thumbnails` | the pictures that stand for films | T1, T2 |
//! | `told` | what the world is told of a recording, and the way it goes | |
//!
//! `stops` (tests) stops after each step; `lives` (tests) tells any story at all.
//!
//! On disk (rest.md §11.1): `<id>/.recording.<id>` is the metadata, `<id>/<name>.mp4` the film. While it is being made it is called
//! `part-1.mp4`, and `.lock` is held by who writes it. `<id>.jpg` comes when the film is there. Who writes what: the composer the parts, the
//! maker of thumbnails a picture under a temporary name, this room all else.

mod control;
mod error;
mod library;
#[cfg(test)]
mod lives;
mod metadata;
mod parts;
mod plan;
#[cfg(test)]
pub mod played;
mod recorder;
mod recordings;
mod recovery;
mod slots;
#[cfg(test)]
mod stops;
mod thumbnails;
mod told;

pub use error::Error;
pub use library::Library;
pub use metadata::to_json;
pub use plan::{Cast, Picture, Plan, Recording, Resolution, Status, StopReason};
pub use recorder::{Follower, Progress, Recorder};
pub use recordings::{Recordings, Request};
pub use told::Teller;
