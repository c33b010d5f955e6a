//! Names of what an interrupted step leaves, and their removal. Only names made here are ever taken for leftovers.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::{Doing, Error, Step, folder_of, sync_folder};

/// The ending of a file that is being written.
pub(super) const UNWRITTEN: &str = ".viduct-new";
/// The ending of a folder that is being removed.
pub(super) const DOOMED: &str = ".viduct-gone";

/// The hidden neighbour of `path` with the given ending: `a/b` → `a/.b.viduct-new`.
pub(super) fn neighbour(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or(OsStr::new("")));
    name.push(ending);
    folder_of(path).join(name)
}

fn is_leftover(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') && (name.ends_with(UNWRITTEN) || name.ends_with(DOOMED))
}

/// Removes what interrupted steps left directly in `folder`, and says how much that was. For the time before anybody writes
/// there: at the start, under the folder's lock where it has one.
pub fn sweep(folder: &Path) -> Result<usize, Error> {
    let mut swept = 0;
    for entry in fs::read_dir(folder).doing(Step::List, folder)? {
        let entry = entry.doing(Step::List, folder)?;
        if !is_leftover(&entry.file_name()) {
            continue;
        }
        let path = entry.path();
        let is_folder = entry.file_type().doing(Step::List, &path)?.is_dir();
        if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.doing(Step::Remove, &path)?;
        swept += 1;
    }
    if swept > 0 {
        sync_folder(folder)?;
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_leftovers_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let keep = ["a.mp4", ".hidden", "b.viduct-new", ".viduct"];
        for name in keep {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::write(neighbour(&folder.path().join("c.json"), UNWRITTEN), "half").unwrap();
        let doomed = neighbour(&folder.path().join("d"), DOOMED);
        fs::create_dir(&doomed).unwrap();
        fs::write(doomed.join("e"), "x").unwrap();

        assert_eq!(sweep(folder.path()).unwrap(), 2);
        assert_eq!(sweep(folder.path()).unwrap(), 0);
        let mut left: Vec<String> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        let mut keep = keep.map(String::from);
        keep.sort();
        assert_eq!(left, keep);
    }
}
