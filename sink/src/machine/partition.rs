//! One partition on its way from assignment to commit, again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contracts::chain::ChainHead;
use contracts::commit_record::{CommitRecord, CommittedFile, FORMAT_VERSION};
use contracts::source::SrcPartition;
use contracts::{layout, time, topics};
use platform::broker::TopicPartition;
use platform::store::{Published, StoreError};
use sha2::{Digest, Sha256};

use super::batch::Batch;
use super::{Action, CommitOutcome, Given, Identity, Loaded, Outcome, Row, Staging, Taken};
use crate::error::SinkError;
use crate::limits::Limits;

#[derive(Debug)]
enum Phase {
    Load,
    Publish {
        link: Box<CommitRecord>,
        next: usize,
        rebuild: bool,
    },
    LeaveHint,
    Checkpoint,
    Seek,
    Consume,
    Stage,
    Commit(Box<Attempt>),
    /// Somebody has that name, or the commit failed: is the link there, and whose is it?
    Resolve(Box<Attempt>, Option<StoreError>),
    Discard(Vec<CommittedFile>),
    Gone,
}

/// A link that may become, or already be, the next of the chain.
#[derive(Debug)]
struct Attempt {
    link: CommitRecord,
    path: String,
    bytes: Vec<u8>,
}

/// What is the same for all partitions of a sink.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    /// Commits between two checkpoints.
    pub checkpoint_commits: u64,
    /// Records that the broker has removed unwritten are passed over.
    pub skips_gone: bool,
}

#[derive(Debug)]
pub(super) struct Partition<R> {
    given: Given,
    habits: Habits,
    head: ChainHead,
    heights: BTreeMap<SrcPartition, u64>,
    batch: Batch<R>,
    phase: Phase,
    hinted: Option<u64>,
    /// Links that the newest checkpoint adds up.
    checkpointed: u64,
    sought: bool,
    flush: bool,
    leaving: bool,
}

impl<R> Partition<R> {
    pub fn new(given: Given, habits: Habits) -> Self {
        let head = ChainHead::empty(&given.topic_id, given.at.partition);
        let hinted = given.hint.as_ref().map(|hint| hint.offset);
        Self {
            given,
            habits,
            head,
            heights: BTreeMap::new(),
            batch: Batch::at(0),
            phase: Phase::Load,
            hinted,
            checkpointed: 0,
            sought: false,
            flush: false,
            leaving: false,
        }
    }

    pub fn topic_id(&self) -> &Arc<str> {
        &self.given.topic_id
    }

    pub fn batch_bytes(&self) -> u64 {
        self.batch.bytes
    }

    pub fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    pub fn flush(&mut self) {
        self.flush = true;
    }

    pub fn leave(&mut self) {
        self.leaving = true;
        self.flush = true;
        if matches!(self.phase, Phase::Consume) && self.batch.is_empty() {
            self.phase = Phase::Gone;
        }
    }

    pub fn take(&mut self, offset: u64, row: Row<R>, elapsed: Duration) -> Taken {
        if !matches!(self.phase, Phase::Consume) || offset < self.batch.next {
            return Taken::Ignored;
        }
        self.batch.take(offset, row, &mut self.heights, elapsed)
    }

    pub fn begin_if_due(&mut self, limits: &Limits, elapsed: Duration) {
        if !matches!(self.phase, Phase::Consume) {
            return;
        }
        if self.batch.is_due(limits, elapsed) || (self.flush && !self.batch.is_empty()) {
            self.phase = Phase::Stage;
        } else {
            self.flush = false;
        }
    }

