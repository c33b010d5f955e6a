//! The recording of a session: begun and stopped by REST, stopped by itself when nobody is left to record (rest.md §10).
//!
//! The recording is a task of its own ([`crate::recording`]); the session tells it who publishes, and sees how far it is.

use super::Actor;
use crate::ids::{ConnectionId, RecordingId};
use crate::recording::{Cast, Follower, Picture, Plan, Progress, Recorder, Recordings, Request, Resolution, Status, StopReason};
use crate::session::command::Answer;
use crate::session::error::{Denied, NotRecorded};
use crate::session::lifecycle::Timer;
use crate::session::notice::{EndReason, Notice};
use crate::session::properties::{MediaMode, RecordingMode, RecordingOutput, RecordingProperties};
use crate::session::role::Role;
use crate::session::stream::Stream;
use std::future::pending;

/// What a session has of recordings.
#[derive(Default, Debug)]
pub(super) struct Film {
    /// The one that is being made, or is about to be.
    recorder: Option<Recorder>,
    /// Have clients been told that it began?
    announced: bool,
    /// Those that were stopped; they may not have ended.
    stopped: Vec<Follower>,
    /// Did the application stop one? Then no other begins by itself.
    over: bool,
}

impl Film {
    /// Is a recording being made, or about to be?
    pub fn is_made(&self) -> bool {
        self.recorder.is_some()
    }

    /// A stream begins to be shown.
    pub fn joined(&self, stream: &Stream) {
        if let Some(recorder) = &self.recorder {
            recorder.joined(cast(stream));
        }
    }

    /// A stream is shown no more.
    pub fn left(&self, stream: &Stream) {
        if let Some(recorder) = &self.recorder {
            recorder.left(&stream.info.stream);
        }
    }

    /// Waits until the recording is a step further. May be cancelled.
    pub async fn changed(&mut self) {
        match &mut self.recorder {
            Some(recorder) => recorder.changed().await,
            None => pending().await,
        }
    }
}

impl Actor {
    /// REST: record what is published, now and later.
    pub(super) fn on_start_recording(&mut self, plan: Plan, answer: Answer<Follower>) {
        let result = self.start_recording(plan);
        self.answer(answer, result);
    }

    fn start_recording(&mut self, plan: Plan) -> Result<Follower, Denied> {
        let recordings = self.recordings.clone().ok_or(NotRecorded::Off)?;
        // every turn ends with a snapshot, so this is how the session is
        self.readers.borrow().may_be_recorded()?;
        self.begin_recording(&recordings, plan)
    }

    fn begin_recording(&mut self, recordings: &Recordings, plan: Plan) -> Result<Follower, Denied> {
        let cast: Vec<Cast> = self.roster.active().filter_map(|connection| Some(cast(connection.live()?))).collect();
        let nobody_publishes = cast.is_empty();
        let request = Request { session: self.id.clone(), session_created_at: self.created_at, plan, cast };
        let recorder = recordings.start(request).map_err(|refused| Denied::Busy(refused.to_string()))?;
        let follower = recorder.follower();
        self.film.stopped.retain(|follower| !follower.progress().status().is_final());
        (self.film.recorder, self.film.announced) = (Some(recorder), false);
        self.roster.touch();
        if nobody_publishes {
            self.timers.set(Timer::Autostop, self.now() + self.settings.recording_autostop);
        }
        self.review_cameras();
        Ok(follower)
    }

    /// A session whose mode is ALWAYS is recorded from the first publication on, and again when one follows a stop that was not the
    /// application's (rest.md §10.8). True when that begins now.
    fn begin_by_itself(&mut self) -> bool {
        let properties = self.properties.clone();
        let wanted = properties.recording_mode == RecordingMode::Always && properties.media_mode == MediaMode::Routed;
        if !wanted || self.film.over || self.film.is_made() {
            return false;
        }
        let Some(recordings) = self.recordings.clone() else { return false };
        let Some(plan) = plan_of(&properties.default_recording) else {
            tracing::warn!(session = %self.id, "not recorded: its defaultRecordingProperties ask for what this box does not record");
            self.film.over = true;
            return false;
        };
        // the next publication is the next try
        self.begin_recording(&recordings, plan).inspect_err(|why| tracing::warn!(session = %self.id, %why, "not recorded")).is_ok()
    }

