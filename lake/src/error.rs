//! What stops work on the files and commits of a store.

use contracts::chain::BrokenChain;
use platform::broker::BrokerError;
use platform::store::StoreError;

/// Files or commits cannot be read or written. Nothing is lost: what is committed stays, what is not stays in the topic.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The broker refused.
    #[error("{0}")]
    Broker(#[from] BrokerError),
    /// The store refused.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A chain cannot be read.
    #[error("{0}")]
    Chain(#[from] BrokenChain),
    /// A validator of a newer version has written what this program cannot read.
    #[error(
        "record {offset} of {topic}/{partition} is of schema version {version}, this program knows versions 1 to {known}: \
         nothing is lost, and nothing of it is written. Start a sink of the version of your validators, or a newer one"
    )]
    NewerSchema {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Offset of the record.
        offset: u64,
        /// Its version.
        version: u32,
        /// The newest version that is known here.
        known: u16,
    },
    /// A committed file is neither published nor staged, and cannot be rebuilt.
    #[error("{path} is committed but missing, and cannot be rebuilt from the topic: {problem}")]
    CannotRebuild {
        /// File.
        path: String,
        /// Why.
        problem: String,
    },
    /// A sink has committed more since `repair` looked at what is missing.
    #[error(
        "a sink has committed {path} meanwhile, so other records may be missing now: nothing was sent; repair again"
    )]
    CommittedMeanwhile {
        /// The record.
        path: String,
    },
    /// A commit record cannot be rebuilt.
    #[error("{path} cannot be rebuilt: {problem}")]
    CannotRecommit {
        /// The record, or the folder of its chain.
        path: String,
        /// Why.
        problem: String,
    },
    /// Sinks write records of this topic to no dataset.
    #[error("records of topic {0} belong to no dataset")]
    NoDataset(String),
    /// Parquet or Arrow refused.
    #[error("encoding {path}: {problem}")]
    Encode {
        /// File.
        path: String,
        /// Why.
        problem: String,
    },
    /// Something cannot be written as JSON.
    #[error("encoding a commit record: {0}")]
    Json(#[from] serde_json::Error),
}

impl LakeError {
    /// True when the same may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Broker(error) => error.is_retriable(),
            Self::Store(error) => error.is_retriable(),
            _ => false,
        }
    }
}
