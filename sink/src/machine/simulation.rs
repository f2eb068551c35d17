//! Sinks in a world of accidents, by seed: crashes before and after every action, answers that get lost, partitions that
//! move while their owner is away, staged files that vanish, records that come twice. Whatever happens, every
//! source record must end in exactly one published file, and no reader may ever see one twice or half a file. That holds also of a
//! store that begins to lie: the sink that is lied to stops. And a broker that was rolled back is refused.

mod lies;
mod rest;
mod rollback;
mod store;
mod two_stores;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use contracts::last_record::LastRecord;
use contracts::source::Src;
use contracts::topics::VALID;
use contracts::{datasets, layout};
use lake::batch::{BatchRow, FileTarget, RecordPayload};
use lake::committed_offsets::CommittedOffset;
use platform::broker::TopicPartition;
use platform::store::StoreError;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Action, ActionOutcome, AssignedPartition, CommitOutcome, Machine, Now, WriterIdentity};
use crate::error::SinkError;
use crate::limits::BatchLimits;
use store::{Lie, Store, rebuild};
use two_stores::{hints, store_id};

const TOPIC_ID: &str = "topic-id";
const PARTITIONS: u32 = 3;
const MEMBERS: usize = 3;
/// Commits between two checkpoints.
const CHECKPOINT_COMMITS: u64 = 3;
/// Worlds that are tried.
const SEEDS: u64 = 200;

/// A record of the simulated topic: its source position and where its row belongs.
#[derive(Debug, Clone)]
struct Logged {
    src: Src,
    target: FileTarget,
}

/// A record as sinks hold it.
#[derive(Debug, Clone)]
struct Held(Src);

impl RecordPayload for Held {
    fn last_record(&self, offset: u64) -> LastRecord {
        let Self(src) = self;
        LastRecord { offset, src: Some(src.clone()), sha256: format!("{offset} {src}") }
    }
}

/// What a member will learn at its next poll.
enum Event {
    Assigned,
    Revoked,
    Lost,
}

struct Member {
    machine: Machine<Held>,
    /// Which store it writes to.
    store: usize,
    /// Where it reads on, of the partitions it believes to own.
    reading: BTreeMap<TopicPartition, u64>,
    events: Vec<(TopicPartition, Event)>,
}

struct World {
    rng: StdRng,
    log: BTreeMap<TopicPartition, Vec<Logged>>,
    next_src: BTreeMap<u32, u64>,
    expected: BTreeSet<Src>,
    /// One that all share, unless sinks of several stores are in the group.
    stores: Vec<Store>,
    hints: BTreeMap<TopicPartition, CommittedOffset>,
    /// The store that another one takes the place of.
    replaced: Option<usize>,
    members: Vec<Member>,
    owner: BTreeMap<TopicPartition, Option<usize>>,
    instances: u64,
    elapsed: Duration,
    accidents: bool,
    /// How the store lies, if it does, of one commit in ten.
    lie: Option<Lie>,
    /// What a sink said that met a broker which was rolled back; elsewhere no sink may stop so.
    refused: Option<SinkError>,
    is_rolled_back: bool,
    counts: Counts,
}

/// How often what happened: a simulation in which nothing happens proves nothing.
#[derive(Debug, Default, Clone)]
struct Counts {
    crashes: u64,
    races_lost: u64,
    rebuilt: u64,
    unanswered: u64,
    duplicates: u64,
    commits: u64,
    lost: u64,
    revoked: u64,
    /// Commits that the store lied about.
    lies: u64,
    /// Sinks that stopped because they noticed.
    stopped: u64,
    /// Most commits that a sink had to read when it started.
    read_max: u64,
    /// Sinks that noticed that another store's are in the group.
    refused: u64,
    /// Of those, sinks that had claimed a partition.
    claims_met: u64,
}

fn partition(n: u32) -> TopicPartition {
    TopicPartition { topic: Arc::from(VALID), partition: n }
}

