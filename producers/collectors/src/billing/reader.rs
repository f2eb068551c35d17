//! The reading of rows, whatever the dialect of the file.

use std::sync::Arc;

use super::cur::CurReader;
use super::dialect::Dialect;
use super::focus::FocusReader;
use super::observed::Observed;
use super::read_row::ReadRow;
use super::rejects::Refusal;
use super::row::Row;

/// Reads the rows of one file.
#[derive(Debug)]
pub enum RowReader {
    /// FOCUS.
    Focus(Box<FocusReader>),
    /// AWS cost and usage reports of both versions.
    Cur(Box<CurReader>),
}

impl RowReader {
    /// For a file of this dialect with these columns; `source_ref` goes into every fact.
    #[must_use]
    pub fn new(dialect: Dialect, columns: &[String], source_ref: Arc<str>) -> Self {
        match dialect {
            Dialect::Focus => Self::Focus(Box::new(FocusReader::new(columns, source_ref))),
            Dialect::Legacy | Dialect::Cur2 => Self::Cur(Box::new(CurReader::new(columns, source_ref))),
        }
    }

    /// The first of these columns that is there more than once, though figures would be wrong with the other one.
    #[must_use]
    pub fn repeated<'c>(&self, columns: &'c [String]) -> Option<&'c str> {
        let is_needed = |column: usize| match self {
            Self::Focus(reader) => reader.wanted(column).is_some(),
            Self::Cur(reader) => reader.wanted(column).is_some(),
        };
        let is_repeated = |name: &String| columns.iter().filter(|other| other.eq_ignore_ascii_case(name)).count() > 1;
        let mut needed = columns.iter().enumerate().filter(|(column, _)| is_needed(*column));
        needed.find(|(_, name)| is_repeated(name)).map(|(_, name)| name.as_str())
    }

    /// Numbers of the columns that are read.
    #[must_use]
    pub fn needed(&self) -> Vec<usize> {
        match self {
            Self::Focus(reader) => reader.needed(),
            Self::Cur(reader) => reader.needed(),
        }
    }

    /// True for a column whose maps, structs and lists are read.
    #[must_use]
    pub fn takes_nested(&self, column: usize) -> bool {
        match self {
            Self::Focus(reader) => reader.takes_nested(column),
            Self::Cur(reader) => reader.takes_nested(column),
        }
    }

    /// The only member that is read of a column of maps or structs; `None` for all of it.
    pub fn member(&mut self, column: usize) -> Option<&'static str> {
        match self {
            Self::Focus(_) => None,
            Self::Cur(reader) => reader.member(column),
        }
    }

    /// A column whose type `kind` cannot be read: its cells are unknown from here on.
    ///
    /// # Errors
    /// What the column must hold, when figures would be wrong without it.
    pub fn unreadable(&mut self, column: usize, name: &str, kind: &str) -> Result<(), &'static str> {
        match self {
            Self::Focus(reader) => reader.unreadable(column, name, kind),
            Self::Cur(reader) => reader.unreadable(column, name, kind),
        }
    }

    /// A row.
    ///
    /// # Errors
    /// Why the row is refused.
    pub fn read(&mut self, row: Row<'_>) -> Result<ReadRow, Refusal> {
        match self {
            Self::Focus(reader) => reader.read(row),
            Self::Cur(reader) => reader.read(row),
        }
    }

    /// The billing month of a row that was refused, when it tells it.
    pub fn month_of(&mut self, row: Row<'_>) -> Option<Arc<str>> {
        match self {
            Self::Focus(reader) => reader.month_of(row),
            Self::Cur(reader) => reader.month_of(row),
        }
    }

    /// What was noticed in accepted rows so far.
    pub fn observed(&mut self) -> &mut Observed {
        match self {
            Self::Focus(reader) => &mut reader.observed,
            Self::Cur(reader) => &mut reader.observed,
        }
    }

    /// What was noticed in accepted rows.
    #[must_use]
    pub fn into_observed(self) -> Observed {
        match self {
            Self::Focus(reader) => reader.observed,
            Self::Cur(reader) => reader.observed,
        }
    }
}
