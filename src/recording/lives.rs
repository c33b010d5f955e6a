//! Any life of a recording: random steps of its composer, its session and time, and what must hold after each of them.
//!
//! - Its status only moves forward, and what is on the disk says the same.
//! - The world hears `started` and `stopped` both or neither, and one end, which is the last it hears.
//! - A life ends: the composer's job is over, nothing is left to do. What can be played is `ready`.

use super::library::Library;
use super::plan::{Cast, Picture, Plan, Resolution, Status, StopReason};
use super::played::{Composers, Manner};
use super::recorder::{Follower, Recorder};
use super::recordings::{Recordings, Request};
use super::told::Teller;
use crate::clock::Clock;
use crate::events::record::Step as Told;
use crate::events::{Ear, Record};
use crate::ids::{JobId, SessionKey, TrackId};
use crate::wire::control::FailureKind;
use crate::{engine, jobs};
use proptest::prelude::*;
use std::time::Duration;
use tokio::sync::mpsc;

#[derive(Clone, Debug)]
enum Step {
    /// One second more is on disk.
    Write,
    /// The process of the composer dies.
    Die(FailureKind),
    /// The supervisor starts another.
    Begin,
    Manner(Manner),
    Joined(u8),
    Left(u8),
    Stop,
    /// The session forgets it.
    Forget,
    /// s
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Write),
        2 => prop_oneof![2 => Just(FailureKind::Pipeline), 1 => Just(FailureKind::Disk)].prop_map(Step::Die),
        3 => Just(Step::Begin),
        2 => prop_oneof![Just(Manner::Work), Just(Manner::Hang), Just(Manner::NeverFinish)].prop_map(Step::Manner),
        2 => (0u8..4).prop_map(Step::Joined),
        2 => (0u8..4).prop_map(Step::Left),
        1 => Just(Step::Stop),
        1 => Just(Step::Forget),
        3 => (1u64..40).prop_map(Step::Pass),
    ]
}

/// A recording, and its floors below played by hand.
struct World {
    recordings: Recordings,
    recorder: Option<Recorder>,
    follower: Follower,
    composers: Composers,
    commands: mpsc::Receiver<jobs::Command>,
    /// To the media thread, which has nothing to say.
    orders: std::sync::mpsc::Receiver<engine::Command>,
    ear: Ear,
    told: Vec<Told>,
    furthest: Status,
    /// Does the process of the composer run?
    up: bool,
}

impl World {
    fn new(library: Library, manner: Manner) -> World {
        let (engine, orders, _) = engine::Handle::channel().unwrap();
        let (jobs, commands) = jobs::Handle::channel();
        let (bus, ear) = Ear::listening();
        let recordings = Recordings::new(library, engine, jobs, Teller::new(bus, None), Clock::simulated(0));
        let video = Some(Picture { resolution: Resolution::parse("320x240").unwrap(), frame_rate: 25 });
        let plan = Plan { name: None, audio: true, video };
        let recorder = recordings.start(Request { session: "S".into(), session_created_at: 1, plan, cast: vec![cast(0)] }).unwrap();
        let composers = Composers { manner, ..Composers::default() };
        let (follower, furthest) = (recorder.follower(), Status::Starting);
        World { recordings, recorder: Some(recorder), follower, composers, commands, orders, ear, told: vec![], furthest, up: true }
    }

