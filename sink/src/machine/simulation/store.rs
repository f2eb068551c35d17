//! What the simulated sinks write to: commits, checkpoints, staged and published files, and what readers have seen. It may begin to
//! lie.

use std::collections::{BTreeMap, HashMap, HashSet};

use contracts::chain::ChainHead;
use contracts::commit_record::{CommitRecord, CommittedFile};
use contracts::layout;
use contracts::source::Src;
use lake::batch::{FileTarget, OpenFile, RecordPayload, Staging};
use lake::chain::Looked;
use platform::broker::TopicPartition;
use platform::store::Published;
use sha2::{Digest, Sha256};

use super::super::{CommitOutcome, LoadedChain};
use super::{Held, Logged, TOPIC_ID};

/// How a store answers that does not keep what it promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    /// It creates what is there already: the commit of another sink is overwritten.
    Overwrites,
    /// It says that it created a commit, and did not.
    Forgets,
}

#[derive(Debug, Clone)]
pub(super) struct StagedFile {
    path: String,
    rows: Vec<Src>,
}

#[derive(Default)]
pub(super) struct Store {
    pub commits: BTreeMap<String, Vec<u8>>,
    pub checkpoints: BTreeMap<String, ChainHead>,
    pub staged: BTreeMap<String, StagedFile>,
    pub published: BTreeMap<String, Vec<Src>>,
    /// Every source position a reader has seen, with its file.
    pub seen: HashMap<Src, String>,
    names: u64,
}

impl Store {
    pub fn chain(&self, topic_partition: &TopicPartition) -> (ChainHead, Option<Box<CommitRecord>>) {
        let mut head = ChainHead::empty(TOPIC_ID, topic_partition.partition);
        let mut last = None;
        for (path, bytes) in &self.commits {
            if path.starts_with(&format!("{}/", layout::chain_dir(TOPIC_ID, topic_partition.partition))) {
                last = Some(Box::new(head.follow(path, bytes).expect("the chain is never broken")));
            }
        }
        (head, last)
    }

    /// Where the last commit ends.
    pub fn end(&self, topic_partition: &TopicPartition) -> u64 {
        let folder = format!("{}/", layout::chain_dir(TOPIC_ID, topic_partition.partition));
        let last = self.commits.iter().rfind(|(path, _)| path.starts_with(&folder));
        last.map_or(0, |(_, bytes)| serde_json::from_slice::<CommitRecord>(bytes).expect("a commit").end)
    }

    /// Commits that the newest checkpoint adds up.
    pub fn checkpointed(&self, topic_partition: &TopicPartition) -> u64 {
        let folder = format!("{}/", layout::chain_dir(TOPIC_ID, topic_partition.partition));
        let newest = self.checkpoints.iter().rfind(|(path, _)| path.starts_with(&folder));
        newest.map_or(0, |(_, head)| head.records)
    }

    /// The chain of a partition, and what its topic holds.
    pub fn load(&self, topic_partition: &TopicPartition, log: &[Logged]) -> LoadedChain {
        let (head, last) = self.chain(topic_partition);
        let (checkpointed, high) = (self.checkpointed(topic_partition), log.len() as u64);
        let last_offset = head.last_record.as_ref().map(|last| last.offset);
        let held = last_offset.and_then(|offset| Some((offset, log.get(offset as usize)?)));
        let found = held.map(|(offset, held)| Held(held.src.clone()).last_record(offset));
        LoadedChain { head, last, checkpointed, low: 0, high, found }
    }

    /// The files of a batch.
    pub fn stage_all(&mut self, batch: &Staging<'_, Held>) -> Vec<CommittedFile> {
        let Staging { partition, start, end, files, .. } = *batch;
        let name = |t: &FileTarget| layout::part_name(TOPIC_ID, partition, start, end, &t.tenant, &t.run_date);
        let staged = files.iter().map(|(target, open)| {
            let rows = open.rows.iter().map(|Held(src)| src.clone()).collect();
            self.stage(name(target), target, rows)
        });
        staged.collect()
    }

    pub fn stage(&mut self, path: String, target: &FileTarget, rows: Vec<Src>) -> CommittedFile {
        self.names += 1;
        let name = format!("staged-{}", self.names);
        self.staged.insert(name.clone(), StagedFile { path: path.clone(), rows: rows.clone() });
        CommittedFile {
            path,
            tenant_id: target.tenant.clone(),
            run_date: target.run_date.clone(),
            rows: rows.len() as u64,
            bytes: rows.len() as u64,
            sha256: format!("{rows:?}"),
            schema_version: 1,
            staged: serde_json::json!({ "name": name }),
        }
    }

    pub fn publish(&mut self, file: &CommittedFile) -> Published {
        let name = file.staged["name"].as_str().expect("a name");
        if let Some(rows) = self.published.get(&file.path) {
            assert_eq!(format!("{rows:?}"), file.sha256, "another content under {}", file.path);
            self.staged.remove(name);
            return Published::Already;
        }
        let Some(staged) = self.staged.remove(name) else { return Published::Missing };
        assert_eq!(staged.path, file.path);
        for src in &staged.rows {
            let before = self.seen.insert(src.clone(), file.path.clone());
            assert_eq!(before, None, "a reader sees {src} twice, now in {}", file.path);
        }
        self.published.insert(file.path.clone(), staged.rows);
        Published::Done
    }

    pub fn look(&self, last: Option<&str>, last_sha256: &str, next: &str) -> Looked {
        match last.map(|path| self.commits.get(path)) {
            Some(None) => Looked::LastMissing,
            Some(Some(bytes)) if hex::encode(Sha256::digest(bytes)) != last_sha256 => Looked::LastChanged,
            _ if self.commits.contains_key(next) => Looked::NameTaken,
            _ => Looked::Ready,
        }
    }

    pub fn create(&mut self, path: &str, bytes: &[u8], lie: Option<Lie>) -> CommitOutcome {
        let exists = self.commits.contains_key(path);
        match lie {
            None if exists => return CommitOutcome::Exists,
            Some(Lie::Forgets) if !exists => return CommitOutcome::Created,
            Some(Lie::Forgets) => return CommitOutcome::Exists,
            None | Some(Lie::Overwrites) => {}
        }
        self.commits.insert(path.to_owned(), bytes.to_vec());
        CommitOutcome::Created
    }
}

pub(super) fn rebuild(store: &mut Store, log: &[Logged], commit: &CommitRecord) {
    let mut rows: BTreeMap<FileTarget, OpenFile<Src>> = BTreeMap::new();
    let mut seen = HashSet::new();
    for Logged { src, target } in &log[commit.start as usize..commit.end as usize] {
        let was_kept = commit.src.get(&src.partition).is_some_and(|offsets| offsets.contains(src.offset));
        if was_kept && seen.insert(src.clone()) {
            rows.entry(target.clone()).or_default().rows.push(src.clone());
        }
    }
    for (target, open) in rows {
        let name =
            layout::part_name(TOPIC_ID, commit.partition, commit.start, commit.end, &target.tenant, &target.run_date);
        let committed = commit.files.iter().find(|file| file.path == name).expect("the file was committed");
        let made = store.stage(name, &target, open.rows);
        assert_eq!((made.rows, &made.sha256), (committed.rows, &committed.sha256), "rebuilt, it is the same");
        store.publish(&made);
    }
}
