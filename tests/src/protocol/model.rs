//! What there is: a topic, the folders of a root, and the processes.

use super::sink::{Phase, Sink};
use super::swap::Swap;

/// Records of the topic: 0, 1, 2, …
pub const RECORDS: u8 = 3;
/// Records in a batch, at most.
pub const BATCH_MAX: u8 = 2;
/// Commits that a chain may have: each has a record at least, and one more tells a commit behind the end.
const COMMITS_MAX: usize = RECORDS as usize + 2;

/// What the protocol does; each rule can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rules {
    /// A swap moves the folder of staged objects away before anything else.
    pub fences: bool,
    /// A writer looks whether that folder is still the one that it found when it opened the store.
    pub looks: bool,
    /// A commit record is created only if there is none of its number.
    pub only_if_absent: bool,
    /// A file is published after the commit record that names it is written.
    pub commits_first: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { fences: true, looks: true, only_if_absent: true, commits_first: true }
    }
}

/// A commit record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Commit {
    pub start: u8,
    pub end: u8,
    /// The process that wrote it.
    pub by: u8,
    /// The folder of staged objects that its file was written to.
    pub staged_in: u8,
}

/// The chain and the data files of a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tree {
    pub commits: [Option<Commit>; COMMITS_MAX],
    /// Records that a replay has brought: rows of files with other names.
    pub replayed: u8,
    /// Published files, one bit for each range of records.
    pub files: u32,
}

impl Tree {
    pub fn has(&self, start: u8, end: u8) -> bool {
        self.files & bit(start, end) != 0
    }

    pub fn publish(&mut self, start: u8, end: u8) {
        self.files |= bit(start, end);
    }

    pub fn end(&self) -> u8 {
        self.commits.iter().flatten().last().map_or(0, |commit| commit.end)
    }

    pub fn len(&self) -> u8 {
        self.commits.iter().flatten().count() as u8
    }

    fn rows(&self, record: u8) -> usize {
        let ranges = (0..RECORDS).flat_map(|start| (start + 1..=RECORDS).map(move |end| (start, end)));
        let holds = |(start, end): &(u8, u8)| (*start..*end).contains(&record) && self.has(*start, *end);
        ranges.filter(holds).count() + usize::from(record < self.replayed)
    }

    fn check(&self) -> Result<(), String> {
        let mut end = 0;
        let is_whole = self.commits[..usize::from(self.len())].iter().all(|commit| {
            commit.is_some_and(|commit| {
                let follows = commit.start == end;
                end = commit.end;
                follows
            })
        });
        if !is_whole {
            return Err(format!("the chain is broken: {:?}", self.commits));
        }
        match (0..RECORDS).find(|record| self.rows(*record) > 1) {
            Some(record) => Err(format!("record {record} is {} rows", self.rows(record))),
            None => Ok(()),
        }
    }
}

fn bit(start: u8, end: u8) -> u32 {
    1 << (start * RECORDS + end - 1)
}

/// Which tree a name of the root leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Name {
    Former,
    Away,
    Fresh,
}

/// Whose step it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Sink(usize),
    Kill(usize),
    Swap,
    /// It is killed and given again.
    SwapAgain,
}

/// Everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct World {
    pub rules: Rules,
    pub former: Tree,
    pub fresh: Tree,
    pub chain: Name,
    pub data: Name,
    /// Number of the folder of staged objects: another one after each fence.
    pub staging: u8,
    pub sinks: [Sink; 2],
    pub swap: Swap,
    pub starts_left: u8,
    pub kills_left: u8,
}

impl World {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            former: Tree::default(),
            fresh: Tree::default(),
            chain: Name::Former,
            data: Name::Former,
            staging: 0,
            sinks: [Sink::default(); 2],
            swap: Swap::NotBegun,
            starts_left: 2,
            kills_left: 1,
        }
    }

    pub fn tree(&mut self, name: Name) -> Option<&mut Tree> {
        match name {
            Name::Former => Some(&mut self.former),
            Name::Fresh => Some(&mut self.fresh),
            Name::Away => None,
        }
    }

    /// What may happen next, and what is then.
    pub fn steps(&self) -> Vec<(Step, Self)> {
        let mut all = Vec::new();
        for of in 0..self.sinks.len() {
            self.sink_steps(of, &mut all);
            if self.kills_left > 0 && self.sinks[of].phase != Phase::Dead {
                let mut after = *self;
                after.sinks[of].phase = Phase::Dead;
                after.kills_left -= 1;
                all.push((Step::Kill(of), after));
            }
        }
        self.swap_steps(&mut all);
        all
    }

    /// What may be seen at any time, and what must come of it when from now on nothing is frozen or killed.
    pub fn check(&self) -> Result<(), String> {
        let mut settled = *self;
        if let Some(seen) = settled.tree(self.data) {
            seen.check()?;
        }
        settled.finish_swap();
        settled.run_alone();
        let tree = settled.tree(settled.data).ok_or("the data are away")?;
        tree.check()?;
        match (0..RECORDS).find(|record| tree.rows(*record) != 1) {
            Some(record) => Err(format!("record {record} is lost")),
            None => Ok(()),
        }
    }
}
