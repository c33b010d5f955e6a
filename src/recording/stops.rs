//! A stop after each numbered step of a recording's life, and metadata torn anywhere: the next start makes the recording `ready`
//! with all that was written, or `failed` when nothing was, and leaves no more files than a life without a stop does. The same for
//! a recovery that is itself stopped, and for thumbnails.

use super::library::Library;
use super::metadata::tests::recording;
use super::parts::tests::write_part;
use super::plan::{Cast, Picture, Plan, Recording, Resolution, Status, StopReason};
use super::played::{Composers, THUMBNAIL};
use super::recordings::{Recordings, Request, Steps};
use super::recovery::tests::nobody;
use super::told::Teller;
use super::{Error, recovery};
use crate::clock::Clock;
use crate::ids::{RecordingId, SessionId, SessionKey, TrackId};
use crate::{disk, engine, jobs};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::mpsc;

fn open(root: &Path) -> Arc<Library> {
    Arc::new(Library::open(root, "https://box".into()).unwrap())
}

/// The next start.
async fn recovered(root: &Path) -> Arc<Library> {
    let library = open(root);
    recovery::recover(library.clone(), nobody(), Clock::simulated(0)).await;
    library
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn request() -> Request {
    let track = |number| Some(TrackId::new(SessionKey(1), number));
    let video = Some(Picture { resolution: Resolution::parse("640x360").unwrap(), frame_rate: 25 });
    Request {
        session: "S".into(),
        session_created_at: 1,
        plan: Plan { name: Some("film".into()), audio: true, video },
        cast: vec![Cast { stream: "str_1".into(), audio: track(1), video: track(2) }],
    }
}

/// A recorder, and its floors below played by hand.
struct Scene {
    recordings: Recordings,
    composers: Composers,
    commands: mpsc::Receiver<jobs::Command>,
    /// Seconds that composers have on disk.
    written: u64,
}

impl Scene {
    /// Everybody does one thing.
    async fn turn(&mut self) {
        // the disk is a thread of its own
        tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
        while let Ok(command) = self.commands.try_recv() {
            for event in self.composers.on(command) {
                if let jobs::Event::Written { written, .. } = &event {
                    self.written = written.duration_ms / 1000;
                }
                self.recordings.hear(event).await;
            }
        }
    }
}

/// Records until the task has done step `last`, is asked to stop meanwhile, and is killed there. Gives the seconds on disk.
async fn killed_after(last: u8, root: &Path, composer_too: bool) -> u64 {
    let (engine, _engine_commands, _wake) = engine::Handle::channel().unwrap();
    let (jobs, commands) = jobs::Handle::channel();
    let library = Library::open(root, "https://box".into()).unwrap();
    let recordings = Recordings::new(library, engine, jobs, Teller::default(), Clock::simulated(0));
    let steps = &recordings.shared.clone().steps;
    steps.last.store(last, Relaxed);
    let mut recorder = Some(recordings.start(request()).unwrap());
    let mut scene = Scene { recordings, composers: Composers::default(), commands, written: 0 };
    let began = Clock::System.now();
    while !steps.is_stopped.load(Relaxed) {
        assert!(began.elapsed() < Duration::from_secs(20), "step C{last} is never done");
        scene.turn().await;
        if recorder.as_ref().is_some_and(|recorder| recorder.progress().status() == Status::Started) {
            recorder.take().unwrap().stop(StopReason::RecordingStoppedByServer);
        }
    }
    scene.recordings.shared.kill().await;
    // what the supervisor was told before
    scene.turn().await;
    scene.composers.abandon(composer_too);
    scene.written
}

#[tokio::test(start_paused = true)]
async fn after_each_step_of_its_making() {
    for composer_too in [false, true] {
        for step in 1..=8 {
            let root = tempfile::tempdir().unwrap();
            let seconds = killed_after(step, root.path(), composer_too).await;
            assert_eq!(seconds > 0, step > 1, "C{step}");
            let before = open(root.path()).get(&"S".into()).unwrap().status;
            let expected = match step {
                1..=3 => Status::Starting,
                4 => Status::Started,
                5..=7 => Status::Stopped,
                _ => Status::Ready,
            };
            assert_eq!(before, expected, "C{step}");
            let after = recovered(root.path()).await.get(&"S".into()).unwrap();
            let status = if seconds > 0 { Status::Ready } else { Status::Failed };
            assert_eq!((after.status, after.duration_ms), (status, seconds * 1000), "C{step}, composer killed: {composer_too}");
            let left: &[&str] = if seconds > 0 { &[".lock", ".recording.S", "film.mp4"] } else { &[".lock", ".recording.S"] };
            assert_eq!(entries(&root.path().join("S")), left, "C{step}");
            assert_eq!(open(root.path()).get(&"S".into()).unwrap(), after, "the disk says so, too");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_each_step_of_its_folder() {
    for (number, stop) in ["L1", "L2", "L3", "L4"].into_iter().enumerate() {
        let root = tempfile::tempdir().unwrap();
        let new = Recording { id: "S".into(), session: "S".into(), ..recording(Status::Starting) };
        let mut passed = 0;
        let killed = open(root.path()).furnish(&root.path().join("S"), &new, &mut |step| {
            passed += 1;
            if step == stop { Err(Error::Unknown("killed".into())) } else { Ok(()) }
        });
        assert!(killed.is_err() && passed == number + 1, "{stop}");
        let library = recovered(root.path()).await;
        let there = library.get(&"S".into()).map(|recording| recording.status);
        assert_eq!(there, (stop == "L4").then_some(Status::Failed), "{stop}");
        let folders: &[&str] = if stop == "L4" { &["S"] } else { &[] };
        assert_eq!(entries(root.path()), folders, "{stop}");
        let session = SessionId::from("S");
        let next = library.create(&session, |id| Recording { id, session: session.clone(), ..new.clone() }).unwrap();
        assert_eq!(next.id.as_str(), if stop == "L4" { "S~1" } else { "S" }, "{stop}");
    }
}

/// A recording that says `status`, with two seconds of film, which its composer finished or not.
fn filmed(root: &Path, status: Status, finished: bool) -> (Arc<Library>, RecordingId) {
    let library = open(root);
    let session = SessionId::from("S");
    let id = library.create(&session, |id| Recording { id, session: session.clone(), ..recording(status) }).unwrap().id.clone();
    write_part(&library.folder(&id), 1, 2, finished);
    (library, id)
}

#[tokio::test(start_paused = true)]
async fn while_its_metadata_are_written() {
    for (old, new) in [(Status::Starting, Status::Started), (Status::Started, Status::Stopped), (Status::Stopped, Status::Ready)] {
        let text = {
            let root = tempfile::tempdir().unwrap();
            let (library, id) = filmed(root.path(), new, true);
            fs::read(library.folder(&id).join(".recording.S")).unwrap()
        };
        // torn anywhere, or whole and not renamed; what was not written yet reads as nothing or as zeros
        for (len, zeros) in (0..text.len()).step_by(23).chain([text.len()]).flat_map(|len| [(len, 0), (len, text.len() - len)]) {
            let root = tempfile::tempdir().unwrap();
            let (library, id) = filmed(root.path(), old, true);
            let folder = library.folder(&id);
            let torn = [&text[..len], &vec![0; zeros]].concat();
            fs::write(disk::temporary(&folder.join(".recording.S")), torn).unwrap();
            assert_eq!(open(root.path()).get(&id).unwrap().status, old);
            let after = recovered(root.path()).await.get(&id).unwrap();
            assert_eq!((after.status, after.duration_ms), (Status::Ready, 2000), "{len} bytes of {new:?}");
            assert_eq!(entries(&folder), [".lock", ".recording.S", "lobby.mp4"]);
        }
    }
}

/// The next start, killed after step R`last` of its recovery.
async fn killed_in_recovery(last: u8, root: &Path) {
    let steps = Arc::<Steps>::default();
    steps.last.store(last, Relaxed);
    let recovery = tokio::spawn(recovery::recover_stepwise(open(root), nobody(), Clock::simulated(0), steps.clone()));
    let began = Clock::System.now();
    while !steps.is_stopped.load(Relaxed) {
        assert!(began.elapsed() < Duration::from_secs(20), "step R{last} is never done");
        tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
    }
    recovery.abort();
    assert!(recovery.await.is_err());
}

/// The next start makes it ready, with its two seconds, and nothing is left over.
async fn is_recovered(root: &Path, id: &RecordingId, when: &str) {
    let after = recovered(root).await.get(id).unwrap();
    assert_eq!((after.status, after.duration_ms, after.files), (Status::Ready, 2000, 1), "{when}");
    assert_eq!(entries(&root.join(id.as_str())), [".lock", ".recording.S", "lobby.mp4"], "{when}");
    assert_eq!(open(root).get(id).unwrap(), after, "{when}: the disk says so, too");
    assert!(crate::mp4::inspect(&root.join("S/lobby.mp4")).unwrap().finished, "{when}");
}

#[tokio::test(start_paused = true)]
async fn after_each_step_of_its_recovery() {
    let lives = [Status::Starting, Status::Started, Status::Stopped].into_iter().flat_map(|status| [(status, false), (status, true)]);
    for (status, finished) in lives {
        // once, or a second time at the same step or a later one
        for kills in [vec![1], vec![2], vec![3], vec![1, 1], vec![1, 2], vec![1, 3], vec![2, 2], vec![2, 3]] {
            let root = tempfile::tempdir().unwrap();
            let (library, id) = filmed(root.path(), status, finished);
            drop(library);
            for step in &kills {
                killed_in_recovery(*step, root.path()).await;
                let (film, reserve, now) = match step {
                    1 if kills[0] == 1 => ("part-1.mp4", true, status),
                    3 => ("lobby.mp4", false, Status::Ready),
                    _ => ("lobby.mp4", true, status),
                };
                let expected: Vec<_> =
                    [".lock", ".recording.S", ".reserve", film].into_iter().filter(|name| reserve || *name != ".reserve").collect();
                let when = format!("{status:?}, finished: {finished}, killed after {kills:?}");
                assert_eq!(entries(&root.path().join("S")), expected, "{when}");
                assert_eq!(open(root.path()).get(&id).unwrap().status, now, "{when}");
            }
            is_recovered(root.path(), &id, &format!("{status:?}, finished: {finished}, killed after {kills:?}")).await;
        }
    }
}

/// The film as R2 found it and as R2 leaves it, and what a power cut in between may make of it: any sectors of the index, and not yet
/// the switch, which is written when the index is safe.
fn torn_films() -> Vec<Vec<u8>> {
    const SECTOR: usize = 512;
    let root = tempfile::tempdir().unwrap();
    let (library, id) = filmed(root.path(), Status::Started, false);
    let part = library.folder(&id).join("part-1.mp4");
    let found = fs::read(&part).unwrap();
    crate::mp4::recover(&part).unwrap();
    let left = fs::read(&part).unwrap();
    assert_eq!(found.len(), left.len());
    let sectors: Vec<usize> =
        (0..found.len()).step_by(SECTOR).filter(|at| found[*at..].iter().zip(&left[*at..]).take(SECTOR).any(|(a, b)| a != b)).collect();
    assert_eq!(sectors[0], 0, "the switch is in the first sector");
    let torn = |pattern: u32| {
        let mut film = found.clone();
        for (_, at) in sectors.iter().enumerate().filter(|(bit, _)| pattern >> bit & 1 == 1) {
            let end = film.len().min(at + SECTOR);
            film[*at..end].copy_from_slice(&left[*at..end]);
        }
        // the size of `free`: the switch is not turned
        film[32..36].copy_from_slice(&found[32..36]);
        film
    };
    (0..1 << sectors.len().min(4)).map(torn).chain([left.clone()]).collect()
}

#[tokio::test(start_paused = true)]
async fn while_its_recovery_writes() {
    // R2: the film is torn, and what its composer did not get to write is behind it
    for (number, film) in torn_films().into_iter().enumerate() {
        let finished = film[32..36] == 8u32.to_be_bytes();
        for tail in [0, 777] {
            let root = tempfile::tempdir().unwrap();
            let (library, id) = filmed(root.path(), Status::Stopped, false);
            let film = [&film[..], &vec![0; if finished { 0 } else { tail }]].concat();
            fs::write(library.folder(&id).join("part-1.mp4"), film).unwrap();
            drop(library);
            is_recovered(root.path(), &id, &format!("film {number}, {tail} bytes behind it")).await;
        }
    }
    // R3: its metadata are torn anywhere, in a film that has its name
    let text = {
        let root = tempfile::tempdir().unwrap();
        let (_, id) = filmed(root.path(), Status::Stopped, true);
        recovered(root.path()).await;
        fs::read(root.path().join(id.as_str()).join(".recording.S")).unwrap()
    };
    for (len, zeros) in (0..=text.len()).step_by(23).flat_map(|len| [(len, 0), (len, text.len() - len)]) {
        let root = tempfile::tempdir().unwrap();
        let (library, id) = filmed(root.path(), Status::Started, true);
        drop(library);
        killed_in_recovery(2, root.path()).await;
        let torn = [&text[..len], &vec![0; zeros]].concat();
        fs::write(disk::temporary(&root.path().join("S/.recording.S")), torn).unwrap();
        assert_eq!(open(root.path()).get(&id).unwrap().status, Status::Started);
        is_recovered(root.path(), &id, &format!("{len} bytes and {zeros} zeros")).await;
    }
}

/// A start with makers of thumbnails, until `done`.
async fn started_until(root: &Path, draws: bool, done: impl Fn(&Scene) -> bool) -> Scene {
    let (engine, _engine_commands, _wake) = engine::Handle::channel().unwrap();
    let (jobs, commands) = jobs::Handle::channel();
    let recordings =
        Recordings::new(Library::open(root, "https://box".into()).unwrap(), engine, jobs, Teller::default(), Clock::simulated(0));
    let mut scene = Scene { recordings, composers: Composers { draws, ..Composers::default() }, commands, written: 0 };
    let began = Clock::System.now();
    while !done(&scene) {
        assert!(began.elapsed() < Duration::from_secs(20), "the thumbnail is never made");
        scene.turn().await;
    }
    scene
}

/// A finished recording with a picture, and its thumbnail's path.
fn pictured(root: &Path) -> (RecordingId, std::path::PathBuf) {
    let library = open(root);
    let session = SessionId::from("S");
    let make = |id| Recording { id, session: session.clone(), ..recording(Status::Ready) };
    let id = library.create(&session, make).unwrap().id.clone();
    fs::write(library.folder(&id).join("lobby.mp4"), "a film").unwrap();
    let picture = library.thumbnail(&id);
    (id, picture)
}

#[tokio::test(start_paused = true)]
async fn while_its_thumbnail_is_made() {
    for (left, contents) in [(None, ""), (Some("T1"), "whole, and not renamed"), (Some("torn"), "wh\0\0\0")] {
        let root = tempfile::tempdir().unwrap();
        let (id, picture) = pictured(root.path());
        // a start that ends before the picture is made
        let scene = started_until(root.path(), false, |scene| !scene.composers.drawing.is_empty()).await;
        scene.recordings.shared.kill().await;
        drop(scene);
        if left.is_some() {
            fs::write(disk::temporary(&picture.with_extension("jpg.7")), contents).unwrap();
        }
        assert!(open(root.path()).file(&id, "S.jpg").is_none(), "{left:?}");
        let mut scene = started_until(root.path(), true, |_| picture.exists()).await;
        assert_eq!(fs::read(&picture).unwrap(), THUMBNAIL, "{left:?}");
        while !scene.composers.drawing.is_empty() {
            scene.turn().await;
        }
        assert_eq!(scene.recordings.file(id, "S.jpg".into()).await, Some(picture.clone()));
        assert_eq!(entries(picture.parent().unwrap()), [".recording.S", ".reserve", "S.jpg", "lobby.mp4"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thumbnail_is_not_given_to_another_recording_of_the_same_id() {
    let root = tempfile::tempdir().unwrap();
    let (id, picture) = pictured(root.path());
    let library = open(root.path());
    let first = (*library.get(&id).unwrap()).clone();
    library.delete(&id).unwrap();
    let session = SessionId::from("S");
    let make = |id| Recording { id, session: session.clone(), created_at: first.created_at + 1, ..recording(Status::Starting) };
    assert_eq!(library.create(&session, make).unwrap().id, id);
    assert!(library.begin_thumbnail(&first).is_none());
    let temporary = disk::temporary(&picture.with_extension("jpg.7"));
    fs::write(&temporary, "of the first").unwrap();
    library.keep_thumbnail(&first, &temporary).unwrap();
    assert_eq!(entries(picture.parent().unwrap()), [".recording.S", ".reserve"]);
}
