//! The job that pulls a camera: `rtspsrc` in, one access unit after the other out on the media socket.
//!
//! | file | what |
//! |---|---|
//! | `stream` | which of its streams are taken, pure |
//! | `rtsp` | the source element and what is linked to it |
//! | `foreign` | what a camera sends beside its packets |
//! | `redirect` | where a camera may send us, and where not |
//! | `video`, `audio` | the elements behind each kind of stream |
//!
//! Two things that `rtspsrc` leaves no better way for. *Redirections:* it connects to where it is sent before it asks anybody
//! (`before-send` comes with the first request), so a camera can make this box open a TCP connection to any address, over which
//! then nothing is said. *Certificates* of `rtsps://` are not checked: cameras have ones of their own making, and the address that
//! was checked stands in place of the name that a certificate would be for. Who listens on the way is kept out, who answers in
//! the camera's place is not.
//!
//! Keyframe requests on the media socket go to the camera as RTCP PLI. Most cameras cannot be asked (their SDP would say
//! `a=rtcp-fb`), and nothing is sent to them; viewers start from the daemon's GOP cache.

mod audio;
mod foreign;
mod redirect;
mod rtsp;
mod stream;
mod video;

use super::link::Link;
use super::output;
use super::pipeline::Pipeline;
use super::socket::MediaSocket;
use super::watchdog::{fruitless, silent};
use super::{Turn, Turns};
use crate::clock::monotonic_ns;
use crate::wire::camera::{CameraSpec, Transport};
use crate::wire::control::{Failure, FailureKind, FromWorker, HEARTBEAT, VIDEO_SLOT};
use crate::wire::media::Message;
use foreign::{Foreign, hang_up, read_from_tcp};
use gstreamer::prelude::*;
use gstreamer_video::UpstreamForceKeyUnitEvent;
use nix::sys::resource::{Resource, setrlimit};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How often the watchdog looks and the media socket is drained.
const TICK: Duration = Duration::from_millis(100);
/// The same until the first packet has come: what sends something else takes a processor meanwhile.
const FIRST_TICKS: Duration = Duration::from_millis(10);
/// Memory that a camera's process may write to, in bytes: many times what a 4K camera takes. A camera that promises an answer of
/// a terabyte, or sends headers without end, ends its own process and not the box.
const MEMORY: u64 = 512 << 20;

/// A camera that was just hung up on may refuse the next connection until it has noticed. It is given so much time, so often.
const BREATH: Duration = Duration::from_millis(300);
const BREATHS: usize = 3;

/// Pulls the camera until the daemon ends the job (`Ok`) or something fails. Its address was looked for and checked by the
/// daemon.
pub fn run(spec: &CameraSpec, media: MediaSocket, turns: Turns, queue: Receiver<Turn>, link: &mut Link) -> Result<(), Failure> {
    if let Err(error) = setrlimit(Resource::RLIMIT_DATA, MEMORY, MEMORY) {
        eprintln!("the memory of this worker is not limited: {error}");
    }
    gstreamer::init().map_err(|error| Failure { kind: FailureKind::Pipeline, text: error.to_string() })?;
    let shared = Arc::new(output::Shared::new(media, turns.clone()));
    let wish = spec.transport;
    let mut spec = spec.clone();
    let (mut redirects, mut breaths) = (0, 0);
    loop {
        let pipeline = Pipeline::new("camera", turns.clone())?;
        let findings = rtsp::build(&pipeline, &spec, &shared, &turns)?;
        pipeline.play()?;
        let instead = Some(spec.transport).filter(|transport| *transport != wish);
        let Err(failure) = watch(&pipeline, &shared, &queue, instead, link) else { return Ok(()) };
        pipeline.dump("failed");
        drop(pipeline);
        let mut pause = Duration::ZERO;
        let findings = std::mem::take(&mut *findings.lock().unwrap_or_else(|poison| poison.into_inner()));
        if let Some(uri) = &findings.redirect {
            redirects += 1;
            spec = redirect::follow(&spec, uri, redirects)?;
        } else if findings.transport_refused(&failure) && instead.is_none() && shared.last_arrival().is_none() {
            let text = match wish {
                Transport::Tcp => "the camera does not send over TCP; taking UDP, where packets may be lost",
                Transport::Udp => "nothing comes over UDP; taking TCP",
            };
            link.say(&FromWorker::Warning { text: text.into() });
            spec.transport = wish.other();
        } else if instead.is_some() && findings.hung_up_on(&failure) && breaths < BREATHS {
            breaths += 1;
            pause = BREATH;
        } else {
            // an element's complaint about a stream that it cannot link is less telling than what the stream is
            let unsupported = findings.selection.unsupported();
            return Err(unsupported.map_or(failure, |text| Failure { kind: FailureKind::Unsupported, text }));
        }
        if stopped_within(pause, &queue) {
            return Ok(());
        }
    }
}

