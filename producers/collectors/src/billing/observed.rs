//! What a load noticed in rows that it accepted: values outside closed lists, cells and columns that could not be read.
//! None of it refuses a row; all of it is counted and reported.

use std::collections::BTreeMap;

use inventories::billing::closed_lists::{LineType, Listed};
use serde::Serialize;

use super::quote::quote;

/// Distinct values named per column; a bill that has more is damaged, and a count says enough.
const VALUES_MAX: usize = 20;
/// Names under which further values are counted.
const OTHER_VALUES: &str = "(other values)";

/// Observations of all files of a load.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Observed {
    /// Files by dialect.
    pub dialects: BTreeMap<&'static str, u64>,
    /// FOCUS files by the version their columns are of.
    pub versions: BTreeMap<&'static str, u64>,
    /// Columns that files lack, with what that means.
    pub missing_columns: BTreeMap<&'static str, &'static str>,
    /// Rows by column and value, for values that are not in the column's closed list.
    pub unlisted_values: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Rows by column, for cells whose text could not be read. The rows count, without this cell.
    pub unreadable_cells: BTreeMap<&'static str, u64>,
    /// The first of them by column, `row N of FILE`.
    pub unreadable_first: BTreeMap<&'static str, String>,
    /// Columns whose type could not be read, with the type. The rows count, without this column.
    pub unreadable_columns: BTreeMap<String, String>,
    /// Rows without a currency, taken for USD.
    pub currency_defaulted: u64,
    /// Rows whose amortized cost is their unblended cost because an input of its formula is missing.
    pub model_fallback: u64,
    /// Rows of usage that is dated months before or after their billing period.
    pub usage_far_from_period: u64,
    /// The first of them, `row N of FILE`.
    pub usage_far_first: Option<String>,
}

impl Observed {
    /// Counts a value that is not in the closed list of its column.
    pub fn unlisted(&mut self, column: &'static str, value: &str) {
        add(self.unlisted_values.entry(column).or_default(), value, 1);
    }

    /// Counts a cell that could not be read.
    pub fn unreadable_cell(&mut self, column: &'static str) {
        *self.unreadable_cells.entry(column).or_default() += 1;
    }

    /// Notes where cells of further columns could not be read for the first time.
    pub fn note_place(&mut self, file: &str, row: u64) {
        if self.usage_far_from_period > 0 && self.usage_far_first.is_none() {
            self.usage_far_first = Some(format!("row {row} of {file}"));
        }
        // One comparison for each row; a file rarely has any.
        if self.unreadable_first.len() < self.unreadable_cells.len() {
            for column in self.unreadable_cells.keys() {
                self.unreadable_first.entry(column).or_insert_with(|| format!("row {row} of {file}"));
            }
        }
    }

    /// Adds what another file showed.
    pub fn merge(&mut self, other: Self) {
        for (mine, others) in [(&mut self.dialects, other.dialects), (&mut self.versions, other.versions)] {
            others.into_iter().for_each(|(name, files)| *mine.entry(name).or_default() += files);
        }
        self.currency_defaulted += other.currency_defaulted;
        self.model_fallback += other.model_fallback;
        self.usage_far_from_period += other.usage_far_from_period;
        self.usage_far_first = self.usage_far_first.take().or(other.usage_far_first);
        self.missing_columns.extend(other.missing_columns);
        for (column, values) in other.unlisted_values {
            let mine = self.unlisted_values.entry(column).or_default();
            for (value, rows) in values {
                add(mine, &value, rows);
            }
        }
        for (column, rows) in other.unreadable_cells {
            *self.unreadable_cells.entry(column).or_default() += rows;
        }
        for (column, place) in other.unreadable_first {
            self.unreadable_first.entry(column).or_insert(place);
        }
        self.unreadable_columns.extend(other.unreadable_columns);
    }

    /// One line for people per thing that was noticed.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.missing_columns.is_empty() {
            let missing: Vec<_> =
                self.missing_columns.iter().map(|(column, effect)| format!("{column} ({effect})")).collect();
            lines.push(format!("the bill lacks columns: {}", missing.join("; ")));
        }
        for (column, kind) in &self.unreadable_columns {
            lines.push(format!("column {column} cannot be read as text (it is {kind}): its values are unknown"));
        }
        for (column, rows) in &self.unreadable_cells {
            let effect = match *column {
                "Tags" | "tags" => "the tags of these rows are unknown, which is not the same as none",
                "ChargePeriodEnd" | "line_item_usage_end_date" => {
                    "it lies before the start, so it is not known how long these charges are for"
                }
                _ => "the value is unknown in these rows",
            };
            let first = self.unreadable_first.get(column).map(|place| format!(", the first is {place}"));
            lines.push(format!("{column} could not be used in {rows} row(s){}: {effect}", first.unwrap_or_default()));
        }
        for (column, values) in &self.unlisted_values {
            let values: Vec<_> =
                values.iter().map(|(value, rows)| format!("{} in {rows} row(s)", quote(value))).collect();
            let publisher = if *column == LineType::LIST.column { "AWS" } else { "FOCUS" };
            lines.push(format!(
                "{column} has values that {publisher} does not list: {}; they were kept",
                values.join(", ")
            ));
        }
        if self.currency_defaulted > 0 {
            lines.push(format!("{} row(s) name no currency: they were taken for USD", self.currency_defaulted));
        }
        if self.model_fallback > 0 {
            lines.push(format!(
                "the amortized cost of {} row(s) is unknown: their unblended cost was taken for it",
                self.model_fallback
            ));
        }
        if self.usage_far_from_period > 0 {
            let first = self.usage_far_first.as_ref().map(|place| format!(", the first is {place}"));
            lines.push(format!(
                "{} row(s) of usage are dated more than two months before or after their billing period{}: they count in that \
                 period, and for findings on their date",
                self.usage_far_from_period,
                first.unwrap_or_default()
            ));
        }
        lines
    }
}

fn add(values: &mut BTreeMap<String, u64>, value: &str, rows: u64) {
    let is_named = values.len() < VALUES_MAX || values.contains_key(value);
    let name = if is_named { value } else { OTHER_VALUES };
    match values.get_mut(name) {
        Some(counted) => *counted += rows,
        None => drop(values.insert(name.to_owned(), rows)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_up_to_a_limit() {
        let mut first = Observed::default();
        for n in 0..VALUES_MAX + 5 {
            first.unlisted("ChargeCategory", &format!("v{n:02}"));
            first.unlisted("ChargeCategory", "v00");
        }
        let values = &first.unlisted_values["ChargeCategory"];
        assert_eq!((values.len(), values["v00"], values[OTHER_VALUES]), (VALUES_MAX + 1, 26, 5));
        let mut second = Observed::default();
        second.unlisted("ChargeCategory", "new");
        second.unlisted("ChargeCategory", "v00");
        second.unreadable_cell("Tags");
        first.merge(second);
        let values = &first.unlisted_values["ChargeCategory"];
        assert_eq!((values["v00"], values[OTHER_VALUES], first.unreadable_cells["Tags"]), (27, 6, 1));
    }
}