    /// REST: stop the recording. In a session in which nobody is, that is the end of the session.
    pub(super) fn on_stop_recording(&mut self, id: &RecordingId, answer: Answer<Follower>) {
        let result = self.stop_by_rest(id);
        self.answer(answer, result);
    }

    fn stop_by_rest(&mut self, id: &RecordingId) -> Result<Follower, Denied> {
        let not_made = || NotRecorded::Unknown(id.clone());
        let progress = self.film.recorder.as_ref().ok_or_else(not_made)?.progress();
        match progress.recording {
            Some(recording) if recording.id != *id => return Err(not_made().into()),
            Some(recording) if recording.status == Status::Starting => return Err(NotRecorded::Starting(id.clone()).into()),
            None => return Err(NotRecorded::Starting(id.clone()).into()),
            Some(_) => {}
        }
        let follower = self.stop_recording(StopReason::RecordingStoppedByServer).ok_or_else(not_made)?;
        self.film.over = true;
        self.end_if_empty(EndReason::RecordingStoppedByServer);
        Ok(follower)
    }

    /// Stops what is being recorded, if anything is. Clients that heard of its start hear of its end.
    pub(super) fn stop_recording(&mut self, reason: StopReason) -> Option<Follower> {
        let recorder = self.film.recorder.take()?;
        self.timers.clear(&Timer::Autostop);
        self.roster.touch();
        // a step that was not looked at yet may be its start
        self.announce(&recorder.progress());
        if let (true, Some(recording)) = (self.film.announced, recorder.progress().recording) {
            let (recording, name) = (recording.id.clone(), recording.name.clone());
            self.tell_audience(&Notice::RecordingStopped { recording, name, reason });
        }
        let follower = recorder.stop(reason);
        self.film.stopped.push(follower.clone());
        self.review_cameras();
        Some(follower)
    }

    /// The recording is a step further.
    pub(super) fn on_film(&mut self) {
        let Some(progress) = self.film.recorder.as_ref().map(Recorder::progress) else { return };
        self.announce(&progress);
        if progress.status() > Status::Started {
            // it was in trouble; the log says in which
            self.stop_recording(StopReason::AutomaticStop);
            self.end_if_empty(EndReason::AutomaticStop);
        }
    }

    /// A recording of nobody is stopped; if nobody is connected either, the session ends.
    pub(super) fn on_autostop(&mut self) {
        if self.roster.active().next().is_none() {
            self.end(EndReason::AutomaticStop);
        } else if !self.roster.active().any(|connection| connection.live().is_some()) {
            self.stop_recording(StopReason::AutomaticStop);
        }
    }

    /// Somebody publishes: a recording begins if it shall, or goes on, with the new stream.
    pub(super) fn film_joined(&mut self, id: &ConnectionId) {
        self.timers.clear(&Timer::Autostop);
        if self.begin_by_itself() {
            return;
        }
        if let Some(stream) = self.roster.get(id).and_then(|connection| connection.live()) {
            self.film.joined(stream);
        }
    }

    /// The last participant left. True when a recording keeps the session alive for a while.
    pub(super) fn outlived_by_film(&mut self) -> bool {
        let lives = self.film.is_made() && !self.settings.recording_autostop.is_zero();
        if lives {
            self.timers.set(Timer::Autostop, self.now() + self.settings.recording_autostop);
        }
        lives
    }

