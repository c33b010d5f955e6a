//! How long finish and recovery take after more than an hour. Printed, not judged: the time is the machine's.

use std::fs::File;
use std::io;

use super::*;
use crate::clock::monotonic_ns;
use crate::mp4::recover;

/// A file that is not synced while it is recorded: that is not what is measured here.
struct Unsynced(File);

impl Storage for Unsynced {
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, data)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        Storage::read_at(&self.0, offset, buffer)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Storage::len(&self.0)
    }
}

/// As many samples as 1 GB has at 2 Mbit/s, only smaller: neither finish nor recovery touches them.
#[test]
fn an_hour_is_finished_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("a.mp4"), folder.path().join("copy.mp4"));
    let (format, _) = material(0);
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    let mut writer = Writer::begin(Unsynced(file), &format, crate::mp4::HOLE).unwrap();
    let mut sounds = 0;
    for i in 0..102_000u64 {
        let dts = i * 3600;
        writer.push(Sample { kind: Kind::Video, dts, pts: dts, duration: 3600, key: i % 50 == 0, data: &[1; 50] }).unwrap();
        while sounds * 1024 * 90_000 / 48_000 < dts {
            let dts = sounds * 1024;
            writer.push(Sample { kind: Kind::Audio, dts, pts: dts, duration: 1024, key: true, data: &[2; 10] }).unwrap();
            sounds += 1;
        }
        if i % 12 == 11 {
            writer.flush().unwrap();
        }
    }
    let size = writer.size();
    drop(writer);
    std::fs::copy(&path, &copy).unwrap();

    let begin = monotonic_ns();
    let writer = Writer::resume(&path, &format).unwrap();
    let resumed = monotonic_ns();
    let summary = writer.finish().unwrap();
    let finished = monotonic_ns();
    let recovered = recover(&copy).unwrap();
    let ms = |from: u64, to: u64| (to - from) as f64 / 1e6;
    let end = monotonic_ns();
    println!("68 min: scan {:.1} ms, finish {:.1} ms, recovery {:.1} ms", ms(begin, resumed), ms(resumed, finished), ms(finished, end));
    assert_eq!(summary, recovered);
    assert_eq!(summary.duration.as_secs(), 102_000 / 25);
    assert_eq!(summary.size, size, "nothing was appended: the index is in the hole");
    let same = std::process::Command::new("cmp").arg(&path).arg(&copy).status().unwrap();
    assert!(same.success(), "recovered as it was finished");
}
