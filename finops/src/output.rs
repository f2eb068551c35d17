//! What goes to stdout: rows as a table for people, or JSON, NDJSON, CSV for programs.

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table};
use serde_json::{Map, Value};

use crate::cli::Output;

/// Rows with named columns. Cells are JSON values, so that programs get numbers and nulls as such.
pub struct Rows {
    columns: Vec<&'static str>,
    cells: Vec<Vec<Value>>,
}

impl Rows {
    pub fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), cells: Vec::new() }
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
            self.columns.iter().map(|c| (*c).to_owned()).zip(row.iter().cloned()).collect();
        Value::Object(members)
    }

    pub fn print(&self, form: Output) -> io::Result<()> {
        let out = &mut io::stdout().lock();
        match form {
            Output::Table => writeln!(out, "{}", self.table()),
            Output::Json => {
                let all: Vec<Value> = self.cells.iter().map(|row| self.object(row)).collect();
                serde_json::to_writer_pretty(&mut *out, &all)?;
                writeln!(out)
            }
            Output::Ndjson => self.cells.iter().try_for_each(|row| writeln!(out, "{}", self.object(row))),
            Output::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                csv.write_record(&self.columns).map_err(io_error)?;
                for row in &self.cells {
                    csv.write_record(row.iter().map(text)).map_err(io_error)?;
                }
                csv.flush()
            }
        }
    }

    pub fn table(&self) -> Table {
        let mut table = plain_table();
        table.set_header(self.columns.iter().map(|c| c.to_uppercase()));
        for row in &self.cells {
            table.add_row(row.iter().map(text));
        }
        for (i, column) in table.column_iter_mut().enumerate() {
            if self.cells.iter().all(|row| row[i].is_number() || row[i].is_null()) {
                column.set_cell_alignment(comfy_table::CellAlignment::Right);
            }
        }
        table
    }
}

/// A table without lines, as wide as the terminal allows.
pub fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

/// The kind is kept: a reader that went away is no failure.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// Text for people. Not `print!`: that panics when the reader went away.
pub fn print_text(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

/// One value: pretty JSON, a line of it, or its leaves as CSV, one a row.
pub fn print_value(value: &Value, form: Output) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match form {
        Output::Table | Output::Json => writeln!(out, "{value:#}"),
        Output::Ndjson => writeln!(out, "{value}"),
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

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
