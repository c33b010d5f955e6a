//! For tests on all floors above: composers and makers of thumbnails played by hand, in the place of the supervisor and its workers.
//! They write real films, and pictures that are none.

use crate::disk::FolderLock;
use crate::ids::JobId;
use crate::jobs::{Command, Event};
use crate::mp4::{Audio, Format, Kind, Sample, Video, Writer};
use crate::wire::compose::{ComposeSlot, ComposeSpec, Written, part_name};
use crate::wire::control::{Failure, FailureKind, Spec, ToWorker};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

/// How composers behave.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Manner {
    /// They write one second, and finish when they are told to.
    #[default]
    Work,
    /// They start and never write.
    Hang,
    /// They write, and then never finish.
    NeverFinish,
}

/// All composers there are, by their job.
#[derive(Default)]
pub struct Composers {
    pub manner: Manner,
    pub running: BTreeMap<JobId, Composer>,
    /// Are thumbnails made at once, or never?
    pub draws: bool,
    /// Makers of thumbnails that were not stopped.
    pub drawing: BTreeSet<JobId>,
}

/// What is in a thumbnail.
pub const THUMBNAIL: &[u8] = b"a picture";

pub struct Composer {
    spec: ComposeSpec,
    film: Option<(Writer<File>, FolderLock)>,
    seconds: u64,
    /// What it takes part in, by slot.
    pub slots: BTreeMap<u8, ComposeSlot>,
}

impl Composers {
    /// Takes a command, and says what the supervisor reports.
    pub fn on(&mut self, command: Command) -> Vec<Event> {
        match command {
            Command::Start { job, spec: Spec::Compose(spec), .. } => {
                self.running.insert(job, Composer { spec, film: None, seconds: 0, slots: BTreeMap::new() });
                self.begin(job)
            }
            Command::Start { job, spec: Spec::Thumbnail(spec), .. } => {
                self.drawing.insert(job);
                if !self.draws {
                    return vec![Event::Started { job }];
                }
                fs::write(&spec.picture, THUMBNAIL).unwrap();
                vec![Event::Started { job }, Event::Finished { job }]
            }
            Command::Start { spec: Spec::Camera(_) | Spec::Transcode(_), .. } => panic!("no composer"),
            Command::Tell { job, message } => self.told(job, message),
            Command::Stop { job } => {
                assert!(self.running.remove(&job).is_some() || self.drawing.remove(&job));
                vec![]
            }
        }
    }

    /// A process of the job begins.
    pub fn begin(&mut self, job: JobId) -> Vec<Event> {
        let mut events = vec![Event::Started { job }];
        if self.manner != Manner::Hang {
            events.extend([self.write(job), Event::Ready { job }]);
        }
        events
    }

    /// One second more is on disk.
    pub fn write(&mut self, job: JobId) -> Event {
        let composer = self.running.get_mut(&job).unwrap();
        let folder = Path::new(&composer.spec.folder);
        let path = folder.join(part_name(1));
        let format = format(&composer.spec);
        let (writer, _) = composer.film.get_or_insert_with(|| {
            let lock = FolderLock::try_take(folder).unwrap();
            let writer = if path.exists() { Writer::resume(&path, &format) } else { Writer::create(&path, &format) };
            (writer.unwrap(), lock)
        });
        for (kind, rate, there) in [(Kind::Video, 90_000, format.video.is_some()), (Kind::Audio, 48_000, format.audio.is_some())] {
            let dts = composer.seconds * rate;
            let sample = Sample { kind, dts, pts: dts, duration: rate as u32, key: true, data: &[7; 100] };
            if there {
                writer.push(sample).unwrap();
            }
        }
        writer.flush().unwrap();
        composer.seconds += 1;
        Event::Written { job, written: Written { part: 1, bytes: writer.size(), duration_ms: composer.seconds * 1000 } }
    }

    /// One second more is on the disk of all that work.
    pub fn write_all(&mut self) -> Vec<Event> {
        let at_work: Vec<_> = self.running.iter().filter(|(_, composer)| composer.film.is_some()).map(|(job, _)| *job).collect();
        at_work.into_iter().map(|job| self.write(job)).collect()
    }

    /// The process of the job ends by itself; the supervisor will start another.
    pub fn die(&mut self, job: JobId, kind: FailureKind) -> Event {
        let composer = self.running.get_mut(&job).unwrap();
        composer.film = None;
        composer.slots.clear();
        Event::Down { job, failure: Failure { kind, text: "played".into() }, retry_in: Some(Duration::from_millis(250)) }
    }

    /// The daemon is gone: each finishes its film, or is killed as well.
    pub fn abandon(self, killed: bool) {
        for (writer, _lock) in self.running.into_values().filter_map(|composer| composer.film) {
            if !killed {
                writer.finish().unwrap();
            }
        }
    }

    fn told(&mut self, job: JobId, message: ToWorker) -> Vec<Event> {
        let composer = self.running.get_mut(&job).unwrap();
        match message {
            ToWorker::AddSlot(slot) => assert!(composer.slots.insert(slot.slot, slot).is_none()),
            ToWorker::RemoveSlot { slot } => assert!(composer.slots.remove(&slot).is_some()),
            ToWorker::Stop if self.manner == Manner::NeverFinish => {}
            ToWorker::Stop => {
                if let Some((writer, _lock)) = composer.film.take() {
                    writer.finish().unwrap();
                }
                return vec![Event::Finished { job }];
            }
            ToWorker::Start { .. } | ToWorker::Layout { .. } => panic!("{message:?}"),
        }
        vec![]
    }
}

fn format(spec: &ComposeSpec) -> Format {
    let (sps, pps) = ([0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x47, 0xfe, 0x88], [0x68, 0xce, 0x3c, 0x80]);
    let video = spec.video.map(|video| Video::from_parameter_sets(&sps, &pps, video.width as u16, video.height as u16).unwrap());
    let audio = spec.audio.map(|_| Audio::from_config(&[0x11, 0x90], 48_000, 2).unwrap());
    Format { video, audio }
}