    pub fn action(&self) -> Option<Action<'_, R>> {
        Some(match &self.phase {
            Phase::Load => Action::LoadChain { topic_id: &self.given.topic_id, partition: self.given.at.partition },
            Phase::Publish { link, rebuild: true, .. } => Action::Rebuild(link),
            Phase::Publish { link, next, .. } => {
                let (file, next) = link.files.get(*next..)?.split_first()?;
                Action::Publish { file, next }
            }
            Phase::LeaveHint => Action::LeaveHint(self.head.end),
            Phase::Checkpoint => Action::Checkpoint(&self.head),
            Phase::Seek => Action::Seek(self.batch.next),
            Phase::Stage => Action::Stage(Staging {
                topic_id: &self.given.topic_id,
                partition: self.given.at.partition,
                start: self.batch.start,
                end: self.batch.next,
                files: &self.batch.files,
            }),
            Phase::Commit(attempt) => Action::Commit { path: &attempt.path, bytes: &attempt.bytes },
            Phase::Resolve(attempt, _) => Action::ReadLink(&attempt.path),
            Phase::Discard(files) => Action::Discard(files),
            Phase::Consume | Phase::Gone => return None,
        })
    }

    pub fn done(
        &mut self,
        outcome: Outcome,
        identity: &Identity,
        nonce: String,
        wall_ms: i64,
    ) -> Result<(), SinkError> {
        let phase = std::mem::replace(&mut self.phase, Phase::Load);
        self.phase = match (phase, outcome) {
            (Phase::Load, Outcome::ChainLoaded(loaded)) => self.loaded(*loaded)?,
            (Phase::Publish { link, .. }, Outcome::Published(Published::Missing)) => {
                Phase::Publish { link, next: 0, rebuild: true }
            }
            (Phase::Publish { link, next, .. }, Outcome::Published(_)) => self.publish(link, next + 1),
            (Phase::Publish { .. }, Outcome::Rebuilt) => self.after_publish(),
            (Phase::LeaveHint, _) => {
                self.hinted = Some(self.head.end);
                self.after_hint()
            }
            (Phase::Checkpoint, _) => {
                self.checkpointed = self.head.records;
                self.after_checkpoint()
            }
            (Phase::Seek, _) => {
                self.sought = true;
                self.consume()
            }
            (Phase::Stage, Outcome::Staged(files)) => {
                Phase::Commit(Box::new(self.attempt(files, identity, nonce, wall_ms)?))
            }
            (Phase::Commit(attempt), Outcome::Committed(CommitOutcome::Created)) => self.committed(*attempt),
            (Phase::Commit(attempt), Outcome::Committed(CommitOutcome::Exists)) => Phase::Resolve(attempt, None),
            (Phase::Commit(attempt), Outcome::Committed(CommitOutcome::Unknown(error))) => {
                Phase::Resolve(attempt, Some(error))
            }
            (Phase::Resolve(attempt, failed), Outcome::LinkRead(found)) => match found {
                None => match failed {
                    // It would be refused again.
                    Some(error) if !error.is_retriable() => return Err(error.into()),
                    _ => Phase::Commit(attempt),
                },
                Some(link) if link.nonce == attempt.link.nonce => self.committed(*attempt),
                Some(_) => Phase::Discard(attempt.link.files),
            },
            (Phase::Discard(_), _) => {
                self.sought = false;
                Phase::Load
            }
            (phase, _) => phase,
        };
        Ok(())
    }

    fn loaded(&mut self, loaded: Loaded) -> Result<Phase, SinkError> {
        let Loaded { head, last, checkpointed, low, high } = loaded;
        let TopicPartition { topic, partition } = &self.given.at;
        let (topic, partition) = (topic.to_string(), *partition);
        if let Some(hint) = self.given.hint.as_ref().filter(|hint| hint.store_id.is_some() && hint.offset > head.end) {
            return Err(SinkError::ChainLost { topic, partition, hint: hint.offset, end: head.end });
        }
        // Without a chain nothing was ever written: what is gone from the beginning was missed, too.
        let position = head.position().unwrap_or(0);
        if position < low && !self.habits.skips_gone {
            return Err(SinkError::RecordsGone { topic, partition, from: position, low });
        }
        if position > high {
            return Err(SinkError::TopicBehind { topic, partition, end: position, high });
        }
        self.heights = head.heights.clone();
        self.checkpointed = checkpointed;
        // What is gone is passed over by a commit of its own, without rows: the chain stays whole, and says so.
        self.batch = Batch::passing(position, low);
        self.flush |= !self.batch.is_empty();
        self.head = head;
        Ok(match last {
            Some(link) => self.publish(link, 0),
            None => self.after_publish(),
        })
    }

    fn publish(&self, link: Box<CommitRecord>, next: usize) -> Phase {
        if next < link.files.len() { Phase::Publish { link, next, rebuild: false } } else { self.after_publish() }
    }

    fn after_publish(&self) -> Phase {
        if self.head.records > 0 && self.hinted != Some(self.head.end) { Phase::LeaveHint } else { self.after_hint() }
    }

    /// Also right after loading: the sink that made the last link may have been killed before its checkpoint.
    fn after_hint(&self) -> Phase {
        let is_due = self.head.records.saturating_sub(self.checkpointed) >= self.habits.checkpoint_commits;
        if is_due { Phase::Checkpoint } else { self.after_checkpoint() }
    }

    fn after_checkpoint(&self) -> Phase {
        if self.sought { self.consume() } else { Phase::Seek }
    }

    fn consume(&self) -> Phase {
        if self.leaving && self.batch.is_empty() { Phase::Gone } else { Phase::Consume }
    }

    fn attempt(
        &mut self,
        files: Vec<CommittedFile>,
        identity: &Identity,
        nonce: String,
        wall_ms: i64,
    ) -> Result<Attempt, SinkError> {
        let Given { at, topic_id, .. } = &self.given;
        let link = CommitRecord {
            format_version: FORMAT_VERSION,
            code_version: identity.code_version.clone(),
            dataset: topics::dataset_of(&at.topic).to_owned(),
            topic: at.topic.to_string(),
            topic_id: topic_id.to_string(),
            partition: at.partition,
            start: self.batch.start,
            end: self.batch.next,
            rows: files.iter().map(|file| file.rows).sum(),
            duplicates: self.batch.duplicates,
            files,
            src: std::mem::take(&mut self.batch.src),
            runs: std::mem::take(&mut self.batch.runs),
            heights: BTreeMap::new(),
            writer_id: identity.writer_id.clone(),
            nonce,
            previous_sha256: self.head.last_sha256.clone(),
            committed_at: time::format_timestamp(wall_ms),
        };
        let bytes = serde_json::to_vec(&link)?;
        Ok(Attempt { path: layout::chain_record(topic_id, at.partition, link.start), link, bytes })
    }

    /// The rows are safe: their memory goes, and the next batch begins where this one ends.
    fn committed(&mut self, attempt: Attempt) -> Phase {
        self.head.advance(&attempt.link, hex::encode(Sha256::digest(&attempt.bytes)));
        self.batch = Batch::at(attempt.link.end);
        self.flush = self.leaving;
        self.publish(Box::new(attempt.link), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Machine, Now, Target};
    use super::*;

    /// A sink that has staged one record and is about to commit it.
    fn committing() -> (Machine<()>, TopicPartition) {
        let identity = Identity { writer_id: "w".into(), code_version: "0".into(), store_id: "s".into() };
        let mut machine = Machine::new(identity, Limits::default());
        let at = TopicPartition { topic: "valid".into(), partition: 0 };
        machine.assigned(Given { at: at.clone(), topic_id: "id".into(), hint: None }).unwrap();
        let head = ChainHead::empty("id", 0);
        let loaded = Loaded { head, last: None, checkpointed: 0, low: 0, high: 1 };
        machine.done(&at, Outcome::ChainLoaded(Box::new(loaded))).unwrap();
        machine.done(&at, Outcome::Done).unwrap();
        machine.tick(Now::default());
        let target = Target { tenant: "acme".into(), dataset: layout::FINDINGS, run_date: "2026-01-20".into() };
        let row = Row { target, src: "w/0/1".parse().unwrap(), run: None, bytes: 1, payload: () };
        assert_eq!(machine.record(&at, 0, row), Taken::Kept);
        machine.flush();
        assert!(matches!(machine.next_action(), Some((_, Action::Stage(_)))));
        machine.done(&at, Outcome::Staged(Vec::new())).unwrap();
        (machine, at)
    }

    fn denied() -> StoreError {
        StoreError::Denied { doing: "writing", path: "a".into(), reason: "AccessDenied".into() }
    }

    fn lost() -> StoreError {
        StoreError::NoSpace { doing: "writing", path: "a".into() }
    }

    #[test]
    fn a_commit_that_failed_is_looked_for_first() {
        for error in [denied(), lost()] {
            let (mut machine, at) = committing();
            let Some((_, Action::Commit { bytes, .. })) = machine.next_action() else { panic!("no commit") };
            let link = serde_json::from_slice(bytes).unwrap();
            machine.done(&at, Outcome::Committed(CommitOutcome::Unknown(error))).unwrap();
            assert!(matches!(machine.next_action(), Some((_, Action::ReadLink(_)))));
            machine.done(&at, Outcome::LinkRead(Some(Box::new(link)))).unwrap();
            assert!(matches!(machine.next_action(), Some((_, Action::LeaveHint(1)))), "it was made");
        }
    }

    #[test]
    fn a_commit_that_was_not_made_is_tried_again_unless_it_was_refused_for_good() {
        let (mut machine, at) = committing();
        machine.done(&at, Outcome::Committed(CommitOutcome::Unknown(lost()))).unwrap();
        machine.done(&at, Outcome::LinkRead(None)).unwrap();
        assert!(matches!(machine.next_action(), Some((_, Action::Commit { .. }))));
        machine.done(&at, Outcome::Committed(CommitOutcome::Unknown(denied()))).unwrap();
        let refused = machine.done(&at, Outcome::LinkRead(None));
        assert!(matches!(refused, Err(SinkError::Store(StoreError::Denied { .. }))), "{refused:?}");
    }
}
