//! A camera's part of its stream: whether its job runs, and what must be done about it next. Pure; the actor acts.
//!
//! ```text
//!            wanted                    unwanted
//!   Idle ────────────> Running(job) ────────────> Lingering(job)
//!     ^                     ^────────wanted────────────┘ │
//!     └──────────────────────────linger over─────────────┘
//! ```
//!
//! A camera that plays only with subscribers is wanted while somebody watches; any other always is.

use super::properties::CameraProperties;
use super::snapshot::{CameraSnapshot, CameraState};
use crate::ids::JobId;
use crate::wire::control::Failure;
use std::sync::Arc;

/// The camera behind a stream.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Camera {
    pub properties: Arc<CameraProperties>,
    play: Play,
    health: Health,
    /// ms since 1970: since when it is so.
    since: u64,
}

/// Does its job run? A job that runs may still be without a process: its supervisor retries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Play {
    Idle,
    Running(JobId),
    /// Nobody watches; the next viewer may come before the time is over.
    Lingering(JobId),
}

/// What its supervisor said last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Health {
    /// Nothing yet.
    Unknown,
    Up,
    /// It is tried again.
    Down(Failure),
    /// It is not tried again.
    GivenUp(Failure),
}

impl Health {
    /// Is there nothing in `new` that readers should know? The same cause in other words is no news.
    fn is_as_good_as(&self, new: &Health) -> bool {
        match (self, new) {
            (Health::Down(old), Health::Down(new)) | (Health::GivenUp(old), Health::GivenUp(new)) => old.kind == new.kind,
            _ => self == new,
        }
    }
}

/// What has to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Nothing,
    /// Start a job; [`Camera::started`] if it could be, else try again.
    Start,
    /// Set the linger timer.
    Linger,
    /// Clear the linger timer: somebody watches again.
    Resume,
    /// Stop this job.
    Stop(JobId),
}

impl Camera {
    /// A camera that does not play yet; `now` in ms since 1970.
    pub fn new(properties: Arc<CameraProperties>, now: u64) -> Camera {
        Camera { properties, play: Play::Idle, health: Health::Unknown, since: now }
    }

    /// The number of those who watch is `viewers` now.
    pub fn review(&mut self, viewers: usize) -> Step {
        match (self.play, self.wanted(viewers)) {
            (Play::Idle, true) => Step::Start,
            (Play::Running(job), false) => {
                self.play = Play::Lingering(job);
                Step::Linger
            }
            (Play::Lingering(job), true) => {
                self.play = Play::Running(job);
                Step::Resume
            }
            (Play::Idle, false) | (Play::Running(_), true) | (Play::Lingering(_), false) => Step::Nothing,
        }
    }

    /// Its timer fired.
    pub fn timeout(&mut self, viewers: usize) -> Step {
        match self.play {
            Play::Lingering(job) if !self.wanted(viewers) => {
                self.play = Play::Idle;
                Step::Stop(job)
            }
            _ => self.review(viewers),
        }
    }

    /// Its job was started; `now` in ms since 1970.
    pub fn started(&mut self, job: JobId, now: u64) {
        self.play = Play::Running(job);
        (self.health, self.since) = (Health::Unknown, now);
    }

    /// Its job was stopped; `now` in ms since 1970.
    pub fn stopped(&mut self, now: u64) {
        (self.health, self.since) = (Health::Unknown, now);
    }

    /// The job that has to be stopped when the camera goes.
    pub fn job(&self) -> Option<JobId> {
        match self.play {
            Play::Idle => None,
            Play::Running(job) | Play::Lingering(job) => Some(job),
        }
    }

    /// Would that be news?
    pub fn is_news(&self, health: &Health) -> bool {
        !self.health.is_as_good_as(health)
    }

    /// Notes what its supervisor said; `now` in ms since 1970.
    pub fn report(&mut self, health: Health, now: u64) {
        (self.health, self.since) = (health, now);
    }

    /// How it is, for readers.
    pub fn snapshot(&self) -> CameraSnapshot {
        let (state, failure) = match (&self.play, &self.health) {
            (Play::Idle, _) => (CameraState::Idle, None),
            (_, Health::Unknown) => (CameraState::Connecting, None),
            (_, Health::Up) => (CameraState::Connected, None),
            (_, Health::Down(failure)) => (CameraState::Disconnected, Some(failure)),
            (_, Health::GivenUp(failure)) => (CameraState::Failed, Some(failure)),
        };
        CameraSnapshot { state, since: self.since, cause: failure.map(ToString::to_string) }
    }

