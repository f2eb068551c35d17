//! How a load joins what is live.

use super::rule::Overlap;

/// A file of cost facts is complete at this size, as those of the sink are: large enough for fast reads, small enough to be
/// written again when a small delivery joins.
const PART_BYTES_TARGET: u64 = 128 << 20;

/// How billing files are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOptions {
    /// Name of the export, where one billing account has several.
    pub source_name: Option<String>,
    /// How a delivery is taken whose charge periods overlap those of a live one.
    pub overlap: Overlap,
    /// Size from which a file of cost facts is left alone when another delivery joins its month.
    pub part_bytes_target: u64,
    /// The time by which files of crashed loads are old.
    pub now_ms: i64,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { source_name: None, overlap: Overlap::default(), part_bytes_target: PART_BYTES_TARGET, now_ms: 0 }
    }
}
