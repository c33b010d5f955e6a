//! Stories of what is kept of a session, and of what comes back.

use super::*;
use crate::events::Record;
use crate::state::Store;

/// A house whose registry keeps its cameras in `folder`, after it brought back what was there.
async fn keeping(folder: &tempfile::TempDir) -> (House, Store) {
    let mut house = House::new();
    let (store, kept) = Store::open(folder.path());
    tokio::spawn(store.clone().run(Clock::System));
    house.registry = house.registry.clone().keeping(store.clone());
    house.registry.restore(kept, false).await;
    house.pump().await;
    (house, store)
}

#[tokio::test(start_paused = true)]
async fn a_camera_comes_back_with_its_names_and_plays() {
    let folder = tempfile::tempdir().unwrap();
    let (mut house, store) = keeping(&folder).await;
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let always = house.camera(&session, false).await;
    assert_eq!(store.writes(), 2, "each is on the disk when it is acknowledged");
    let before = session.snapshot();

    // viewers are nothing to keep
    let mut alice = house.join(&session, Role::Publisher).await;
    alice.call(&mut house, subscribe(&stream_of(&camera))).await.unwrap();
    alice.call(&mut house, Call::Leave).await.unwrap();
    store.all_durable().await;
    assert_eq!(store.writes(), 2);

    let (mut house, store) = keeping(&folder).await;
    let session = house.registry.find(session.id()).unwrap();
    let after = session.snapshot();
    assert_eq!((after.created_at, &after.properties, after.active), (before.created_at, &before.properties, true));
    assert_eq!(after.connections, before.connections);
    assert_eq!(house.jobs.len(), 1, "the one that always plays");
    assert_eq!(store.writes(), 0, "what came back has not changed");
    let told = house.ear.heard();
    let names: Vec<_> = told.iter().map(|record| record.name()).collect();
    let (joined, publishes) = ("participantJoined", "webrtcConnectionCreated");
    assert_eq!(names, ["sessionCreated", joined, publishes, joined, publishes], "the world hears of it again");
    assert!(matches!(&*told[0], Record::SessionCreated(moment) if moment.at == before.created_at), "with its old time");
    let mut bob = house.join(&session, Role::Subscriber).await;
    bob.call(&mut house, subscribe(&stream_of(&camera))).await.unwrap();
    assert_eq!(house.jobs.len(), 2);

    session.ask(|answer| Command::RemoveConnection { connection: always.id.clone(), answer }).await.unwrap();
    let (house, _) = keeping(&folder).await;
    let connections = house.registry.find(session.id()).unwrap().snapshot().connections.clone();
    assert_eq!(connections.iter().map(|c| &c.id).collect::<Vec<_>>(), [&camera.id]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_is_forgotten_or_kept_by_its_reason() {
    for (reason, kept) in
        [(EndReason::OpenviduServerStopped, true), (EndReason::NodeCrashed, true), (EndReason::SessionClosedByServer, false)]
    {
        let folder = tempfile::tempdir().unwrap();
        let (mut house, _) = keeping(&folder).await;
        let session = house.session();
        house.camera(&session, true).await;
        session.ask(|answer| Command::Close { reason, answer }).await.unwrap();
        let (house, _) = keeping(&folder).await;
        assert_eq!(house.registry.all().len(), usize::from(kept), "{reason:?}");
    }
    // its last camera takes it along
    let folder = tempfile::tempdir().unwrap();
    let (mut house, _) = keeping(&folder).await;
    let session = house.session();
    let camera = house.camera(&session, true).await;
    session.ask(|answer| Command::RemoveConnection { connection: camera.id.clone(), answer }).await.unwrap();
    assert!(keeping(&folder).await.0.registry.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_is_not_allowed_any_more_stays_away_but_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (mut house, _) = keeping(&folder).await;
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let mut forbidden = super::camera(true);
    forbidden.rtsp_uri = "rtsp://127.0.0.1/x".into();
    session.ask(|answer| Command::AddCamera { properties: forbidden, answer }).await.unwrap();
    for _ in 0..2 {
        let (house, store) = keeping(&folder).await;
        let back = house.registry.find(session.id()).unwrap().snapshot();
        assert_eq!(back.connections.iter().map(|c| &c.id).collect::<Vec<_>>(), [&camera.id]);
        store.all_durable().await;
        assert_eq!(Store::open(folder.path()).1[0].cameras.len(), 2);
    }
}
