//! Cameras: they join and publish at once, and play while they are wanted (rest.md §6, signaling.md §10).

use super::Actor;
use crate::ids::ConnectionId;
use crate::jobs;
use crate::session::below::{Tracks, Use};
use crate::session::camera::{Camera, Health, Step};
use crate::session::command::Answer;
use crate::session::connection::{Active, Connection, State};
use crate::session::error::Denied;
use crate::session::keeping::Past;
use crate::session::lifecycle::Timer;
use crate::session::notice::{Notice, StreamInfo};
use crate::session::properties::CameraProperties;
use crate::session::rendition::Renditions;
use crate::session::snapshot::{ConnectionKind, ConnectionSnapshot};
use crate::session::stream::{self, Publishing, Source, Stream};
use crate::wire::camera::public_path;
use crate::wire::control::Spec;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How soon a camera that could not be started is tried again. What fails later, its supervisor retries.
const START_AGAIN: Duration = Duration::from_secs(1);

impl Actor {
    /// A camera joins. Whether it can be reached shows later and is no error.
    pub(super) fn on_add_camera(&mut self, properties: CameraProperties, answer: Answer<Arc<ConnectionSnapshot>>) {
        let result = self.add_camera(Arc::new(properties));
        self.answer(answer, result);
    }

    fn add_camera(&mut self, properties: Arc<CameraProperties>) -> Result<Arc<ConnectionSnapshot>, Denied> {
        let (scheme, place) = scheme_and_place(&properties.camera.url);
        let id = self.fresh_id(|| ConnectionId::random_camera(scheme, place));
        let info = stream::of_camera(&id, self.clock.unix_ms());
        self.seat_camera(id, info, properties)
    }

    /// A camera that was here before a restart is here again, with the ids it had. Errors: [`Denied::Busy`], and it is not.
    pub fn revive(&mut self, properties: Arc<CameraProperties>, past: Past) -> Result<(), Denied> {
        let id = past.connection;
        let info = StreamInfo { stream: past.stream, ..stream::of_camera(&id, past.created_at) };
        self.seat_camera(id, info, properties).map(|_| ())
    }

    fn seat_camera(
        &mut self,
        id: ConnectionId,
        info: StreamInfo,
        properties: Arc<CameraProperties>,
    ) -> Result<Arc<ConnectionSnapshot>, Denied> {
        self.settle_down()?;
        let (_, place) = scheme_and_place(&properties.camera.url);
        let tracks = self.below.add_tracks(true, true)?;
        let now = info.created_at;
        let active = Active::new(now, address(place), "IPCAM".into(), None);
        let (kind, server_data) = (ConnectionKind::Camera(properties.clone()), properties.data.clone());
        let record = properties.record;
        self.roster.insert(Connection { id: id.clone(), created_at: now, kind, record, server_data, state: State::Pending });
        self.enter(&id, active);
        let (source, codec) = (Source::Camera(Camera::new(properties, self.clock.unix_ms())), stream::OF_CAMERA);
        if let Some(active) = self.roster.get_mut(&id).and_then(|connection| connection.active_mut()) {
            active.publishing =
                Publishing::Live(Box::new(Stream { info: info.clone(), tracks, source, codec, renditions: Renditions::default() }));
        }
        self.went_live(&id);
        self.tell_others(&id, Notice::ParticipantPublished { connection: id.clone(), stream: info });
        self.review_camera(&id);
        self.roster.snapshot(&id).ok_or_else(|| self.unknown(&id))
    }

    /// The number of those who watch `publisher` may have changed; if it is a camera, it starts or comes to rest.
    pub(super) fn review_camera(&mut self, publisher: &ConnectionId) {
        self.step_camera(publisher, Camera::review);
    }

    /// The time of a camera is over.
    pub(super) fn on_camera_timer(&mut self, publisher: &ConnectionId) {
        self.step_camera(publisher, Camera::timeout);
    }