    fn wanted(&self, viewers: usize) -> bool {
        !self.properties.only_play_with_subscribers || viewers > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionKey;
    use crate::wire::camera::CameraSpec;
    use crate::wire::control::FailureKind;
    use proptest::prelude::*;

    fn camera(only_play_with_subscribers: bool) -> Camera {
        let (user, password) = Default::default();
        let camera =
            CameraSpec { url: "rtsp://cam/1".into(), user, password, latency_ms: 0, allow_loopback: false, transport: Default::default() };
        let rtsp_uri = camera.url.clone();
        let (adaptative_bitrate, network_cache) = (true, 0);
        let (data, record) = (String::new(), true);
        let properties = CameraProperties { rtsp_uri, camera, record, data, adaptative_bitrate, only_play_with_subscribers, network_cache };
        Camera::new(Arc::new(properties), 0)
    }

    fn job(n: u32) -> JobId {
        JobId::new(SessionKey(1), n)
    }

    #[test]
    fn it_starts_for_the_first_and_lingers_after_the_last() {
        let mut camera = camera(true);
        assert_eq!(camera.review(0), Step::Nothing);
        assert_eq!(camera.review(1), Step::Start);
        camera.started(job(1), 1);
        assert_eq!(camera.review(2), Step::Nothing);
        assert_eq!(camera.review(0), Step::Linger);
        assert_eq!(camera.review(1), Step::Resume);
        assert_eq!(camera.review(0), Step::Linger);
        assert_eq!(camera.timeout(0), Step::Stop(job(1)));
        assert_eq!(camera.job(), None);
    }

    #[test]
    fn one_that_always_plays_needs_nobody() {
        let mut camera = camera(false);
        assert_eq!(camera.review(0), Step::Start);
        assert_eq!(camera.timeout(0), Step::Start, "the first try failed");
        camera.started(job(1), 1);
        assert_eq!(camera.review(0), Step::Nothing);
        assert_eq!(camera.job(), Some(job(1)));
    }

    #[test]
    fn only_news_is_reported_and_readers_see_it() {
        let down = |kind, text: &str| Failure { kind, text: text.into() };
        let mut camera = camera(false);
        let state = |camera: &Camera| (camera.snapshot().state, camera.snapshot().since, camera.snapshot().cause);
        assert_eq!(state(&camera), (CameraState::Idle, 0, None));
        camera.started(job(1), 10);
        assert_eq!(state(&camera), (CameraState::Connecting, 10, None));
        camera.report(Health::Up, 20);
        assert!(!camera.is_news(&Health::Up));
        assert_eq!(state(&camera), (CameraState::Connected, 20, None));
        let refused = Health::Down(down(FailureKind::Refused, "cam:554"));
        assert!(camera.is_news(&refused));
        camera.report(refused, 30);
        assert!(!camera.is_news(&Health::Down(down(FailureKind::Refused, "in other words"))));
        assert!(camera.is_news(&Health::Down(down(FailureKind::NotFound, "cam:554"))));
        assert_eq!(state(&camera), (CameraState::Disconnected, 30, Some("connection refused: cam:554".into())));
        camera.report(Health::GivenUp(down(FailureKind::Forbidden, "cam:554")), 40);
        assert_eq!(state(&camera).0, CameraState::Failed);
        camera.stopped(50);
        camera.started(job(2), 60);
        assert_eq!(state(&camera), (CameraState::Connecting, 60, None));
    }

    proptest! {
        #[test]
        fn starts_and_stops_alternate(viewers in proptest::collection::vec((0usize..3, any::<bool>()), 0..80)) {
            let mut camera = camera(true);
            let mut running = None;
            for (n, (viewers, timeout)) in viewers.into_iter().enumerate() {
                let step = if timeout { camera.timeout(viewers) } else { camera.review(viewers) };
                match step {
                    Step::Start => {
                        prop_assert!(running.is_none() && viewers > 0);
                        camera.started(job(n as u32), 1);
                        running = Some(job(n as u32));
                    }
                    Step::Stop(job) => {
                        prop_assert!(running == Some(job) && viewers == 0);
                        running = None;
                    }
                    Step::Linger => prop_assert!(running.is_some() && viewers == 0),
                    Step::Resume => prop_assert!(running.is_some() && viewers > 0),
                    Step::Nothing => {}
                }
                prop_assert_eq!(camera.job(), running);
            }
        }
    }
}
