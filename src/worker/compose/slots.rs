//! Who takes part: the slots, their sources, and which cell each has. Only the job's thread writes here.
//!
//! Control and media come by two sockets, so media may come before the word that announces its slot; a cached GOP is what usually
//! comes so early.
//!
//! ```text
//!  media first                      AddSlot                          first unit
//!  ───────────> early (kept) ──────────────────> Member (no branch) ───────────> Member (branch)
//!                    └─ 5 s: forgotten                  └ RemoveSlot: gone      │
//!                                                                      RemoveSlot ─┴─> Leaving ── mixer has come so far ──> gone
//! ```

use super::branch::{Branch, PREFIX};
use super::early::Early;
use super::inlet::{Inlet, Unit};
use super::leaving::{Leaving, Rank};
use super::stage::Stage;
use super::timing::{Grid, TimeLine};
use crate::layout::best_fit;
use crate::rtp::{Format, Kind};
use crate::wire::compose::{ComposeSlot, ComposedVideo};
use crate::wire::media::Message;
use crate::worker::source::Full;
use std::collections::{BTreeMap, HashMap};

/// Pause before the elements of a slot are made again after they failed, in ns.
const RETRY: u64 = 1_000_000_000;

/// What the job has to tell others about a slot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// The source shall send a keyframe.
    KeyframeWanted(u8),
    /// For the log.
    Warning(String),
}

/// All slots of a recording.
#[derive(Debug)]
pub struct Slots {
    /// First moment of this process' part of the recording, CLOCK_MONOTONIC in ns.
    began: u64,
    canvas: Option<ComposedVideo>,
    grid: Grid,
    members: BTreeMap<u8, Member>,
    leaving: Leaving,
    early: Early,
    sources: HashMap<String, TimeLine>,
    /// Slots that have the first cells.
    order: Vec<u8>,
    /// Counts the members, in the order they came.
    joined: u64,
    /// Counts the branches: names are never used twice.
    branches: u64,
    notes: Vec<Note>,
}

#[derive(Debug)]
struct Member {
    source: String,
    kind: Kind,
    joined: u64,
    inlet: Option<Inlet>,
    branch: Option<(String, Branch)>,
    /// Pictures of the epoch before, in another codec; they stay until the mixer has come to the first new one.
    fading: Option<Branch>,
    /// Not before this moment is a branch made again.
    retry_at: u64,
    /// Access units that found no room.
    dropped: u64,
}

impl Slots {
    pub fn new(began: u64, canvas: Option<ComposedVideo>, grid: Grid) -> Slots {
        Slots {
            began,
            canvas,
            grid,
            members: BTreeMap::new(),
            leaving: Leaving::default(),
            early: Early::default(),
            sources: HashMap::new(),
            order: Vec::new(),
            joined: 0,
            branches: 0,
            notes: Vec::new(),
        }
    }

    /// A track joins.
    pub fn add(&mut self, slot: ComposeSlot, stage: &Stage, now: u64) {
        let ComposeSlot { slot: number, source, kind, format } = slot;
        let (early_format, units) = self.early.take(number);
        self.remove(number, stage, now);
        let (joined, inlet, retry_at) = (self.joined, None, 0);
        self.joined += 1;
        self.sources.entry(source.clone()).or_default();
        self.members.insert(number, Member { source, kind, joined, inlet, branch: None, fading: None, retry_at, dropped: 0 });
        self.arrange();
        if let Some(format) = early_format.or(format) {
            self.set_format(number, format, stage);
        }
        for (captured_ns, packets) in units {
            self.take(number, captured_ns, packets.iter().map(Vec::as_slice), stage, now);
        }
    }

    /// A track leaves.
    pub fn remove(&mut self, number: u8, stage: &Stage, now: u64) {
        self.early.take(number);
        let Some(member) = self.members.remove(&number) else { return };
        let rank = self.rank(number, &member);
        if let Some((_, branch)) = member.branch {
            self.leaving.add(branch, rank, now.saturating_sub(self.began));
        }
        if let Some(branch) = member.fading {
            branch.remove(stage);
        }
        if self.members.values().all(|other| other.source != member.source) {
            self.sources.remove(&member.source);
        }
        self.arrange();
    }

