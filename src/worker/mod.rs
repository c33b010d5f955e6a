//! A worker process (`viduct worker`): one GStreamer job, the only room that knows GStreamer.
//!
//! The daemon starts it in a process group of its own with two sockets ([`crate::wire`]): `link` is the control socket,
//! `socket` the media socket. The job reads `Turn`s from one bounded queue: what the bus, the streaming threads and the
//! control socket have to say. Only the closing of the control socket ends a worker; SIGINT and SIGTERM are for the daemon,
//! which then closes the socket. A worker that cannot end by itself is ended by its own guard thread (`link::guard`).
//!
//! `process` is what a worker asks of the operating system for itself, `pipeline` owns a pipeline and its safe end, `bus` is the one
//! translator of bus messages, `camera` is the job that pulls a camera, `compose` the one that mixes many streams into one file,
//! `transcode` the one that makes another codec of a picture, `thumbnail` the one that makes one picture of a film. What several jobs
//! do stands beside them: `inlet` makes whole access units of the packets that a job is given, `source` gives them to a decoder,
//! `unit` and `output` make them of those that it gives. A job runs once and returns why it ended; trying again is the supervisor's.

mod bus;
mod camera;
mod compose;
mod inlet;
mod link;
mod output;
mod pipeline;
mod process;
mod socket;
mod source;
mod thumbnail;
mod transcode;
mod unit;
mod watchdog;

use crate::wire::control::{Failure, FromWorker, Spec, ToWorker};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// What happened while a job runs.
#[derive(Debug)]
enum Turn {
    /// The daemon closed the control socket.
    Stop,
    /// The first media went to the daemon.
    Ready,
    /// Something worth a log line.
    Warning(String),
    /// The job cannot go on.
    Failed(Failure),
}

/// Where `Turn`s come from. Cheap to clone; holds no GStreamer object, so it may be captured by any closure.
#[derive(Clone, Debug)]
struct Turns {
    queue: SyncSender<Turn>,
}

/// Turns that may wait. A job takes them faster than anything makes them; the first failure ends it.
const TURNS: usize = 64;

impl Turns {
    fn channel() -> (Turns, Receiver<Turn>) {
        let (queue, turns) = sync_channel(TURNS);
        (Turns { queue }, turns)
    }

    /// Never blocks. A turn that finds the queue full is lost and reported on stderr: then the job is stuck, and the guard or
    /// the supervisor ends it.
    fn send(&self, turn: Turn) {
        if let Err(TrySendError::Full(turn)) = self.queue.try_send(turn) {
            eprintln!("worker is stuck, lost {turn:?}");
        }
    }
}

/// The process's main function. Returns when the job is over; how it went is in the last control line.
pub fn run() -> ExitCode {
    let Some((control, media)) = link::take() else {
        eprintln!("viduct worker is started by the daemon: its standard input and output have to be sockets");
        return ExitCode::from(2);
    };
    process::settle();
    let (turns, queue) = Turns::channel();
    let mut link = link::Link::new(control);
    if let Err(error) = link::guard(&link, turns.clone()) {
        eprintln!("worker has no guard thread: {error}");
        return ExitCode::FAILURE;
    }
    let spec = match link.read() {
        Ok(Some(ToWorker::Start { spec })) => spec,
        Ok(Some(_)) => {
            eprintln!("the first line to a worker is its job");
            return ExitCode::FAILURE;
        }
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("worker cannot read its job: {error}");
            return ExitCode::FAILURE;
        }
    };
    let media = socket::MediaSocket::new(media);
    let end = match &spec {
        Spec::Camera(spec) => camera::run(spec, media, turns, queue, &mut link),
        Spec::Compose(spec) => compose::run(spec, media, &queue, &mut link),
        Spec::Transcode(spec) => transcode::run(spec, media, &turns, &queue, &mut link),
        Spec::Thumbnail(spec) => thumbnail::run(spec, turns, &queue),
    };
    link.say(&match end {
        Ok(()) => FromWorker::Finished,
        Err(failure) => FromWorker::Failed { failure },
    });
    ExitCode::SUCCESS
}
