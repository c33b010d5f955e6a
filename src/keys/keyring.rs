//! Who is asking: the holder of the API secret, or of a key that is in the file at this moment.
//!
//! The file is looked at for each request that presents a key, and read when it is another than before. The one that was read is kept
//! open, so that no other gets its number in the file system: the same number is the same file.

use super::credentials::{Presented, presented};
use super::file::{Error, KeyFile};
use super::key::{Key, day, hash};
use super::scope::Scope;
use crate::clock::Clock;
use crate::config::Secret;
use crate::guard::{Locked, Lockout};
use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};

/// What whoever asks may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    pub scope: Scope,
    /// The name of the key; `None`: the API secret.
    pub key: Option<String>,
}

impl Grant {
    /// Of the holder of the API secret.
    pub fn owner() -> Grant {
        Grant { scope: Scope::Everything, key: None }
    }
}

/// Why somebody may do nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    #[error("credentials OPENVIDUAPP:<OPENVIDU_SECRET>, or an API key, are needed")]
    Missing,
    /// Neither the secret nor a key.
    #[error("credentials OPENVIDUAPP:<OPENVIDU_SECRET>, or an API key, are needed")]
    Wrong,
    /// Said only to who has the key.
    #[error("the API key {0} has expired; make another one")]
    Expired(String),
    #[error("{0}")]
    Locked(#[from] Locked),
}

/// The API secret and the keys. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Keyring(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    secret: Secret,
    /// Bounds guesses.
    lockout: Lockout,
    file: KeyFile,
    clock: Clock,
    known: Mutex<Known>,
}

/// The file as it was last read.
#[derive(Debug, Default)]
struct Known {
    /// `None`: there was none.
    stamp: Option<Stamp>,
    /// Keeps its number in the file system from being given to another.
    held: Option<File>,
    /// None, if it could not be read.
    keys: Arc<[Key]>,
    /// Days on which use was noted, by name: once a day is tried, whether or not the disk takes it.
    noted: HashMap<String, u64>,
}

/// Tells one state of a file from another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    device: u64,
    number: u64,
    size: u64,
    modified: (i64, i64),
    /// Set by the kernel at every change, also one of rights.
    changed: (i64, i64),
}

impl Stamp {
    fn of(data: &Metadata) -> Stamp {
        Stamp {
            device: data.dev(),
            number: data.ino(),
            size: data.size(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        }
    }
}

impl Keyring {
    /// The secret and the keys of a box; `lockout` bounds guesses at them.
    pub fn new(secret: Secret, lockout: Lockout, file: KeyFile, clock: Clock) -> Keyring {
        Keyring(Arc::new(Inner { secret, lockout, file, clock, known: Mutex::default() }))
    }

    /// Where keys are made and revoked.
    pub fn file(&self) -> &KeyFile {
        &self.0.file
    }

    /// Who sends this `Authorization` header from the address `client`? Errors: nobody we know, or one that has to wait after wrong ones.
    pub async fn who(&self, client: IpAddr, authorization: Option<&str>) -> Result<Grant, Refused> {
        // without any it is no try: clients ask for the challenge
        let header = authorization.ok_or(Refused::Missing)?;
        let (presented, now) = (presented(header), self.0.clock.unix_ms());
        let keys = match presented {
            Some(_) => self.keys().await,
            None => Arc::default(),
        };
        let verify = || {
            let owner = self.0.secret.opens(header).then(|| Ok(Grant::owner()));
            owner.or_else(|| of_key(&keys, presented.as_ref()?, now))
        };
        let grant = self.0.lockout.attempt(client, header, verify)?.ok_or(Refused::Wrong)??;
        if let Some(key) = keys.iter().find(|key| grant.key.as_ref() == Some(&key.name)) {
            self.note_use(key, day(now)).await;
        }
        Ok(grant)
    }

    /// The keys in the file at this moment.
    async fn keys(&self) -> Arc<[Key]> {
        let inner = self.0.clone();
        // the disk may take its time
        tokio::task::spawn_blocking(move || inner.keys()).await.unwrap_or_default()
    }

    async fn note_use(&self, key: &Key, day: u64) {
        if key.last_used_at.is_none_or(|last| last < day) {
            let (inner, key) = (self.0.clone(), key.clone());
            // it has said what went wrong
            let _ = tokio::task::spawn_blocking(move || inner.note_use(&key, day)).await;
        }
    }
}

/// Whose key that is. `None`: nobody's.
fn of_key(keys: &[Key], presented: &Presented, now_ms: u64) -> Option<Result<Grant, Refused>> {
    let hash = hash(&presented.secret);
    let key = keys.iter().find(|key| key.has(&hash))?;
    if presented.name.as_ref().is_some_and(|name| *name != key.name) {
        return None;
    }
    if key.is_expired(now_ms) {
        return Some(Err(Refused::Expired(key.name.clone())));
    }
    Some(Ok(Grant { scope: key.scope.clone(), key: Some(key.name.clone()) }))
}

impl Inner {
    /// The keys in the file at this moment. A file that cannot be read holds none.
    fn keys(&self) -> Arc<[Key]> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = fs::metadata(self.file.path()).ok().map(|data| Stamp::of(&data));
        if known.stamp != stamp {
            known.stamp = stamp;
            (known.held, known.keys) = self.read().unwrap_or_else(|error| {
                // once, for it is not read again before it has changed
                tracing::error!("{error}");
                (None, Arc::default())
            });
        }
        known.keys.clone()
    }

    fn read(&self) -> Result<(Option<File>, Arc<[Key]>), Error> {
        let Some(file) = self.file.open()? else { return Ok((None, Arc::default())) };
        let keys = self.file.read(&file)?;
        Ok((Some(file), keys.into()))
    }