/// Waits so long for the daemon to end the job, and forgets what the pipeline before had to say.
fn stopped_within(time: Duration, queue: &Receiver<Turn>) -> bool {
    let end = monotonic_ns() + time.as_nanos() as u64;
    loop {
        match queue.recv_timeout(Duration::from_nanos(end.saturating_sub(monotonic_ns()))) {
            Ok(Turn::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

/// The job's loop. `instead`: the transport, where it is not the one that was asked for; it is told when it has proved to work.
fn watch(
    pipeline: &Pipeline,
    shared: &output::Shared,
    queue: &Receiver<Turn>,
    instead: Option<Transport>,
    link: &mut Link,
) -> Result<(), Failure> {
    let started = monotonic_ns();
    let mut foreign = Foreign::default();
    let mut next_sign = started;
    loop {
        // signs of life, and reports of what was dropped
        if monotonic_ns() >= next_sign {
            next_sign += HEARTBEAT.as_nanos() as u64;
            link.say(&FromWorker::Alive);
            if let Some(dropped) = shared.take_dropped() {
                link.say(&FromWorker::Warning { text: format!("{dropped} access units dropped: the daemon does not take them") });
            }
        }
        let tick = if shared.last_arrival().is_some() { TICK } else { FIRST_TICKS };
        loop {
            match queue.recv_timeout(tick) {
                Ok(Turn::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(Turn::Ready) => {
                    instead.into_iter().for_each(|transport| link.say(&FromWorker::Sends { transport }));
                    link.say(&FromWorker::Ready);
                }
                Ok(Turn::Warning(text)) => link.say(&FromWorker::Warning { text }),
                Ok(Turn::Failed(failure)) => return Err(failure),
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        take_requests(pipeline, shared);
        let (arrived, now) = (shared.last_arrival(), monotonic_ns());
        let nothing = |text: &str| Err(Failure { kind: FailureKind::NoPackets, text: text.into() });
        if silent(started, arrived, now) {
            return nothing(if arrived.is_some() { "the camera went silent" } else { "the camera sends nothing" });
        }
        if foreign.is_too_much(read_from_tcp(), shared.arrived()) {
            hang_up();
            return nothing("the camera sends what is no packet of the streams it was asked for");
        }
        if fruitless(started, shared.last_sent(), now) {
            return nothing("the camera sends, but nothing that makes a picture or a sound");
        }
    }
}

/// Passes requests for a keyframe on: the elements on the way know whether this camera can be asked, and how.
fn take_requests(pipeline: &Pipeline, shared: &output::Shared) {
    let mut wanted = false;
    shared.media.drain(|message| wanted |= matches!(Message::parse(message), Ok(Message::KeyframeRequest { slot: VIDEO_SLOT })));
    if wanted && let Some(sink) = pipeline.gst().by_name(output::VIDEO_SINK) {
        sink.send_event(UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
    }
}
