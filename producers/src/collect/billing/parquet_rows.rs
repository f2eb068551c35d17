//! Rows of Parquet. Every needed column becomes text, so that both containers share one reading of cells; a double is
//! read through its shortest text, and stays what the export wrote.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::container::Visitor;
use super::error::LoadError;
use super::row::Row;
use crate::progress::Progress;

/// Rows decoded at once.
const BATCH_ROWS: usize = 8192;

/// Reads all rows.
pub(super) fn read(
    name: &str,
    file: File,
    progress: &dyn Progress,
    visitor: &mut dyn Visitor,
) -> Result<(), LoadError> {
    let bad = |reason: String| LoadError::Parquet { file: name.to_owned(), reason };
    let file_bytes = file.metadata().map(|meta| meta.len()).unwrap_or_default();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| bad(e.to_string()))?;
    let columns: Vec<String> = builder.schema().fields().iter().map(|f| f.name().clone()).collect();
    let rows_total = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
    let mut needed = visitor.header(&columns)?;
    needed.sort_unstable();
    needed.dedup();
    let mask = ProjectionMask::roots(builder.parquet_schema(), needed.iter().copied());
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(|e| bad(e.to_string()))?;
    let mut rows = 0;
    for batch in reader {
        let batch = batch.map_err(|e| bad(format!("{e} after row {rows}")))?;
        let mut texts: Vec<Option<StringArray>> = vec![None; columns.len()];
        for (index, column) in needed.iter().zip(batch.columns()) {
            let text = as_text(column).map_err(|e| bad(format!("column {}: {e}", columns[*index])))?;
            texts[*index] = Some(text);
        }
        for index in 0..batch.num_rows() {
            rows += 1;
            visitor.row(rows, Row::Batch(&texts, index))?;
        }
        let share = u128::from(file_bytes) * batch.num_rows() as u128 / u128::from(rows_total.max(1));
        progress.advance(u64::try_from(share).unwrap_or_default());
    }
    if rows == 0 { Err(LoadError::NoRows { file: name.to_owned() }) } else { Ok(()) }
}

fn as_text(column: &ArrayRef) -> Result<StringArray, arrow::error::ArrowError> {
    let column = match column.data_type() {
        DataType::Map(_, _) => return maps_as_json(column),
        // Only the instant counts; a named zone would need a zone database to print.
        DataType::Timestamp(_, _) => cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None))?,
        _ => Arc::clone(column),
    };
    Ok(cast(&column, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// Each map as JSON text, as the CSV form of the same export has it.
fn maps_as_json(column: &ArrayRef) -> Result<StringArray, arrow::error::ArrowError> {
    let maps = column.as_map();
    let keys = cast(maps.keys(), &DataType::Utf8)?;
    let values = cast(maps.values(), &DataType::Utf8)?;
    let (keys, values) = (keys.as_string::<i32>(), values.as_string::<i32>());
    let json = |index: usize| {
        if maps.is_null(index) {
            return None;
        }
        let offsets = maps.value_offsets();
        let entries = usize::try_from(offsets[index]).ok()?..usize::try_from(offsets[index + 1]).ok()?;
        let members = entries.map(|entry| {
            let value = if values.is_null(entry) { Value::Null } else { values.value(entry).into() };
            (keys.value(entry).to_owned(), value)
        });
        Some(Value::Object(members.collect()).to_string())
    };
    Ok((0..maps.len()).map(json).collect())
}
