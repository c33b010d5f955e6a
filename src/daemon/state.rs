//! The state folder: small private files that are either whole or absent. Written at the start, by one process.

use crate::config::{Config, Problem, Secret};
use crate::disk;
use crate::ids::{MediaNodeId, secret_text};
use crate::keys::KeyFile;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;

const PROPERTY: &str = "VIDUCT_STATE_PATH";
/// Characters of a generated secret: 190 bits.
const SECRET: usize = 32;

/// The folder, made if need be, for this user alone.
#[derive(Clone, Debug)]
pub struct State(PathBuf);

impl State {
    /// Opens the folder of `config`. Errors: it cannot be made, or belongs to somebody else.
    pub fn open(config: &Config) -> Result<State, Problem> {
        let path = config.state_path.clone();
        let problem = |what: String| Problem::new(PROPERTY, path.display(), what);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| problem(format!("the folder cannot be made ({error}); choose one this user may write")))?;
        let (owner, me) = (fs::metadata(&path).map_err(|error| problem(error.to_string()))?.uid(), nix::unistd::geteuid());
        if owner != me.as_raw() && !me.is_root() {
            return Err(problem("the folder belongs to another user; choose one of this user's own".into()));
        }
        // what cannot be swept harms nobody
        let _ = disk::sweep(&path);
        Ok(State(path))
    }

    /// Where the API keys are kept.
    pub fn keys(&self) -> KeyFile {
        KeyFile::in_state(&self.0)
    }

    /// The text of a file, `None` when there is none.
    pub fn read(&self, name: &str) -> Result<Option<String>, Problem> {
        match fs::read_to_string(self.0.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.problem(name, "read", &error)),
        }
    }

    /// Writes a file that only this user may read; a power cut leaves the old one or the new one.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Problem> {
        disk::replace_private(&self.0.join(name), text.as_bytes()).map_err(|error| self.problem(name, "written", &error.source))
    }

    /// The one line of a file, which is made when there is none. `true`: it was made just now.
    fn kept_or(&self, name: &str, make: impl FnOnce() -> String) -> Result<(String, bool), Problem> {
        if let Some(kept) = self.read(name)?.filter(|text| !text.trim().is_empty()) {
            return Ok((kept.trim().to_owned(), false));
        }
        let fresh = make();
        self.write(name, &format!("{fresh}\n"))?;
        Ok((fresh, true))
    }

    fn problem(&self, name: &str, what: &str, error: &io::Error) -> Problem {
        Problem::new(PROPERTY, self.0.display(), format!("the file {name} in it cannot be {what}: {error}"))
    }
}

/// The API secret: the configured one, or the generated one of the first start. `true` when it was generated just now.
pub fn secret(config: &Config, state: &State) -> Result<(Secret, bool), Problem> {
    if let Some(secret) = &config.secret {
        return Ok((secret.clone(), false));
    }
    let (secret, fresh) = state.kept_or("secret", || secret_text(SECRET))?;
    Ok((Secret::new(secret), fresh))
}

/// The id of the cluster: the configured one, or the one made at the first start.
pub fn cluster_id(config: &Config, state: &State) -> Result<String, Problem> {
    const NAME: &str = "OPENVIDU_PRO_CLUSTER_ID";
    if let Some(configured) = config.value(NAME).and_then(|value| value.text()).filter(|id| !id.is_empty()) {
        return Ok(configured.to_owned());
    }
    Ok(state.kept_or("cluster-id", || secret_text(16))?.0)
}

/// The id of this box as a media node, made at the first start: sessions that come back are where they were.
pub fn media_node_id(state: &State) -> Result<MediaNodeId, Problem> {
    let (id, _) = state.kept_or("media-node-id", || MediaNodeId::random().as_str().to_owned())?;
    Ok(id.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use std::collections::BTreeMap;
    use std::path::Path;

    fn config(folder: &Path, secret: &str) -> Config {
        let env = BTreeMap::from([
            ("VIDUCT_STATE_PATH".to_owned(), folder.display().to_string()),
            ("OPENVIDU_SECRET".to_owned(), secret.to_owned()),
        ]);
        load(&Sources::of(&env)).unwrap().config
    }

    #[test]
    fn a_secret_is_generated_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder.path().join("deep/down"), "");
        let state = State::open(&config).unwrap();
        let (first, generated) = secret(&config, &state).unwrap();
        assert!(generated && first.reveal().len() == SECRET);
        let (second, generated) = secret(&config, &state).unwrap();
        assert!(!generated && second.matches(first.reveal()));
        let mode = |path: PathBuf| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(config.state_path.join("secret")), 0o600);
        assert_eq!(mode(config.state_path.clone()), 0o700);
    }

    #[test]
    fn a_configured_secret_is_not_stored() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), "MINE");
        let state = State::open(&config).unwrap();
        assert!(secret(&config, &state).unwrap().0.matches("MINE"));
        assert_eq!(state.read("secret"), Ok(None));
    }

    #[test]
    fn a_left_over_of_a_power_cut_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let half = disk::temporary(&folder.path().join("a"));
        fs::write(&half, "half").unwrap();
        let state = State::open(&config(folder.path(), "")).unwrap();
        assert!(!half.exists());
        state.write("a", "whole").unwrap();
        assert_eq!(state.read("a").unwrap().as_deref(), Some("whole"));
    }

    #[test]
    fn a_cluster_has_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), "");
        let state = State::open(&config).unwrap();
        let id = cluster_id(&config, &state).unwrap();
        assert_eq!((id.len(), cluster_id(&config, &state).as_ref()), (16, Ok(&id)));
        let node = media_node_id(&state).unwrap();
        assert_eq!(media_node_id(&state), Ok(node));
    }

    #[test]
    fn a_folder_that_cannot_be_made_names_the_property() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let problem = State::open(&config(&file.path().join("x"), "")).unwrap_err().to_string();
        assert!(problem.starts_with("Property VIDUCT_STATE_PATH="), "{problem}");
    }
}