    fn note_use(&self, key: &Key, day: u64) {
        let earlier = self.known.lock().unwrap_or_else(PoisonError::into_inner).noted.insert(key.name.clone(), day);
        if earlier == Some(day) {
            return;
        }
        if let Err(error) = self.file.note_use(key, day) {
            tracing::debug!(key = %key.name, %error, "the day of its last use is not noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Wish;
    use viduct_testkit::rest::basic;

    const NOON: u64 = 1_600_000_000_000;

    struct Bench {
        keyring: Keyring,
        state: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Bench {
            let state = tempfile::tempdir().unwrap();
            let file = KeyFile::in_state(state.path());
            Bench { keyring: Keyring::new(Secret::new("MY_SECRET"), Lockout::new(Clock::System), file, Clock::simulated(NOON)), state }
        }

        /// As `viduct key` does: by the file alone.
        fn create(&self, name: &str, scope: &str, expires_at: Option<u64>) -> String {
            let wish = Wish { name: name.into(), scope: scope.parse().unwrap(), expires_at };
            KeyFile::in_state(self.state.path()).create(wish, NOON - 1).unwrap().1
        }

        /// Another one each time, or it would have to wait after wrong keys.
        fn client(&self) -> IpAddr {
            std::net::Ipv4Addr::from_bits(rand::random()).into()
        }

        async fn who(&self, header: &str) -> Result<Grant, Refused> {
            self.keyring.who(self.client(), Some(header)).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_opens_under_its_name_the_client_s_user_and_as_bearer() {
        let bench = Bench::new();
        let (secret, other) = (bench.create("gate", "session:gate", None), bench.create("film", "recordings", None));
        let grant = Ok(Grant { scope: Scope::Session("gate".into()), key: Some("gate".into()) });
        for header in [basic("gate", &secret), basic("OPENVIDUAPP", &secret), format!("Bearer {secret}")] {
            assert_eq!(bench.who(&header).await, grant, "{header}");
        }
        assert_eq!(bench.who(&basic("OPENVIDUAPP", "MY_SECRET")).await, Ok(Grant::owner()));
        for header in [
            basic("film", &secret),
            basic("", &secret),
            basic("gate", "MY_SECRET"),
            basic("gate", "vk_"),
            format!("Bearer {}", &secret[..45]),
            format!("Bearer {secret}x"),
            "Bearer MY_SECRET".into(),
            format!("Bearer {}", super::hash(&other)),
            String::new(),
        ] {
            assert_eq!(bench.who(&header).await, Err(Refused::Wrong), "{header}");
        }
        assert_eq!(bench.keyring.who(bench.client(), None).await, Err(Refused::Missing));
    }

    #[tokio::test(start_paused = true)]
    async fn every_change_of_the_file_counts_at_once() {
        let bench = Bench::new();
        for round in 0..50 {
            let secret = bench.create("a", "read-only", None);
            let header = format!("Bearer {secret}");
            assert!(bench.who(&header).await.is_ok(), "round {round}");
            KeyFile::in_state(bench.state.path()).revoke("a").unwrap();
            assert_eq!(bench.who(&header).await, Err(Refused::Wrong), "round {round}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_keys_are_guesses_and_a_request_without_any_is_none() {
        let bench = Bench::new();
        let right = format!("Bearer {}", bench.create("a", "read-only", None));
        let client = IpAddr::from([192, 0, 2, 1]);
        for n in 0..5 {
            assert_eq!(bench.keyring.who(client, None).await, Err(Refused::Missing));
            assert_eq!(bench.keyring.who(client, Some(&format!("Bearer vk_{n}"))).await, Err(Refused::Wrong));
        }
        assert!(matches!(bench.keyring.who(client, Some(&right)).await, Err(Refused::Locked(_))));
        assert!(bench.who(&right).await.is_ok(), "another address notices nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_ends_by_the_clock() {
        let bench = Bench::new();
        let header = format!("Bearer {}", bench.create("a", "read-only", Some(NOON + 1000)));
        assert!(bench.who(&header).await.is_ok());
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert_eq!(bench.who(&header).await, Err(Refused::Expired("a".into())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_gone_or_garbled_opens_nothing() {
        let bench = Bench::new();
        let header = format!("Bearer {}", bench.create("a", "everything", None));
        assert!(bench.who(&header).await.is_ok());
        let text = fs::read_to_string(bench.keyring.file().path()).unwrap();
        fs::write(bench.keyring.file().path(), "{").unwrap();
        assert_eq!(bench.who(&header).await, Err(Refused::Wrong));
        assert_eq!(bench.who(&basic("OPENVIDUAPP", "MY_SECRET")).await, Ok(Grant::owner()));
        fs::write(bench.keyring.file().path(), text).unwrap();
        assert!(bench.who(&header).await.is_ok());
        fs::remove_file(bench.keyring.file().path()).unwrap();
        assert_eq!(bench.who(&header).await, Err(Refused::Wrong));
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_of_use_is_written_once() {
        let bench = Bench::new();
        let header = format!("Bearer {}", bench.create("a", "read-only", None));
        let stamp = || Stamp::of(&fs::metadata(bench.keyring.file().path()).unwrap());
        bench.who(&header).await.unwrap();
        let noted = stamp();
        assert_eq!(bench.keyring.file().list().unwrap()[0].last_used_at, Some(day(NOON)));
        for _ in 0..100 {
            bench.who(&header).await.unwrap();
        }
        assert_eq!(stamp(), noted);
        tokio::time::advance(std::time::Duration::from_secs(86_400)).await;
        bench.who(&header).await.unwrap();
        assert_eq!(bench.keyring.file().list().unwrap()[0].last_used_at, Some(day(NOON) + 86_400_000));
    }
}