impl World {
    fn new(seed: u64, stores: usize) -> Self {
        let all: Vec<_> = (0..PARTITIONS).map(partition).collect();
        let mut world = Self {
            rng: StdRng::seed_from_u64(seed),
            log: all.iter().map(|at| (at.clone(), Vec::new())).collect(),
            next_src: BTreeMap::new(),
            expected: BTreeSet::new(),
            stores: (0..stores).map(|_| Store::default()).collect(),
            hints: BTreeMap::new(),
            replaced: None,
            members: Vec::new(),
            owner: all.iter().map(|at| (at.clone(), None)).collect(),
            instances: 0,
            elapsed: Duration::ZERO,
            accidents: true,
            lie: None,
            refused: None,
            is_rolled_back: false,
            counts: Counts::default(),
        };
        for who in 0..MEMBERS {
            let member = world.member(who % stores);
            world.members.push(member);
        }
        world
    }

    fn member(&mut self, store: usize) -> Member {
        self.instances += 1;
        let identity = WriterIdentity {
            writer_id: format!("writer-{}", self.instances),
            code_version: "0".into(),
            store_id: store_id(store),
        };
        let limits = BatchLimits {
            file_rows_max: self.rng.random_range(1..8),
            file_bytes_target: 1_000,
            age_max: Duration::from_secs(self.rng.random_range(1..30)),
            open_files_max: self.rng.random_range(1..4),
            commit_record_bytes_max: self.rng.random_range(1_000..10_000),
            memory_bytes_max: self.rng.random_range(20..200),
            checkpoint_commits: CHECKPOINT_COMMITS,
        };
        Member { machine: Machine::new(identity, limits), store, reading: BTreeMap::new(), events: Vec::new() }
    }

    fn chance(&mut self, per_mille: u32) -> bool {
        self.accidents && self.rng.random_range(0..1_000) < per_mille
    }

    /// Appends a record; now and then one whose source position was written before.
    fn produce(&mut self) {
        let at = partition(self.rng.random_range(0..PARTITIONS));
        let log = self.log.get_mut(&at).expect("a log");
        if !log.is_empty() && self.rng.random_range(0..15) == 0 {
            let again = log[self.rng.random_range(0..log.len())].clone();
            log.push(again);
            return;
        }
        self.produce_new(&at);
    }

    /// Appends a record of a source position that was never seen.
    fn produce_new(&mut self, at: &TopicPartition) {
        // A source partition always feeds the same valid partition here, as a tenant does.
        let source = at.partition * 10 + self.rng.random_range(0..2);
        let offset = self.next_src.entry(source).or_default();
        *offset += self.rng.random_range(1..3);
        let src: Src = format!("wire/{source}/{offset}").parse().expect("a position");
        let target = FileTarget {
            dataset: &datasets::FINDINGS,
            tenant: format!("tenant-{}", self.rng.random_range(0..3)),
            run_date: format!("2026-01-0{}", self.rng.random_range(1..3)),
        };
        self.expected.insert(src.clone());
        self.log.get_mut(at).expect("a log").push(Logged { src, target });
    }

    /// The coordinator moves a partition: in good order, or because its owner seems dead.
    fn rebalance(&mut self) {
        let at = partition(self.rng.random_range(0..PARTITIONS));
        let to = self.rng.random_range(0..MEMBERS);
        match self.owner[&at] {
            Some(from) if from == to => {}
            Some(from) if self.rng.random_bool(0.5) => {
                self.members[from].events.push((at.clone(), Event::Revoked));
                self.owner.insert(at, None);
            }
            Some(from) => {
                self.members[from].events.push((at.clone(), Event::Lost));
                self.give(at, to);
            }
            None => {
                let is_being_revoked = self.members.iter().any(|m| m.events.iter().any(|(p, _)| *p == at));
                if !is_being_revoked {
                    self.give(at, to);
                }
            }
        }
    }

    fn give(&mut self, at: TopicPartition, to: usize) {
        self.members[to].events.push((at.clone(), Event::Assigned));
        self.owner.insert(at, Some(to));
    }

    fn crash(&mut self, who: usize) {
        self.counts.crashes += 1;
        self.start_again(who);
    }

    fn start_again(&mut self, who: usize) {
        self.members[who] = self.member(self.members[who].store);
        self.owner.values_mut().filter(|owner| **owner == Some(who)).for_each(|owner| *owner = None);
    }

    /// One member does one thing.
    fn step(&mut self, who: usize) {
        let now = Now { elapsed: self.elapsed, wall_ms: 1_767_225_600_000 };
        self.members[who].machine.tick(now);
        if self.members[who].machine.next_action().is_some() {
            self.act(who);
        } else {
            self.poll(who);
        }
    }

