//! Rows of Parquet, batch by batch.

use std::fs::File;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use platform::progress::Progress;

use super::batch_columns::{BatchColumn, Wanted};
use super::error::LoadError;
use super::row::Row;
use super::text_ids::ColumnIds;
use super::visitor::Visitor;

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
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| bad(e.to_string()))?;
    let schema = Arc::clone(metadata.schema());
    let columns: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let rows_total = u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or_default();
    let mut needed = visitor.header(&columns)?;
    needed.sort_unstable();
    needed.dedup();
    let wanted: Vec<_> = needed.iter().map(|index| wanted(*index, schema.field(*index), visitor)).collect();
    let metadata = with_dictionaries(metadata, &needed, &wanted);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let mask = ProjectionMask::roots(builder.parquet_schema(), needed.iter().copied());
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(|e| bad(e.to_string()))?;
    let (mut rows, mut ids) = (0, ColumnIds::default());
    for batch in reader {
        let batch = batch.map_err(|e| bad(format!("{e} after row {rows}")))?;
        let mut cells: Vec<Option<BatchColumn>> = columns.iter().map(|_| None).collect();
        for (number, (index, column)) in needed.iter().zip(batch.columns()).enumerate() {
            cells[*index] = BatchColumn::of(column, wanted[number], ids.item(number));
            if cells[*index].is_none() {
                visitor.unreadable(*index, &kind_of(column.data_type()))?;
            }
        }
        for index in 0..batch.num_rows() {
            rows += 1;
            visitor.row(rows, Row::Batch(&cells, index))?;
        }
        let share = u128::from(file_bytes) * batch.num_rows() as u128 / u128::from(rows_total.max(1));
        progress.advance(u64::try_from(share).unwrap_or_default());
    }
    if rows == 0 { Err(LoadError::NoRows { file: name.to_owned() }) } else { Ok(()) }
}

/// What is read of a column.
fn wanted(index: usize, field: &Field, visitor: &mut dyn Visitor) -> Wanted {
    let member = if field.data_type().is_nested() { visitor.member(index) } else { None };
    match member {
        Some(member) => Wanted::Member(member),
        None if visitor.takes_nested(index) => Wanted::Nested,
        None => Wanted::Text,
    }
}

/// Texts are read as dictionaries, which is what they mostly are in the file.
fn with_dictionaries(metadata: ArrowReaderMetadata, needed: &[usize], wanted: &[Wanted]) -> ArrowReaderMetadata {
    let is_asked = |index: usize| {
        let number = needed.binary_search(&index).ok();
        number.and_then(|number| wanted.get(number)).is_some_and(|wanted| !matches!(wanted, Wanted::Member(_)))
    };
    let field =
        |(index, field): (usize, &FieldRef)| if is_asked(index) { as_dictionary(field) } else { Arc::clone(field) };
    let schema = metadata.schema();
    let fields: Vec<_> = schema.fields().iter().enumerate().map(field).collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let options = ArrowReaderOptions::new().with_schema(schema);
    // What cannot be read that way is read as it is.
    ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).unwrap_or(metadata)
}

fn as_dictionary(field: &FieldRef) -> FieldRef {
    let fields = |fields: &Fields| fields.iter().map(as_dictionary).collect::<Fields>();
    let kind = match field.data_type() {
        DataType::Utf8 => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        DataType::Map(entries, is_sorted) => DataType::Map(as_dictionary(entries), *is_sorted),
        DataType::List(item) => DataType::List(as_dictionary(item)),
        DataType::Struct(members) => DataType::Struct(fields(members)),
        other => other.clone(),
    };
    Arc::new(field.as_ref().clone().with_data_type(kind))
}

/// The type in a few words: that of a nested column can fill pages.
fn kind_of(kind: &DataType) -> String {
    match kind {
        DataType::Struct(_) => "a struct".into(),
        DataType::Map(_, _) => "a map".into(),
        kind if kind.is_nested() => "a list".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "binary that is not UTF-8 text".into()
        }
        other => format!("of type {other}"),
    }
}
