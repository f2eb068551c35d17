//! Whether a committed file is, byte for byte and row for row, what was committed.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMillisecondType;
use bytes::Bytes;
use contracts::commit_record::CommittedFile;
use contracts::source::{Src, SrcSet};
use contracts::{arrow_schema, dead_letter, layout, time};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

use super::Rule;

/// Returns the first positions of rows that were sent again, as far as the file tells (dead letters do).
pub(super) fn check(file: &CommittedFile, bytes: &Bytes) -> Result<SrcSet, (Rule, String)> {
    if bytes.len() as u64 != file.bytes {
        let detail = format!("{} bytes, committed were {}", bytes.len(), file.bytes);
        return Err((Rule::FileChanged, detail));
    }
    let sha256 = hex::encode(Sha256::digest(bytes));
    if sha256 != file.sha256 {
        return Err((Rule::FileChanged, format!("its SHA-256 is {sha256}, committed was {}", file.sha256)));
    }
    content(file, bytes).map_err(|detail| (Rule::FileContent, detail))
}

fn content(file: &CommittedFile, bytes: &Bytes) -> Result<SrcSet, String> {
    let is_finding = layout::dataset_of(&file.path) == Some(layout::FINDINGS);
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).map_err(|e| e.to_string())?;
    let wanted = if is_finding { arrow_schema::findings() } else { dead_letter::arrow_schema() };
    if builder.schema().fields() != wanted.fields() {
        return Err("its columns are not those of the contract".to_owned());
    }
    let rows = builder.metadata().file_metadata().num_rows();
    if u64::try_from(rows) != Ok(file.rows) {
        return Err(format!("{rows} rows, committed were {}", file.rows));
    }
    let wanted_dir = layout::partition_dir(
        if is_finding { layout::FINDINGS } else { layout::DEAD_LETTERS },
        &file.tenant_id,
        &file.run_date,
    );
    if !file.path.starts_with(&format!("{wanted_dir}/")) {
        return Err(format!("it does not lie in {wanted_dir}"));
    }
    let columns = if is_finding { ["tenant_id", "run_ts"] } else { ["tenant_id", "replay_of"] };
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
    let mut firsts = SrcSet::new();
    for batch in builder.with_projection(mask).build().map_err(|e| e.to_string())? {
        let batch = batch.map_err(|e| e.to_string())?;
        tenant(file, &batch, is_finding)?;
        if is_finding { day(file, &batch)? } else { replays(&batch, &mut firsts)? }
    }
    Ok(firsts)
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b arrow::array::ArrayRef, String> {
    batch.column_by_name(name).ok_or_else(|| format!("there is no column {name}"))
}

fn tenant(file: &CommittedFile, batch: &RecordBatch, is_finding: bool) -> Result<(), String> {
    let unknown = !is_finding && file.tenant_id == layout::UNKNOWN_TENANT;
    let wanted = (!unknown).then_some(file.tenant_id.as_str());
    match column(batch, "tenant_id")?.as_string::<i32>().iter().find(|tenant| *tenant != wanted) {
        Some(other) => Err(format!("it holds a row of tenant {:?}", other.unwrap_or_default())),
        None => Ok(()),
    }
}

fn day(file: &CommittedFile, batch: &RecordBatch) -> Result<(), String> {
    let times = column(batch, "run_ts")?.as_primitive::<TimestampMillisecondType>();
    match times.iter().find(|ms| ms.map(time::date_of).as_deref() != Some(&file.run_date)) {
        Some(other) => Err(format!("it holds a row of {}", other.map(time::date_of).unwrap_or_default())),
        None => Ok(()),
    }
}

fn replays(batch: &RecordBatch, firsts: &mut SrcSet) -> Result<(), String> {
    for first in column(batch, "replay_of")?.as_string::<i32>().iter().flatten() {
        let first: Src = first.parse().map_err(|e| format!("column replay_of: {e}"))?;
        let _new = firsts.entry(first.partition).or_default().insert(first.offset);
    }
    Ok(())
}
