//! One row of a billing file, whatever container it came in: cells by column number, as text.

use arrow::array::{Array, StringArray};
use csv::StringRecord;

use crate::billing::cells;

/// A row.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// From CSV.
    Csv(&'a StringRecord),
    /// From Parquet: the batch's columns as text, and the index in it. Columns nobody needs are not there.
    Batch(&'a [Option<StringArray>], usize),
}

impl<'a> Row<'a> {
    /// The cell, trimmed; `None` when it is blank, null, the text `NULL`, or there is no such column.
    #[must_use]
    pub fn get(self, column: Option<usize>) -> Option<&'a str> {
        let cell = match self {
            Self::Csv(record) => record.get(column?),
            Self::Batch(columns, index) => {
                let column = columns.get(column?)?.as_ref()?;
                (!column.is_null(index)).then(|| column.value(index))
            }
        };
        cells::text(cell?)
    }
}
