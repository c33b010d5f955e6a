//! Files that strangers ask for by name: found below a folder, or not at all.

use std::path::{Component, Path, PathBuf};

/// The file `name` below `folder`, by its true path. `None`: it is not there, is no file, or lies elsewhere: a name that climbs
/// (`..`) or begins at the root is not even looked at, and a link may lead from one place of the folder to another, not out of it.
pub fn file_within(folder: &Path, name: &Path) -> Option<PathBuf> {
    let plain = name.components().all(|part| matches!(part, Component::Normal(_)));
    let (root, path) = (folder.canonicalize().ok()?, folder.join(name).canonicalize().ok()?);
    (plain && path.starts_with(root) && path.is_file()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_leads_out_of_the_folder() {
        let all = tempfile::tempdir().unwrap();
        let (root, outside) = (all.path().join("films"), all.path().join("outside"));
        fs::create_dir_all(root.join("deep")).unwrap();
        fs::create_dir(&outside).unwrap();
        for file in [root.join("a"), root.join("deep/b"), outside.join("secret"), all.path().join("films-twin")] {
            fs::write(file, "x").unwrap();
        }
        symlink(root.join("deep/b"), root.join("inner")).unwrap();
        symlink(outside.join("secret"), root.join("outer")).unwrap();
        symlink("../outside", root.join("folder")).unwrap();
        symlink(root.join("nowhere"), root.join("dangling")).unwrap();
        symlink(root.join("circle"), root.join("circle")).unwrap();
        let absolute = outside.join("secret").display().to_string();
        for (name, found) in [
            ("a", Some("a")),
            ("deep/b", Some("deep/b")),
            ("deep//b", Some("deep/b")),
            ("inner", Some("deep/b")),
            ("", None),
            (".", None),
            ("deep", None),
            ("none", None),
            ("a/", None),
            ("a/b", None),
            ("..", None),
            ("../outside/secret", None),
            ("../films/a", None),
            ("deep/../a", None),
            ("../films-twin", None),
            ("/etc/passwd", None),
            (absolute.as_str(), None),
            ("a\0b", None),
            ("outer", None),
            ("folder/secret", None),
            ("dangling", None),
            ("circle", None),
        ] {
            let expected = found.map(|found| root.canonicalize().unwrap().join(found));
            assert_eq!(file_within(&root, Path::new(name)), expected, "{name:?}");
        }
        // the folder itself may be reached by a link: where it is is for whoever configures it
        symlink(&root, all.path().join("link")).unwrap();
        assert!(file_within(&all.path().join("link"), Path::new("a")).is_some());
    }
}
