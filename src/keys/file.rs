//! Where the keys are kept: `keys/keys.json` in the state folder, for this user alone, replaced as a whole.
//!
//! The daemon and `viduct key` change it in the same way: take the folder's lock, read, change, write, let go. So no change is lost,
//! whichever comes when, and what was answered for is on the disk. All of it blocks.

use super::key::{Key, Wish, is_name};
use crate::causes::with_causes;
use crate::disk::{self, FolderLock};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// In the state folder.
const FOLDER: &str = "keys";
const NAME: &str = "keys.json";
/// So many keys, and no more: each is one that may leak.
const MOST: usize = 100;
/// Whoever holds the lock writes one small file.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

/// Why there is no such key, or no such change. The texts name the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a key {0} exists already; choose another name, or revoke that one first")]
    Exists(String),
    #[error("there is no key {0}")]
    Unknown(String),
    #[error("a key's name is made of 1 to 64 letters a-z, A-Z, digits, _ and -, and is not OPENVIDUAPP")]
    BadName,
    #[error("the key would be expired already: its end must lie in the future")]
    Past,
    #[error("there are {MOST} keys already; revoke one that nobody needs")]
    TooMany,
    #[error("the keys are being changed by somebody else all the time; try again")]
    Busy,
    #[error("the keys in {} are not understood ({why}), so all of them are refused; mend that file or remove it", path.display())]
    Garbled { path: PathBuf, why: String },
    #[error("the file {} cannot be used: {why}", path.display())]
    Disk { path: PathBuf, why: String },
}

#[derive(Serialize, Deserialize, Default)]
struct Contents {
    keys: Vec<Key>,
}

/// The file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeyFile {
    folder: Arc<Path>,
}

impl KeyFile {
    /// The one below this state folder. Nothing is made before the first key.
    pub fn in_state(folder: &Path) -> KeyFile {
        KeyFile { folder: folder.join(FOLDER).into() }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// All keys, oldest first.
    pub fn list(&self) -> Result<Vec<Key>, Error> {
        self.open()?.map_or(Ok(Vec::new()), |file| self.read(&file))
    }

    /// Makes a key; gives it with its secret, which is told this once.
    pub fn create(&self, wish: Wish, now_ms: u64) -> Result<(Key, String), Error> {
        if !is_name(&wish.name) {
            return Err(Error::BadName);
        }
        if wish.expires_at.is_some_and(|end| end <= now_ms) {
            return Err(Error::Past);
        }
        let made = self.change(PATIENCE, |keys| {
            if keys.iter().any(|key| key.name == wish.name) {
                return Err(Error::Exists(wish.name));
            }
            if keys.len() >= MOST {
                return Err(Error::TooMany);
            }
            let (key, secret) = Key::make(wish, now_ms);
            keys.push(key.clone());
            Ok((key, secret))
        })?;
        Ok(made)
    }

    /// Ends a key.
    pub fn revoke(&self, name: &str) -> Result<(), Error> {
        self.change(PATIENCE, |keys| {
            let before = keys.len();
            keys.retain(|key| key.name != name);
            if keys.len() == before { Err(Error::Unknown(name.to_owned())) } else { Ok(()) }
        })
    }

    /// Notes the day a key was used, unless the file is being changed just now. The one with this name may be another by now.
    pub(super) fn note_use(&self, used: &Key, day: u64) -> Result<(), Error> {
        self.change(Duration::ZERO, |keys| {
            let same = |key: &&mut Key| key.name == used.name && key.created_at == used.created_at;
            if let Some(key) = keys.iter_mut().find(same) {
                key.last_used_at = Some(day);
            }
            Ok(())
        })
    }

    /// The file as it is now, `None` when there is none.
    pub(super) fn open(&self) -> Result<Option<File>, Error> {
        match File::open(self.path()) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    pub(super) fn read(&self, mut file: &File) -> Result<Vec<Key>, Error> {
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| self.failed(&error))?;
        let contents = serde_json::from_str::<Contents>(&text);
        contents.map(|contents| contents.keys).map_err(|error| Error::Garbled { path: self.path(), why: error.to_string() })
    }

    fn change<T>(&self, patience: Duration, change: impl FnOnce(&mut Vec<Key>) -> Result<T, Error>) -> Result<T, Error> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(|error| self.failed(&error))?;
        let _lock = self.lock(patience).map_err(|error| match error.kind {
            disk::Kind::Locked => Error::Busy,
            _ => self.failed(&error),
        })?;
        let before = self.list()?;
        let mut keys = before.clone();
        let done = change(&mut keys)?;
        if keys != before {
            let text = serde_json::to_string_pretty(&Contents { keys }).map_err(|error| self.failed(&error))?;
            disk::replace_private(&self.path(), text.as_bytes()).map_err(|error| self.failed(&error))?;
        }
        Ok(done)
    }

    fn lock(&self, mut patience: Duration) -> Result<FolderLock, disk::Error> {
        loop {
            match FolderLock::try_take(&self.folder) {
                Err(error) if error.kind == disk::Kind::Locked && !patience.is_zero() => {
                    std::thread::sleep(PAUSE);
                    patience = patience.saturating_sub(PAUSE);
                }
                taken => return taken,
            }
        }
    }