    fn step_camera(&mut self, id: &ConnectionId, decide: impl Fn(&mut Camera, usize) -> Step) {
        let peers = self.below.watching(id).iter().filter(|(peer, _)| !self.holds.contains(*peer)).count();
        let viewers = peers + usize::from(self.film.is_made());
        let Some((camera, tracks)) = self.roster.get_mut(id).and_then(camera_mut) else { return };
        let (timer, unix_ms) = (Timer::Camera(id.clone()), self.clock.unix_ms());
        match decide(camera, viewers) {
            Step::Nothing => {}
            Step::Start => match self.below.start_camera(id, Spec::Camera(camera.properties.camera.clone()), tracks) {
                Some(job) => camera.started(job, unix_ms),
                None => self.timers.set(timer, self.clock.now() + START_AGAIN),
            },
            Step::Linger => self.timers.set(timer, self.clock.now() + self.settings.camera_linger),
            Step::Resume => self.timers.clear(&timer),
            Step::Stop(job) => {
                camera.stopped(unix_ms);
                self.below.stop_job(job);
            }
        }
    }

    /// What a supervisor said about a job; it has logged it already.
    pub(super) fn on_job(&mut self, event: jobs::Event) {
        if let Some(publisher) = self.below.transcoded_by(event.job()).cloned() {
            return self.on_rendition_job(&publisher, &event);
        }
        let (job, health) = match event {
            jobs::Event::Ready { job } => (job, Health::Up),
            jobs::Event::Down { job, failure, retry_in: Some(_) } => (job, Health::Down(failure)),
            jobs::Event::Down { job, failure, retry_in: None } => (job, Health::GivenUp(failure)),
            jobs::Event::Started { .. } | jobs::Event::Written { .. } | jobs::Event::Finished { .. } => return,
        };
        let Some(id) = self.below.camera_of(job).cloned() else { return };
        // a camera that is away is looked for twice a second; readers are woken by news alone
        let is_news = self.roster.get(&id).and_then(|connection| connection.camera()).is_some_and(|camera| camera.is_news(&health));
        if is_news && let Some((camera, _)) = self.roster.get_mut(&id).and_then(camera_mut) {
            tracing::debug!(camera = %id, ?health, "the state of a camera changed");
            camera.report(health, self.clock.unix_ms());
        }
    }

    /// Does a peer that was just removed or answered carry a stream? Then its publisher is reviewed.
    pub(super) fn review_publisher_of(&mut self, what: &Use) {
        if let Some(publisher) = what.watches() {
            self.review_camera(publisher);
        }
    }
}

fn camera_mut(connection: &mut Connection) -> Option<(&mut Camera, Tracks)> {
    let stream = connection.active_mut()?.publishing.live_mut()?;
    match &mut stream.source {
        Source::Camera(camera) => Some((camera, stream.tracks)),
        Source::Client { .. } => None,
    }
}

/// Scheme, and host, port and path, of a camera's URL, without what may be a password: ids are made of it, which everybody sees.
fn scheme_and_place(url: &str) -> (&str, &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    (scheme, public_path(rest.split(['?', '#']).next().unwrap_or(rest)))
}

/// The host of `place`, when it is an address.
fn address(place: &str) -> Option<IpAddr> {
    let authority = place.split('/').next()?;
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?,
        None => authority.split(':').next()?,
    };
    host.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_camera_url() {
        for (url, scheme, place, ip) in [
            ("rtsp://10.0.0.7:554/live?x=1#y", "rtsp", "10.0.0.7:554/live", Some("10.0.0.7")),
            ("rtsps://[fe80::1]:322/a/b", "rtsps", "[fe80::1]:322/a/b", Some("fe80::1")),
            ("rtsp://cam.local", "rtsp", "cam.local", None),
            ("rtsp://10.0.0.7/user=a&password=b.sdp?x", "rtsp", "10.0.0.7", Some("10.0.0.7")),
            ("rtsp://10.0.0.7/live/user=a&password=b/c", "rtsp", "10.0.0.7/live", Some("10.0.0.7")),
            ("rtsp://10.0.0.7/live?user=a", "rtsp", "10.0.0.7/live", Some("10.0.0.7")),
            ("file:///tmp/x.mp4", "file", "/tmp/x.mp4", None),
            ("", "", "", None),
            ("rtsp://[", "rtsp", "[", None),
        ] {
            assert_eq!(scheme_and_place(url), (scheme, place));
            assert_eq!(address(place), ip.map(|ip| ip.parse().unwrap()), "{url}");
        }
    }
}
