//! The swap, move by move. One that was killed is given again, and begins with its fence.

use super::model::{Commit, Name, Step, Tree, World};

/// The next move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Swap {
    NotBegun,
    Fence,
    ChainOut,
    DataOut,
    DataIn,
    ChainIn,
    Done,
}

impl World {
    pub(super) fn swap_steps(&self, all: &mut Vec<(Step, Self)>) {
        if self.swap == Swap::Done {
            return;
        }
        let mut after = *self;
        after.swap_step();
        all.push((Step::Swap, after));
        if self.kills_left > 0 && self.swap != Swap::NotBegun && self.swap != Swap::Fence {
            let again = Self { swap: Swap::Fence, kills_left: self.kills_left - 1, ..*self };
            all.push((Step::SwapAgain, again));
        }
    }

    /// Each move is done at most once, whatever happened before.
    fn swap_step(&mut self) {
        self.swap = match self.swap {
            Swap::NotBegun => {
                self.fresh = replayed(&self.former);
                Swap::Fence
            }
            Swap::Fence => {
                self.staging += u8::from(self.rules.fences);
                Swap::ChainOut
            }
            Swap::ChainOut => {
                out(&mut self.chain);
                Swap::DataOut
            }
            Swap::DataOut => {
                out(&mut self.data);
                Swap::DataIn
            }
            Swap::DataIn => {
                self.data = Name::Fresh;
                Swap::ChainIn
            }
            Swap::ChainIn => {
                self.chain = Name::Fresh;
                Swap::Done
            }
            Swap::Done => Swap::Done,
        };
    }

    pub(super) fn finish_swap(&mut self) {
        while self.swap != Swap::NotBegun && self.swap != Swap::Done {
            self.swap_step();
        }
    }
}

fn out(name: &mut Name) {
    if *name == Name::Former {
        *name = Name::Away;
    }
}

/// Judged once more, and checked to hold what the former root holds: a chain of its own, which begins where that one ends.
fn replayed(former: &Tree) -> Tree {
    let end = former.end();
    let mut fresh = Tree { replayed: end, ..Tree::default() };
    fresh.commits[0] = (end > 0).then_some(Commit { start: 0, end, by: u8::MAX, staged_in: 0 });
    // Its file has another name than any that a sink of the former root makes.
    fresh
}
