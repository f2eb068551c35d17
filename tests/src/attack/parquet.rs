//! Reads data files with nothing of the product: what identifies each row, and whether it lies where it belongs.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMillisecondType;
use bytes::Bytes;
use contracts::{layout, time};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// What a row is: of a finding its id, of a dead letter its first source position. No text is both.
pub type Key = String;

/// The keys of a data file's rows.
///
/// # Errors
/// It is torn, or holds a row of another tenant or date than its path says.
pub fn keys(path: &str, bytes: Bytes) -> Result<Vec<Key>, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("{path}: {e}");
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|b| b.build()).map_err(|e| wrong(&e))?;
    let mut keys = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|e| wrong(&e))?;
        (0..batch.num_rows()).try_for_each(|row| {
            keys.push(key(path, &batch, row).map_err(|e| wrong(&e))?);
            Ok::<_, String>(())
        })?;
    }
    if keys.is_empty() { Err(wrong(&"it has no rows")) } else { Ok(keys) }
}

fn key(path: &str, batch: &RecordBatch, row: usize) -> Result<Key, String> {
    let [dataset, tenant_id, run_date, _] = path.split('/').collect::<Vec<_>>()[..] else {
        return Err("it does not lie at <dataset>/tenant_id=…/run_date=…/<file>".into());
    };
    let text = |name: &str| {
        let column = batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"))?;
        Ok::<_, String>(column.is_valid(row).then(|| column.as_string::<i32>().value(row).to_owned()))
    };
    let tenant = text("tenant_id")?.unwrap_or_else(|| layout::UNKNOWN_TENANT.to_owned());
    if tenant_id != format!("tenant_id={tenant}") {
        return Err(format!("row {row} is of tenant {tenant}"));
    }
    if dataset == layout::DEAD_LETTERS {
        return text("replay_of")?.or(text("src")?).ok_or_else(|| format!("row {row} has no src"));
    }
    let run_ts = batch.column_by_name("run_ts").ok_or("it has no column run_ts")?;
    let date = time::date_of(run_ts.as_primitive::<TimestampMillisecondType>().value(row));
    if run_date != format!("run_date={date}") {
        return Err(format!("row {row} is of date {date}"));
    }
    text("finding_id")?.ok_or_else(|| format!("row {row} has no finding_id"))
}
