//! Everything a person or a program reads from this command passes here: rows and values in four forms, pages, and notes on
//! stderr. What comes from elsewhere is made safe on its way out: no control character reaches a terminal, no cell of CSV is
//! a formula. `docs/output.md` describes the forms.

mod cells;
mod csv;
mod fit;
mod json;
mod money;
mod page;
mod shell;
mod width;

use std::io::{self, Write};

use clap::ValueEnum;
use comfy_table::{CellAlignment, Table};
use platform::terminal::{escaped, escaped_lines};
use serde_json::{Map, Value};

pub use self::cells::{Column, Kind};
pub use self::json::{json_line, write_json, write_json_line};
pub use self::money::{amount, rounded};
pub use self::page::{Page, value_page};
pub use self::shell::quoted;
pub use self::width::{set_width, width};

use self::fit::{Fitted, fit};
use self::page::wrapped;
use crate::progress;

/// Writes a line for people to stderr.
macro_rules! note {
    ($($argument:tt)*) => { $crate::output::to_stderr(&format!($($argument)*)) };
}
pub(crate) use note;

/// Form of what is printed to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Json,
    Ndjson,
    Csv,
}

/// Rows with named columns. Cells are JSON values, so that programs get numbers and nulls as such.
pub struct Rows {
    columns: Vec<Column>,
    cells: Vec<Vec<Value>>,
}

impl Rows {
    /// With columns that are all shown, whatever the width.
    pub fn new(columns: &[&'static str]) -> Self {
        Self::of(columns.iter().map(|name| Column::new(name)).collect())
    }

    pub fn of(columns: Vec<Column>) -> Self {
        Self { columns, cells: Vec::new() }
    }

    /// Columns that a narrow terminal does without, the first ones first.
    pub fn may_lack(mut self, names: &[&str]) -> Self {
        for (rank, name) in (1..).zip(names.iter().rev()) {
            self.columns.iter_mut().filter(|column| column.name == *name).for_each(|column| column.rank = rank);
        }
        self
    }

    pub fn push(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.cells.push(row);
    }

    pub fn len(&self) -> usize {
        self.cells.len()
    }

    fn object(&self, row: &[Value]) -> Value {
        let members: Map<String, Value> =
            self.columns.iter().map(|c| c.name.to_owned()).zip(row.iter().cloned()).collect();
        Value::Object(members)
    }

    /// Prints all rows; a table that lacks columns says so on stderr.
    pub fn print(&self, form: Output) -> io::Result<()> {
        let lacking = self.print_quietly(form)?;
        if !lacking.is_empty() {
            note!("left out to fit the width: {}; --width or another --output shows all", lacking.join(", "));
        }
        Ok(())
    }

    /// Prints all rows; returns the columns that a table lacks.
    pub fn print_quietly(&self, form: Output) -> io::Result<Vec<&'static str>> {
        let out = &mut io::stdout().lock();
        match form {
            Output::Table => {
                let (table, lacking) = self.table(width());
                writeln!(out, "{table}")?;
                return Ok(lacking);
            }
            Output::Json => {
                let all: Vec<Value> = self.cells.iter().map(|row| self.object(row)).collect();
                write_json(out, &all)?;
            }
            Output::Ndjson => self.cells.iter().try_for_each(|row| write_json_line(out, &self.object(row)))?,
            Output::Csv => csv::write(out, self.columns.iter().map(|column| column.name), &self.cells)?,
        }
        Ok(Vec::new())
    }

    /// The rows as a table of at most this width, and the columns that had no room.
    pub fn table(&self, width: Option<usize>) -> (String, Vec<&'static str>) {
        let texts: Vec<Vec<String>> = self.cells.iter().map(|row| row.iter().map(text).collect()).collect();
        let Fitted { shown, lacking } = fit(&self.columns, &texts, width);
        let mut table = plain_table();
        table.set_header(shown.iter().map(|column| self.columns[column.index].title()));
        for row in &texts {
            table.add_row(shown.iter().map(|column| self.columns[column.index].cut(&row[column.index], column.width)));
        }
        for (position, column) in shown.iter().enumerate() {
            let is_number = |row: &Vec<Value>| row[column.index].is_number() || row[column.index].is_null();
            let is_right = self.columns[column.index].kind == Kind::Number || self.cells.iter().all(is_number);
            if let (true, Some(column)) = (is_right, table.column_mut(position)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        (table.trim_fmt(), lacking.into_iter().map(|index| self.columns[index].name).collect())
    }
}

/// A table without lines. Its cells are not cut: [`Rows`] does that.
pub fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table
}

/// Text for people, of lines of our own; what in it is from elsewhere cannot drive the terminal. Not `print!`: that panics
/// when the reader went away.
pub fn print_text(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(wrapped(&escaped_lines(text), width()).as_bytes())
}

/// Clears the terminal, for a command that shows the same again and again.
pub fn clear_screen() -> io::Result<()> {
    io::stdout().lock().write_all(b"\x1b[2J\x1b[H")
}

/// A line for people on stderr, above any progress line; [`note!`] formats it.
pub fn to_stderr(text: &str) {
    // A stderr that is closed is no reason to fail.
    progress::suspended(|| drop(writeln!(io::stderr(), "{}", wrapped(&escaped_lines(text), width()))));
}

/// One value: a page for people, pretty JSON, a line of it, or its leaves as CSV, one a row.
pub fn print_value(value: &Value, form: Output) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match form {
        Output::Table => {
            drop(out);
            print_text(&value_page(value, width()))
        }
        Output::Json => write_json(&mut out, value),
        Output::Ndjson => write_json_line(&mut out, value),
        Output::Csv => {
            let mut rows = Rows::new(&["field", "value"]);
            leaves(String::new(), value, &mut rows);
            drop(out);
            rows.print(form)
        }
    }
}

fn leaves(field: String, value: &Value, rows: &mut Rows) {
    let below = |name: &str| if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
    match value {
        Value::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(name, value)| leaves(below(name), value, rows));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(i, value)| leaves(format!("{field}[{i}]"), value, rows));
        }
        _ => rows.push(vec![Value::String(field), value.clone()]),
    }
}

/// A cell for people: one line without control characters.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escaped(text).into_owned(),
        other => escaped(&other.to_string()).into_owned(),
    }
}
