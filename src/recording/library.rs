//! All recordings of this box: their metadata on disk, and the same in memory for readers, who never wait for the disk.
//!
//! One folder a recording under the library's root; a folder without metadata is none. Written by [`Library::create`],
//! [`Library::save`] and [`Library::delete`] alone; who calls `save` is the owner of that recording (its task, or the recovery).
//! All that writes blocks on the disk.
//!
//! # Steps
//!
//! Create:
//! - **L1** make the folder under a temporary name.
//! - **L2** write its reserve: room for later metadata, given up when the disk is full.
//! - **L3** write its metadata.
//! - **L4** rename the folder to the recording's id, sync the root. A power cut before leaves what the next start sweeps away.
//!
//! Save: the metadata is replaced as a whole ([`disk::replace`]). Delete: the folder goes as a whole ([`disk::remove_tree`]).

use super::error::Error;
use super::metadata::{self, metadata_name};
use super::plan::{Recording, file_name, thumbnail_name};
use crate::disk;
use crate::ids::{RecordingId, SessionId};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Room kept for metadata on a disk that is full, in bytes: the old and the new one are there at the same time.
const RESERVE: usize = 16 * 1024;
const RESERVE_NAME: &str = ".reserve";

/// Called after each step. Production goes on; a test may stop there, as a kill would.
pub(super) type After<'a> = &'a mut dyn FnMut(&str) -> Result<(), Error>;

/// The recordings.
#[derive(Debug)]
pub struct Library {
    root: PathBuf,
    /// Base of URLs, without a trailing slash.
    public_url: String,
    index: Mutex<BTreeMap<RecordingId, Arc<Recording>>>,
    /// Held while folders come and go, so that an id is given once.
    folders: Mutex<()>,
}

impl Library {
    /// Reads what is there. Makes the root if need be; sweeps away what interrupted steps left.
    pub fn open(root: &Path, public_url: String) -> Result<Library, Error> {
        disk::create_folder(root)?;
        disk::sweep(root)?;
        let mut index = BTreeMap::new();
        for name in names(root)? {
            let (id, folder) = (RecordingId::from(name.as_str()), root.join(&name));
            let Ok(text) = fs::read(folder.join(metadata_name(&id))) else { continue };
            match metadata::from_disk(&text).filter(|recording| recording.id == id) {
                Some(recording) => drop(index.insert(id, Arc::new(recording))),
                None => tracing::warn!(recording = %id, "the metadata is not understood; the recording is not listed"),
            }
        }
        Ok(Library { root: root.to_owned(), public_url, index: Mutex::new(index), folders: Mutex::default() })
    }

    /// Makes the folder of a new recording of `session`; `make` fills in what belongs to the id (rest.md §10.3).
    pub fn create(&self, session: &SessionId, make: impl FnOnce(RecordingId) -> Recording) -> Result<Arc<Recording>, Error> {
        let _folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let id = self.free_id(session);
        let recording = Arc::new(make(id.clone()));
        let folder = self.folder(&id);
        let temporary = disk::temporary(&folder);
        let made = self.furnish(&folder, &recording, &mut |_| Ok(()));
        if let Err(error) = made {
            // what cannot be removed now is swept at the next start
            let _ = fs::remove_dir_all(&temporary);
            return Err(error);
        }
        self.index().insert(id, recording.clone());
        Ok(recording)
    }

    /// L1 to L4.
    pub(super) fn furnish(&self, folder: &Path, recording: &Recording, after: After) -> Result<(), Error> {
        let temporary = disk::temporary(folder);
        disk::create_folder(&temporary)?;
        after("L1")?;
        disk::replace(&temporary.join(RESERVE_NAME), &vec![b'-'; RESERVE])?;
        after("L2")?;
        disk::replace(&temporary.join(metadata_name(&recording.id)), self.text(recording).as_bytes())?;
        after("L3")?;
        disk::publish(&temporary, folder)?;
        after("L4")
    }

    /// `S`, then `S~1`, `S~2`, …: one more than the last that is there. A folder of that name that is none of ours is stepped over.
    fn free_id(&self, session: &SessionId) -> RecordingId {
        let number = |id: &RecordingId| match id.as_str().strip_prefix(session.as_str())? {
            "" => Some(0),
            rest => rest.strip_prefix('~')?.parse::<u32>().ok(),
        };
        let last = self.index().keys().filter_map(number).max();
        let id = |number: u32| if number == 0 { session.as_str().into() } else { RecordingId::from(format!("{session}~{number}")) };
        let mut next = last.map_or(0, |last| last.saturating_add(1));
        while next < u32::MAX && fs::symlink_metadata(self.folder(&id(next))).is_ok() {
            next += 1;
        }
        id(next)
    }