    /// The order of the first cells.
    pub fn set_order(&mut self, order: Vec<u8>) {
        self.order = order;
        self.arrange();
    }

    /// A message of the media socket.
    pub fn hear(&mut self, message: Message<'_>, stage: &Stage, now: u64) {
        match message {
            Message::Format { slot, format } if self.members.contains_key(&slot) => self.set_format(slot, format, stage),
            Message::Format { slot, format } => self.early.format(slot, format, now),
            Message::Packets { slot, captured_ns, packets } if self.members.contains_key(&slot) => {
                self.take(slot, captured_ns, packets, stage, now);
            }
            Message::Packets { slot, captured_ns, packets } => self.early.packets(slot, captured_ns, packets, now),
            Message::KeyframeRequest { .. } => {}
        }
    }

    /// Gives up on what did not come, asks for keyframes, forgets what nobody announced.
    pub fn tick(&mut self, stage: &Stage, now: u64) {
        let numbers: Vec<u8> = self.members.keys().copied().collect();
        for number in numbers {
            self.with_inlet(number, stage, now, |inlet, units| inlet.tick(now, &mut |unit| units.push(unit)));
            let wanted =
                self.members.get_mut(&number).and_then(|member| member.inlet.as_mut()).is_some_and(|inlet| inlet.wants_keyframe(now));
            if wanted {
                self.notes.push(Note::KeyframeWanted(number));
            }
        }
        self.early.tick(now);
        self.end_faded(stage);
        self.end_left(stage, now);
    }

    /// Removes those who left. Cells change first: a mixer that is held back no more catches up within some ms.
    fn end_left(&mut self, stage: &Stage, now: u64) {
        let gone = self.leaving.take_gone(stage, now.saturating_sub(self.began));
        if gone.iter().any(|branch| branch.kind() == Kind::Video) {
            self.give_cells();
        }
        gone.into_iter().for_each(|branch| branch.remove(stage));
    }

    /// Removes what a new picture, or new sound, has replaced.
    fn end_faded(&mut self, stage: &Stage) {
        let reached = stage.video.as_ref().map_or(0, |mixer| mixer.cut.reached());
        for member in self.members.values_mut().filter(|member| member.fading.is_some()) {
            let replaced = match (member.kind, &member.branch) {
                (Kind::Video, Some((_, branch))) => branch.first_picture().is_some_and(|first| first < reached),
                (kind, _) => kind == Kind::Audio,
            };
            if let Some(branch) = member.fading.take_if(|_| replaced) {
                branch.remove(stage);
            }
        }
    }

    /// The elements of this name failed; others take their place when there is media.
    pub fn failed(&mut self, name: &str, text: String, stage: &Stage, now: u64) {
        let member = self.members.values_mut().find(|member| member.branch.as_ref().is_some_and(|(its, _)| its == name));
        let Some((member, (_, branch))) = member.and_then(|member| member.branch.take().map(|branch| (member, branch))) else { return };
        branch.remove(stage);
        member.retry_at = now + RETRY;
        if let Some(inlet) = &mut member.inlet {
            inlet.start_again();
        }
        self.notes.push(Note::Warning(format!("{:?} of {} fails: {text}", member.kind, member.source)));
    }

    /// What there is to say since the last call.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Access units that were dropped and holes in what came, since the last call.
    pub fn take_losses(&mut self) -> (u64, u64) {
        self.members.values_mut().fold((0, 0), |(dropped, holes), member| {
            let more = member.inlet.as_mut().map_or(0, Inlet::take_holes);
            (dropped + std::mem::take(&mut member.dropped), holes + more)
        })
    }

    /// A new epoch.
    fn set_format(&mut self, number: u8, format: Format, stage: &Stage) {
        let Some(member) = self.members.get_mut(&number) else { return };
        if format.codec.kind() != member.kind {
            self.notes.push(Note::Warning(format!(
                "{} sends {} where {:?} was announced",
                member.source,
                format.codec.name(),
                member.kind
            )));
            return;
        }
        member.inlet = Some(Inlet::new(format.codec));
        if let Some((_, branch)) = member.branch.take_if(|(_, branch)| branch.codec() != format.codec)
            && let Some(older) = member.fading.replace(branch)
        {
            older.remove(stage);
        }
    }

