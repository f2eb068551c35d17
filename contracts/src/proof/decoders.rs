//! Two independent readers of our Avro frames, and both results as the JSON view of a row
//! ([`StorageRecord::to_json`](crate::storage::StorageRecord::to_json)).

use apache_avro::types::Value as Avro;
use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, TimestampMillisecondType, UInt8Type, UInt16Type};
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use serde_json::{Map, Value, json};

use crate::number::Micros;
use crate::{arrow_schema, avro, frame, time};

/// The frames, all of one version, as one batch with the columns of that version.
pub(super) fn arrow(frames: &[Vec<u8>]) -> RecordBatch {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    let version = frame::id(&frames[0]).unwrap();
    let id = Fingerprint::Id(version);
    store.set(id, AvroSchema::new(schema(version).to_owned())).unwrap();
    let mut decoder = ReaderBuilder::new()
        .with_writer_schema_store(store)
        .with_active_fingerprint(id)
        .with_batch_size(frames.len())
        .build_decoder()
        .unwrap();
    for frame in frames {
        assert_eq!(decoder.decode(frame).unwrap(), frame.len(), "the frame holds more than one record");
    }
    arrow_schema::conform(&decoder.flush().unwrap().unwrap(), &arrow_schema::findings_of(version.try_into().unwrap()))
        .unwrap()
}

fn schema(version: u32) -> &'static str {
    avro::SCHEMAS[usize::try_from(version).unwrap() - 1]
}

/// One row of a batch as its JSON view.
pub(super) fn arrow_row(batch: &RecordBatch, row: usize) -> Value {
    members(&StructArray::from(batch.clone()), row)
}

fn members(array: &StructArray, row: usize) -> Value {
    let member = |(i, name): (usize, &&str)| ((*name).to_owned(), arrow_value(array.column(i).as_ref(), row));
    Value::Object(array.column_names().iter().enumerate().map(member).collect())
}

fn arrow_value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        DataType::UInt8 => json!(array.as_primitive::<UInt8Type>().value(row)),
        DataType::UInt16 => json!(array.as_primitive::<UInt16Type>().value(row)),
        DataType::Date32 => json!(time::format_date(array.as_primitive::<Date32Type>().value(row))),
        DataType::Timestamp(..) => {
            json!(time::format_timestamp(array.as_primitive::<TimestampMillisecondType>().value(row)))
        }
        DataType::Decimal128(18, 6) => money(array.as_primitive::<Decimal128Type>().value(row)),
        DataType::Struct(_) => members(array.as_struct(), row),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|i| arrow_value(items.as_ref(), i)).collect()
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1));
            let entry = |i| (keys.value(i).to_owned(), arrow_value(values.as_ref(), i));
            Value::Object((0..entries.len()).map(entry).collect())
        }
        other => panic!("no column of a finding is {other}"),
    }
}

fn money(micros: i128) -> Value {
    json!(Micros::new(i64::try_from(micros).unwrap()).unwrap().to_string())
}

/// The frame by the Apache implementation.
pub(super) fn apache(schemas: &[apache_avro::Schema], frame: &[u8]) -> Value {
    let schema = &schemas[usize::try_from(frame::id(frame).unwrap()).unwrap() - 1];
    let mut body = &frame[5..];
    let record =
        apache_avro::reader::datum::GenericDatumReader::builder(schema).build().unwrap().read_value(&mut body).unwrap();
    assert!(body.is_empty(), "{} bytes behind the record", body.len());
    apache_value(record)
}

fn apache_value(value: Avro) -> Value {
    match value {
        Avro::Null => Value::Null,
        Avro::Union(_, inner) => apache_value(*inner),
        Avro::String(text) => json!(text),
        Avro::Int(number) => json!(number),
        Avro::Date(days) => json!(time::format_date(days)),
        Avro::TimestampMillis(ms) => json!(time::format_timestamp(ms)),
        Avro::Decimal(decimal) => {
            let bytes = Vec::try_from(&decimal).unwrap();
            money(bytes.iter().skip(1).fold(i128::from(bytes[0].cast_signed()), |n, b| n << 8 | i128::from(*b)))
        }
        Avro::Array(items) => items.into_iter().map(apache_value).collect(),
        Avro::Map(entries) => {
            entries.into_iter().map(|(key, value)| (key, apache_value(value))).collect::<Map<_, _>>().into()
        }
        Avro::Record(fields) => {
            fields.into_iter().map(|(key, value)| (key, apache_value(value))).collect::<Map<_, _>>().into()
        }
        other => panic!("no field of a finding is {other:?}"),
    }
}
