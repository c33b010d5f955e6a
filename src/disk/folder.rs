//! Folders made and removed so that a power cut leaves all of it or nothing that anybody would look at.

use std::fs;
use std::io;
use std::path::Path;

use super::leftover::{DOOMED, neighbour};
use super::{After, Doing, Error, Step, folder_of, go_on, sync_folder};

/// Makes `folder` and the folders above it that are missing; one that is there already is fine.
///
/// For each missing one, from the top: 1. create it, 2. sync the folder above it. A power cut leaves some of the upper ones.
pub fn create_folder(folder: &Path) -> Result<(), Error> {
    let above = folder_of(folder);
    if above != folder && above != Path::new(".") && !above.is_dir() {
        create_folder(above)?;
    }
    match fs::create_dir(folder) {
        Ok(()) => sync_folder(above),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error).doing(Step::Create, folder),
    }
}

/// Removes `folder` and all in it. Links in it are removed, not followed. That it is not there is an error of kind
/// [`Missing`](super::Kind::Missing).
///
/// | step | a power cut after it leaves |
/// |---|---|
/// | 1. rename it to its hidden neighbour | all of it, or a leftover |
/// | 2. sync the folder above | a leftover |
/// | 3. remove the neighbour and all in it | a leftover with less in it, or nothing |
/// | 4. sync the folder above | nothing |
pub fn remove_tree(folder: &Path) -> Result<(), Error> {
    remove_stepwise(folder, &mut go_on)
}

fn remove_stepwise(folder: &Path, after: After) -> Result<(), Error> {
    let doomed = neighbour(folder, DOOMED);
    if doomed.is_dir() {
        // Left by an earlier, interrupted removal of the same name.
        fs::remove_dir_all(&doomed).doing(Step::Remove, &doomed)?;
    }
    fs::rename(folder, &doomed).doing(Step::Rename, folder)?;
    after(Step::Rename).doing(Step::Rename, folder)?;
    sync_folder(folder_of(folder))?;
    after(Step::SyncFolder).doing(Step::SyncFolder, folder)?;
    fs::remove_dir_all(&doomed).doing(Step::Remove, &doomed)?;
    after(Step::Remove).doing(Step::Remove, folder)?;
    sync_folder(folder_of(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Kind, sweep};

    #[test]
    fn missing_folders_above_are_made_too() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c");
        create_folder(&deep).unwrap();
        assert!(deep.is_dir());
        create_folder(&deep).unwrap();
        fs::write(root.path().join("file"), "x").unwrap();
        let error = create_folder(&root.path().join("file")).unwrap_err();
        assert_eq!(error.step, Step::Create);
    }

    #[test]
    fn stopped_after_each_step_a_folder_is_whole_or_out_of_sight() {
        for stop in [Step::Rename, Step::SyncFolder, Step::Remove] {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join("ses_A");
            create_folder(&folder.join("inner")).unwrap();
            fs::write(folder.join("inner/x"), "x").unwrap();
            let outside = root.path().join("outside");
            fs::write(&outside, "x").unwrap();
            std::os::unix::fs::symlink(&outside, folder.join("link")).unwrap();

            let cut = remove_stepwise(&folder, &mut |step| if step == stop { Err(io::Error::other("power cut")) } else { Ok(()) });
            assert!(cut.is_err());
            assert!(!folder.exists(), "after {stop}");
            assert_eq!(sweep(root.path()).unwrap(), usize::from(stop != Step::Remove), "after {stop}");
            assert!(outside.exists(), "links are not followed");

            // The name can be used, and removed, again.
            create_folder(&folder).unwrap();
            remove_tree(&folder).unwrap();
            assert_eq!(remove_tree(&folder).unwrap_err().kind, Kind::Missing);
        }
    }

    #[test]
    fn an_interrupted_removal_of_the_same_name_is_no_obstacle() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("ses_A");
        create_folder(&neighbour(&folder, DOOMED).join("old")).unwrap();
        create_folder(&folder.join("new")).unwrap();
        remove_tree(&folder).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
