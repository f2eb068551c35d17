//! Wire records in, verdicts out: every record of the wire topics becomes one valid record or one dead
//! letter, moved together with its source offset in one atomic step. The rules are in `contracts`; this
//! crate only carries records to them. It knows nothing of Parquet, and never drops or repairs a record.

mod begin;
mod config;
pub mod counters;
mod cut;
mod error;
mod history;
mod limits;
mod metrics;
pub mod policy;
pub mod register;
mod rollback;
pub mod routing;
mod selection;
pub mod service;
pub mod transform;

pub use config::ValidatorConfig;
pub use counters::{ValidatorCounters, ValidatorSnapshot};
pub use error::ValidatorError;
pub use policy::{PolicyError, ProducerPolicies};
pub use selection::Selection;
pub use service::{ValidatorDeps, run};
