//! Valid records and dead letters in, partitioned Parquet out, each record exactly once. The commit chain in the store
//! is the truth, the group offset a hint (DESIGN.md §5.3). Decisions are in [`machine`], which does no I/O; [`service`]
//! carries them out. This crate judges nothing and knows no checker, no query and no export.

pub mod chain;
pub mod counters;
mod drained;
mod error;
mod files;
mod hints;
pub mod inspect;
pub mod limits;
pub mod machine;
mod parts;
mod rebuild;
pub mod recreate;
pub mod repair;
pub mod replay;
pub mod resend;
mod row;
pub mod service;
mod timeline;
mod trace;
pub mod verify;
mod walk;

pub use counters::{Counters, Snapshot};
pub use error::SinkError;
pub use hints::store_of;
pub use limits::Limits;
pub use service::{Config, GROUP, Until, run};
