//! The sink's decisions, without I/O: what was read and what became of actions comes in, the next action goes out.
//! Every crash point, rebalance order and lost answer can so be tried in memory, with a seed (`simulation`).
//!
//! Per partition: load the chain → publish what its last commit committed → claim → seek → consume → (a limit is reached) stage →
//! read hints → look → commit → read back → publish → leave a hint → consume. A commit is committed only after all files of the one
//! before it are published, so only the last commit of a chain can ever need rolling forward.
//!
//! Sinks of two stores in one group would each hold a part of the rows. So a sink writes nothing before the group's position of the
//! partition names its store (the claim), and it reads the hints of *all* partitions before it claims, after it, and before each
//! commit. Of two sinks that claim at the same moment, at least one reads the other's claim, and stops.

mod partition;
#[cfg(test)]
mod simulation;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contracts::chain::ChainHead;
use contracts::commit_record::{CommitRecord, CommittedFile};
use contracts::last_record::LastRecord;
use lake::batch::{BatchRow, RecordPayload, Staging};
use lake::chain::Looked;
use lake::committed_offsets::CommittedOffset;
use platform::broker::TopicPartition;
use platform::store::{Published, StoreError};

use crate::error::SinkError;
use crate::limits::BatchLimits;
pub(crate) use partition::is_of_topic;
use partition::{Partition, PartitionOptions};

/// Who this sink is.
#[derive(Debug, Clone)]
pub struct WriterIdentity {
    /// Unique per process instance.
    pub writer_id: String,
    /// Version of the program.
    pub code_version: String,
    /// Identity of the store it writes to.
    pub store_id: String,
}