    /// After the end of the session: waits for its recordings, then answers those who closed it.
    pub(super) async fn last_film(&mut self) {
        for mut follower in std::mem::take(&mut self.film.stopped) {
            follower.reaches(Status::Ready).await;
        }
        self.chronicle.over();
        for answer in std::mem::take(&mut self.closing) {
            // a door that hung up is no error
            let _ = answer.send(Ok(()));
        }
    }

    fn end_if_empty(&mut self, reason: EndReason) {
        if self.life.ends_with(self.roster.active().count()) {
            self.end(reason);
        }
    }

    /// Tells clients of the start, once.
    fn announce(&mut self, progress: &Progress) {
        if self.film.announced || progress.fault.is_some() || progress.status() < Status::Started {
            return;
        }
        if let Some(recording) = &progress.recording {
            self.film.announced = true;
            let (recording, name) = (recording.id.clone(), recording.name.clone());
            self.tell_audience(&Notice::RecordingStarted { recording, name });
        }
    }

    /// What somebody who joins now is told of the recording: as much as those of his role were when it began (signaling.md §7.11).
    pub(super) fn film_for(&self, role: Role) -> Option<(RecordingId, String)> {
        let hears = self.film.announced && self.settings.recording_audience.includes(role);
        let recording = self.film.recorder.as_ref().filter(|_| hears)?.progress().recording?;
        Some((recording.id.clone(), recording.name.clone()))
    }

    fn tell_audience(&mut self, notice: &Notice) {
        let audience = self.settings.recording_audience;
        let hears = |role| audience.includes(role);
        let members: Vec<_> = self.roster.active().filter(|c| c.role().is_some_and(hears)).map(|c| c.id.clone()).collect();
        for connection in members {
            self.tell(&connection, notice.clone());
        }
    }

    /// A recording watches every camera: those that play only with subscribers start with it, and rest after it.
    fn review_cameras(&mut self) {
        let publishers: Vec<_> = self.roster.active().map(|connection| connection.id.clone()).collect();
        for publisher in publishers {
            self.review_camera(&publisher);
        }
    }
}

fn cast(stream: &Stream) -> Cast {
    Cast { stream: stream.info.stream.clone(), audio: stream.tracks.audio, video: stream.tracks.video }
}

/// The plan of a recording that nobody asked for in particular. `None`: the box does not record such a thing.
fn plan_of(defaults: &RecordingProperties) -> Option<Plan> {
    let RecordingProperties { name, has_audio, has_video, output, .. } = defaults;
    let RecordingOutput::Composed { layout, resolution, frame_rate, .. } = output else { return None };
    let rate = || u32::try_from(*frame_rate).ok().filter(|rate| (1..=120).contains(rate));
    let picture = || Some(Picture { resolution: Resolution::parse(resolution)?, frame_rate: rate()? });
    let video = if *has_video { Some(picture().filter(|_| layout == "BEST_FIT")?) } else { None };
    let something = *has_audio || video.is_some();
    something.then(|| Plan { name: Some(name.clone()).filter(|name| !name.is_empty()), audio: *has_audio, video })
}

/// Why a recording stops when its session ends.
pub(super) fn stop_reason(reason: EndReason) -> StopReason {
    match reason {
        EndReason::SessionClosedByServer => StopReason::SessionClosedByServer,
        EndReason::AutomaticStop => StopReason::AutomaticStop,
        EndReason::RecordingStoppedByServer => StopReason::RecordingStoppedByServer,
        EndReason::MediaServerDisconnect => StopReason::MediaServerDisconnect,
        EndReason::NodeCrashed => StopReason::NodeCrashed,
        EndReason::OpenviduServerStopped => StopReason::OpenviduServerStopped,
        EndReason::LastParticipantLeft
        | EndReason::Unsubscribe
        | EndReason::Unpublish
        | EndReason::Disconnect
        | EndReason::ForceUnpublishByUser
        | EndReason::ForceUnpublishByServer
        | EndReason::ForceDisconnectByUser
        | EndReason::ForceDisconnectByServer
        | EndReason::NetworkDisconnect => StopReason::LastParticipantLeft,
    }
}
