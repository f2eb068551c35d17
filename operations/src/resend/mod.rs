//! Records that an operator sends through the pipeline once more: dead letters whose cause is mended ([`redrive`]),
//! wire records that are to be judged again ([`wire`]), and those that are missing ([`missing`]). What was sent is listed in an audit
//! record ([`journal`]), which is also how a second try knows what the first one did, and how all readers know which records
//! were sent again ([`lake::ledger`]). Knows records and positions; what a finding is it does not know.

pub mod journal;
pub mod letters;
pub mod lock;
pub(crate) mod membership;
pub mod missing;
pub mod patch;
pub mod redrive;
mod sender;
pub mod wire;

use contracts::chain::BrokenChain;
use lake::ledger::LedgerError;
use platform::broker::BrokerError;
use platform::store::StoreError;

/// Sending again could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    /// The store refused.
    #[error("sending again: {0}")]
    Store(#[from] StoreError),
    /// The broker refused.
    #[error("sending again: {0}")]
    Broker(#[from] BrokerError),
    /// A chain cannot be followed, so it is not known what is there.
    #[error("sending again: {0}; run `finops verify` to see what is wrong")]
    Chain(#[from] BrokenChain),
    /// A committed file cannot be read.
    #[error("sending again: reading {path}: {problem}; run `finops verify` to see what is wrong")]
    File {
        /// File.
        path: String,
        /// Why.
        problem: String,
    },
    /// An audit record cannot be read or is not what was just written.
    #[error("sending again: audit record {path}: {problem}")]
    Audit {
        /// Object.
        path: String,
        /// Why.
        problem: String,
    },
    /// Another process is doing the same.
    #[error("another process holds {lock}: wait until it has ended, or until its session has expired")]
    Held {
        /// What is held.
        lock: String,
    },
}

impl From<LedgerError> for ResendError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => error.into(),
            LedgerError::Unreadable { path, problem } => Self::Audit { path, problem },
        }
    }
}
