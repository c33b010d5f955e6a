//! The job that pulls a camera: `rtspsrc` in, one access unit after the other out on the media socket.
//!
//! | file | what |
//! |---|---|
//! | `address` | where the camera is: name to address, is it allowed, does it listen |
//! | `stream` | which of its streams are taken, pure |
//! | `rtsp` | the source element and what is linked to it |
//! | `video`, `audio` | the elements behind each kind of stream |
//!
//! Keyframe requests on the media socket are read and forgotten: an RTSP camera cannot be asked. Viewers of a camera start from
//! the daemon's GOP cache instead.

mod address;
mod audio;
mod rtsp;
mod stream;
mod video;

use super::link::Link;
use super::output;
use super::pipeline::Pipeline;
use super::socket::MediaSocket;
use super::watchdog::silent;
use super::{Turn, Turns};
use crate::clock::monotonic_ns;
use crate::wire::camera::CameraSpec;
use crate::wire::control::{Failure, FailureKind, FromWorker};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How often the watchdog looks and the media socket is drained.
const TICK: Duration = Duration::from_millis(100);
/// Ticks between two reports of what was dropped.
const REPORT: u64 = 10;

/// Pulls the camera until the daemon ends the job (`Ok`) or something fails.
pub fn run(spec: &CameraSpec, media: MediaSocket, turns: Turns, queue: Receiver<Turn>, link: &mut Link) -> Result<(), Failure> {
    let address = address::find(spec)?;
    // only now: a camera that is away is tried often, and that shall cost little
    gstreamer::init().map_err(|error| Failure { kind: FailureKind::Pipeline, text: error.to_string() })?;
    let shared = Arc::new(output::Shared::new(media, turns.clone()));
    let pipeline = Pipeline::new("camera", turns.clone())?;
    let selection = rtsp::build(&pipeline, spec, address, &shared, &turns)?;
    pipeline.play()?;
    let end = watch(&shared, &queue, link);
    end.map_err(|failure| {
        pipeline.dump("failed");
        // an element's complaint about a stream that it cannot link is less telling than what the stream is
        let unsupported = selection.lock().unwrap_or_else(|poison| poison.into_inner()).unsupported();
        unsupported.map_or(failure, |text| Failure { kind: FailureKind::Unsupported, text })
    })
}

/// The job's loop.
fn watch(shared: &output::Shared, queue: &Receiver<Turn>, link: &mut Link) -> Result<(), Failure> {
    let started = monotonic_ns();
    for tick in 1u64.. {
        loop {
            match queue.recv_timeout(TICK) {
                Ok(Turn::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(Turn::Ready) => link.say(&FromWorker::Ready),
                Ok(Turn::Warning(text)) => link.say(&FromWorker::Warning { text }),
                Ok(Turn::Failed(failure)) => return Err(failure),
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        shared.media.drain(|_| {});
        if silent(started, shared.last_arrival(), monotonic_ns()) {
            let text = if shared.last_arrival().is_some() { "the camera went silent" } else { "the camera sends nothing" };
            return Err(Failure { kind: FailureKind::NoPackets, text: text.into() });
        }
        if tick.is_multiple_of(REPORT)
            && let Some(dropped) = shared.take_dropped()
        {
            link.say(&FromWorker::Warning { text: format!("{dropped} access units dropped: the daemon does not take them") });
        }
    }
    Ok(())
}
