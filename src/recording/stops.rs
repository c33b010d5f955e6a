//! A stop after each numbered step of a recording's life, and metadata torn anywhere: the next start makes the recording `ready`
//! with all that was written, or `failed` when nothing was, and leaves no more files than a life without a stop does.

use super::library::Library;
use super::metadata::tests::recording;
use super::parts::tests::write_part;
use super::plan::{Cast, Picture, Plan, Recording, Resolution, Status, StopReason};
use super::played::Composers;
use super::recordings::{Recordings, Request};
use super::{Error, recovery};
use crate::clock::Clock;
use crate::events::Bus;
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
    recovery::recover(library.clone(), Bus::default(), Clock::simulated(0)).await;
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
    let recordings = Recordings::new(library, engine, jobs, Bus::default(), Clock::simulated(0));
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

/// A recording that says `status`, with two seconds of film.
fn filmed(root: &Path, status: Status) -> (Arc<Library>, RecordingId) {
    let library = open(root);
    let session = SessionId::from("S");
    let id = library.create(&session, |id| Recording { id, session: session.clone(), ..recording(status) }).unwrap().id.clone();
    write_part(&library.folder(&id), 1, 2, true);
    (library, id)
}

#[tokio::test(start_paused = true)]
async fn while_its_metadata_are_written() {
    for (old, new) in [(Status::Starting, Status::Started), (Status::Started, Status::Stopped), (Status::Stopped, Status::Ready)] {
        let text = {
            let root = tempfile::tempdir().unwrap();
            let (library, id) = filmed(root.path(), new);
            fs::read(library.folder(&id).join(".recording.S")).unwrap()
        };
        // torn anywhere, or whole and not renamed; what was not written yet reads as nothing or as zeros
        for (len, zeros) in (0..text.len()).step_by(23).chain([text.len()]).flat_map(|len| [(len, 0), (len, text.len() - len)]) {
            let root = tempfile::tempdir().unwrap();
            let (library, id) = filmed(root.path(), old);
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