    fn poll(&mut self, who: usize) {
        // A member may be away for long: it learns late what it has lost, and goes on writing meanwhile.
        if !self.members[who].events.is_empty() && (!self.accidents || self.rng.random_range(0..4) == 0) {
            let (at, event) = self.members[who].events.remove(0);
            return self.tell(who, &at, &event);
        }
        let mut reading: Vec<_> = self.members[who].reading.clone().into_iter().collect();
        if reading.is_empty() {
            return;
        }
        let (at, from) = reading.swap_remove(self.rng.random_range(0..reading.len()));
        let upto = (from as usize + self.rng.random_range(1..6)).min(self.log[&at].len());
        for offset in from as usize..upto {
            let Logged { src, target } = self.log[&at][offset].clone();
            let run = Some(("t/w/r".to_owned(), src.clone()));
            let row = BatchRow { target, src: src.clone(), run, bytes: 10, payload: Held(src) };
            self.members[who].machine.record(&at, offset as u64, row);
        }
        self.members[who].reading.insert(at, upto as u64);
        if self.rng.random_range(0..40) == 0 {
            self.members[who].machine.flush();
        }
    }

    fn tell(&mut self, who: usize, at: &TopicPartition, event: &Event) {
        let member = &mut self.members[who];
        match event {
            Event::Assigned => {
                let hint = hints(&self.hints, self.replaced).find(|(left, _)| left == at).map(|(_, hint)| hint);
                let assigned = AssignedPartition { at: at.clone(), topic_id: Arc::from(TOPIC_ID), hint };
                if let Err(error) = member.machine.assigned(assigned) {
                    self.stopped(who, error);
                }
            }
            Event::Revoked => {
                self.counts.revoked += 1;
                member.machine.revoked(at);
                member.reading.remove(at);
            }
            Event::Lost => {
                self.counts.lost += 1;
                member.machine.lost(at);
                member.reading.remove(at);
            }
        }
    }

    /// Does the next action of a member, if nothing happens to it before, meanwhile or after.
    #[expect(clippy::too_many_lines, reason = "an arm for each action")]
    fn act(&mut self, who: usize) {
        if self.chance(15) {
            return self.crash(who);
        }
        let (answer_lost, vanishes, dies) = (self.chance(60), self.chance(40), self.chance(15));
        let never_arrives = answer_lost && self.rng.random_bool(0.5);
        let lie = self.lie.filter(|_| self.accidents && self.rng.random_range(0..10) == 0);
        let mut has_looked = false;
        let World { members, stores, log, hints: all_hints, counts, .. } = self;
        let Member { machine, reading, store, .. } = &mut members[who];
        let store_id = store_id(*store);
        let store = &mut stores[*store];
        let Some((at, action)) = machine.next_action() else { return };
        let outcome = match action {
            Action::LoadChain { .. } => {
                let loaded = store.load(&at, &log[&at]);
                counts.read_max = counts.read_max.max(loaded.head.records - loaded.checkpointed);
                ActionOutcome::ChainLoaded(Box::new(loaded))
            }
            Action::Publish { file, .. } => {
                if vanishes && let Some(name) = file.staged["name"].as_str() {
                    store.staged.remove(name);
                }
                ActionOutcome::Published(store.publish(file))
            }
            Action::Rebuild(commit) => {
                counts.rebuilt += 1;
                rebuild(store, &log[&at], commit);
                ActionOutcome::Rebuilt
            }
            Action::Seek(offset) => {
                reading.insert(at.clone(), offset);
                ActionOutcome::Done
            }
            Action::Stage(batch) => ActionOutcome::Staged(store.stage_all(&batch)),
            Action::Look { last, last_sha256, next } => {
                has_looked = true;
                ActionOutcome::Looked(store.look(last.as_deref(), last_sha256, next))
            }
            Action::Commit { path, bytes } => {
                let exists = store.commits.contains_key(path);
                let created = if never_arrives { CommitOutcome::Created } else { store.create(path, bytes, lie) };
                counts.commits += u64::from(!exists && store.commits.contains_key(path));
                counts.lies += u64::from(lie.is_some() && matches!(created, CommitOutcome::Created));
                counts.unanswered += u64::from(answer_lost);
                ActionOutcome::Committed(if answer_lost { CommitOutcome::Unknown(no_answer()) } else { created })
            }
            Action::ReadCommit(path) => {
                let commit = store.commits.get(path).map(|bytes| serde_json::from_slice(bytes).expect("a commit"));
                ActionOutcome::CommitRead(commit)
            }
            Action::Discard(files) => {
                counts.races_lost += 1;
                files.iter().filter_map(|f| f.staged["name"].as_str()).for_each(|name| drop(store.staged.remove(name)));
                ActionOutcome::Done
            }
            Action::ReadOffsets { .. } => ActionOutcome::OffsetsRead(hints(all_hints, self.replaced).collect()),
            // A fenced member's hint is refused by the broker.
            Action::Claim(_) if self.owner[&at] != Some(who) => ActionOutcome::NotClaimed,
            Action::CommitOffset(_) if self.owner[&at] != Some(who) => ActionOutcome::Done,
            Action::Claim(offset) | Action::CommitOffset(offset) => {
                all_hints.insert(at.clone(), CommittedOffset { offset, store_id: Some(store_id) });
                ActionOutcome::Done
            }
            Action::Checkpoint(head) => {
                store.checkpoints.insert(layout::chain_checkpoint(TOPIC_ID, at.partition, head.end), head.clone());
                ActionOutcome::Done
            }
        };
        if dies {
            return self.crash(who);
        }
        match machine.done(&at, outcome) {
            // A store that lies to two sinks within the moment between look and commit cannot be distinguished from one that does not.
            Ok(()) if has_looked && self.lie.is_some() => self.act(who),
            Ok(()) => {}
            Err(error) => self.stopped(who, error),
        }
    }

