//! Stories of recordings: real ones, with composers played by hand that write real films.

use super::*;
use crate::ids::RecordingId;
use crate::recording::played::Manner as Composing;
use crate::recording::{Follower, Picture, Plan, Recording, Resolution, Status, StopReason};
use crate::session::error::NotRecorded;
use crate::session::role::Audience;
use crate::wire::control::FailureKind;
use tokio::sync::oneshot;

fn plan() -> Plan {
    let video = Some(Picture { resolution: Resolution::parse("640x480").unwrap(), frame_rate: 25 });
    Plan { name: Some("film".into()), audio: true, video }
}

impl House {
    async fn ask_to_record(&mut self, session: &SessionHandle) -> Result<Follower, Denied> {
        session.ask(|answer| Command::StartRecording { plan: plan(), answer }).await
    }

    /// A recording begins.
    async fn record(&mut self, session: &SessionHandle) -> (RecordingId, Follower) {
        let follower = self.ask_to_record(session).await.unwrap();
        let (seen, house) = (follower.clone(), self);
        house.until("it is recording", |_| seen.progress().status() == Status::Started).await;
        (follower.progress().recording.unwrap().id.clone(), follower)
    }

    async fn stop(&mut self, session: &SessionHandle, id: &RecordingId) -> Result<Follower, Denied> {
        session.ask(|answer| Command::StopRecording { recording: id.clone(), answer }).await
    }

    /// What became of a recording.
    async fn end_of(&mut self, follower: &Follower) -> Arc<Recording> {
        let began = Clock::System.now();
        while !follower.progress().status().is_final() {
            assert!(began.elapsed() < Duration::from_secs(20), "the recording does not end");
            // the folder's lock may be waited for
            self.pass(1).await;
            tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
        }
        self.pump().await;
        follower.progress().recording.unwrap()
    }

    /// The tracks that the composers are given, by slot and source; engine and composer must agree on them.
    fn shown(&self) -> Vec<(TrackId, String)> {
        let mut shown = Vec::new();
        for (job, slots) in &self.sinks {
            let told = &self.composers.running[job].slots;
            assert_eq!(told.keys().collect::<Vec<_>>(), slots.keys().collect::<Vec<_>>());
            shown.extend(slots.iter().map(|(slot, track)| (*track, told[slot].source.clone())));
        }
        shown
    }

    fn exists(&self, session: &SessionHandle) -> bool {
        self.registry.find(session.id()).is_ok()
    }
}

fn recording_notices(client: &mut Client) -> Vec<Notice> {
    let is_one = |notice: &Notice| matches!(notice, Notice::RecordingStarted { .. } | Notice::RecordingStopped { .. });
    client.notices().into_iter().filter(is_one).collect()
}

fn started(id: &RecordingId) -> Notice {
    Notice::RecordingStarted { recording: id.clone(), name: "film".into() }
}

fn stopped(id: &RecordingId, reason: StopReason) -> Notice {
    Notice::RecordingStopped { recording: id.clone(), name: "film".into(), reason }
}

#[tokio::test(start_paused = true)]
async fn a_recording_shows_who_publishes_from_its_start_to_its_end() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, stream) = house.publisher(&session).await;
    assert!(!session.snapshot().recording);
    let (id, follower) = house.record(&session).await;
    assert!(session.snapshot().recording);
    assert_eq!(id.as_str(), session.id().as_str());
    house.pump().await;
    assert_eq!(house.shown().iter().map(|(_, source)| source.as_str()).collect::<Vec<_>>(), [stream.as_str(); 2]);
    let (mut bob, second) = house.publisher(&session).await;
    let shown = house.shown();
    assert_eq!(shown.iter().filter(|(_, source)| source == second.as_str()).count(), 2);
    assert_eq!(shown.len(), 4);
    alice.call(&mut house, Call::Unpublish).await.unwrap();
    assert!(house.shown().iter().all(|(_, source)| source == second.as_str()));
    bob.call(&mut house, Call::Leave).await.unwrap();
    assert_eq!(house.shown(), []);

    assert!(matches!(house.ask_to_record(&session).await, Err(Denied::NotRecorded(NotRecorded::Already(_)))));
    assert!(matches!(house.stop(&session, &"other".into()).await, Err(Denied::NotRecorded(NotRecorded::Unknown(_)))));
    house.stop(&session, &id).await.unwrap();
    assert!(!session.snapshot().recording, "from the moment of its stop");
    let film = house.end_of(&follower).await;
    assert_eq!((film.status, film.audio, film.video.is_some()), (Status::Ready, true, true));
    assert!(film.duration_ms >= 1000);
    assert!(film.size > 0 && house.sinks.is_empty() && house.composers.running.is_empty());
    assert!(matches!(house.stop(&session, &id).await, Err(Denied::NotRecorded(NotRecorded::Unknown(_)))));
    let (again, _) = house.record(&session).await;
    assert_eq!(again.as_str(), format!("{id}~1"));
}

