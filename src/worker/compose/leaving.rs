//! Who left: to be seen and heard until the mixers, which are up to half a second behind, have come to the moment of leaving.
//! Cells change then as well, so that nobody moves in the film before the other is gone.

use super::branch::Branch;
use super::stage::Stage;
use crate::rtp::Kind;

/// How long a mixer may take to come to the moment of leaving, in ns. One that takes longer is held up by other things.
const PATIENCE: u64 = 2_000_000_000;

/// Where a slot comes in the order of the cells: its place in the layout's list, and when it joined.
pub type Rank = (usize, u64);

/// The branches of those who left.
#[derive(Default, Debug)]
pub struct Leaving {
    leavers: Vec<Leaver>,
}

#[derive(Debug)]
struct Leaver {
    branch: Branch,
    rank: Rank,
    /// When it left, ns since the recording began.
    left: u64,
}

impl Leaving {
    pub fn add(&mut self, branch: Branch, rank: Rank, left: u64) {
        self.leavers.push(Leaver { branch, rank, left });
    }

    /// Those who have a cell still.
    pub fn pictures(&self) -> impl Iterator<Item = (Rank, &Branch)> {
        self.leavers.iter().filter(|leaver| leaver.branch.kind() == Kind::Video).map(|leaver| (leaver.rank, &leaver.branch))
    }

    /// Those whose moment has come; `now` in ns since the recording began. Until they are removed they hold the mixer back.
    pub fn take_gone(&mut self, stage: &Stage, now: u64) -> Vec<Branch> {
        self.leavers.extract_if(.., |leaver| leaver.is_over(stage, now)).map(|leaver| leaver.branch).collect()
    }
}

impl Leaver {
    fn is_over(&self, stage: &Stage, now: u64) -> bool {
        stage.mixer(self.branch.kind()).is_none_or(|mixer| mixer.cut.reached() >= self.left) || now.saturating_sub(self.left) > PATIENCE
    }
}
