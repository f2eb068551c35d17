//! What stops the taking of a cut, or the reading of its files.

use platform::store::StoreError;

/// A cut cannot be had whole.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// A commit record, run manifest, delivery manifest or file is unreadable or does not fit its neighbours.
    #[error("reading {path}: {problem}")]
    BadObject {
        /// Path in the store.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Result of a call for a cut.
pub type Result<T> = std::result::Result<T, CutError>;
