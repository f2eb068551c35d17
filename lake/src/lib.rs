//! What lies in a store and how it is read and proved: the commit chains, the data files of a commit, what `verify` compares, and what
//! of it can be rebuilt from the topics. Knows no query engine, and no service.

pub mod batch;
pub mod chain;
pub mod commit;
pub mod committed_offsets;
pub mod cut;
mod error;
pub mod files;
pub mod ledger;
pub mod repair;
pub mod row;
pub mod verify;

pub use error::LakeError;
