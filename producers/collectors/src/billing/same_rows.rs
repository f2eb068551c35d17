//! The same bill in two forms, such as CSV and Parquet, given together: their bytes differ and their rows are the same. Such files
//! are found by a sum over their rows that does not depend on the order. Pure.

use std::collections::HashMap;

use inventories::billing::fact::CostFact;

use super::facts::scaled;

/// Rows of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RowsSum {
    rows: u64,
    sums: [u64; 2],
}

impl RowsSum {
    /// Adds a row; `charge` is the hash of what it charges for.
    pub fn add(&mut self, fact: &CostFact, charge: u64) {
        let cost = scaled(fact.cost_unblended);
        let numbers = [
            fact.usage_start_ms.unsigned_abs(),
            fact.usage_end_ms.unwrap_or_default().unsigned_abs(),
            cost.unsigned_abs() as u64,
            (cost >> 64) as u64,
        ];
        let hash = numbers.into_iter().fold(mixed(charge), |hash, number| mixed(hash ^ number));
        self.rows += 1;
        self.sums[0] = self.sums[0].wrapping_add(hash);
        self.sums[1] = self.sums[1].wrapping_add(mixed(hash));
    }
}

/// The finaliser of splitmix64: one bit in changes half of the bits out.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Files that have been read.
#[derive(Debug, Default)]
pub struct FilesRead(HashMap<RowsSum, String>);

impl FilesRead {
    /// Adds a file; returns an earlier one with the same rows, and how many they are.
    pub fn add(&mut self, file: &str, rows: RowsSum) -> Option<(String, u64)> {
        if rows.rows == 0 {
            return None;
        }
        self.0.insert(rows, file.to_owned()).map(|other| (other, rows.rows))
    }
}
