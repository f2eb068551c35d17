//! What a reader makes of a row.

use inventories::billing::fact::{CostFact, RowDetail};

/// An accepted row.
#[derive(Debug)]
pub struct ReadRow {
    /// What is stored of it.
    pub fact: CostFact,
    /// What checkers look at beyond that.
    pub detail: RowDetail,
    /// Hash of what it charges for.
    pub charge_hash: u64,
}
