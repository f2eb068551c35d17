//! Reading single fields of a row, and what all dialects remember between rows: months and tags come again and again.

use std::collections::HashMap;
use std::sync::Arc;

use inventories::billing::tags::{RowTags, Tags};
use inventories::billing::{cells, period};
use rust_decimal::Decimal;

use super::observed::Observed;
use super::rejects::{Reason, Refusal};
use super::row::Row;

/// Distinct tag texts remembered; a bill has few.
const TAGS_MAX: usize = 100_000;

/// A time; `None` when the cell is blank.
///
/// # Errors
/// The cell is no time.
pub fn time(row: Row<'_>, column: Option<usize>, name: &'static str) -> Result<Option<i64>, Refusal> {
    let Some(cell) = row.get(column) else { return Ok(None) };
    cells::timestamp_ms(cell).map(Some).ok_or_else(|| Refusal::of(Reason::BadTimestamp, name, cell))
}

/// An account of a cloud; `None` when the cell is blank.
///
/// # Errors
/// The cell has lost digits.
pub fn account(
    row: Row<'_>,
    column: Option<usize>,
    name: &'static str,
    cloud: &str,
) -> Result<Option<String>, Refusal> {
    let Some(cell) = row.get(column) else { return Ok(None) };
    cells::account(cell, cloud).map(Some).ok_or_else(|| Refusal::of(Reason::BadAccount, name, cell))
}

/// The first amount that is there; `None` when all cells are blank.
///
/// # Errors
/// The cell is no decimal.
pub fn amount(row: Row<'_>, columns: &[Option<usize>], name: &'static str) -> Result<Option<Decimal>, Refusal> {
    let Some(cell) = columns.iter().find_map(|column| row.amount(*column)) else { return Ok(None) };
    cells::decimal(cell).map(Some).ok_or_else(|| Refusal::of(Reason::BadDecimal, name, cell))
}

/// A currency code in upper case.
///
/// # Errors
/// ISO 4217 does not list it.
pub fn currency(cell: &str, name: &'static str) -> Result<String, Refusal> {
    let code = cell.to_uppercase();
    if contracts::currency::is_known(&code) { Ok(code) } else { Err(Refusal::of(Reason::UnknownCurrency, name, &code)) }
}

/// A number that is no amount: unreadable means unknown, and is counted.
pub fn number(row: Row<'_>, column: Option<usize>, name: &'static str, observed: &mut Observed) -> Option<Decimal> {
    let number = cells::decimal(row.get(column)?);
    if number.is_none() {
        observed.unreadable_cell(name);
    }
    number
}

/// The month of a row; the same one comes with every row.
#[derive(Debug, Default)]
pub struct Months {
    last: Option<(i64, Option<i64>, String)>,
}

impl Months {
    /// The month of a billing period, else of the usage.
    pub fn of(&mut self, start_ms: Option<i64>, end_ms: Option<i64>, usage_start_ms: i64) -> Option<String> {
        let (start_ms, end_ms) = (start_ms.unwrap_or(usage_start_ms), start_ms.and(end_ms));
        if let Some((start, end, month)) = &self.last
            && (*start, *end) == (start_ms, end_ms)
        {
            return Some(month.clone());
        }
        let month = period::month(start_ms, end_ms)?;
        self.last = Some((start_ms, end_ms, month.clone()));
        Some(month)
    }
}

/// The tags of the texts seen so far: the same text comes with every row of a resource, and is parsed once.
#[derive(Debug, Default)]
pub struct TagsCache(HashMap<String, RowTags>);

impl TagsCache {
    /// The tags of a text, which `parse` reads when it is new; `None` of it means unknown.
    pub fn of(&mut self, text: &str, parse: impl FnOnce() -> Option<Tags>) -> RowTags {
        if let Some(tags) = self.0.get(text) {
            return tags.clone();
        }
        if self.0.len() >= TAGS_MAX {
            self.0.clear();
        }
        let tags = parse().map_or(RowTags::Unknown, |tags| RowTags::Known(Arc::new(tags)));
        self.0.insert(text.to_owned(), tags.clone());
        tags
    }
}