    fn take<'a>(&mut self, number: u8, captured_ns: u64, packets: impl Iterator<Item = &'a [u8]>, stage: &Stage, now: u64) {
        self.with_inlet(number, stage, now, |inlet, units| {
            packets.for_each(|packet| inlet.push(now, captured_ns, packet, &mut |unit| units.push(unit)));
        });
    }

    fn with_inlet(&mut self, number: u8, stage: &Stage, now: u64, work: impl FnOnce(&mut Inlet, &mut Vec<Unit>)) {
        let mut units = Vec::new();
        if let Some(inlet) = self.members.get_mut(&number).and_then(|member| member.inlet.as_mut()) {
            work(inlet, &mut units);
        }
        for unit in units {
            self.play(number, unit, stage, now);
        }
    }

    /// Gives a unit to its branch, at its time.
    fn play(&mut self, number: u8, unit: Unit, stage: &Stage, now: u64) {
        self.ensure_branch(number, stage, now);
        let Some(member) = self.members.get_mut(&number) else { return };
        let captured = self.sources.get_mut(&member.source).map_or(unit.captured_ns, |line| line.place(unit.captured_ns, now));
        let pts = match (captured.checked_sub(self.began), member.kind) {
            (Some(pts), _) => pts,
            // the decoder needs it; a picture of time 0 is not shown
            (None, Kind::Video) => 0,
            (None, Kind::Audio) => return,
        };
        // without a branch it is lost as well
        let pushed = member.branch.as_ref().map_or(Err(Full), |(_, branch)| branch.push(pts, unit));
        if let (Err(Full), Some(inlet)) = (pushed, &mut member.inlet) {
            member.dropped += 1;
            inlet.start_again();
        }
    }

    fn ensure_branch(&mut self, number: u8, stage: &Stage, now: u64) {
        let Some(member) = self.members.get_mut(&number) else { return };
        let Some(codec) = member.inlet.as_ref().map(Inlet::codec) else { return };
        if member.branch.is_some() || now < member.retry_at {
            return;
        }
        let name = format!("{PREFIX}{number}-{}", self.branches);
        self.branches += 1;
        match Branch::add(stage, &name, codec, self.grid, self.began) {
            Ok(Some(branch)) => {
                member.branch = Some((name, branch));
                self.arrange();
            }
            // the recording has no such track
            Ok(None) => member.inlet = None,
            Err(error) => {
                member.retry_at = now + RETRY;
                self.notes.push(Note::Warning(format!("no decoder for {}: {error}", codec.name())));
            }
        }
    }

    /// Gives each video slot its cell, unless somebody still has to go: then the film is not yet where cells change.
    fn arrange(&self) {
        if self.leaving.pictures().next().is_none() {
            self.give_cells();
        }
    }

    fn give_cells(&self) {
        let Some(canvas) = self.canvas else { return };
        let members = self.members.iter().filter(|(_, member)| member.kind == Kind::Video);
        let here = members.map(|(number, member)| (self.rank(*number, member), member.branches().collect::<Vec<_>>()));
        let mut all: Vec<_> = here.chain(self.leaving.pictures().map(|(rank, branch)| (rank, vec![branch]))).collect();
        all.sort_by_key(|(rank, _)| *rank);
        for ((_, branches), cell) in all.iter().zip(best_fit(all.len(), canvas.width, canvas.height)) {
            branches.iter().for_each(|branch| branch.set_cell(cell));
        }
    }

    fn rank(&self, number: u8, member: &Member) -> Rank {
        (self.order.iter().position(|its| *its == number).unwrap_or(usize::MAX), member.joined)
    }
}

impl Member {
    fn branches(&self) -> impl Iterator<Item = &Branch> {
        self.fading.iter().chain(self.branch.iter().map(|(_, branch)| branch))
    }
}
