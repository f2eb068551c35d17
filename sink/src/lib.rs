//! Valid records and dead letters in, partitioned Parquet out, each record exactly once. The commit chain in the store
//! is the truth, the group offset a hint (DESIGN.md §5.3). Decisions are in [`machine`], which does no I/O; [`service`]
//! carries them out. This crate judges nothing and knows no checker, no query and no export.

pub mod counters;
mod drained;
mod error;
pub mod limits;
pub mod machine;
mod metrics;
pub mod service;
mod topic_end;
mod trace;

pub use counters::{SinkCounters, SinkSnapshot};
pub use error::SinkError;
pub use limits::BatchLimits;
pub use service::{SinkConfig, SinkDeps, run};
