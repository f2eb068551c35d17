//! One partition on its way from assignment to commit, again and again.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use contracts::chain::ChainHead;
use contracts::commit_record::{CommitRecord, CommittedFile};
use contracts::last_record::LastRecord;
use contracts::layout;
use contracts::source::SrcPartition;
use lake::batch::{Batch, BatchRow, RecordPayload, Staging};
use lake::chain::Looked;
use lake::commit::{self, Author};
use platform::broker::TopicPartition;
use platform::store::{Published, StoreError};
use sha2::{Digest, Sha256};

use super::{Action, ActionOutcome, AssignedPartition, CommitOutcome, LoadedChain, RecordOutcome, WriterIdentity};
use crate::error::SinkError;
use crate::limits::BatchLimits;

#[derive(Debug)]
enum Phase {
    Load,
    Publish {
        commit: Box<CommitRecord>,
        next: usize,
        rebuild: bool,
    },
    /// Are sinks of another store in the group?
    Ask(Purpose),
    Claim,
    /// The claim is made after the next poll.
    Unclaimed,
    CommitOffset,
    Checkpoint,
    Seek,
    Consume,
    Stage,
    Look(Box<Attempt>),
    Commit(Box<Attempt>),
    /// The store says that the commit is there and ours: is it?
    ReadBack(Box<Attempt>),
    /// Another commit has that name, or the commit failed: is the commit there, and whose is it?
    Resolve(Box<Attempt>, Option<StoreError>),
    Discard(Vec<CommittedFile>),
    Released,
}

/// What follows when the group's hints were read, and none is of another store.
#[derive(Debug)]
enum Purpose {
    Claim,
    Consume,
    Commit(Box<Attempt>),
}

/// A commit that may become, or already be, the next of the chain.
#[derive(Debug)]
struct Attempt {
    commit: CommitRecord,
    path: String,
    bytes: Vec<u8>,
}

/// What is the same for all partitions of a sink.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartitionOptions {
    /// Commits between two checkpoints.
    pub checkpoint_commits: u64,
    /// Records that the broker has removed unwritten are passed over.
    pub skips_expired: bool,
}

#[derive(Debug)]
pub(super) struct Partition<R> {
    assigned: AssignedPartition,
    options: PartitionOptions,
    head: ChainHead,
    source_watermarks: BTreeMap<SrcPartition, u64>,
    batch: Batch<R>,
    phase: Phase,
    /// Position of the group, where it names this store.
    hinted: Option<u64>,
    /// This sink was the first to name the store, and the hints were read after it.
    has_claimed: bool,
    has_asked: bool,
    /// A commit was begun, so that there may be one.
    has_begun: bool,
    /// Commits that the newest checkpoint adds up.
    checkpointed: u64,
    sought: bool,
    flush: bool,
    leaving: bool,
}

impl<R: RecordPayload> Partition<R> {
    pub fn new(assigned: AssignedPartition, options: PartitionOptions) -> Self {
        let head = ChainHead::empty(&assigned.topic_id, assigned.at.partition);
        // A hint of another store was refused before.
        let hinted = assigned.hint.as_ref().filter(|hint| hint.store_id.is_some()).map(|hint| hint.offset);
        Self {
            assigned,
            options,
            head,
            source_watermarks: BTreeMap::new(),
            batch: Batch::at(0),
            phase: Phase::Load,
            hinted,
            has_claimed: false,
            has_asked: false,
            has_begun: false,
            checkpointed: 0,
            sought: false,
            flush: false,
            leaving: false,
        }
    }

    pub fn topic_id(&self) -> &Arc<str> {
        &self.assigned.topic_id
    }

    pub fn batch_bytes(&self) -> u64 {
        self.batch.bytes
    }

    pub fn is_released(&self) -> bool {
        matches!(self.phase, Phase::Released)
    }

    pub fn is_idle_claim(&self) -> bool {
        self.has_claimed && self.head.records == 0 && !self.has_begun
    }

    /// The broker was polled: a member that the partition is still assigned to may try again.
    pub fn claim_again(&mut self) {
        if matches!(self.phase, Phase::Unclaimed) {
            self.phase = Phase::Ask(Purpose::Claim);
        }
    }

