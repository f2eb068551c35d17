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
                csv.write_record(&self.columns)?;
                for row in &self.cells {
                    csv.write_record(row.iter().map(text))?;
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

/// One value for a program: pretty JSON, or a line of it.
pub fn print_value(value: &Value, form: Output) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match form {
        Output::Ndjson => writeln!(out, "{value}"),
        _ => writeln!(out, "{value:#}"),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
