//! What a sink cannot go on from.

use contracts::chain::BrokenChain;
use lake::LakeError;
use platform::broker::BrokerError;
use platform::store::StoreError;

/// The sink cannot go on. Nothing is lost: what is committed stays, what is not stays in the topic.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The broker refused for good.
    #[error("sink: {0}")]
    Broker(#[from] BrokerError),
    /// The store refused for good.
    #[error("sink: {0}")]
    Store(#[from] StoreError),
    /// A chain cannot be read.
    #[error("sink: {0}; `finops verify` shows what is wrong, `finops repair` rebuilds the last record of a chain")]
    Chain(#[from] BrokenChain),
    /// The group's position was left by a sink that writes elsewhere (DESIGN.md §5.3 rule 5).
    #[error(
        "sink: group position of {topic}/{partition} was left by a sink that writes to store {theirs}, this one is \
         {ours}: sinks of one group must share their store. Give this sink that store, or another broker. If no sink will ever \
         write to {theirs} again, run `finops sink run --drain --replace-store {theirs}` once: it writes to this store \
         everything that the topics still hold"
    )]
    ForeignStore {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Store of the one that left the position.
        theirs: String,
        /// This sink's store.
        ours: String,
    },
    /// The group has a position, the store has a shorter chain: commit records were removed.
    #[error(
        "sink: group position of {topic}/{partition} is {hint}, but the commit chain in the store ends at {end}: commit \
         records are missing. `finops verify` shows what is there, `finops repair` rebuilds the last record from topic and \
         files; if it cannot, restore `_sink/` of the store"
    )]
    ChainLost {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Position of the group.
        hint: u64,
        /// End of the chain.
        end: u64,
    },
    /// The broker has removed records that the sink had not written.
    #[error(
        "sink: records {from} to {low} (exclusive) of {topic}/{partition} expired on the broker before they were \
         written. To skip them run `finops sink run --drain --skip-expired` once; then `finops repair` sends those again \
         that the wire topics still hold, and `finops verify` names the others, which only their producers can send again"
    )]
    RecordsExpired {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// First one that expired.
        from: u64,
        /// Oldest one still there.
        low: u64,
    },
    /// The chain is ahead of the topic: the broker was set back or is another one.
    #[error(
        "sink: the commit chain of {topic}/{partition} ends at {end}, the topic at {high}: the broker has lost records \
         that are written already, or is not the one that the chain belongs to. Give this sink its broker back; if the \
         broker was rolled back, docs/backup.md (\"A broker that was rolled back\") says how to go on without losing what is \
         still there"
    )]
    TopicBehind {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// End of the chain.
        end: u64,
        /// End of the topic.
        high: u64,
    },
    /// The topic holds another record than the one that was written: the broker was rolled back and has grown again.
    #[error(
        "sink: the broker of {topic}/{partition} was rolled back (restored from a backup, or a copy that lacked records became \
         its leader): the commit chain ends with {written} at offset {offset}, where the topic now holds {found}. Nothing more is \
         written: records that came since would be taken for written ones. `finops verify` names what differs; docs/backup.md \
         (\"A broker that was rolled back\") says how to go on without losing what is still there"
    )]
    RolledBack {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Offset of the record.
        offset: u64,
        /// What was written.
        written: String,
        /// What is there.
        found: String,
    },
    /// The last commit record is not what this sink has read or written.
    #[error(
        "sink: {path} was committed, and {problem}: nothing more is written. Look who else writes to the store and whether \
         it keeps what it was given (`finops doctor`); `finops verify` shows what is there, `finops repair` rebuilds the last \
         record of a chain"
    )]
    CommitChanged {
        /// The record.
        path: String,
        /// What is the matter with it.
        problem: &'static str,
    },
    /// The store said that it created a commit record, and did not.
    #[error(
        "sink: the store answered that it created {path}, but {problem}: it does not keep what it answers, so nothing is \
         written to it. Nothing was published of this commit; ask `finops doctor` about the store before a sink starts again"
    )]
    CommitNotKept {
        /// The record.
        path: String,
        /// What is there instead.
        problem: String,
    },
    /// Something cannot be written as JSON.
    #[error("sink: encoding a commit record: {0}")]
    Json(#[from] serde_json::Error),
    /// Files or commits cannot be written.
    #[error("sink: {0}")]
    Lake(#[source] LakeError),
}

impl From<LakeError> for SinkError {
    fn from(error: LakeError) -> Self {
        match error {
            LakeError::Broker(error) => error.into(),
            LakeError::Store(error) => error.into(),
            LakeError::Chain(broken) => broken.into(),
            LakeError::Json(error) => error.into(),
            other => Self::Lake(other),
        }
    }
}

impl SinkError {
    /// True when the same may succeed later.
    pub(crate) fn is_retriable(&self) -> bool {
        match self {
            Self::Broker(error) => error.is_retriable(),
            Self::Store(error) => error.is_retriable(),
            _ => false,
        }
    }

    /// True when waiting may mend it.
    pub(crate) fn may_pass(&self) -> bool {
        self.is_retriable() || matches!(self, Self::Broker(error) if error.may_pass())
    }
}
