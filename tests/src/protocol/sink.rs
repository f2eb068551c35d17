//! A sink, call by call.

use super::model::{BATCH_MAX, Commit, RECORDS, Step, World};
use super::swap::Swap;

/// What a sink does next. `Look` comes after its file was made and before the step that makes an object appear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    Dead,
    Load,
    Stage,
    /// The record of this commit is made in that folder of staged objects.
    MakeRecord(Commit),
    LookBeforeCommit(Commit, u8),
    LinkRecord(Commit, u8),
    /// Whose record is there?
    Resolve(Commit),
    LookBeforePublish(Commit),
    LinkFile(Commit),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sink {
    pub phase: Phase,
    /// No two processes have the same.
    id: u8,
    /// The folder of staged objects when it opened the store.
    opened: u8,
    /// Commits of the chain that it knows, and where they end.
    number: u8,
    end: u8,
}

impl Default for Sink {
    fn default() -> Self {
        Self { phase: Phase::Dead, id: 0, opened: 0, number: 0, end: 0 }
    }
}

impl World {
    /// Adds what this sink may do.
    pub(super) fn sink_steps(&self, of: usize, all: &mut Vec<(Step, Self)>) {
        let mut add = |after| all.push((Step::Sink(of), after));
        match self.sinks[of].phase {
            // While a swap goes on it has the group for itself; who was frozen before is here already.
            Phase::Dead if self.starts_left == 0 || !matches!(self.swap, Swap::NotBegun | Swap::Done) => {}
            Phase::Stage => {
                let end = self.sinks[of].end;
                (end + 1..=RECORDS.min(end + BATCH_MAX)).for_each(|to| add(self.after(of, to, false)));
            }
            Phase::LinkRecord(..) => {
                add(self.after(of, 0, false));
                add(self.after(of, 0, true));
            }
            _ => add(self.after(of, 0, false)),
        }
    }

    /// One step later. `to` ends the batch that is staged; `is_lost` loses the answer to a commit.
    fn after(&self, of: usize, to: u8, is_lost: bool) -> Self {
        let mut world = *self;
        let phase = world.next(of, to, is_lost);
        world.sinks[of].phase = phase;
        world
    }

    fn next(&mut self, of: usize, to: u8, is_lost: bool) -> Phase {
        let Sink { phase, id, opened, number, end } = self.sinks[of];
        let is_out = self.rules.looks && opened != self.staging;
        match phase {
            Phase::Dead => {
                self.starts_left -= 1;
                self.sinks[of] = Sink { id: self.starts_left, opened: self.staging, ..Sink::default() };
                Phase::Load
            }
            Phase::Load => self.load(of),
            Phase::Stage => {
                let commit = Commit { start: end, end: to, by: id, staged_in: self.staging };
                if self.rules.commits_first { Phase::MakeRecord(commit) } else { Phase::LookBeforePublish(commit) }
            }
            Phase::MakeRecord(commit) => Phase::LookBeforeCommit(commit, self.staging),
            Phase::LookBeforeCommit(..) | Phase::LookBeforePublish(_) if is_out => Phase::Dead,
            Phase::LookBeforeCommit(commit, made_in) => Phase::LinkRecord(commit, made_in),
            // The file it begins from is missing: it is written again.
            Phase::LinkRecord(commit, made_in) if made_in != self.staging => Phase::MakeRecord(commit),
            Phase::LinkRecord(commit, _) => {
                let only_if_absent = self.rules.only_if_absent;
                let Some(chain) = self.tree(self.chain) else { return Phase::MakeRecord(commit) };
                let place = &mut chain.commits[usize::from(number)];
                if place.is_some() && only_if_absent {
                    return Phase::Resolve(commit);
                }
                *place = Some(commit);
                if is_lost { Phase::Resolve(commit) } else { self.committed(of, commit) }
            }
            Phase::Resolve(commit) => {
                let Some(chain) = self.tree(self.chain) else { return Phase::Resolve(commit) };
                match chain.commits[usize::from(number)] {
                    Some(found) if found.by == id => self.committed(of, commit),
                    Some(_) => Phase::Load,
                    None => Phase::MakeRecord(commit),
                }
            }
            Phase::LookBeforePublish(commit) => Phase::LinkFile(commit),
            Phase::LinkFile(commit) => self.publish(of, commit),
        }
    }

    /// Reads the chain; the file of its last commit may not be visible yet.
    fn load(&mut self, of: usize) -> Phase {
        let Some(chain) = self.tree(self.chain) else { return Phase::Dead };
        let (number, end) = (chain.len(), chain.end());
        let last = chain.commits.iter().flatten().last().copied();
        (self.sinks[of].number, self.sinks[of].end) = (number, end);
        match last.filter(|last| last.by != u8::MAX) {
            Some(last) => Phase::LookBeforePublish(last),
            None => self.consume(end),
        }
    }

    fn committed(&mut self, of: usize, commit: Commit) -> Phase {
        (self.sinks[of].number, self.sinks[of].end) = (self.sinks[of].number + 1, commit.end);
        if self.rules.commits_first { Phase::LookBeforePublish(commit) } else { self.consume(commit.end) }
    }

    fn publish(&mut self, of: usize, commit: Commit) -> Phase {
        let staging = self.staging;
        let commits_first = self.rules.commits_first;
        let Some(data) = self.tree(self.data) else { return Phase::LookBeforePublish(commit) };
        if !data.has(commit.start, commit.end) {
            if commit.staged_in != staging {
                // Missing: rebuilt from the topic's records, and staged where files are staged now.
                return Phase::LookBeforePublish(Commit { staged_in: staging, ..commit });
            }
            data.publish(commit.start, commit.end);
        }
        let is_committed = commits_first || self.sinks[of].end >= commit.end;
        if is_committed { self.consume(commit.end) } else { Phase::MakeRecord(commit) }
    }

    /// A sink that has read everything waits, and may be taken for dead.
    fn consume(&self, end: u8) -> Phase {
        if end < RECORDS { Phase::Stage } else { Phase::Dead }
    }

    /// A sink that is started now and is alone, until everything is read.
    pub(super) fn run_alone(&mut self) {
        self.starts_left = 1;
        self.sinks = [Sink::default(); 2];
        let mut phase = self.next(0, 0, false);
        while phase != Phase::Dead {
            self.sinks[0].phase = phase;
            let to = RECORDS.min(self.sinks[0].end + 1);
            phase = self.next(0, to, false);
        }
    }
}