    fn failed(&self, error: &dyn std::error::Error) -> Error {
        Error::Disk { path: self.path(), why: with_causes(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Scope;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use viduct_testkit::kills;

    fn wish(name: &str) -> Wish {
        Wish { name: name.into(), scope: Scope::ReadOnly, expires_at: None }
    }

    fn names(file: &KeyFile) -> Vec<String> {
        file.list().unwrap().into_iter().map(|key| key.name).collect()
    }

    #[test]
    fn keys_come_and_go() {
        let state = tempfile::tempdir().unwrap();
        let file = KeyFile::in_state(state.path());
        assert!(file.list().unwrap().is_empty() && fs::read_dir(state.path()).unwrap().next().is_none());
        let (key, secret) = file.create(wish("a"), 5).unwrap();
        file.create(wish("b"), 6).unwrap();
        assert_eq!(names(&file), ["a", "b"]);
        let kept = fs::read_to_string(file.path()).unwrap();
        assert!(!kept.contains(&secret) && kept.contains(&super::super::key::hash(&secret)), "{kept}");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file.path()), mode(&file.folder)), (0o600, 0o700));
        file.note_use(&key, 1).unwrap();
        assert_eq!(file.list().unwrap()[0].last_used_at, Some(1));
        file.revoke("a").unwrap();
        assert_eq!(names(&file), ["b"]);
        // noting that it was used does not bring it back
        file.note_use(&key, 2).unwrap();
        assert_eq!(names(&file), ["b"]);
    }

    #[test]
    fn what_cannot_be_is_said() {
        let state = tempfile::tempdir().unwrap();
        let file = KeyFile::in_state(state.path());
        assert!(matches!(file.revoke("a"), Err(Error::Unknown(_))));
        file.create(wish("a"), 5).unwrap();
        assert!(matches!(file.create(wish("a"), 5), Err(Error::Exists(_))));
        assert!(matches!(file.create(wish("a/b"), 5), Err(Error::BadName)));
        assert!(matches!(file.create(Wish { expires_at: Some(5), ..wish("b") }, 5), Err(Error::Past)));
        (1..MOST).for_each(|n| drop(file.create(wish(&n.to_string()), 5).unwrap()));
        assert!(matches!(file.create(wish("b"), 5), Err(Error::TooMany)));
        assert_eq!(names(&file).len(), MOST);
    }

    #[test]
    fn a_garbled_file_is_refused_and_left_alone() {
        let state = tempfile::tempdir().unwrap();
        let file = KeyFile::in_state(state.path());
        file.create(wish("a"), 5).unwrap();
        for text in ["", "{", r#"{"keys": [{"name": "a"}]}"#, "[]"] {
            fs::write(file.path(), text).unwrap();
            for error in [file.list().unwrap_err(), file.create(wish("b"), 5).unwrap_err(), file.revoke("a").unwrap_err()] {
                assert!(error.to_string().contains("keys.json") && error.to_string().contains("mend"), "{error}");
            }
            assert_eq!(fs::read_to_string(file.path()).unwrap(), text);
        }
    }

    #[test]
    fn two_who_change_it_lose_nothing() {
        let state = tempfile::tempdir().unwrap();
        let file = KeyFile::in_state(state.path());
        let maker = |word: &'static str| {
            let file = file.clone();
            std::thread::spawn(move || {
                for n in 0..20 {
                    // on a slow disk the other one may have it for long
                    let made = std::iter::repeat_with(|| file.create(wish(&format!("{word}{n}")), 5));
                    let mut made = made.skip_while(|made| matches!(made, Err(Error::Busy)));
                    made.next().expect("it goes on for ever").unwrap();
                }
            })
        };
        ["a", "b"].map(maker).into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(names(&file).len(), 40);
    }

    /// What the killed child does: it makes keys.
    #[test]
    fn making_child() {
        let Some(folder) = kills::child() else { return };
        let file = KeyFile::in_state(&folder);
        loop {
            // the one before the last may be revoked: there is a bound
            let numbers: Vec<u64> = names(&file).iter().map(|name| name.parse().unwrap()).collect();
            let next = numbers.last().map_or(1, |last| last + 1);
            if numbers.len() > 1 {
                file.revoke(&numbers[0].to_string()).unwrap();
            }
            file.create(wish(&next.to_string()), 5).unwrap();
            kills::acknowledge(next);
        }
    }

    #[test]
    fn a_hundred_kills_lose_no_key_that_was_told() {
        let state = tempfile::tempdir().unwrap();
        let file = KeyFile::in_state(state.path());
        kills::rounds("keys::file::tests::making_child", state.path(), 100, |acknowledged| {
            let last: u64 = names(&file).last().expect("there is one").parse().unwrap();
            assert!(last == acknowledged || last == acknowledged + 1, "{acknowledged} was acknowledged, {last} is kept");
        });
    }
}