#[tokio::test(start_paused = true)]
async fn clients_hear_of_it_according_to_their_role() {
    for (audience, hears) in [
        (Audience::None, [false, false, false]),
        (Audience::Moderator, [false, false, true]),
        (Audience::PublisherModerator, [false, true, true]),
        (Audience::All, [true, true, true]),
    ] {
        let mut house = House::with(Settings { recording_audience: audience, ..Settings::default() });
        let session = house.session();
        let mut clients = Vec::new();
        for role in [Role::Subscriber, Role::Publisher, Role::Moderator] {
            clients.push(house.join(&session, role).await);
        }
        let (id, _) = house.record(&session).await;
        house.pump().await;
        house.stop(&session, &id).await.unwrap();
        for (client, hears) in clients.iter_mut().zip(hears) {
            let expected = vec![started(&id), stopped(&id, StopReason::RecordingStoppedByServer)];
            assert_eq!(recording_notices(client), if hears { expected } else { vec![] }, "{audience:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_joins_later_is_told_with_the_join() {
    for (audience, hears) in
        [(Audience::None, [false, false]), (Audience::PublisherModerator, [false, true]), (Audience::All, [true, true])]
    {
        let mut house = House::with(Settings { recording_audience: audience, ..Settings::default() });
        let session = house.session();
        let first = house.join(&session, Role::Moderator).await;
        assert_eq!(first.joined.recording, None);
        let (id, _) = house.record(&session).await;
        house.pump().await;
        for (role, hears) in [Role::Subscriber, Role::Publisher].into_iter().zip(hears) {
            let mut late = house.join(&session, role).await;
            assert_eq!(late.joined.recording, hears.then(|| (id.clone(), "film".to_owned())), "{audience:?} {role:?}");
            assert_eq!(recording_notices(&mut late), [], "once is enough");
        }
        house.stop(&session, &id).await.unwrap();
        assert_eq!(house.join(&session, Role::Moderator).await.joined.recording, None, "it is over");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_session_with_participants_is_recorded() {
    let mut house = House::new();
    let session = house.session();
    assert!(matches!(house.ask_to_record(&session).await, Err(Denied::NotRecorded(NotRecorded::Nobody(_)))));
    house.token(&session, Role::Publisher).await;
    assert!(matches!(house.ask_to_record(&session).await, Err(Denied::NotRecorded(NotRecorded::Nobody(_)))));
    let relayed = SessionProperties { media_mode: MediaMode::Relayed, ..properties() };
    let session = house.registry.create(relayed).unwrap();
    house.publisher(&session).await;
    assert!(matches!(house.ask_to_record(&session).await, Err(Denied::NotRecorded(NotRecorded::NotRouted(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_recording_watches_cameras() {
    let mut house = House::new();
    let session = house.session();
    house.camera(&session, true).await;
    assert!(house.jobs.is_empty());
    let (id, _) = house.record(&session).await;
    assert_eq!(house.jobs.len(), 1);
    house.camera(&session, true).await;
    assert_eq!((house.jobs.len(), house.shown().len()), (2, 4));
    house.pass(100_000).await;
    assert_eq!(house.jobs.len(), 2);
    house.stop(&session, &id).await.unwrap();
    house.pass(5_000).await;
    assert!(house.jobs.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_is_in_any_more_is_recorded_for_two_minutes() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, _) = house.publisher(&session).await;
    let (_, follower) = house.record(&session).await;
    alice.call(&mut house, Call::Leave).await.unwrap();
    house.pass(119_000).await;
    assert!(house.exists(&session) && session.snapshot().recording && session.snapshot().connections.is_empty());
    // who comes and publishes saves it
    let (mut bob, _) = house.publisher(&session).await;
    house.pass(500_000).await;
    assert!(session.snapshot().recording);
    bob.call(&mut house, Call::Leave).await.unwrap();
    // who only joins does not save the recording, but the session
    let mut carol = house.join(&session, Role::Publisher).await;
    house.pass(119_999).await;
    assert!(session.snapshot().recording);
    house.pass(1).await;
    let id = house.end_of(&follower).await.id.clone();
    assert!(!session.snapshot().recording && house.exists(&session));
    assert_eq!(recording_notices(&mut carol), [stopped(&id, StopReason::AutomaticStop)]);

    let (_, follower) = house.record(&session).await;
    carol.call(&mut house, Call::Leave).await.unwrap();
    house.pass(120_000).await;
    assert!(!house.exists(&session));
    assert_eq!(house.end_of(&follower).await.status, Status::Ready);
    house.until("nothing is left", House::is_empty_below).await;
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_begins_with_nobody_publishing_waits_for_two_minutes() {
    let mut house = House::new();
    let session = house.session();
    let mut alice = house.join(&session, Role::Publisher).await;
    let (_, first) = house.record(&session).await;
    house.pass(119_999).await;
    assert!(session.snapshot().recording);
    house.pass(1).await;
    house.end_of(&first).await;
    assert!(!session.snapshot().recording);
    house.record(&session).await;
    house.pass(60_000).await;
    alice.call(&mut house, Call::Publish(publish_call())).await.unwrap();
    alice.call(&mut house, Call::Unpublish).await.unwrap();
    house.pass(500_000).await;
    assert!(session.snapshot().recording, "unpublishing starts nothing");
}

#[tokio::test(start_paused = true)]
async fn without_a_timeout_the_session_ends_with_its_last_participant() {
    let mut house = House::with(Settings { recording_autostop: Duration::ZERO, ..Settings::default() });
    let session = house.session();
    let (mut alice, _) = house.publisher(&session).await;
    let (_, follower) = house.record(&session).await;
    alice.call(&mut house, Call::Leave).await.unwrap();
    assert!(!house.exists(&session));
    assert_eq!(house.end_of(&follower).await.status, Status::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_stop_by_rest_ends_a_session_that_is_empty() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, _) = house.publisher(&session).await;
    let (id, follower) = house.record(&session).await;
    alice.call(&mut house, Call::Leave).await.unwrap();
    assert!(house.exists(&session));
    house.stop(&session, &id).await.unwrap();
    house.pump().await;
    assert!(!house.exists(&session));
    assert_eq!(house.end_of(&follower).await.status, Status::Ready);
}

#[tokio::test(start_paused = true)]
async fn closing_a_session_waits_for_its_recording() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, _) = house.publisher(&session).await;
    let (id, follower) = house.record(&session).await;
    house.composers.manner = Composing::NeverFinish;
    let (answer, mut wait) = oneshot::channel();
    session.send(Command::Close { reason: EndReason::SessionClosedByServer, answer }).await.unwrap();
    house.pump().await;
    assert!(!house.exists(&session), "nobody finds it from now on");
    let heard = alice.notices();
    let end = EndReason::SessionClosedByServer;
    assert_eq!(heard[heard.len() - 2..], [stopped(&id, StopReason::SessionClosedByServer), evicted(&alice.id(), end)]);
    house.until("it says that it stopped", |_| follower.progress().status() == Status::Stopped).await;
    assert!(wait.try_recv().is_err());
    house.pass(10_000).await;
    house.until("the composer was ended", |house| house.composers.running.is_empty()).await;
    assert_eq!(house.end_of(&follower).await.status, Status::Ready, "the file was finished without its composer");
    house.until("the door is answered", |_| true).await;
    assert_eq!(wait.await, Ok(Ok(())));
    house.until("nothing is left", House::is_empty_below).await;
}

#[tokio::test(start_paused = true)]
async fn the_successor_of_a_composer_gets_everything_anew() {
    let mut house = House::new();
    let session = house.session();
    let (_alice, stream) = house.publisher(&session).await;
    let (id, follower) = house.record(&session).await;
    house.pump().await;
    let before = house.sinks.clone();
    let job = *before.keys().next().unwrap();
    let down = house.composers.die(job, FailureKind::Crashed);
    house.jobs_events.send(down).await.unwrap();
    house.pump().await;
    assert!(house.sinks[&job].is_empty());
    for event in house.composers.begin(job) {
        house.jobs_events.send(event).await.unwrap();
    }
    house.pump().await;
    assert_eq!(house.shown().len(), 2);
    assert!(house.shown().iter().all(|(_, source)| source == stream.as_str()));
    assert!(house.sinks[&job].keys().all(|slot| !before[&job].contains_key(slot)), "what is left in the socket is not taken for it");
    house.stop(&session, &id).await.unwrap();
    let film = house.end_of(&follower).await;
    assert!(film.status == Status::Ready && film.duration_ms >= 2000, "{film:?}");
    let library = house.recordings.library();
    assert!(library.file(&id, "film.mp4").is_some() && library.file(&id, "film-2.mp4").is_none(), "it is one file");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_ends_the_recording_and_nothing_else() {
    let mut house = House::new();
    let session = house.session();
    let (mut alice, _) = house.publisher(&session).await;
    let (id, follower) = house.record(&session).await;
    house.pump().await;
    let job = *house.sinks.keys().next().unwrap();
    let down = house.composers.die(job, FailureKind::Disk);
    house.jobs_events.send(down).await.unwrap();
    let film = house.end_of(&follower).await;
    assert_eq!((film.status, film.duration_ms), (Status::Failed, 1000));
    assert!(house.recordings.library().file(&id, "film.mp4").is_some(), "what was written is there");
    assert!(!session.snapshot().recording && house.exists(&session));
    assert_eq!(recording_notices(&mut alice), [started(&id), stopped(&id, StopReason::AutomaticStop)]);
    assert_eq!(session.snapshot().connections.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_never_begins_fails_after_30_s() {
    let mut house = House::new();
    house.composers.manner = Composing::Hang;
    let session = house.session();
    let (mut alice, _) = house.publisher(&session).await;
    let follower = house.ask_to_record(&session).await.unwrap();
    let id = RecordingId::from(session.id().as_str());
    house.until("its composer runs", |house| !house.composers.running.is_empty()).await;
    assert!(session.snapshot().recording);
    assert!(matches!(house.stop(&session, &id).await, Err(Denied::NotRecorded(NotRecorded::Starting(_)))));
    house.pass(29_999).await;
    assert_eq!(follower.progress().status(), Status::Starting);
    house.pass(1).await;
    let film = house.end_of(&follower).await;
    assert_eq!((film.status, film.size), (Status::Failed, 0));
    assert!(follower.progress().fault.is_some());
    assert_eq!(recording_notices(&mut alice), [], "nobody heard of its start");
    assert!(!session.snapshot().recording && house.exists(&session));
}

#[tokio::test(start_paused = true)]
async fn a_library_that_takes_nothing_more_is_a_failure() {
    let mut house = House::new();
    let session = house.session();
    let (_alice, _) = house.publisher(&session).await;
    std::fs::remove_dir_all(house.folder.path()).unwrap();
    std::fs::write(house.folder.path(), "no folder").unwrap();
    let follower = house.ask_to_record(&session).await.unwrap();
    house.until("it has failed", |_| follower.progress().status() == Status::Failed).await;
    let progress = follower.progress();
    assert!(progress.recording.is_none() && progress.fault.is_some());
    house.pump().await;
    assert!(!session.snapshot().recording);
    std::fs::remove_file(house.folder.path()).unwrap();
}