    pub fn flush(&mut self) {
        self.flush = true;
    }

    pub fn leave(&mut self) {
        self.leaving = true;
        self.flush = true;
        let is_at_rest = matches!(self.phase, Phase::Consume) && self.batch.is_empty();
        if is_at_rest || matches!(self.phase, Phase::Unclaimed) {
            self.phase = Phase::Released;
        }
    }

    pub fn take(&mut self, offset: u64, row: BatchRow<R>, limits: &BatchLimits, elapsed: Duration) -> RecordOutcome {
        if !matches!(self.phase, Phase::Consume) || offset < self.batch.next {
            return RecordOutcome::Ignored;
        }
        if self.batch.record_bytes >= limits.commit_record_bytes_max {
            // One poll may bring more than a commit record may list: the rest is read again after this batch.
            self.sought = false;
            return RecordOutcome::Ignored;
        }
        match self.batch.take(offset, row, &mut self.source_watermarks, elapsed) {
            true => RecordOutcome::Kept,
            false => RecordOutcome::Duplicate,
        }
    }

    pub fn begin_if_due(&mut self, limits: &BatchLimits, elapsed: Duration) {
        if !matches!(self.phase, Phase::Consume) {
            return;
        }
        if limits.are_reached(&self.batch, elapsed) || (self.flush && !self.batch.is_empty()) {
            self.phase = Phase::Stage;
        } else {
            self.flush = false;
        }
    }

