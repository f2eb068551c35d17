//! Rows of Parquet as the reference writes them: money as text, dates as dates, absent values as null.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, TimestampMillisecondType, UInt8Type, UInt16Type};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};

/// All rows of a file, by column. Columns whose type no test compares are null.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn of_file(file: Bytes) -> Vec<Map<String, Value>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.flat_map(|batch| rows_of(&batch.unwrap())).collect()
}

fn rows_of(batch: &RecordBatch) -> Vec<Map<String, Value>> {
    let schema = batch.schema();
    let row = |at| {
        let cells = schema.fields().iter().zip(batch.columns());
        cells.map(|(field, column)| (field.name().clone(), cell(column, at))).collect()
    };
    (0..batch.num_rows()).map(row).collect()
}

fn cell(column: &dyn Array, at: usize) -> Value {
    if column.is_null(at) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(at).into(),
        DataType::Boolean => column.as_boolean().value(at).into(),
        DataType::UInt8 => column.as_primitive::<UInt8Type>().value(at).into(),
        DataType::UInt16 => column.as_primitive::<UInt16Type>().value(at).into(),
        DataType::Decimal128(_, _) => column.as_primitive::<Decimal128Type>().value_as_string(at).into(),
        DataType::Date32 => column.as_primitive::<Date32Type>().value_as_date(at).unwrap().to_string().into(),
        DataType::Timestamp(_, _) => column.as_primitive::<TimestampMillisecondType>().value(at).into(),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(at);
            (0..items.len()).map(|item| cell(&items, item)).collect()
        }
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns().iter();
            let members = fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), cell(column, at)));
            Value::Object(members.collect())
        }
        _ => Value::Null,
    }
}
