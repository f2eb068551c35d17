//! Rows of gold tables as Parquet files.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, MapBuilder, MapFieldNames, RecordBatch, StringArray, StringBuilder,
    TimestampMillisecondArray,
};
use arrow::error::ArrowError;
use contracts::arrow_schema::kpi_gold;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::row::KpiRow;
use crate::error::{ExportError, Result};
use crate::tables::Written;

/// Writes the rows of a table as one Parquet file.
pub(super) fn write(
    batch: std::result::Result<RecordBatch, ArrowError>,
    folder: &str,
    out: &mut (dyn Write + Send),
) -> Result<Written> {
    let failed = |source: ParquetError| ExportError::Parquet { doing: "encoding", path: folder.to_owned(), source };
    let batch = batch.map_err(|e| failed(e.into()))?;
    let bytes = encode(&batch).map_err(failed)?;
    out.write_all(&bytes).map_err(ExportError::io("staging", folder.as_ref()))?;
    Ok(Written { rows: batch.num_rows() as u64, amount_overflows: 0 })
}

fn encode(batch: &RecordBatch) -> std::result::Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(batch)?;
    writer.into_inner()
}

/// KPI rows, sorted.
pub(super) fn batch(tenant: &str, rows: &[KpiRow], computed_ms: i64) -> std::result::Result<RecordBatch, ArrowError> {
    let text = |cell: fn(&KpiRow) -> &str| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(cell(row))).collect::<StringArray>())
    };
    let tenants: StringArray = rows.iter().map(|_| Some(tenant)).collect();
    let values = rows.iter().map(|row| Some(row.value_micro)).collect::<Decimal128Array>();
    let currencies: StringArray = rows.iter().map(|row| row.currency.as_deref()).collect();
    let computed = TimestampMillisecondArray::from(vec![computed_ms; rows.len()]).with_timezone("UTC");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(tenants),
        text(|row| &row.workspace_id),
        text(|row| &row.period),
        text(|row| &row.kpi_name),
        dimensions(rows)?,
        Arc::new(values.with_precision_and_scale(38, 6)?),
        Arc::new(currencies),
        Arc::new(computed),
        text(|row| &row.source_ref),
        text(|row| &row.period_type),
        text(|row| row.unit),
        text(|row| &row.dim_key),
    ];
    RecordBatch::try_new(kpi_gold(), columns)
}

fn dimensions(rows: &[KpiRow]) -> std::result::Result<ArrayRef, ArrowError> {
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for row in rows {
        for (key, value) in &row.dimensions {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(true)?;
    }
    Ok(Arc::new(builder.finish()))
}
