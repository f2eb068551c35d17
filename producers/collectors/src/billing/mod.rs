//! The billing collector: reads billing files in a stream, stores their rows as cost facts and records the inventory that
//! checkers run over. Knows no checker. One file or folder per export dialect, one file per container.

mod batch_columns;
mod cell_text;
mod clouds;
pub mod conformance;
mod container;
mod csv_rows;
mod cur;
mod dialect;
mod error;
mod facts;
mod fields;
mod focus;
mod focus_columns;
mod folder;
mod header;
mod known_charges;
mod layout;
mod load;
mod load_report;
mod manifest;
mod observed;
mod parquet_rows;
mod quote;
mod read_row;
mod reader;
mod rejects;
mod row;
mod row_key;
mod same_rows;
mod storage;
mod text_ids;
mod unclear_overlap;
mod visitor;

pub use self::container::FileIdentity;
pub use self::csv_rows::LINE_BYTES_MAX;
pub use self::dialect::Dialect;
pub use self::error::LoadError;
pub use self::facts::{Effect, LiveMonth, LoadOptions, LoadedDelivery, Overlap, SupersededDelivery, live};
pub use self::folder::{BillPaths, DeliveryPaths, find};
pub use self::load::{Loaded, load, load_counting};
pub use self::load_report::{DeliveryRead, LoadReport};
pub use self::observed::Observed;
pub use self::rejects::{Reason, Refusal, Rejects, Sample};
pub use self::storage::BillStorage;
pub use self::unclear_overlap::UnclearOverlap;
