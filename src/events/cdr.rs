//! Call detail records: a line per event in files that are rotated and bounded (events.md §2). One thread writes; it owns the files.
//!
//! A file begins with the first event after a start, with the first one of a day, and when the last one is full; it is named after the
//! moment it begins (UTC). When there are too many, the oldest go. Nothing is synced, to spare flash: a power cut may lose the lines of
//! the last half minute, a kill loses none that was written. A disk that is full loses lines, counted, and leaves none that is half.

use super::bus::Heard;
use super::json;
use crate::clock::Clock;
use crate::disk::{self, Doing, Kind, Step};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use time::OffsetDateTime;
use tokio::sync::mpsc;

/// Where the records go, and how much of them is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    pub folder: PathBuf,
    /// A file is not made larger, in bytes.
    pub file_bytes: u64,
    /// The last ones are kept; at least one.
    pub files: usize,
}

/// The files.
pub(super) struct Cdr {
    settings: Settings,
    clock: Clock,
    open: Option<Open>,
    lost: Arc<AtomicU64>,
    /// Was the last line lost?
    failing: bool,
}

/// The file that is written.
struct Open {
    file: File,
    name: String,
    /// Length up to the last whole line.
    bytes: u64,
}

impl Cdr {
    /// Makes the folder if need be, and tries whether it can be written. Lines that are lost later are counted in `lost`.
    pub fn open(settings: Settings, clock: Clock, lost: Arc<AtomicU64>) -> Result<Cdr, disk::Error> {
        disk::create_folder(&settings.folder)?;
        disk::sweep(&settings.folder)?;
        // swept by the next start if this one ends here
        let probe = disk::temporary(&settings.folder.join("CDR"));
        File::create(&probe).and_then(|_| fs::remove_file(&probe)).doing(Step::Create, &probe)?;
        Ok(Cdr { settings, clock, open: None, lost, failing: false })
    }

    /// Writes what is heard, until the end is. Blocks on the disk.
    pub fn run(mut self, mut heard: mpsc::Receiver<Heard>) {
        while let Some(Heard::Record(record)) = heard.blocking_recv() {
            self.write(&json::lines(&record));
        }
    }

    fn write(&mut self, lines: &str) {
        match self.try_write(lines) {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    let lost = self.lost.load(Ordering::Relaxed);
                    tracing::info!(lost, "call detail records are written again");
                }
            }
            Err(error) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut self.failing, true) {
                    let remedy = if error.kind == Kind::Full { "; make room" } else { "" };
                    tracing::error!(%error, source = %error.source, "call detail records are lost{remedy}");
                }
            }
        }
    }

    fn try_write(&mut self, lines: &str) -> Result<(), disk::Error> {
        self.turn_over(lines.len() as u64)?;
        let Some(open) = &mut self.open else { return Ok(()) };
        let written = open.file.write_all(lines.as_bytes());
        if written.is_err() && open.file.set_len(open.bytes).is_err() {
            // half a line stays; what comes next goes to another file
            let open = self.open.take();
            return written.doing(Step::Write, &self.settings.folder.join(open.map_or(String::new(), |open| open.name)));
        }
        written.doing(Step::Write, &self.settings.folder.join(&open.name))?;
        open.bytes += lines.len() as u64;
        Ok(())
    }

    /// Begins another file if this one is of another day, is full, or is not there any more.
    fn turn_over(&mut self, more: u64) -> Result<(), disk::Error> {
        let name = file_name(self.clock.unix_ms());
        if let Some(open) = &self.open {
            let same_day = open.name.get(..DAY) == name.get(..DAY);
            let has_room = open.bytes + more <= self.settings.file_bytes || open.bytes == 0;
            // two in one second would be the same file
            if (same_day && has_room || open.name == name) && self.settings.folder.join(&open.name).exists() {
                return Ok(());
            }
        }
        self.open = None;
        let path = self.settings.folder.join(&name);
        let file = OpenOptions::new().append(true).create(true).open(&path).doing(Step::Create, &path)?;
        let bytes = file.metadata().doing(Step::Create, &path)?.len();
        self.open = Some(Open { file, name, bytes });
        self.prune();
        Ok(())
    }

    /// Removes the oldest files that are too many. One that stays is tried again with the next file.
    fn prune(&self) {
        let files = match files(&self.settings.folder) {
            Ok(files) => files,
            Err(error) => return tracing::warn!(%error, "old call detail records are not removed"),
        };
        let too_many = files.len().saturating_sub(self.settings.files.max(1));
        for path in &files[..too_many] {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "an old file of call detail records is not removed");
            }
        }
    }
}