    async fn step(&mut self, step: Step) {
        let job = self.composers.running.keys().next().copied();
        match (step, job) {
            (Step::Write, Some(job)) if self.up && self.composers.manner != Manner::Hang => {
                let event = self.composers.write(job);
                self.recordings.hear(event).await;
            }
            (Step::Die(kind), Some(job)) if self.up => {
                self.up = false;
                let event = self.composers.die(job, kind);
                self.recordings.hear(event).await;
            }
            (Step::Begin, Some(job)) if !self.up => self.begin(job).await,
            (Step::Manner(manner), _) => self.composers.manner = manner,
            (Step::Joined(n), _) => self.recorder.iter().for_each(|recorder| recorder.joined(cast(n))),
            (Step::Left(n), _) => self.recorder.iter().for_each(|recorder| recorder.left(&cast(n).stream)),
            (Step::Stop, _) => drop(self.recorder.take().map(|recorder| recorder.stop(StopReason::RecordingStoppedByServer))),
            (Step::Forget, _) => self.recorder = None,
            (Step::Pass(seconds), _) => Clock::System.sleep(Duration::from_secs(seconds)).await,
            _ => {}
        }
        self.settle().await;
    }

    async fn begin(&mut self, job: JobId) {
        self.up = true;
        for event in self.composers.begin(job) {
            self.recordings.hear(event).await;
        }
    }

    /// Everybody does what there is to do.
    async fn settle(&mut self) {
        loop {
            // simulated time goes on only when nobody works, the disk included
            Clock::System.sleep(Duration::from_millis(1)).await;
            while self.orders.try_recv().is_ok() {}
            let Ok(command) = self.commands.try_recv() else { break };
            // who is down hears nothing
            if matches!(command, jobs::Command::Tell { .. }) && !self.up {
                continue;
            }
            for event in self.composers.on(command) {
                self.recordings.hear(event).await;
            }
        }
        self.check();
    }

    fn check(&mut self) {
        let now = self.follower.progress();
        assert!(now.status() >= self.furthest, "{:?} after {:?}", now.status(), self.furthest);
        self.furthest = now.status();
        if let Some(recording) = now.recording {
            assert_eq!(self.recordings.library().get(&recording.id).map(|kept| kept.status), Some(recording.status));
        }
        for record in self.ear.heard() {
            let Record::RecordingStatusChanged(_, recording) = &*record else { panic!("{record:?} is of no recording") };
            self.told.push(recording.step);
        }
        let (first, last) = ([Told::Started, Told::Stopped], [Told::Ready, Told::Failed]);
        let begun = self.told.iter().take_while(|step| first.contains(step)).count();
        let ended = self.told[begun..].iter().filter(|step| last.contains(step)).count();
        assert!(first.starts_with(&self.told[..begun]) && begun + ended == self.told.len() && ended <= 1, "{:?}", self.told);
        assert!(ended == 0 || begun != 1, "an end without a stop: {:?}", self.told);
    }

    async fn end(mut self) {
        self.step(Step::Stop).await;
        // a composer has 10 s to finish, and a folder's lock 20 s to become free
        for _ in 0..4 {
            self.step(Step::Pass(10)).await;
        }
        assert!(self.furthest.is_final(), "{:?}", self.furthest);
        assert!(self.composers.running.is_empty(), "its composer is gone");
        assert_eq!(self.told.last(), Some(if self.furthest == Status::Ready { &Told::Ready } else { &Told::Failed }));
        let recording = self.follower.progress().recording.expect("its folder could be made");
        assert!(self.furthest == Status::Failed || recording.size > 0 && recording.duration_ms > 0, "{recording:?}");
        tokio::time::timeout(Duration::from_secs(60), self.recordings.finished()).await.expect("nothing is left to do");
    }
}

fn cast(n: u8) -> Cast {
    let track = |number| Some(TrackId::new(SessionKey(1), number));
    Cast { stream: format!("str_{n}").as_str().into(), audio: track(2 * u32::from(n)), video: track(2 * u32::from(n) + 1) }
}

proptest! {
    // each writes and syncs real files
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_always_holds(hangs in any::<bool>(), steps in proptest::collection::vec(step(), 0..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let root = tempfile::tempdir().unwrap();
            let library = Library::open(root.path(), "https://box".into()).unwrap();
            let mut world = World::new(library, if hangs { Manner::Hang } else { Manner::Work });
            for step in steps {
                world.step(step).await;
            }
            world.end().await;
        });
    }
}
