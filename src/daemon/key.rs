//! `viduct key`: API keys on the command line, whether or not the daemon runs. Both change the same file under the same lock, and the
//! daemon looks at it for each request; so this needs neither the secret nor a port.

use super::args::{KeyOrder, Options};
use super::origin::Origin;
use super::start::Refused;
use crate::clock::Clock;
use crate::config::load::state_path;
use crate::keys::{Error, Key, KeyFile, Wish};
use nix::unistd::{Gid, Uid, geteuid, setegid, seteuid};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use time::OffsetDateTime;

/// Why a key could not be made, listed or revoked.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("{0}")]
    Config(#[from] Refused),
    #[error("{0}")]
    Keys(#[from] Error),
    #[error("{0}; run this as root, or as the user that runs the daemon")]
    Rights(Error),
    #[error("there is no state folder {0} (VIDUCT_STATE_PATH) yet; start the daemon once, or make the folder for its user")]
    NoState(String),
    #[error("the rights of the user that owns {path} cannot be taken: {error}")]
    User { path: String, error: io::Error },
}

/// What was done: for the program that asked, and for a person who looks on.
#[derive(Debug, Default)]
pub struct Told {
    /// To stdout: the secret alone, or the list.
    pub out: String,
    /// To stderr.
    pub aside: String,
}

/// Does it. Blocks.
pub fn run(options: &Options, order: KeyOrder) -> Result<Told, Failed> {
    let origin = Origin::new(options, Vec::new());
    let text = origin.text()?;
    let folder = state_path(&origin.sources(text.as_deref()));
    become_owner(&folder)?;
    act(&KeyFile::in_state(&folder), order, Clock::System.unix_ms()).map_err(|error| match error {
        Error::Disk { .. } if !geteuid().is_root() => Failed::Rights(error),
        error => Failed::Keys(error),
    })
}

/// Root acts as the owner of the state folder, or the daemon could not read what root wrote.
fn become_owner(folder: &Path) -> Result<(), Failed> {
    let data = match fs::metadata(folder) {
        Ok(data) => data,
        // whose shall it be?
        Err(_) if geteuid().is_root() => return Err(Failed::NoState(folder.display().to_string())),
        Err(_) => return Ok(()),
    };
    if !geteuid().is_root() || data.uid() == 0 {
        return Ok(());
    }
    let become_them = || {
        setegid(Gid::from_raw(data.gid()))?;
        seteuid(Uid::from_raw(data.uid()))
    };
    become_them().map_err(|error| Failed::User { path: folder.display().to_string(), error: error.into() })
}

fn act(file: &KeyFile, order: KeyOrder, now_ms: u64) -> Result<Told, Error> {
    match order {
        KeyOrder::Create { name, scope, lasts } => {
            let expires_at = lasts.map(|span| now_ms.saturating_add(span.as_millis() as u64));
            let (key, secret) = file.create(Wish { name, scope, expires_at }, now_ms)?;
            let end = key.expires_at.map_or(String::new(), |at| format!(" until {}", date(at)));
            let aside = format!(
                "{} may do what its scope {} allows{end}. Its secret is shown this once:\n\
                 password of user OPENVIDUAPP or {}, or Authorization: Bearer. Its hash is kept in {}.\n",
                key.name,
                key.scope,
                key.name,
                file.path().display()
            );
            Ok(Told { out: format!("{secret}\n"), aside })
        }
        KeyOrder::List => {
            let keys = file.list()?;
            let aside = if keys.is_empty() { "There are no keys.\n".into() } else { String::new() };
            Ok(Told { out: table(&keys, now_ms), aside })
        }
        KeyOrder::Revoke(name) => {
            file.revoke(&name)?;
            Ok(Told { out: String::new(), aside: format!("{name} is revoked.\n") })
        }
    }
}

/// The keys in columns; nothing for none.
fn table(keys: &[Key], now_ms: u64) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let header = ["NAME", "SCOPE", "CREATED", "LAST USED", "EXPIRES"].map(str::to_owned);
    let row = |key: &Key| {
        let end = key.expires_at.map_or("never".into(), date);
        let end = if key.is_expired(now_ms) { format!("{end} (expired)") } else { end };
        let used = key.last_used_at.map_or("never".into(), |at| date(at)[..10].to_owned());
        [key.name.clone(), key.scope.to_string(), date(key.created_at), used, end]
    };
    let rows: Vec<[String; 5]> = std::iter::once(header).chain(keys.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..5).map(width).collect();
    let line = |row: &[String; 5]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// `2026-11-21 16:00Z`.
fn date(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX);
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!("{:04}-{:02}-{:02} {:02}:{:02}Z", at.year(), u8::from(at.month()), at.day(), at.hour(), at.minute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: u64 = 1_700_000_000_000;

    fn create(name: &str, scope: &str, lasts: Option<Duration>) -> KeyOrder {
        KeyOrder::Create { name: name.into(), scope: scope.parse().unwrap(), lasts }
    }

    #[test]
    fn a_program_reads_the_secret_and_a_person_the_rest() {
        let state = tempfile::tempdir().unwrap();
        let file = KeyFile::in_state(state.path());
        let told = act(&file, create("gate", "session:gate", Some(Duration::from_secs(3600))), NOW).unwrap();
        assert!(told.out.starts_with("vk_") && told.out.len() == 47 && told.out.ends_with('\n'), "{told:?}");
        assert!(told.aside.contains("session:gate allows until 2023-11-14 23:13Z"), "{told:?}");
        assert!(act(&file, create("gate", "recordings", None), NOW).is_err());
        assert_eq!(act(&file, KeyOrder::Revoke("gate".into()), NOW).unwrap().aside, "gate is revoked.\n");
        assert!(act(&file, KeyOrder::Revoke("gate".into()), NOW).is_err());
    }

    #[test]
    fn the_list_is_a_table() {
        let state = tempfile::tempdir().unwrap();
        let file = KeyFile::in_state(state.path());
        assert_eq!(act(&file, KeyOrder::List, NOW).unwrap().out, "");
        act(&file, create("watchman", "read-only", None), NOW).unwrap();
        act(&file, create("a", "session:gate", Some(Duration::from_secs(60))), NOW).unwrap();
        let list = act(&file, KeyOrder::List, NOW + 60_000).unwrap().out;
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!(
            lines,
            [
                "NAME      SCOPE         CREATED            LAST USED  EXPIRES",
                "watchman  read-only     2023-11-14 22:13Z  never      never",
                "a         session:gate  2023-11-14 22:13Z  never      2023-11-14 22:14Z (expired)",
            ]
        );
        assert!(!list.contains("vk_"));
    }
}
