//! FOCUS 1.0 as CSV and Parquet, and 1.2 as CSV, of one synthetic bill: all three give the same cost facts, and those
//! are the ones that an independent program worked out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, TimestampMillisecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::store::Store;
use serde_json::{Map, Value};
use support::{World, golden, plan};

/// A cell as the expected facts write it.
fn cell(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Decimal128(_, _) => column.as_primitive::<Decimal128Type>().value_as_string(row).into(),
        DataType::Timestamp(_, _) => {
            let ms = column.as_primitive::<TimestampMillisecondType>().value(row);
            contracts::time::format_timestamp(ms).replace(".000Z", "Z").into()
        }
        DataType::Map(_, _) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
            let member = |n| (keys.value(n).to_owned(), Value::from(values.value(n)));
            Value::Object((0..entries.len()).map(member).collect())
        }
        other => panic!("no fact has type {other}"),
    }
}

fn facts_of(batch: &RecordBatch) -> Vec<String> {
    let schema = batch.schema();
    let columns: Vec<_> = schema.fields().iter().zip(batch.columns()).collect();
    let fact = |row| {
        let known = columns.iter().filter(|(field, _)| !matches!(field.name().as_str(), "tenant_id" | "source_ref"));
        let members: Map<_, _> = known.map(|(field, column)| (field.name().clone(), cell(column, row))).collect();
        Value::Object(members).to_string()
    };
    (0..batch.num_rows()).map(fact).collect()
}

/// All stored facts, sorted: which file a fact comes from must not matter.
fn stored_facts(files: Vec<PathBuf>) -> Vec<String> {
    let world = World::new();
    let report = world.run(&plan("run-1", files)).unwrap();
    assert_eq!(report.billing.unwrap().months.len(), 3);
    let mut facts = Vec::new();
    for path in world.stored("cur_facts").iter().filter(|path| path.ends_with(".parquet")) {
        let file = world.store.get(path).unwrap().unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        for batch in reader {
            let batch = batch.unwrap();
            assert_eq!(batch.schema().fields(), contracts::arrow_schema::cost_facts().fields());
            facts.extend(facts_of(&batch));
        }
    }
    facts.sort();
    facts
}

#[test]
fn every_form_gives_the_expected_facts() {
    let text = std::fs::read_to_string(golden("expected.jsonl")).unwrap();
    let sorted_members = |line: &str| {
        // The other program writes a zero its own way.
        let line = line.replace("\"0E-12\"", "\"0.000000000000\"");
        let members: BTreeMap<String, Value> = serde_json::from_str(&line).unwrap();
        Value::Object(members.into_iter().collect()).to_string()
    };
    let mut expected: Vec<_> = text.lines().map(sorted_members).collect();
    expected.sort();
    assert_eq!(expected.len(), 368);
    for (form, ending) in [("focus10_csv", "csv.gz"), ("focus10_parquet", "snappy.parquet"), ("focus12_csv", "csv.gz")]
    {
        let months = ["2025-11", "2025-12", "2026-01"];
        let facts = stored_facts(months.map(|month| golden(&format!("{form}/{month}.{ending}"))).into());
        assert_eq!(facts.len(), expected.len(), "{form}");
        for (fact, expected) in facts.iter().zip(&expected) {
            assert_eq!(fact, expected, "{form}");
        }
    }
}
