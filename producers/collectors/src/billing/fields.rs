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
/// Columns of times: start and end of what is charged and of its billing period.
const TIMES: usize = 4;
/// Months of one file that are remembered.
const MONTHS_MAX: usize = 8;

/// The columns of times of a dialect: number and name.
#[derive(Debug, Clone, Copy)]
pub struct TimeColumns {
    /// First instant of what is charged.
    pub usage_start: (Option<usize>, &'static str),
    /// Its end.
    pub usage_end: (Option<usize>, &'static str),
    /// First instant of the billing period.
    pub billing_start: (Option<usize>, &'static str),
    /// Its end.
    pub billing_end: (Option<usize>, &'static str),
}

/// The times of a row, in milliseconds since the epoch, and its billing month.
#[derive(Debug)]
pub struct RowTimes {
    pub usage_start_ms: i64,
    pub usage_end_ms: Option<i64>,
    /// True when the end was left out because it lies before the start.
    pub ends_too_early: bool,
    pub billing_start_ms: Option<i64>,
    pub billing_end_ms: Option<i64>,
    pub month: Arc<str>,
}

/// Usage that starts longer than this before its billing period, or after it, is not of that period: bills settle what is late within two
/// months.
const FAR_MS: i64 = 62 * 86_400_000;
/// Length of a billing period whose end is not stated.
const MONTH_MS: i64 = 31 * 86_400_000;

impl RowTimes {
    /// True when usage of these times cannot be of its billing period: one of the dates is wrong.
    #[must_use]
    pub fn are_far_apart(&self) -> bool {
        let Some(start_ms) = self.billing_start_ms else { return false };
        let end_ms = self.billing_end_ms.unwrap_or(start_ms.saturating_add(MONTH_MS));
        let far = start_ms.saturating_sub(FAR_MS)..end_ms.saturating_add(FAR_MS);
        !far.contains(&self.usage_start_ms)
    }
}

/// Reads the times of rows. In text the same ones come again and again, and are read once.
#[derive(Debug, Default)]
pub struct Times {
    /// The last text of each column, and what it says.
    last: [Option<(String, i64)>; TIMES],
    months: Months,
}

impl Times {
    /// Of a row.
    ///
    /// # Errors
    /// A cell is no time, that of the start is blank, or the month is in no year that has four digits.
    pub fn of(&mut self, row: Row<'_>, columns: &TimeColumns) -> Result<RowTimes, Refusal> {
        let TimeColumns { usage_start, usage_end, billing_start, billing_end } = *columns;
        let missing = |name| move || Refusal::blank(Reason::BadTimestamp, name);
        let usage_start_ms = self.cell(0, row, usage_start)?.ok_or_else(missing(usage_start.1))?;
        let usage_end_ms = self.cell(1, row, usage_end)?;
        let billing_start_ms = self.cell(2, row, billing_start)?;
        let billing_end_ms = self.cell(3, row, billing_end)?;
        let month = self.months.of(billing_start_ms, billing_end_ms, usage_start_ms);
        let month_is_from = if billing_start_ms.is_some() { billing_start.1 } else { usage_start.1 };
        let month = month.ok_or_else(missing(month_is_from))?;
        let ends_too_early = usage_end_ms.is_some_and(|end_ms| end_ms < usage_start_ms);
        let usage_end_ms = usage_end_ms.filter(|_| !ends_too_early);
        Ok(RowTimes { usage_start_ms, usage_end_ms, ends_too_early, billing_start_ms, billing_end_ms, month })
    }

    /// The billing month of a row that was refused, when it tells it.
    pub fn month_of_refused(&mut self, row: Row<'_>, columns: &TimeColumns) -> Option<Arc<str>> {
        let read = |(column, _)| row.instant_ms(column).or_else(|| cells::timestamp_ms(row.get(column)?));
        let start_ms = read(columns.billing_start);
        self.months.of(start_ms, read(columns.billing_end), read(columns.usage_start).or(start_ms)?)
    }

    /// The time in one of the columns; `None` when the cell is blank.
    fn cell(
        &mut self,
        number: usize,
        row: Row<'_>,
        (column, name): (Option<usize>, &'static str),
    ) -> Result<Option<i64>, Refusal> {
        if let Some(ms) = row.instant_ms(column) {
            return Ok(Some(ms));
        }
        let Some(cell) = row.get(column) else { return Ok(None) };
        let last = self.last.get_mut(number);
        if let Some(Some((text, ms))) = &last
            && text == cell
        {
            return Ok(Some(*ms));
        }
        let ms = cells::timestamp_ms(cell).ok_or_else(|| Refusal::of(Reason::BadTimestamp, name, cell))?;
        if let Some(last) = last {
            *last = Some((cell.to_owned(), ms));
        }
        Ok(Some(ms))
    }
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
    spelled(row, column, name, |cell| cells::account(cell, cloud))
}

/// As [`account`], of the account that pays.
///
/// # Errors
/// The cell has lost digits.
pub fn billing_account(
    row: Row<'_>,
    column: Option<usize>,
    name: &'static str,
    cloud: &str,
) -> Result<Option<String>, Refusal> {
    spelled(row, column, name, |cell| cells::billing_account(cell, cloud))
}

fn spelled(
    row: Row<'_>,
    column: Option<usize>,
    name: &'static str,
    spell: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, Refusal> {
    let Some(cell) = row.get(column) else { return Ok(None) };
    spell(cell).map(Some).ok_or_else(|| Refusal::of(Reason::BadAccount, name, cell))
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

/// The months of rows; the same ones come again and again.
#[derive(Debug, Default)]
struct Months {
    known: Vec<(i64, Option<i64>, Arc<str>)>,
}

impl Months {
    /// The month of a billing period, else of the usage.
    fn of(&mut self, start_ms: Option<i64>, end_ms: Option<i64>, usage_start_ms: i64) -> Option<Arc<str>> {
        let (start_ms, end_ms) = (start_ms.unwrap_or(usage_start_ms), start_ms.and(end_ms));
        let is_same = |(start, end, _): &&(i64, Option<i64>, Arc<str>)| (*start, *end) == (start_ms, end_ms);
        if let Some((_, _, month)) = self.known.iter().find(is_same) {
            return Some(Arc::clone(month));
        }
        let month: Arc<str> = period::month(start_ms, end_ms)?.into();
        if self.known.len() >= MONTHS_MAX {
            self.known.clear();
        }
        self.known.push((start_ms, end_ms, Arc::clone(&month)));
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