    /// Keeps a recording's new state. Readers see it in any case; an error means that the disk has an old one.
    pub fn save(&self, recording: Recording) -> Result<Arc<Recording>, Error> {
        let recording = Arc::new(recording);
        self.index().insert(recording.id.clone(), recording.clone());
        let folder = self.folder(&recording.id);
        let (path, text) = (folder.join(metadata_name(&recording.id)), self.text(&recording));
        let mut saved = disk::replace(&path, text.as_bytes());
        let is_full = saved.as_ref().is_err_and(|error| error.kind == disk::Kind::Full);
        let given_up = (is_full || recording.status.is_final()) && fs::remove_file(folder.join(RESERVE_NAME)).is_ok();
        if is_full && given_up {
            saved = disk::replace(&path, text.as_bytes());
        }
        saved?;
        Ok(recording)
    }

    /// One recording.
    pub fn get(&self, id: &RecordingId) -> Option<Arc<Recording>> {
        self.index().get(id).cloned()
    }

    /// All of them, the oldest first.
    pub fn list(&self) -> Vec<Arc<Recording>> {
        let mut all: Vec<_> = self.index().values().cloned().collect();
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        all
    }

    /// Removes a finished recording with its folder.
    pub fn delete(&self, id: &RecordingId) -> Result<(), Error> {
        let _folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let recording = self.get(id).ok_or_else(|| Error::Unknown(id.clone()))?;
        if !recording.status.is_final() {
            return Err(Error::Unfinished(id.clone()));
        }
        match disk::remove_tree(&self.folder(id)) {
            // somebody was faster, by hand
            Err(error) if error.kind != disk::Kind::Missing => return Err(error.into()),
            _ => {}
        }
        self.index().remove(id);
        Ok(())
    }

    /// The file `name` of a finished recording: a film, or its thumbnail. Nothing else in its folder can be had, nor anything outside,
    /// not even by a link.
    pub fn file(&self, id: &RecordingId, name: &str) -> Option<PathBuf> {
        let recording = self.get(id).filter(|recording| recording.status.is_final())?;
        let folder = self.folder(id);
        let mut films = (1..).map(|number| file_name(&recording.name, number)).take_while(|file| folder.join(file).is_file());
        if name != thumbnail_name(id) && !films.any(|film| film == name) {
            return None;
        }
        disk::file_within(&self.root, &Path::new(id.as_str()).join(name))
    }

    /// Where a recording lies.
    pub fn folder(&self, id: &RecordingId) -> PathBuf {
        self.root.join(id.as_str())
    }

    /// Is it still that recording? Another one may have the id of one that was deleted.
    pub(super) fn has(&self, recording: &Recording) -> bool {
        self.get(&recording.id).is_some_and(|now| now.created_at == recording.created_at)
    }

    /// The first film of a recording that has ended.
    pub(super) fn film(&self, recording: &Recording) -> PathBuf {
        self.folder(&recording.id).join(file_name(&recording.name, 1))
    }

    /// Where the thumbnail of a recording is, or will be.
    pub(super) fn thumbnail(&self, id: &RecordingId) -> PathBuf {
        self.folder(id).join(thumbnail_name(id))
    }

    /// What has ended with a picture, but without a thumbnail; the oldest first.
    pub(super) fn without_thumbnail(&self) -> Vec<Recording> {
        let lacks =
            |recording: &Recording| recording.status.is_final() && recording.has_picture() && !self.thumbnail(&recording.id).exists();
        self.list().iter().filter(|recording| lacks(recording)).map(|recording| (**recording).clone()).collect()
    }

    /// T1 of [`super::thumbnails`]: where the thumbnail of a recording is to be written, a name that nobody has had before. What earlier
    /// tries left is removed. `None`: the recording is gone.
    pub(super) fn begin_thumbnail(&self, recording: &Recording) -> Option<PathBuf> {
        let _folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.has(recording) {
            return None;
        }
        let (folder, name) = (self.folder(&recording.id), thumbnail_name(&recording.id));
        let left = format!(".{name}.");
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&left) {
                // what cannot be removed goes with the recording
                let _ = fs::remove_file(entry.path());
            }
        }
        Some(disk::temporary(&folder.join(format!("{name}.{}", rand::random::<u64>()))))
    }

    /// T2 of [`super::thumbnails`]: gives the thumbnail that was written as `temporary` its own name.
    pub(super) fn keep_thumbnail(&self, recording: &Recording, temporary: &Path) -> Result<(), Error> {
        let _folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.has(recording) {
            // another recording's folder
            let _ = fs::remove_file(temporary);
            return Ok(());
        }
        Ok(disk::publish(temporary, &self.thumbnail(&recording.id))?)
    }

    fn text(&self, recording: &Recording) -> String {
        metadata::to_disk(recording, &self.public_url)
    }

    // No critical section panics; one that did would still leave an index that is whole.
    fn index(&self) -> MutexGuard<'_, BTreeMap<RecordingId, Arc<Recording>>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folders under `root` that may be recordings.
