//! The synthetic bill as files, in both containers.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Builder, MapBuilder, MapFieldNames, RecordBatch, StringBuilder, TimestampMillisecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::lines::{COLUMNS, Cell, ColumnKind, line, time};

/// Lines of a batch.
const BATCH_LINES: usize = 8_192;
/// Things that are charged each hour, of a large bill: ten million lines are a hundred hours of them.
const THINGS_MAX: usize = 100_000;
const LINES_PER_THING: usize = 100;

/// Writes `bill.parquet` (snappy, as AWS does) and `bill.csv` with the same lines.
pub fn write(folder: &Path, lines: usize) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|e| format!("creating {}: {e}", folder.display()))?;
    let create = |name: &str| File::create(folder.join(name)).map_err(|e| format!("creating {name}: {e}"));
    let things = things(lines);
    let schema = Arc::new(Schema::new(COLUMNS.map(|(name, kind)| Field::new(name, data_type(kind), true)).to_vec()));
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut parquet =
        ArrowWriter::try_new(create("bill.parquet")?, Arc::clone(&schema), Some(properties)).map_err(text)?;
    let mut csv = BufWriter::new(create("bill.csv")?);
    writeln!(csv, "{}", COLUMNS.map(|(name, _)| name).join(",")).map_err(text)?;
    for start in (0..lines).step_by(BATCH_LINES) {
        let batch: Vec<_> = (start..lines.min(start + BATCH_LINES)).map(|n| line(n, things)).collect();
        for cells in &batch {
            let cells: Vec<_> = cells.iter().map(csv_cell).collect();
            writeln!(csv, "{}", cells.join(",")).map_err(text)?;
        }
        let columns = COLUMNS.iter().enumerate().map(|(at, (_, kind))| column(&batch, at, *kind)).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(text)?;
        parquet.write(&batch).map_err(text)?;
    }
    csv.flush().map_err(text)?;
    parquet.close().map_err(text)?;
    Ok(())
}

/// Things that are charged in each hour of a bill of that many lines.
pub fn things(lines: usize) -> usize {
    (lines / LINES_PER_THING).clamp(1, THINGS_MAX)
}

fn text(error: impl std::fmt::Display) -> String {
    format!("writing the bill: {error}")
}

fn names() -> MapFieldNames {
    MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() }
}

fn data_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Text => DataType::Utf8,
        ColumnKind::Number => DataType::Float64,
        ColumnKind::Time => DataType::Timestamp(TimeUnit::Millisecond, None),
        ColumnKind::Map => {
            let members = vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)];
            DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(members.into()), false)), false)
        }
    }
}

fn column(batch: &[Vec<Cell>], at: usize, kind: ColumnKind) -> ArrayRef {
    let cells = batch.iter().map(|line| &line[at]);
    match kind {
        ColumnKind::Text => {
            let mut column = StringBuilder::new();
            cells.for_each(|cell| column.append_option(if let Cell::Text(text) = cell { Some(text) } else { None }));
            Arc::new(column.finish())
        }
        ColumnKind::Number => {
            let mut column = Float64Builder::new();
            cells.for_each(|cell| {
                column.append_option(if let Cell::Number(number) = cell { Some(*number) } else { None })
            });
            Arc::new(column.finish())
        }
        ColumnKind::Time => {
            let mut column = TimestampMillisecondBuilder::new();
            cells.for_each(|cell| column.append_option(if let Cell::Time(ms) = cell { Some(*ms) } else { None }));
            Arc::new(column.finish())
        }
        ColumnKind::Map => {
            let mut column = MapBuilder::new(Some(names()), StringBuilder::new(), StringBuilder::new());
            for cell in cells {
                let members = if let Cell::Map(members) = cell { members.as_slice() } else { &[] };
                for (key, value) in members {
                    column.keys().append_value(key);
                    column.values().append_value(value);
                }
                // Keys and values are as many, so this cannot fail.
                let _ = column.append(matches!(cell, Cell::Map(_)));
            }
            Arc::new(column.finish())
        }
    }
}

fn csv_cell(cell: &Cell) -> String {
    match cell {
        Cell::Absent => String::new(),
        Cell::Text(text) if text.contains([',', '"', '\n']) => format!("\"{}\"", text.replace('"', "\"\"")),
        Cell::Text(text) => text.clone(),
        Cell::Number(number) => number.to_string(),
        Cell::Time(ms) => time(*ms),
        Cell::Map(members) => {
            let members: Vec<_> = members.iter().map(|(key, value)| format!("\"\"{key}\"\":\"\"{value}\"\"")).collect();
            format!("\"{{{}}}\"", members.join(","))
        }
    }
}
