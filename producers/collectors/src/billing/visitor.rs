//! What is done with the rows of a billing file, whatever container they come in.

use super::error::LoadError;
use super::row::Row;

/// Receives the rows of a file.
pub trait Visitor {
    /// The column names; returns the numbers of those that are needed.
    ///
    /// # Errors
    /// The columns are not usable.
    fn header(&mut self, columns: &[String]) -> Result<Vec<usize>, LoadError>;
    /// True for a column whose maps, structs and lists are read, as JSON text.
    fn takes_nested(&self, column: usize) -> bool;
    /// The only member that is read of a column of maps or structs; `None` for all of it.
    fn member(&mut self, column: usize) -> Option<&'static str>;
    /// A needed column, or a part of it, cannot be read as text; its type is `kind`. Rows that follow lack it.
    ///
    /// # Errors
    /// The column carries what a bill cannot do without.
    fn unreadable(&mut self, column: usize, kind: &str) -> Result<(), LoadError>;
    /// A row; 1 is the first.
    ///
    /// # Errors
    /// The load cannot go on.
    fn row(&mut self, number: u64, row: Row<'_>) -> Result<(), LoadError>;
}