    pub fn action(&self) -> Option<Action<'_, R>> {
        Some(match &self.phase {
            Phase::Load => {
                Action::LoadChain { topic_id: &self.assigned.topic_id, partition: self.assigned.at.partition }
            }
            Phase::Publish { commit, rebuild: true, .. } => Action::Rebuild(commit),
            Phase::Publish { commit, next, .. } => {
                let (file, next) = commit.files.get(*next..)?.split_first()?;
                Action::Publish { file, next }
            }
            Phase::Ask(purpose) => Action::ReadOffsets { before_commit: matches!(purpose, Purpose::Commit(_)) },
            Phase::Claim => Action::Claim(self.head.end),
            Phase::CommitOffset => Action::CommitOffset(self.head.end),
            Phase::Checkpoint => Action::Checkpoint(&self.head),
            Phase::Seek => Action::Seek(self.batch.next),
            Phase::Stage => Action::Stage(Staging {
                topic_id: &self.assigned.topic_id,
                partition: self.assigned.at.partition,
                start: self.batch.start,
                end: self.batch.next,
                files: &self.batch.files,
            }),
            Phase::Look(attempt) => {
                let last = || layout::chain_record(&self.head.topic_id, self.head.partition, self.head.last_start);
                let last = (self.head.records > 0).then(last);
                Action::Look { last, last_sha256: &self.head.last_sha256, next: &attempt.path }
            }
            Phase::Commit(attempt) => Action::Commit { path: &attempt.path, bytes: &attempt.bytes },
            Phase::ReadBack(attempt) | Phase::Resolve(attempt, _) => Action::ReadCommit(&attempt.path),
            Phase::Discard(files) => Action::Discard(files),
            Phase::Unclaimed | Phase::Consume | Phase::Released => return None,
        })
    }

    pub fn done(
        &mut self,
        outcome: ActionOutcome,
        identity: &WriterIdentity,
        nonce: String,
        wall_ms: i64,
    ) -> Result<(), SinkError> {
        let phase = std::mem::replace(&mut self.phase, Phase::Load);
        self.phase = match (phase, outcome) {
            (Phase::Load, ActionOutcome::ChainLoaded(loaded)) => self.loaded(*loaded)?,
            (Phase::Publish { commit, .. }, ActionOutcome::Published(Published::Missing)) => {
                Phase::Publish { commit, next: 0, rebuild: true }
            }
            (Phase::Publish { commit, next, .. }, ActionOutcome::Published(_)) => self.publish(commit, next + 1),
            (Phase::Publish { .. }, ActionOutcome::Rebuilt) => self.after_publish(),
            (Phase::Ask(purpose), _) => self.asked(purpose),
            (Phase::Claim, ActionOutcome::NotClaimed) => Phase::Unclaimed,
            (Phase::Claim, _) => {
                self.hinted = Some(self.head.end);
                self.has_claimed = true;
                Phase::Ask(Purpose::Consume)
            }
            (Phase::CommitOffset, _) => {
                self.hinted = Some(self.head.end);
                self.after_offset()
            }
            (Phase::Checkpoint, _) => {
                self.checkpointed = self.head.records;
                self.after_checkpoint()
            }
            (Phase::Seek, _) => {
                self.sought = true;
                self.consume()
            }
            (Phase::Stage, ActionOutcome::Staged(files)) => {
                Phase::Ask(Purpose::Commit(Box::new(self.attempt(files, identity, nonce, wall_ms)?)))
            }
            (Phase::Look(attempt), ActionOutcome::Looked(looked)) => self.looked(attempt, looked)?,
            (Phase::Commit(attempt), ActionOutcome::Committed(CommitOutcome::Created)) => Phase::ReadBack(attempt),
            (Phase::ReadBack(attempt), ActionOutcome::CommitRead(found)) => match found {
                Some(commit) if commit.nonce == attempt.commit.nonce => self.committed(*attempt),
                found => return Err(not_kept(*attempt, found.map(|commit| *commit))),
            },
            (Phase::Commit(attempt), ActionOutcome::Committed(CommitOutcome::Exists)) => Phase::Resolve(attempt, None),
            (Phase::Commit(attempt), ActionOutcome::Committed(CommitOutcome::Unknown(error))) => {
                Phase::Resolve(attempt, Some(error))
            }
            (Phase::Resolve(attempt, failed), ActionOutcome::CommitRead(found)) => match found {
                None => match failed {
                    // It would be refused again.
                    Some(error) if !error.is_retriable() => return Err(error.into()),
                    // Another sink may have committed since.
                    _ => Phase::Look(attempt),
                },
                Some(commit) if commit.nonce == attempt.commit.nonce => self.committed(*attempt),
                Some(_) => Phase::Discard(attempt.commit.files),
            },
            (Phase::Discard(_), _) => {
                self.sought = false;
                Phase::Load
            }
            (phase, _) => phase,
        };
        Ok(())
    }

    fn loaded(&mut self, loaded: LoadedChain) -> Result<Phase, SinkError> {
        let LoadedChain { head, last, checkpointed, low, high, found } = loaded;
        let TopicPartition { topic, partition } = &self.assigned.at;
        let (topic, partition) = (topic.to_string(), *partition);
        if let Some(hint) = self.assigned.hint.as_ref().filter(|hint| hint.store_id.is_some() && hint.offset > head.end)
        {
            return Err(SinkError::ChainLost { topic, partition, hint: hint.offset, end: head.end });
        }
        // Without a chain nothing was ever written: what expired at the beginning was missed, too.
        let position = head.position().unwrap_or(0);
        if position < low && !self.options.skips_expired {
            return Err(SinkError::RecordsExpired { topic, partition, from: position, low });
        }
        is_of_topic(&self.assigned.at, &head, low..high, found.as_ref())?;
        self.source_watermarks = head.source_watermarks.clone();
        self.checkpointed = checkpointed;
        // What has expired is skipped by a commit of its own, without rows: the chain stays whole, and says so.
        self.batch = Batch::passing(position, low);
        self.flush |= !self.batch.is_empty();
        self.head = head;
        Ok(match last {
            Some(commit) => self.publish(commit, 0),
            None => self.after_publish(),
        })
    }

    fn publish(&self, commit: Box<CommitRecord>, next: usize) -> Phase {
        if next < commit.files.len() { Phase::Publish { commit, next, rebuild: false } } else { self.after_publish() }
    }

    fn after_publish(&self) -> Phase {
        if self.has_asked { self.commit_offset_if_due() } else { Phase::Ask(Purpose::Claim) }
    }

    /// No sink of another store has left a hint.
    fn asked(&mut self, purpose: Purpose) -> Phase {
        match purpose {
            Purpose::Claim if self.hinted.is_none() => Phase::Claim,
            Purpose::Claim | Purpose::Consume => {
                self.has_asked = true;
                self.commit_offset_if_due()
            }
            Purpose::Commit(attempt) => Phase::Look(attempt),
        }
    }

    fn commit_offset_if_due(&self) -> Phase {
        if self.hinted == Some(self.head.end) { self.after_offset() } else { Phase::CommitOffset }
    }

    /// Also right after loading: the sink that made the last commit may have been killed before its checkpoint.
    fn after_offset(&self) -> Phase {
        let is_due = self.head.records.saturating_sub(self.checkpointed) >= self.options.checkpoint_commits;
        if is_due { Phase::Checkpoint } else { self.after_checkpoint() }
    }

    fn after_checkpoint(&self) -> Phase {
        if self.sought { self.consume() } else { Phase::Seek }
    }

    fn consume(&self) -> Phase {
        if self.leaving && self.batch.is_empty() { Phase::Released } else { Phase::Consume }
    }

    fn attempt(
        &mut self,
        files: Vec<CommittedFile>,
        identity: &WriterIdentity,
        nonce: String,
        wall_ms: i64,
    ) -> Result<Attempt, SinkError> {
        let WriterIdentity { writer_id, code_version, .. } = identity;
        let author = Author { writer_id, code_version, nonce, wall_ms };
        let commit = commit::record_of(&mut self.batch, files, &self.assigned.at, &self.head, author)?;
        let bytes = commit.to_bytes()?;
        Ok(Attempt { path: layout::chain_record(&commit.topic_id, commit.partition, commit.start), commit, bytes })
    }

    fn looked(&mut self, attempt: Box<Attempt>, looked: Looked) -> Result<Phase, SinkError> {
        self.has_begun = true;
        let path = || layout::chain_record(&self.head.topic_id, self.head.partition, self.head.last_start);
        match looked {
            Looked::Ready => Ok(Phase::Commit(attempt)),
            Looked::NameTaken => Ok(Phase::Resolve(attempt, None)),
            Looked::LastMissing => Err(SinkError::CommitChanged { path: path(), problem: "it is not there any more" }),
            Looked::LastChanged => {
                Err(SinkError::CommitChanged { path: path(), problem: "it holds other bytes than were committed" })
            }
        }
    }

    /// The rows are safe: their memory goes, and the next batch begins where this one ends.
    fn committed(&mut self, attempt: Attempt) -> Phase {
        self.head.advance(&attempt.commit, hex::encode(Sha256::digest(&attempt.bytes)));
        self.batch = Batch::at(attempt.commit.end);
        self.flush = self.leaving;
        self.publish(Box::new(attempt.commit), 0)
    }
}

/// A topic that ends before its chain, or holds something else where the chain ends, was rolled back.
pub(crate) fn is_of_topic(
    TopicPartition { topic, partition }: &TopicPartition,
    head: &ChainHead,
    held: Range<u64>,
    found: Option<&LastRecord>,
) -> Result<(), SinkError> {
    let (topic, partition) = (topic.to_string(), *partition);
    if head.end > held.end {
        return Err(SinkError::TopicBehind { topic, partition, end: head.end, high: held.end });
    }
    match head.last_record.as_ref().filter(|last| held.contains(&last.offset)) {
        Some(written) if found.is_none_or(|found| found.sha256 != written.sha256) => Err(SinkError::RolledBack {
            topic,
            partition,
            offset: written.offset,
            written: LastRecord::describe(Some(written)),
            found: LastRecord::describe(found),
        }),
        _ => Ok(()),
    }
}

/// The store has said that it created a commit.
fn not_kept(Attempt { path, .. }: Attempt, found: Option<CommitRecord>) -> SinkError {
    let problem = match found {
        None => "it is not there".to_owned(),
        Some(other) => format!("it holds the commit of {}", other.writer_id),
    };
    SinkError::CommitNotKept { path, problem }
}

#[cfg(test)]
mod tests;