impl WriterIdentity {
    /// Whether this hint lets a sink of this store write.
    fn share_store(&self, at: &TopicPartition, hint: &CommittedOffset) -> Result<(), SinkError> {
        match &hint.store_id {
            Some(theirs) if *theirs != self.store_id => Err(SinkError::ForeignStore {
                topic: at.topic.to_string(),
                partition: at.partition,
                theirs: theirs.clone(),
                ours: self.store_id.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// A moment. Ages are measured by the clock that never jumps, what people read by the other.
#[derive(Debug, Clone, Copy, Default)]
pub struct Now {
    /// Time since some fixed moment, never going back.
    pub elapsed: Duration,
    /// Milliseconds since the epoch.
    pub wall_ms: i64,
}

/// A partition that was assigned to this sink.
#[derive(Debug, Clone)]
pub struct AssignedPartition {
    /// Partition.
    pub at: TopicPartition,
    /// Id of its topic.
    pub topic_id: Arc<str>,
    /// The group's position.
    pub hint: Option<CommittedOffset>,
}

/// What is to be done next; the machine waits for its [`ActionOutcome`].
#[derive(Debug)]
pub enum Action<'m, R> {
    /// Read the chain of this topic id and partition.
    LoadChain {
        /// Topic id.
        topic_id: &'m str,
        /// Partition.
        partition: u32,
    },
    /// Make a committed file visible.
    Publish {
        /// The file.
        file: &'m CommittedFile,
        /// Those that are to be published after it; they may be published with it.
        next: &'m [CommittedFile],
    },
    /// Rebuild the commit's files from the log, compare them and publish them.
    Rebuild(&'m CommitRecord),
    /// Read on from this offset.
    Seek(u64),
    /// Write a batch's files where no reader looks.
    Stage(Staging<'m, R>),
    /// Before a commit: is the commit before it what it was, and is the name of the next one free?
    Look {
        /// Path of the commit before it; `None` at the beginning of a chain.
        last: Option<String>,
        /// Digest of its bytes.
        last_sha256: &'m str,
        /// Name of the next one.
        next: &'m str,
    },
    /// Create the commit, unless its name is taken.
    Commit {
        /// Name.
        path: &'m str,
        /// Content.
        bytes: &'m [u8],
    },
    /// Read the commit of that name.
    ReadCommit(&'m str),
    /// Drop staged files that will never be committed.
    Discard(&'m [CommittedFile]),
    /// Read the hints of all partitions of the group.
    ReadOffsets {
        /// The rows of a batch wait for it, and the same was asked before they were read.
        before_commit: bool,
    },
    /// Leave the first hint of this store in the partition, with how far it is written.
    Claim(u64),
    /// Tell the group how far this partition is written.
    CommitOffset(u64),
    /// Keep the head of the chain as a checkpoint.
    Checkpoint(&'m ChainHead),
}

/// What became of an action.
#[derive(Debug)]
pub enum ActionOutcome {
    /// The chain.
    ChainLoaded(Box<LoadedChain>),
    /// Of a publish.
    Published(Published),
    /// The files were rebuilt and are published.
    Rebuilt,
    /// The files are staged.
    Staged(Vec<CommittedFile>),
    /// The hints of the group.
    OffsetsRead(Vec<(TopicPartition, CommittedOffset)>),
    /// The claim could not be left now: after the next poll it is known whether the partition is still this sink's.
    NotClaimed,
    /// What a look has found.
    Looked(Looked),
    /// Of a commit.
    Committed(CommitOutcome),
    /// The commit of that name; `None` when there is none.
    CommitRead(Option<Box<CommitRecord>>),
    /// Seek, discard, claim, hint and checkpoint are done, as far as they matter.
    Done,
}

/// A chain, and what the broker holds of its partition. The broker was asked second, so it cannot be behind.
#[derive(Debug)]
pub struct LoadedChain {
    /// What the commits add up to.
    pub head: ChainHead,
    /// The last commit.
    pub last: Option<Box<CommitRecord>>,
    /// Commits that the newest checkpoint adds up; 0 without one.
    pub checkpointed: u64,
    /// Oldest offset of the topic.
    pub low: u64,
    /// Next offset of the topic.
    pub high: u64,
    /// What the topic holds at the offset of the last record that the chain names; `None` when there is no record, or nothing to
    /// look for.
    pub found: Option<LastRecord>,
}

/// What became of a commit.
#[derive(Debug)]
pub enum CommitOutcome {
    /// The store says that the commit is ours; it is read back before that is believed.
    Created,
    /// The name is taken: by another sink, or by us when an answer was lost.
    Exists,
    /// It failed; it may be there nevertheless.
    Unknown(StoreError),
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordOutcome {
    /// It is in the open batch.
    Kept,
    /// Its source offset is not above the source watermark (rule 7): dropped and counted.
    Duplicate,
    /// Not of a partition that is being consumed, or before its position: it is another sink's, or read already. Or its batch is full:
    /// it is read again after the batch is written.
    Ignored,
}

/// The decisions of one sink.
#[derive(Debug)]
pub struct Machine<R> {
    identity: WriterIdentity,
    limits: BatchLimits,
    skips_expired: bool,
    now: Now,
    attempts: u64,
    partitions: BTreeMap<TopicPartition, Partition<R>>,
}

impl<R: RecordPayload> Machine<R> {
    /// A sink without assigned partitions.
    #[must_use]
    pub fn new(identity: WriterIdentity, limits: BatchLimits) -> Self {
        Self { identity, limits, skips_expired: false, now: Now::default(), attempts: 0, partitions: BTreeMap::new() }
    }

    /// Passes over records that the broker has removed before they were written, instead of stopping at them.
    pub fn skip_expired(&mut self) {
        self.skips_expired = true;
    }

    /// Time passes, and the broker was polled.
    pub fn tick(&mut self, now: Now) {
        self.now = now;
        self.partitions.values_mut().for_each(Partition::claim_again);
    }

    /// A partition is ours now.
    ///
    /// # Errors
    /// Its position was left by a sink that writes to another store.
    pub fn assigned(&mut self, assigned: AssignedPartition) -> Result<(), SinkError> {
        if let Some(hint) = &assigned.hint {
            self.identity.share_store(&assigned.at, hint)?;
        }
        let options =
            PartitionOptions { checkpoint_commits: self.limits.checkpoint_commits, skips_expired: self.skips_expired };
        self.partitions.insert(assigned.at.clone(), Partition::new(assigned, options));
        Ok(())
    }

    /// A partition is being revoked: the sink writes what it has read before it gives the partition up.
    pub fn revoked(&mut self, topic_partition: &TopicPartition) {
        if let Some(partition) = self.partitions.get_mut(topic_partition) {
            partition.leave();
        }
        self.partitions.retain(|_, p| !p.is_released());
    }

    /// A partition was revoked or lost: its batch is dropped, its new owner reads it again.
    pub fn lost(&mut self, topic_partition: &TopicPartition) {
        self.partitions.remove(topic_partition);
    }

    /// A record was read.
    pub fn record(&mut self, topic_partition: &TopicPartition, offset: u64, row: BatchRow<R>) -> RecordOutcome {
        match self.partitions.get_mut(topic_partition) {
            Some(partition) => partition.take(offset, row, &self.limits, self.now.elapsed),
            None => RecordOutcome::Ignored,
        }
    }

    /// Everything that was read is to be written now.
    pub fn flush(&mut self) {
        self.partitions.values_mut().for_each(Partition::flush);
    }

    /// Id of the topic of a partition that is ours.
    #[must_use]
    pub fn topic_id(&self, topic_partition: &TopicPartition) -> Option<Arc<str>> {
        Some(self.partitions.get(topic_partition)?.topic_id().clone())
    }

    /// Bytes of all open batches.
    #[must_use]
    pub fn buffered_bytes(&self) -> u64 {
        self.partitions.values().map(Partition::batch_bytes).sum()
    }

    /// Partitions that this sink has claimed for its store and written nothing of. When it stops, it can take the claims back.
    #[must_use]
    pub fn idle_claims(&self) -> Vec<TopicPartition> {
        self.partitions.iter().filter(|(_, partition)| partition.is_idle_claim()).map(|(at, _)| at.clone()).collect()
    }

    /// Partitions that are ours.
    #[must_use]
    pub fn partitions(&self) -> usize {
        self.partitions.len()
    }

    /// The next action and its partition; the same one until [`done`](Self::done) receives its outcome. `None`: read on.
    pub fn next_action(&mut self) -> Option<(TopicPartition, Action<'_, R>)> {
        if self.buffered_bytes() > self.limits.memory_bytes_max
            && let Some(largest) = self.partitions.values_mut().max_by_key(|p| p.batch_bytes())
        {
            largest.flush();
        }
        for partition in self.partitions.values_mut() {
            partition.begin_if_due(&self.limits, self.now.elapsed);
        }
        self.partitions.iter().find_map(|(at, partition)| Some((at.clone(), partition.action()?)))
    }

    /// What became of the action of that partition.
    ///
    /// # Errors
    /// The chain and the topic do not belong together any more, a commit was refused for good, or sinks of another store are in the
    /// group.
    pub fn done(&mut self, topic_partition: &TopicPartition, outcome: ActionOutcome) -> Result<(), SinkError> {
        if let ActionOutcome::OffsetsRead(hints) = &outcome {
            hints.iter().try_for_each(|(topic_partition, hint)| self.identity.share_store(topic_partition, hint))?;
        }
        let Some(partition) = self.partitions.get_mut(topic_partition) else { return Ok(()) };
        if matches!(outcome, ActionOutcome::Staged(_)) {
            self.attempts += 1;
        }
        let nonce = format!("{}/{}", self.identity.writer_id, self.attempts);
        partition.done(outcome, &self.identity, nonce, self.now.wall_ms)?;
        self.partitions.retain(|_, p| !p.is_released());
        Ok(())
    }
}
