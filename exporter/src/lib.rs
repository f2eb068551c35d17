//! From the datasets to what people read: JSON files, gold tables and answers to queries, all through DuckDB over one
//! consistent [`Cut`]. Every question starts from a [`TenantScope`]. This crate never writes findings and knows
//! nothing of topics beyond the positions a cut names.

mod columns;
mod cut;
mod duck;
mod error;
mod export;
mod findings_db;
mod population;
mod tenant;

pub use cut::{BillingPeriod, ChainPosition, Cut, DataFile, RunFact};
pub use duck::DuckLimits;
pub use error::{ExportError, Result};
pub use export::*;
pub use population::{Population, RunRef};
pub use tenant::TenantScope;