    fn run(seed: u64, steps: usize, lie: Option<Lie>) -> Counts {
        let mut world = Self { lie, ..Self::new(seed, 1) };
        world.live(steps);
        world.come_to_rest();
        world.judge(seed, 0);
        world.counts
    }

    fn live(&mut self, steps: usize) {
        for _ in 0..steps {
            match self.rng.random_range(0..100) {
                0..25 => self.produce(),
                25..30 => self.rebalance(),
                30..33 => self.elapsed += Duration::from_secs(self.rng.random_range(0..10)),
                33 => self.sweep(),
                _ => {
                    let who = self.rng.random_range(0..MEMBERS);
                    self.step(who);
                }
            }
        }
    }

    /// Removes staged files that no chain's last commit names, as the sweep does after a day. A writer that is still
    /// between stage and commit after a day is as good as dead: only files of members at rest are old here.
    fn sweep(&mut self) {
        if self.members.iter_mut().any(|member| member.machine.next_action().is_some()) {
            return;
        }
        for store in &mut self.stores {
            let named: HashSet<String> = (0..PARTITIONS)
                .filter_map(|n| store.chain(&partition(n)).1)
                .flat_map(|commit| commit.files)
                .filter_map(|file| file.staged["name"].as_str().map(str::to_owned))
                .collect();
            store.staged.retain(|name, _| named.contains(name));
        }
    }
}

fn no_answer() -> StoreError {
    StoreError::NoSpace { doing: "writing", path: "a commit".to_owned() }
}

#[test]
fn each_record_ends_in_one_file_whatever_happens() {
    let mut all = Counts::default();
    for seed in 0..SEEDS {
        let counts = World::run(seed, 1_000, None);
        all.crashes += counts.crashes;
        all.races_lost += counts.races_lost;
        all.rebuilt += counts.rebuilt;
        all.unanswered += counts.unanswered;
        all.commits += counts.commits;
        all.lost += counts.lost;
        all.revoked += counts.revoked;
        all.duplicates += counts.duplicates;
    }
    println!("{all:?}");
    let Counts { crashes, races_lost, rebuilt, unanswered, commits, lost, revoked, .. } = all;
    for (what, n) in [
        ("crashes", crashes),
        ("races lost", races_lost),
        ("rebuilt commits", rebuilt),
        ("unanswered commits", unanswered),
        ("commits", commits),
        ("lost partitions", lost),
        ("revoked partitions", revoked),
    ] {
        assert!(n >= SEEDS, "only {n} {what}: the simulation is too tame to prove anything");
    }
}
