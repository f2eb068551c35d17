//! How a load joins what is live.

use super::rule::Overlap;
use crate::billing::dialect::Dialect;

/// A file of cost facts is complete at this size, as those of the sink are: large enough for fast reads, small enough to be
/// written again when a small delivery joins.
const PART_BYTES_TARGET: u64 = 128 << 20;

/// More refused rows than this say that the export is damaged, or is another one than it seems.
const REJECTS_PER_THOUSAND_MAX: u64 = 1;

/// How billing files are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOptions {
    /// Name of the export, where one billing account has several.
    pub source_name: Option<String>,
    /// How a delivery is taken whose charge periods overlap those of a live one.
    pub overlap: Overlap,
    /// The only dialect to read; files of others are left out.
    pub dialect: Option<Dialect>,
    /// Rows in a thousand that may be refused.
    pub rejects_per_thousand_max: u64,
    /// Size from which a file of cost facts is left alone when another delivery joins its month.
    pub part_bytes_target: u64,
    /// Whether an inventory for checkers is added up; it takes memory for each distinct thing that is charged.
    pub with_inventory: bool,
    /// The time by which files of crashed loads are old.
    pub now_ms: i64,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            source_name: None,
            overlap: Overlap::default(),
            dialect: None,
            rejects_per_thousand_max: REJECTS_PER_THOUSAND_MAX,
            part_bytes_target: PART_BYTES_TARGET,
            with_inventory: true,
            now_ms: 0,
        }
    }
}