/// Length of `CDR.2026-11-21`.
const DAY: usize = 14;

/// `CDR.<yyyy-MM-dd>_<HH-mm-ss>.log`, UTC.
fn file_name(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or_default();
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    format!("CDR.{year:04}-{month:02}-{day:02}_{:02}-{:02}-{:02}.log", at.hour(), at.minute(), at.second())
}

/// The files of call detail records in `folder`, the oldest first.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("CDR.") && name.ends_with(".log") && entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::bus::Bus;
    use crate::events::json::tests::all;
    use std::time::Duration;

    /// 2026-11-21 23:59:58
    const LATE: u64 = 1_795_305_598_000;

    fn cdr(folder: &Path, file_bytes: u64, files: usize) -> Cdr {
        let settings = Settings { folder: folder.to_owned(), file_bytes, files };
        Cdr::open(settings, Clock::simulated(LATE), Arc::default()).unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        files(folder).unwrap().iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_begins_with_the_first_event_with_each_day_and_when_one_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let mut cdr = cdr(folder.path(), 20, 9);
        assert_eq!(names(folder.path()), [""; 0], "nothing happened yet");
        cdr.write("one\n");
        tokio::time::advance(Duration::from_secs(2)).await;
        cdr.write("two\n");
        tokio::time::advance(Duration::from_secs(3600)).await;
        cdr.write("fifteen bytes.\n");
        cdr.write("so full\n");
        cdr.write("the second is the same\n");
        assert_eq!(names(folder.path()), ["CDR.2026-11-21_23-59-58.log", "CDR.2026-11-22_00-00-00.log", "CDR.2026-11-22_01-00-00.log"]);
        let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(text("CDR.2026-11-22_00-00-00.log"), "two\nfifteen bytes.\n");
        assert_eq!(text("CDR.2026-11-22_01-00-00.log"), "so full\nthe second is the same\n");
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_files_go_and_others_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.log"), "mine").unwrap();
        fs::create_dir(folder.path().join("CDR.a-folder.log")).unwrap();
        let mut cdr = cdr(folder.path(), 1, 2);
        for _ in 0..5 {
            cdr.write("a line\n");
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(names(folder.path()), ["CDR.2026-11-22_00-00-01.log", "CDR.2026-11-22_00-00-02.log"]);
        assert!(folder.path().join("notes.log").exists() && folder.path().join("CDR.a-folder.log").exists());
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_without_room_loses_whole_lines_and_a_removed_file_is_begun_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut cdr = cdr(folder.path(), 1000, 2);
        let path = folder.path().join("CDR.2026-11-21_23-59-58.log");
        // every write to this device fails for want of room
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        cdr.write("lost\n");
        cdr.write("lost\n");
        assert_eq!((cdr.lost.load(Ordering::Relaxed), cdr.failing), (2, true));
        fs::remove_file(&path).unwrap();
        cdr.write("kept\n");
        assert_eq!((cdr.lost.load(Ordering::Relaxed), cdr.failing), (2, false));
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept\n");
        fs::remove_file(&path).unwrap();
        cdr.write("again\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "again\n");
    }

    #[tokio::test]
    async fn what_was_said_before_the_end_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { folder: folder.path().to_owned(), file_bytes: 1 << 20, files: 2 };
        let cdr = Cdr::open(settings, Clock::System, Arc::default()).unwrap();
        let mut bus = Bus::default();
        let heard = bus.listen("cdr");
        let writer = tokio::task::spawn_blocking(move || cdr.run(heard));
        let records = all();
        records.iter().for_each(|record| bus.say(record.clone()));
        bus.end().await;
        writer.await.unwrap();
        let text: String = files(folder.path()).unwrap().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        assert_eq!(text, records.iter().map(json::lines).collect::<String>());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let settings = Settings { folder: file.path().join("x"), file_bytes: 1, files: 1 };
        assert!(Cdr::open(settings, Clock::System, Arc::default()).is_err());
    }
}
