//! Where the configuration of this process comes from: read at the start, at each reload, and before a restart.

use super::args::Options;
use super::start::Refused;
use crate::config::load::{Wrong, state_path};
use crate::config::{Loaded, Sources, load};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Read when `--config` is not given, if it exists.
const DEFAULT_FILE: &str = "/etc/viduct/viduct.toml";
/// In the state folder: the text of the file that the last good start had.
const LAST_GOOD: &str = "last-good.toml";

/// File, environment and surroundings.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The configuration file.
    pub path: PathBuf,
    /// Was it named? Then it has to be there.
    pub(super) named: bool,
    pub(super) demo: bool,
    pub(super) env: BTreeMap<String, String>,
    /// Addresses of the local network, the first of which is the default of `DOMAIN_OR_PUBLIC_IP`.
    pub lan: Vec<IpAddr>,
}

impl Origin {
    /// The sources of a daemon with these options.
    pub fn new(options: &Options, lan: Vec<IpAddr>) -> Origin {
        let env = environment();
        let named = options.config.is_some();
        let path = options.config.clone().unwrap_or_else(|| default_file(options.demo, &env));
        Origin { path, named, demo: options.demo, env, lan }
    }

    /// The text of the file; `None` when there is none and none was named. Errors: it cannot be read.
    pub fn text(&self) -> Result<Option<String>, Refused> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if !self.named && error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Refused::File { path: self.path.display().to_string(), error }),
        }
    }

    /// The configuration with `text` for the file's.
    pub fn load(&self, text: Option<&str>) -> Result<Loaded, Wrong> {
        load(&self.sources(text))
    }

    /// The text that the last good start had, as far as it can be found.
    pub fn last_good(&self) -> Option<String> {
        // the state folder may be named by the file that is wrong
        let text = fs::read(&self.path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).ok();
        fs::read_to_string(state_path(&self.sources(text.as_deref())).join(LAST_GOOD)).ok()
    }

    /// What a configuration is made of, with `file` for the file's text.
    pub fn sources<'a>(&'a self, file: Option<&'a str>) -> Sources<'a> {
        Sources { env: &self.env, file, demo: self.demo, lan: self.lan.first().copied() }
    }
}

/// Keeps the text of a file that the daemon has started with.
pub fn keep_as_good(state: &super::state::State, text: &str) {
    let kept = state.read(LAST_GOOD).ok().flatten();
    if kept.as_deref() == Some(text) {
        return;
    }
    if let Err(problem) = state.write(LAST_GOOD, text) {
        tracing::warn!("the present configuration is good but cannot be kept for a day on which it is not: {problem}");
    }
}

/// A demo has rights to nothing but its own folder, so that is where its file is, unless the box has one.
fn default_file(demo: bool, env: &BTreeMap<String, String>) -> PathBuf {
    let file = Path::new(DEFAULT_FILE);
    if demo && !file.exists() { state_path(&Sources { demo, ..Sources::of(env) }).join("viduct.toml") } else { file.into() }
}

/// The environment as text; what is not UTF-8 is no value of ours.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::state::State;

    fn origin(path: &Path) -> Origin {
        Origin::new(&Options { config: Some(path.into()), demo: false }, Vec::new())
    }

    #[test]
    fn a_named_file_must_be_readable() {
        let refused = origin(Path::new("/no/such/file.toml")).text().unwrap_err().to_string();
        assert!(refused.starts_with("the configuration file /no/such/file.toml (--config) cannot be read"), "{refused}");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "HTTPS_PORT = 1\n").unwrap();
        assert_eq!(origin(file.path()).text().unwrap().as_deref(), Some("HTTPS_PORT = 1\n"));
    }

    #[test]
    fn a_demo_has_a_file_of_its_own() {
        let env = BTreeMap::from([("HOME".to_owned(), "/home/me".to_owned())]);
        assert_eq!(default_file(false, &env), Path::new(DEFAULT_FILE));
        let own = Path::new("/home/me/.local/state/viduct-demo/viduct.toml");
        assert_eq!(default_file(true, &env), if Path::new(DEFAULT_FILE).exists() { Path::new(DEFAULT_FILE) } else { own });
    }

    #[test]
    fn the_last_good_text_is_found_through_a_file_that_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let (file, state) = (folder.path().join("viduct.toml"), folder.path().join("state"));
        let text = format!("VIDUCT_STATE_PATH = {state:?}\nHTTPS_PORT = 1\n");
        fs::write(&file, &text).unwrap();
        let origin = origin(&file);
        assert_eq!(origin.last_good(), None);
        let config = origin.load(Some(&text)).unwrap().config;
        keep_as_good(&State::open(&config).unwrap(), &text);
        fs::write(&file, format!("{text}HTTPS_PORT = = 2\n")).unwrap();
        assert!(origin.load(origin.text().unwrap().as_deref()).is_err());
        assert_eq!(origin.last_good(), Some(text));
    }
}
