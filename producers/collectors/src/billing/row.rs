//! One row of a billing file, whatever container it came in: cells by column number, as text.

use arrow::array::{Array, StringArray};
use csv::StringRecord;

use inventories::billing::cells;

/// A row.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// From CSV.
    Csv(&'a StringRecord),
    /// From Parquet: the batch's columns as text, and the index in it. Columns that no code needs are not there.
    Batch(&'a [Option<StringArray>], usize),
}

impl<'a> Row<'a> {
    /// The cell, trimmed; `None` when it is blank, null, a word for an absent value, or there is no such column.
    #[must_use]
    pub fn get(self, column: Option<usize>) -> Option<&'a str> {
        cells::text(self.cell(column)?)
    }

    /// The first of these cells that is there.
    #[must_use]
    pub fn first(self, columns: &[Option<usize>]) -> Option<&'a str> {
        columns.iter().find_map(|column| self.get(*column))
    }

    /// The cell of an amount, trimmed; `None` when it is blank or null. Any other word is there, and no amount.
    #[must_use]
    pub fn amount(self, column: Option<usize>) -> Option<&'a str> {
        cells::present(self.cell(column)?)
    }

    /// The cell with its blanks; `None` when there is nothing else in it, or when it is null.
    #[must_use]
    pub fn as_it_is(self, column: Option<usize>) -> Option<&'a str> {
        self.cell(column).filter(|cell| !cell.trim().is_empty())
    }

    fn cell(self, column: Option<usize>) -> Option<&'a str> {
        match self {
            Self::Csv(record) => record.get(column?),
            Self::Batch(columns, index) => {
                let column = columns.get(column?)?.as_ref()?;
                (!column.is_null(index)).then(|| column.value(index))
            }
        }
    }
}
