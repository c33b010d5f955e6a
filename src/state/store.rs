//! Where the records are kept: one small private file, replaced as a whole.
//!
//! Actors put records and go on; one task writes. What comes while it writes is written together the next time, and what changes
//! nothing is not written at all. Who acknowledges something waits with [`Store::durable`] until it is on the disk. A disk that fails
//! costs the memory of the box, never its work: nobody waits for it, and it is tried again.

use super::record::SessionRecord;
use crate::clock::Clock;
use crate::disk;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// In the state folder.
const FILE: &str = "sessions.json";
/// Where a file goes that cannot be read.
const ASIDE: &str = "sessions.json.unreadable";
/// How soon a write that failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// Longest wait for a disk that does not answer at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// The contents of the file.
#[derive(Serialize, Deserialize)]
struct Contents<R> {
    sessions: Vec<R>,
}

/// The records. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    path: Arc<Path>,
    table: Arc<Mutex<Table>>,
    /// Number of the newest change; wakes the writer.
    changed: Arc<watch::Sender<u64>>,
    written: Arc<watch::Sender<Written>>,
}

/// What shall be in the file.
#[derive(Debug, Default)]
struct Table {
    records: Vec<SessionRecord>,
    /// Number of the newest change.
    version: u64,
    /// The newest change of each session that is not on the disk yet.
    latest: HashMap<String, u64>,
}

/// What is in the file.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    /// The newest change in it.
    version: u64,
    /// Has the last attempt failed?
    failing: bool,
    /// Writes so far.
    count: u64,
}

impl Store {
    /// The store in `folder`, and what is kept in it. What cannot be read is put aside, loudly, and no reason not to start.
    pub fn open(folder: &Path) -> (Store, Vec<SessionRecord>) {
        let path: Arc<Path> = folder.join(FILE).into();
        let records = read(&path);
        let table = Table { records: records.clone(), ..Table::default() };
        let (changed, written) = (Arc::new(watch::channel(0).0), Arc::new(watch::channel(Written::default()).0));
        (Store { path, table: Arc::new(Mutex::new(table)), changed, written }, records)
    }

    /// Forgets what is kept in `folder`.
    pub fn forget(folder: &Path) {
        match fs::remove_file(folder.join(FILE)) {
            Ok(()) => tracing::info!("cameras are not brought back (VIDUCT_RESTORE_CAMERAS=false); those that were kept are forgotten"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "the kept cameras cannot be forgotten"),
        }
    }

    /// Keeps a session as it is now.
    pub fn put(&self, record: SessionRecord) {
        let mut table = self.table();
        let id = record.id.clone();
        match table.records.iter_mut().find(|kept| kept.id == record.id) {
            Some(kept) if *kept == record => return,
            Some(kept) => *kept = record,
            None => table.records.push(record),
        }
        self.note(table, id);
    }

    /// Keeps a session no more.
    pub fn remove(&self, id: &str) {
        let mut table = self.table();
        let before = table.records.len();
        table.records.retain(|kept| kept.id != id);
        if table.records.len() != before {
            self.note(table, id.to_owned());
        }
    }

    fn note(&self, mut table: MutexGuard<'_, Table>, id: String) {
        table.version += 1;
        let version = table.version;
        table.latest.insert(id, version);
        drop(table);
        self.changed.send_replace(version);
    }

    /// Waits until what was put and removed of session `id` is on the disk, or the disk has failed.
    pub async fn durable(&self, id: &str) {
        let Some(version) = self.table().latest.get(id).copied() else { return };
        self.reached(version).await;
    }

    /// The same for all sessions.
    pub async fn all_durable(&self) {
        let version = self.table().version;
        self.reached(version).await;
    }

    async fn reached(&self, version: u64) {
        let mut written = self.written.subscribe();
        let reached = written.wait_for(|written| written.version >= version || written.failing);
        // the sender is in `self`; a disk that hangs is as good as one that fails
        let _ = tokio::time::timeout(PATIENCE, reached).await;
    }

    /// How often the file was written.
    pub fn writes(&self) -> u64 {
        self.written.borrow().count
    }

    /// Writes what changes, for ever.
    pub async fn run(self, clock: Clock) {
        let mut changed = self.changed.subscribe();
        loop {
            let (version, records) = {
                let table = self.table();
                (table.version, table.records.clone())
            };
            let before = *self.written.borrow();
            if version > before.version {
                match self.write(records).await {
                    Ok(()) => {
                        self.table().latest.retain(|_, latest| *latest > version);
                        self.written.send_replace(Written { version, failing: false, count: before.count + 1 });
                    }
                    Err(error) => {
                        if !before.failing {
                            tracing::error!("cameras are not kept: {error}; after a power cut they would not come back as they are");
                        }
                        self.written.send_replace(Written { failing: true, ..before });
                        clock.sleep(AGAIN).await;
                    }
                }
                continue;
            }
            // an error cannot be: the sender is in `self`
            if changed.wait_for(|newest| *newest > version).await.is_err() {
                return;
            }
        }
    }

    async fn write(&self, sessions: Vec<SessionRecord>) -> Result<(), String> {
        let path = self.path.clone();
        let write = move || {
            let bytes = serde_json::to_vec(&Contents { sessions }).map_err(|error| error.to_string())?;
            disk::replace_private(&path, &bytes).map_err(|error| format!("{error}: {}", error.source))
        };
        tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(error.to_string()))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // no critical section panics; one that did would still leave a whole table
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The records in the file; those that cannot be read are left out, and the file is put aside.
fn read(path: &Path) -> Vec<SessionRecord> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            set_aside(path, &error.to_string());
            return Vec::new();
        }
    };
    let contents: Contents<Value> = match serde_json::from_slice(&bytes) {
        Ok(contents) => contents,
        Err(error) => {
            set_aside(path, &error.to_string());
            return Vec::new();
        }
    };
    let read: Vec<_> = contents.sessions.into_iter().map(serde_json::from_value::<SessionRecord>).collect();
    if let Some(Err(error)) = read.iter().find(|record| record.is_err()) {
        set_aside(path, &error.to_string());
    }
    read.into_iter().filter_map(Result::ok).collect()
}

fn set_aside(path: &Path, why: &str) {
    let aside: PathBuf = path.with_file_name(ASIDE);
    tracing::error!("CAMERAS CANNOT ALL BE BROUGHT BACK: {} cannot be read ({why}); it is kept as {}", path.display(), aside.display());
    if let Err(error) = fs::rename(path, &aside) {
        tracing::error!(%error, "it could not be renamed");
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
