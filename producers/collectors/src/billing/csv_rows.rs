//! Rows of CSV text (RFC 4180 with a header row). Memory is bounded by the longest allowed line.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ErrorKind, ReaderBuilder, StringRecord};
use inventories::billing::cells;

use super::error::LoadError;
use super::row::Row;
use super::visitor::Visitor;

/// Longest line, or quoted record. Rows of real exports have some KB; the longest tag sets stay far below this.
pub const LINE_BYTES_MAX: u64 = 1 << 20;
const BUFFER_BYTES: usize = 1 << 16;
/// Put behind the file as a line of its own: inside a quoted cell, it shows that the quote is never closed.
const END: &str = "\u{0}end of billing file\u{0}";

/// Reads all rows.
pub(super) fn read(file: &str, input: impl Read, visitor: &mut dyn Visitor) -> Result<(), LoadError> {
    let record_start = Rc::new(Cell::new(0));
    let end = format!("\n{END}");
    let line_ends = Rc::new(Cell::new(LineEnds::Unknown { is_return: false }));
    let guard = LineGuard {
        input: input.chain(end.as_bytes()),
        handed: 0,
        record_start: Rc::clone(&record_start),
        line_ends: Rc::clone(&line_ends),
    };
    let mut reader = ReaderBuilder::new().has_headers(false).buffer_capacity(BUFFER_BYTES).from_reader(guard);
    let mut record = StringRecord::new();
    let mut columns: Vec<String> = Vec::new();
    let mut rows = 0;
    loop {
        let row = if columns.is_empty() { 0 } else { rows + 1 };
        let read = reader.read_record(&mut record);
        if record.iter().next_back().is_some_and(|cell| cell.ends_with(END)) {
            match record.len() {
                1 if record.get(0) == Some(END) => break,
                _ => return Err(LoadError::OpenQuote { file: file.to_owned(), row }),
            }
        }
        match read {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(explain(file, row, &columns, error)),
        }
        record_start.set(reader.position().byte());
        if columns.is_empty() {
            columns = record.iter().map(|name| cells::bare(name.trim_start_matches('\u{feff}')).to_owned()).collect();
            if let Some(separator) = other_separator(&columns) {
                return Err(LoadError::Separator { file: file.to_owned(), separator });
            }
            visitor.header(&columns)?;
        } else {
            rows += 1;
            if line_ends.get() == LineEnds::ReturnAndFeed {
                pass_line_feed(&mut record);
            }
            visitor.row(rows, Row::Csv(&record))?;
        }
    }
    let file = file.to_owned();
    match (columns.is_empty(), rows) {
        (true, _) => Err(LoadError::Empty { file }),
        (false, 0) => Err(LoadError::NoRows { file }),
        _ => Ok(()),
    }
}

/// The reader ends a record at the return, and counts the feed behind it as a part of the next one: that begins a line later.
fn pass_line_feed(record: &mut StringRecord) {
    let Some(mut position) = record.position().cloned() else { return };
    position.set_line(position.line() + 1);
    record.set_position(Some(position));
}

/// How the lines of a file end, by the first of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnds {
    /// No line has ended; whether the last byte was a return.
    Unknown {
        is_return: bool,
    },
    Feed,
    ReturnAndFeed,
}

impl LineEnds {
    fn seen(self, bytes: &[u8]) -> Self {
        let Self::Unknown { is_return } = self else { return self };
        match bytes.iter().position(|byte| *byte == b'\n') {
            None => Self::Unknown { is_return: bytes.last().map_or(is_return, |last| *last == b'\r') },
            Some(0) if is_return => Self::ReturnAndFeed,
            Some(at) if at > 0 && bytes[at - 1] == b'\r' => Self::ReturnAndFeed,
            Some(_) => Self::Feed,
        }
    }
}

fn explain(file: &str, row: u64, columns: &[String], error: csv::Error) -> LoadError {
    let file = file.to_owned();
    match error.into_kind() {
        ErrorKind::Utf8 { err, .. } => {
            let column = columns.get(err.field()).cloned().unwrap_or_else(|| (err.field() + 1).to_string());
            LoadError::Utf8 { file, row, column }
        }
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            LoadError::FieldCount { file, row, expected: expected_len, found: len }
        }
        ErrorKind::Io(source) if is_line_too_long(&source) => {
            LoadError::LineTooLong { file, row, limit: LINE_BYTES_MAX }
        }
        ErrorKind::Io(source) => input_error(&file, row, source),
        other => LoadError::Io { file, source: io::Error::other(format!("row {row}: {other:?}")) },
    }
}

/// Packed data that ends early or is damaged, or a file that cannot be read; `row` was not read in full.
pub(super) fn input_error(file: &str, row: u64, source: io::Error) -> LoadError {
    let (file, row_before) = (file.to_owned(), row.saturating_sub(1));
    match source.kind() {
        io::ErrorKind::UnexpectedEof => LoadError::Gzip { file, row: row_before, reason: "it ends early".into() },
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            LoadError::Gzip { file, row: row_before, reason: source.to_string() }
        }
        _ => LoadError::Io { file, source },
    }
}

/// What separates the fields when the whole header came as one column.
fn other_separator(columns: &[String]) -> Option<char> {
    let [header] = columns else { return None };
    [';', '\t', '|'].into_iter().find(|separator| header.contains(*separator))
}

/// Stops reading once one record is longer than allowed. It is asked for more only while a record is incomplete, so
/// what it has handed out since the record began is the record's length so far.
struct LineGuard<R> {
    input: R,
    handed: u64,
    record_start: Rc<Cell<u64>>,
    line_ends: Rc<Cell<LineEnds>>,
}

impl<R: Read> Read for LineGuard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.handed.saturating_sub(self.record_start.get()) > LINE_BYTES_MAX {
            return Err(io::Error::other(TooLong));
        }
        let read = self.input.read(buffer)?;
        self.handed += read as u64;
        self.line_ends.set(self.line_ends.get().seen(&buffer[..read]));
        Ok(read)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("line too long")]
struct TooLong;

fn is_line_too_long(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<TooLong>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_how_lines_end_however_it_is_read() {
        let of = |parts: &[&str]| {
            parts.iter().fold(LineEnds::Unknown { is_return: false }, |ends, part| ends.seen(part.as_bytes()))
        };
        assert_eq!((of(&["a\r\nb\n"]), of(&["a\nb\r\n"])), (LineEnds::ReturnAndFeed, LineEnds::Feed));
        assert_eq!((of(&["a\r", "\nb"]), of(&["a\r", "b", "\n"])), (LineEnds::ReturnAndFeed, LineEnds::Feed));
        assert_eq!(of(&["a\r", ""]), LineEnds::Unknown { is_return: true });
    }
}
