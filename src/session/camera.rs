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
use crate::ids::JobId;
use crate::wire::control::FailureKind;
use std::sync::Arc;

/// The camera behind a stream.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Camera {
    pub properties: Arc<CameraProperties>,
    play: Play,
    health: Health,
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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Health {
    /// Nothing yet.
    Unknown,
    Up,
    Down(FailureKind),
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
    /// A camera that does not play yet.
    pub fn new(properties: Arc<CameraProperties>) -> Camera {
        Camera { properties, play: Play::Idle, health: Health::Unknown }
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
                self.health = Health::Unknown;
                Step::Stop(job)
            }
            _ => self.review(viewers),
        }
    }

    /// Its job was started.
    pub fn started(&mut self, job: JobId) {
        self.play = Play::Running(job);
    }

    /// The job that has to be stopped when the camera goes.
    pub fn job(&self) -> Option<JobId> {
        match self.play {
            Play::Idle => None,
            Play::Running(job) | Play::Lingering(job) => Some(job),
        }
    }

    /// Notes what its supervisor said; true if that is news.
    pub fn report(&mut self, health: Health) -> bool {
        std::mem::replace(&mut self.health, health) != health
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
    use proptest::prelude::*;

    fn camera(only_play_with_subscribers: bool) -> Camera {
        let (user, password) = Default::default();
        let camera = CameraSpec { url: "rtsp://cam/1".into(), user, password, latency_ms: 0, allow_loopback: false };
        let rtsp_uri = camera.url.clone();
        let (adaptative_bitrate, network_cache) = (true, 0);
        let (data, record) = (String::new(), true);
        Camera::new(Arc::new(CameraProperties {
            rtsp_uri,
            camera,
            record,
            data,
            adaptative_bitrate,
            only_play_with_subscribers,
            network_cache,
        }))
    }

    fn job(n: u32) -> JobId {
        JobId::new(SessionKey(1), n)
    }

    #[test]
    fn it_starts_for_the_first_and_lingers_after_the_last() {
        let mut camera = camera(true);
        assert_eq!(camera.review(0), Step::Nothing);
        assert_eq!(camera.review(1), Step::Start);
        camera.started(job(1));
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
        camera.started(job(1));
        assert_eq!(camera.review(0), Step::Nothing);
        assert_eq!(camera.job(), Some(job(1)));
    }

    #[test]
    fn only_news_is_reported() {
        let mut camera = camera(false);
        assert!(camera.report(Health::Up));
        assert!(!camera.report(Health::Up));
        assert!(camera.report(Health::Down(FailureKind::Refused)));
        assert!(camera.report(Health::Down(FailureKind::NotFound)));
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
                        camera.started(job(n as u32));
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