fn names(root: &Path) -> Result<Vec<String>, Error> {
    let list =
        |error: io::Error| disk::Error { kind: disk::Kind::of(&error), step: disk::Step::List, path: root.to_owned(), source: error };
    let mut names = Vec::new();
    for entry in fs::read_dir(root).map_err(list)? {
        let entry = entry.map_err(list)?;
        names.extend(entry.file_name().into_string().ok().filter(|name| metadata::is_word(name) && entry.path().is_dir()));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::metadata::tests::recording;
    use crate::recording::plan::Status;
    use viduct_testkit::kills;

    fn open(root: &Path) -> Library {
        Library::open(root, "https://box".into()).unwrap()
    }

    fn create(library: &Library, session: &str, status: Status) -> RecordingId {
        let session = SessionId::from(session);
        let make = |id| Recording { id, session: session.clone(), ..recording(status) };
        library.create(&session, make).unwrap().id.clone()
    }

    fn entries(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn ids_count_on_from_what_is_on_disk() {
        let root = tempfile::tempdir().unwrap();
        let library = open(root.path());
        assert_eq!(create(&library, "A", Status::Ready).as_str(), "A");
        assert_eq!(create(&library, "A", Status::Ready).as_str(), "A~1");
        assert_eq!(create(&library, "A-B", Status::Ready).as_str(), "A-B");
        let library = open(root.path());
        assert_eq!(create(&library, "A", Status::Ready).as_str(), "A~2", "after a restart");
        library.delete(&"A~1".into()).unwrap();
        assert_eq!(create(&library, "A", Status::Ready).as_str(), "A~3", "a gap is not filled");
        library.delete(&"A~3".into()).unwrap();
        assert_eq!(create(&library, "A", Status::Ready).as_str(), "A~3", "the latest frees its number");
        fs::create_dir(root.path().join("A~4")).unwrap();
        assert_eq!(create(&library, "A", Status::Ready).as_str(), "A~5", "a folder of somebody else is left alone");
        assert_eq!(library.list().len(), 5);
    }

    #[test]
    fn the_library_is_what_the_disk_says() {
        let root = tempfile::tempdir().unwrap();
        let library = open(root.path());
        let id = create(&library, "A", Status::Starting);
        let started = Recording { status: Status::Started, ..(*library.get(&id).unwrap()).clone() };
        library.save(started.clone()).unwrap();
        fs::create_dir(root.path().join("no-metadata")).unwrap();
        fs::create_dir(root.path().join("broken")).unwrap();
        fs::write(root.path().join("broken/.recording.broken"), "{").unwrap();
        fs::create_dir(root.path().join("other")).unwrap();
        fs::copy(library.folder(&id).join(".recording.A"), root.path().join("other/.recording.other")).unwrap();
        fs::create_dir(root.path().join(".X.viduct-new")).unwrap();
        fs::write(root.path().join("file"), "x").unwrap();
        let again = open(root.path());
        assert_eq!(again.list().iter().map(|r| (**r).clone()).collect::<Vec<_>>(), [started]);
        assert!(!root.path().join(".X.viduct-new").exists());
    }

    #[test]
    fn what_is_not_finished_is_not_deleted_nor_served() {
        let root = tempfile::tempdir().unwrap();
        let library = open(root.path());
        for status in Status::ALL {
            let id = create(&library, "A", status);
            fs::write(library.folder(&id).join("lobby.mp4"), "x").unwrap();
            assert_eq!(library.file(&id, "lobby.mp4").is_some(), status.is_final(), "{status:?}");
            let deleted = library.delete(&id);
            match status.is_final() {
                true => assert!(deleted.is_ok() && !library.folder(&id).exists() && library.get(&id).is_none()),
                false => assert!(matches!(deleted, Err(Error::Unfinished(_))) && library.folder(&id).exists()),
            }
            assert!(matches!(library.delete(&"B".into()), Err(Error::Unknown(_))));
        }
    }

    #[test]
    fn only_the_films_of_a_recording_are_served() {
        let root = tempfile::tempdir().unwrap();
        let library = open(root.path());
        let id = create(&library, "A", Status::Ready);
        for name in ["lobby.mp4", "lobby-2.mp4", "lobby-4.mp4", "part-1.mp4", ".lock"] {
            fs::write(library.folder(&id).join(name), "x").unwrap();
        }
        for name in ["lobby.mp4", "lobby-2.mp4"] {
            assert_eq!(library.file(&id, name), library.folder(&id).join(name).canonicalize().ok());
        }
        for name in ["lobby-4.mp4", "part-1.mp4", ".lock", ".recording.A", "", ".", "..", "../A/lobby.mp4", "lobby.mp4/", "x"] {
            assert_eq!(library.file(&id, name), None, "{name}");
        }
        assert_eq!(library.file(&"..".into(), "lobby.mp4"), None);
        assert_eq!(library.file(&id, "A.jpg"), None);
        fs::write(library.folder(&id).join("A.jpg"), "x").unwrap();
        assert_eq!(library.file(&id, "A.jpg"), library.folder(&id).join("A.jpg").canonicalize().ok());
        let film = library.folder(&id).join("lobby.mp4");
        fs::remove_file(&film).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &film).unwrap();
        assert_eq!(library.file(&id, "lobby.mp4"), None, "a link out of the folder is no film");
    }

    #[test]
    fn films_without_a_thumbnail_are_known() {
        let root = tempfile::tempdir().unwrap();
        let library = open(root.path());
        let has = create(&library, "A", Status::Ready);
        fs::write(library.thumbnail(&has), "x").unwrap();
        for (session, change) in [
            ("sound", Recording { video: None, ..recording(Status::Ready) }),
            ("nothing", Recording { files: 0, size: 0, ..recording(Status::Failed) }),
            ("unfinished", recording(Status::Started)),
        ] {
            let session = SessionId::from(session);
            library.create(&session, |id| Recording { id, session: session.clone(), ..change }).unwrap();
        }
        let lacks = [create(&library, "B", Status::Ready), create(&library, "C", Status::Failed)];
        assert_eq!(library.without_thumbnail().into_iter().map(|recording| recording.id).collect::<Vec<_>>(), lacks);
    }

    #[test]
    fn a_finished_recording_gives_its_reserve_up() {
        let root = tempfile::tempdir().unwrap();
        let library = open(root.path());
        let id = create(&library, "A", Status::Starting);
        let folder = library.folder(&id);
        assert_eq!(entries(&folder), [".recording.A", ".reserve"]);
        library.save(Recording { id: id.clone(), ..recording(Status::Started) }).unwrap();
        assert_eq!(entries(&folder).len(), 2);
        library.save(Recording { id, ..recording(Status::Ready) }).unwrap();
        assert_eq!(entries(&folder), [".recording.A"]);
    }

    #[test]
    fn a_disk_without_room_is_made_some() {
        let root = tempfile::tempdir().unwrap();
        let library = open(root.path());
        let id = create(&library, "A", Status::Started);
        // every write to this device fails for want of room; the failed try removes the link
        let path = library.folder(&id).join(metadata_name(&id));
        std::os::unix::fs::symlink("/dev/full", disk::temporary(&path)).unwrap();
        library.save(Recording { id: id.clone(), ..recording(Status::Failed) }).unwrap();
        assert_eq!(open(root.path()).get(&id).unwrap().status, Status::Failed);
        assert_eq!(entries(&library.folder(&id)), [".recording.A"]);
    }

    /// What the killed child does: a recording is saved with one length after the other.
    #[test]
    fn saving_child() {
        let Some(folder) = kills::child() else { return };
        let library = open(&folder);
        let id = RecordingId::from("A");
        let mut saved = match library.get(&id) {
            Some(recording) => (*recording).clone(),
            None => Recording { id: create(&library, "A", Status::Started), session: "A".into(), ..recording(Status::Started) },
        };
        loop {
            saved.duration_ms += 1;
            library.save(saved.clone()).unwrap();
            kills::acknowledge(saved.duration_ms);
        }
    }

    #[test]
    fn two_hundred_kills_lose_nothing_acknowledged() {
        let root = tempfile::tempdir().unwrap();
        kills::rounds("recording::library::tests::saving_child", root.path(), 200, |acknowledged| {
            let saved = open(root.path()).get(&"A".into()).unwrap().duration_ms;
            assert!(saved == acknowledged || saved == acknowledged + 1, "{acknowledged} was acknowledged, {saved} is saved");
        });
    }
}
