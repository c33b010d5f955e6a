//! The events that wait for the webhook, on disk: one file that is only appended to, and gone when nothing waits.
//!
//! A line `+<id> <body>` says that an event waits, `-<id>` that it is dealt with. Events are synced, endings are not: after a power cut
//! the endpoint may get again what it had. A line that a power cut left half, or damaged, is no event. When the file has grown to
//! several times what may wait it is replaced as a whole. It is for this user alone. All of it blocks on the disk.

use super::queue::{News, Waiting};
use crate::disk::{self, Doing, Kind, Step};
use serde_json::Value;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// The file.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// `None`: there is none, nothing waits.
    open: Option<File>,
    /// Length up to the last whole line.
    bytes: u64,
    /// A file larger than this is replaced by one without endings.
    most: u64,
}

impl Journal {
    /// Reads what waits, in order, and makes the file whole again. `most`: see there, in bytes.
    pub fn open(path: PathBuf, most: u64) -> Result<(Journal, Vec<Waiting>), disk::Error> {
        let text = match fs::read(&path).doing(Step::Create, &path) {
            Ok(text) => text,
            Err(error) if error.kind == Kind::Missing => Vec::new(),
            Err(error) => return Err(error),
        };
        let waiting = read(&text);
        let mut journal = Journal { path, open: None, bytes: 0, most };
        if !text.is_empty() {
            journal.rewrite(&waiting)?;
        }
        Ok((journal, waiting))
    }

    /// Notes what is new; `all` is everything that waits then. On an error the file says what it said before.
    pub fn note(&mut self, news: &News, all: &[Waiting]) -> Result<(), disk::Error> {
        if all.is_empty() {
            return if self.open.is_some() || self.bytes > 0 { self.remove() } else { Ok(()) };
        }
        let mut text = String::new();
        news.removed.iter().for_each(|id| put(&mut text, format_args!("-{id}")));
        news.added.iter().for_each(|Waiting { id, body }| put(&mut text, format_args!("+{id} {body}")));
        if self.bytes + text.len() as u64 > self.most {
            return self.rewrite(all);
        }
        let path = self.path.clone();
        let bytes = self.bytes;
        let file = self.file()?;
        let mut written = file.write_all(text.as_bytes()).doing(Step::Write, &path);
        if written.is_ok() && !news.added.is_empty() {
            written = file.sync_data().doing(Step::Sync, &path);
        }
        if written.is_err() {
            // half a line would swallow the next one
            if file.set_len(bytes).is_err() {
                self.open = None;
            }
            return written;
        }
        self.bytes += text.len() as u64;
        Ok(())
    }

    /// The file, made if need be.
    fn file(&mut self) -> Result<&mut File, disk::Error> {
        let file = match self.open.take() {
            Some(file) => file,
            None => self.reopen()?,
        };
        Ok(self.open.insert(file))
    }

    fn reopen(&self) -> Result<File, disk::Error> {
        if self.bytes == 0 {
            // its name shall survive a power cut
            disk::replace_private(&self.path, b"")?;
        }
        let file = OpenOptions::new().append(true).open(&self.path).doing(Step::Create, &self.path)?;
        file.set_len(self.bytes).doing(Step::Write, &self.path)?;
        Ok(file)
    }

    fn rewrite(&mut self, all: &[Waiting]) -> Result<(), disk::Error> {
        if all.is_empty() {
            return self.remove();
        }
        let mut text = String::new();
        all.iter().for_each(|Waiting { id, body }| put(&mut text, format_args!("+{id} {body}")));
        disk::replace_private(&self.path, text.as_bytes())?;
        self.open = None;
        self.bytes = text.len() as u64;
        Ok(())
    }

    fn remove(&mut self) -> Result<(), disk::Error> {
        match fs::remove_file(&self.path).doing(Step::Remove, &self.path) {
            Err(error) if error.kind != Kind::Missing => return Err(error),
            _ => {}
        }
        (self.open, self.bytes) = (None, 0);
        Ok(())
    }
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // writing to a String cannot fail
    let _ = writeln!(text, "{line}");
}

