//! A file replaced as a whole. Readers see the old contents or the new ones, never a mixture, whatever happens between.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use super::leftover::{UNWRITTEN, neighbour};
use super::{After, Doing, Error, Step, folder_of, go_on, sync_folder};

/// Writes `bytes` to `path`, whether or not it is there already.
///
/// | step | a power cut after it leaves |
/// |---|---|
/// | 1. create the hidden neighbour | the old file, a leftover |
/// | 2. write it | the old file, a leftover |
/// | 3. sync it | the old file, a leftover |
/// | 4. rename it to `path` | the old file and a leftover, or the new file |
/// | 5. sync the folder | the new file |
///
/// When a step fails, the neighbour is removed again and the old file stays.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    tidied(path, replace_stepwise(path, bytes, |temporary| File::create(temporary), &mut go_on))
}

/// The same for a file that may hold secrets: a new one is for this user alone (0600), an old one keeps its mode and owner.
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    tidied(path, replace_stepwise(path, bytes, |temporary| create_private(temporary, path), &mut go_on))
}

fn create_private(temporary: &Path, path: &Path) -> io::Result<File> {
    // what a power cut left behind may have any mode
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
    if let Ok(old) = fs::metadata(path) {
        // only root may give a file away, and only root has to
        let kept = fchown(&file, Some(old.uid()), Some(old.gid())).is_ok() || old.uid() == file.metadata()?.uid();
        if kept {
            file.set_permissions(old.permissions())?;
        }
    }
    Ok(file)
}

fn tidied(path: &Path, written: Result<(), Error>) -> Result<(), Error> {
    if written.is_err() {
        // It may be gone already; then there is nothing to tidy.
        let _ = fs::remove_file(temporary(path));
    }
    written
}

fn replace_stepwise(path: &Path, bytes: &[u8], create: impl Fn(&Path) -> io::Result<File>, after: After) -> Result<(), Error> {
    let temporary = temporary(path);
    let mut file = create(&temporary).doing(Step::Create, &temporary)?;
    after(Step::Create).doing(Step::Create, &temporary)?;
    file.write_all(bytes).doing(Step::Write, &temporary)?;
    after(Step::Write).doing(Step::Write, &temporary)?;
    file.sync_data().doing(Step::Sync, &temporary)?;
    after(Step::Sync).doing(Step::Sync, &temporary)?;
    publish_stepwise(&temporary, path, after)
}

/// The name under which what will become `path` is written: hidden, in the same folder, a leftover for [`super::sweep`].
pub fn temporary(path: &Path) -> PathBuf {
    neighbour(path, UNWRITTEN)
}

/// Gives a file that was written *and synced* under its [`temporary`] name its real one: steps 4 and 5 of [`replace`].
pub fn publish(temporary: &Path, path: &Path) -> Result<(), Error> {
    publish_stepwise(temporary, path, &mut go_on)
}

fn publish_stepwise(temporary: &Path, path: &Path, after: After) -> Result<(), Error> {
    fs::rename(temporary, path).doing(Step::Rename, path)?;
    after(Step::Rename).doing(Step::Rename, path)?;
    sync_folder(folder_of(path))?;
    after(Step::SyncFolder).doing(Step::SyncFolder, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Kind, sweep};
    use std::os::unix::fs::PermissionsExt;

    const STEPS: [Step; 5] = [Step::Create, Step::Write, Step::Sync, Step::Rename, Step::SyncFolder];

    #[test]
    fn stopped_after_each_step_the_file_is_the_old_or_the_new_one() {
        for (index, stop) in STEPS.into_iter().enumerate() {
            for old in [None, Some("old")] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("state.json");
                if let Some(old) = old {
                    fs::write(&path, old).unwrap();
                }
                let mut done = Vec::new();
                let result = replace_stepwise(&path, b"new", |temporary| File::create(temporary), &mut |step| {
                    done.push(step);
                    if step == stop { Err(io::Error::other("power cut")) } else { Ok(()) }
                });
                assert!(result.is_err());
                assert_eq!(done, STEPS[..=index], "in this order and no further");

                let renamed = index >= 3;
                let expected = if renamed { Some("new") } else { old };
                assert_eq!(fs::read_to_string(&path).ok().as_deref(), expected, "after {stop}");
                assert_eq!(sweep(folder.path()).unwrap(), usize::from(!renamed), "after {stop}");
                assert_eq!(fs::read_to_string(&path).ok().as_deref(), expected, "after {stop} and a sweep");
                replace(&path, b"newer").unwrap();
                assert_eq!(fs::read(&path).unwrap(), b"newer");
            }
        }
    }

    #[test]
    fn a_failure_leaves_nothing_behind_and_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent/state.json");
        let error = replace(&absent, b"x").unwrap_err();
        assert_eq!((error.kind, error.step), (Kind::Missing, Step::Create));
        assert!(error.path.starts_with(folder.path().join("absent")));

        // A folder stands where the file should go: the rename fails, and the neighbour does not stay.
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        assert_eq!(replace(&taken, b"x").unwrap_err().step, Step::Rename);
        assert_eq!(sweep(folder.path()).unwrap(), 0);
    }

    #[test]
    fn a_private_file_is_born_private_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        fs::write(temporary(&path), "left by a power cut, readable by all").unwrap();
        replace_private(&path, b"a").unwrap();
        assert_eq!((mode(), fs::read(&path).unwrap()), (0o600, b"a".to_vec()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        replace_private(&path, b"b").unwrap();
        assert_eq!((mode(), fs::read(&path).unwrap()), (0o640, b"b".to_vec()));
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        // Every write to this device fails for want of room.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        std::os::unix::fs::symlink("/dev/full", temporary(&path)).unwrap();
        let error = replace(&path, b"x").unwrap_err();
        assert_eq!((error.kind, error.step), (Kind::Full, Step::Write));
        assert!(!path.exists());
        assert_eq!(sweep(folder.path()).unwrap(), 0);
    }
}
