//! One row of a billing file, whatever container it came in: cells by column number, as text.

use std::borrow::Cow;

use csv::StringRecord;

use inventories::billing::cells;

use super::batch_columns::BatchColumn;
use super::row_key::write_text;

/// A row.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// From CSV.
    Csv(&'a StringRecord),
    /// From Parquet: the batch's columns, and the index in it. Columns that no code needs are not there.
    Batch(&'a [Option<BatchColumn>], usize),
}

impl<'a> Row<'a> {
    /// The cell, trimmed; `None` when it is blank, null, a word for an absent value, or there is no such column.
    #[must_use]
    pub fn get(self, column: Option<usize>) -> Option<&'a str> {
        cells::text(self.cell(column)?)
    }

    /// The same of a column that may hold maps, structs or lists, which become JSON text here, one cell at a time.
    #[must_use]
    pub fn nested(self, column: Option<usize>) -> Option<Cow<'a, str>> {
        let cell = match self {
            Self::Batch(columns, index) => columns.get(column?)?.as_ref()?.nested(index)?,
            Self::Csv(_) => Cow::Borrowed(self.cell(column)?),
        };
        match cell {
            Cow::Borrowed(cell) => cells::text(cell).map(Cow::Borrowed),
            Cow::Owned(cell) => cells::text(&cell).map(|cell| Cow::Owned(cell.to_owned())),
        }
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

    /// True when the container has types, so that its cells have no format of their own.
    #[must_use]
    pub fn is_typed(self) -> bool {
        matches!(self, Self::Batch(..))
    }

    /// The line of a CSV file where the row begins, 1 is the header.
    #[must_use]
    pub fn line(self) -> Option<u64> {
        match self {
            Self::Csv(record) => record.position().map(csv::Position::line),
            Self::Batch(..) => None,
        }
    }

    /// The instant in a column of instants, in milliseconds since the epoch; `None` for a blank cell and any other column.
    #[must_use]
    pub fn instant_ms(self, column: Option<usize>) -> Option<i64> {
        match self {
            Self::Batch(columns, index) => columns.get(column?)?.as_ref()?.instant_ms(index),
            Self::Csv(_) => None,
        }
    }

    /// Writes the cell as bytes: two rows have the same ones exactly if their cells are the same.
    pub fn write_key(self, column: usize, key: &mut Vec<u8>) {
        match self {
            Self::Csv(record) => write_text(record.get(column), key),
            Self::Batch(columns, index) => match columns.get(column).and_then(Option::as_ref) {
                Some(column) => column.write_key(index, key),
                None => write_text(None, key),
            },
        }
    }

    fn cell(self, column: Option<usize>) -> Option<&'a str> {
        match self {
            Self::Csv(record) => record.get(column?),
            Self::Batch(columns, index) => columns.get(column?)?.as_ref()?.text(index),
        }
    }
}