/// The events that wait, in order; what is no line of ours is stepped over.
fn read(text: &[u8]) -> Vec<Waiting> {
    let mut waiting: Vec<Waiting> = Vec::new();
    let mut done: HashSet<&str> = HashSet::new();
    // what has no end of line was never finished
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(&[][..], |end| &text[..end]);
    for line in whole.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok()) {
        let is_id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if let Some((id, body)) = line.strip_prefix('+').and_then(|line| line.split_once(' ')) {
            if is_id(id) && serde_json::from_str::<Value>(body).is_ok_and(|body| body.is_object()) {
                waiting.push(Waiting { id: id.into(), body: body.into() });
            }
        } else if let Some(id) = line.strip_prefix('-').filter(|id| is_id(id)) {
            done.insert(id);
        }
    }
    waiting.retain(|waiting| !done.contains(&*waiting.id));
    waiting
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::queue::tests::waiting;
    use proptest::prelude::*;
    use std::path::Path;

    fn news(added: &[usize], removed: &[usize]) -> News {
        News { added: added.iter().map(|n| waiting(*n)).collect(), removed: removed.iter().map(|n| waiting(*n).id).collect() }
    }

    fn all(numbers: &[usize]) -> Vec<Waiting> {
        numbers.iter().map(|n| waiting(*n)).collect()
    }

    fn open(path: &Path) -> (Journal, Vec<Waiting>) {
        Journal::open(path.to_owned(), 10_000).unwrap()
    }

    #[test]
    fn what_waits_comes_back_and_nothing_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue");
        let (mut journal, found) = open(&path);
        assert_eq!(found, []);
        journal.note(&news(&[], &[]), &[]).unwrap();
        assert!(!path.exists());
        journal.note(&news(&[1, 2, 3], &[]), &all(&[1, 2, 3])).unwrap();
        journal.note(&news(&[4], &[1]), &all(&[2, 3, 4])).unwrap();
        let (mut journal, found) = open(&path);
        assert_eq!(found, all(&[2, 3, 4]));
        journal.note(&news(&[5], &[2]), &all(&[3, 4, 5])).unwrap();
        assert_eq!(open(&path).1, all(&[3, 4, 5]));
        let (mut journal, _) = open(&path);
        journal.note(&news(&[], &[3, 4, 5]), &[]).unwrap();
        assert!(!path.exists());
        journal.note(&news(&[6], &[]), &all(&[6])).unwrap();
        assert_eq!(open(&path).1, all(&[6]));
    }

    #[test]
    fn a_file_that_grew_is_replaced_by_what_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue");
        let (mut journal, _) = Journal::open(path.clone(), 200).unwrap();
        for n in 1..100 {
            journal.note(&news(&[n], if n > 1 { &[0] } else { &[] }), &all(&[n])).unwrap();
            assert!(fs::metadata(&path).unwrap().len() <= 200);
        }
        journal.note(&news(&[100], &[99]), &all(&[100])).unwrap();
        assert_eq!(open(&path).1.last(), Some(&waiting(100)));
    }

    #[test]
    fn a_disk_without_room_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue");
        let (mut journal, _) = open(&path);
        journal.note(&news(&[1], &[]), &all(&[1])).unwrap();
        journal.open = Some(OpenOptions::new().write(true).open("/dev/full").unwrap());
        let error = journal.note(&news(&[2], &[]), &all(&[1, 2])).unwrap_err();
        assert_eq!((error.kind, error.path.as_path()), (Kind::Full, path.as_path()));
        assert_eq!(open(&path).1, all(&[1]));
        journal.note(&news(&[2], &[]), &all(&[1, 2])).unwrap();
        assert_eq!(open(&path).1, all(&[1, 2]));
    }

    #[test]
    fn cut_anywhere_the_whole_lines_count() {
        let text = "+id1 {\"n\":1}\n+id2 {\"n\":2}\n-id1\n+id3 {\"n\":3}\n";
        let lines: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        for end in 0..=text.len() {
            let expected: &[usize] = match lines.iter().filter(|line| **line <= end).count() {
                0 => &[],
                1 => &[1],
                2 => &[1, 2],
                3 => &[2],
                _ => &[2, 3],
            };
            assert_eq!(read(&text.as_bytes()[..end]), all(expected), "{end}");
        }
        assert_eq!(read(b"+id1 {\"n\":1}\n\0\0\0\n\xff\n+ {}\n+id2 no\n+id2 {\"n\":2}\n"), all(&[1, 2]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            read(&text);
        }
    }
}
