//! Rows → Avro → Arrow and → Apache Avro are the same rows, and the Arrow schema is the published one.

use arrow::datatypes::{DataType, Field};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::decoders;
use crate::finding::{Form, read};
use crate::{arrow_schema, avro, frame, storage, wire};

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    wire: Option<&'a RawValue>,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
    #[serde(borrow)]
    draft: Option<&'a RawValue>,
    #[serde(default)]
    valid: bool,
}

const EVERY_FIELD: &str = r#"{
  "tenant_id": "t", "workspace_id": "w", "finding_id": "f", "fingerprint": "p", "run_id": "r",
  "run_ts": "1969-12-31T23:59:59.999Z", "ingested_ts": "9999-12-31T23:59:59.999Z",
  "engine_name": "e", "engine_version": "1", "rulepack_version": "2",
  "scope": {"cloud": "aws", "provider_partition": "p", "organization_id": "o", "billing_account_id": "b",
    "account_id": "a", "region": "r", "availability_zone": "z", "service": "s", "resource_type": "t",
    "resource_id": "i", "resource_arn": "n"},
  "check_id": "c", "check_name": "n", "category": "c", "sub_category": "s",
  "frameworks": ["x", null, "", "\ud83d\ude00"], "status": "fail", "severity": {"level": "high", "score": 65535},
  "priority": 0, "title": "t", "message": "m", "advice": "a", "recommendation": "r", "remediation": "r",
  "links": [{"label": "l", "url": "u"}, null, {"label": null, "url": null}],
  "estimated": {"monthly_savings": "999999999999.999999", "monthly_cost": "-999999999999.999999",
    "one_time_savings": "-0.000001", "confidence": 255, "notes": "n"},
  "actual": {"cost_7d": "0", "cost_30d": "0.000001", "cost_mtd": "-1", "cost_prev_month": "0.000127",
    "savings_7d": "0.000128", "savings_30d": "-0.000129",
    "model": {"currency": "EUR", "cost_model": "net", "granularity": "daily", "period_start": "0001-01-01",
      "period_end": "9999-12-31"},
    "attribution": {"method": "tag", "confidence": 0, "matched_keys": ["k", null]}},
  "lifecycle": {"status": "open", "first_seen_ts": "2026-01-20T10:00:00.001Z",
    "last_seen_ts": "0001-01-01T00:00:00Z", "resolved_ts": "1970-01-01T00:00:00Z",
    "snooze_until_ts": "2026-01-20T10:00:00Z"},
  "tags": {"b": "2", "a": null, "": ""}, "labels": {}, "dimensions": {"é": "ü"},
  "metrics": {"m": "-12.5", "n": null}, "metadata_json": "{}",
  "source": {"source_type": "s", "source_ref": "r", "schema_version": 65535, "engine": "compute-optimizer",
    "refreshed_ts": "2026-01-20T10:00:00Z"},
  "allocation": {"owner": "payments", "cost_center": "4711", "product": "shop", "environment": "test"}
}"#;

/// What versions after the first have added, by its place in the JSON view.
const ADDED: [(&str, &str); 4] =
    [("/allocation", "environment"), ("", "allocation"), ("/source", "engine"), ("/source", "refreshed_ts")];

/// Without what is left out when it is null, or without all that was added.
fn without_added(mut row: Value, also_if_set: bool) -> Value {
    for (parent, name) in ADDED {
        let parent = row.pointer_mut(parent).and_then(Value::as_object_mut);
        if let Some(members) = parent.filter(|members| also_if_set || members.get(name).is_some_and(Value::is_null)) {
            members.remove(name);
        }
    }
    row
}

fn texts() -> Vec<String> {
    let files = [
        include_str!("../../tests/golden/storage_cast.jsonl"),
        include_str!("../../tests/golden/validate.jsonl"),
        include_str!("../../tests/golden/build_record.jsonl"),
        include_str!("../../tests/golden/ambiguous/storage_cast.jsonl"),
    ];
    let first = without_added(serde_json::from_str(EVERY_FIELD).unwrap(), true);
    let mut texts = vec!["{}".to_owned(), EVERY_FIELD.to_owned(), first.to_string()];
    texts.extend([
        r#"{"source": {"engine": "e"}}"#.to_owned(),
        r#"{"source": {"refreshed_ts": "2026-01-20"}}"#.to_owned(),
        r#"{"allocation": {"product": "p"}}"#.to_owned(),
        r#"{"allocation": {"environment": "e"}}"#.to_owned(),
        r#"{"allocation": {"owner": " "}, "source": {"engine": ""}}"#.to_owned(),
    ]);
    for (i, line) in files.iter().enumerate().flat_map(|(i, file)| file.lines().map(move |line| (i, line))) {
        let line: Line<'_> = serde_json::from_str(line).unwrap();
        let chosen = line.wire.or(line.record).or(line.draft).filter(|_| i != 1 || line.valid);
        texts.extend(chosen.map(|raw| raw.get().to_owned()));
    }
    texts
}

#[test]
fn every_row_of_the_golden_vectors_reads_back_as_it_was() {
    let (mut frames, mut rows) = (Vec::new(), Vec::new());
    for text in texts() {
        let message = wire::parse(text.as_bytes()).unwrap();
        for form in [Form::AsIs, Form::Record, Form::Draft] {
            let (finding, _) = read(&message, form);
            let Ok(record) = storage::cast(&finding) else { continue };
            frames.push(record.encode());
            rows.push(record.to_json());
        }
    }
    assert!(rows.len() > 1000, "{} rows", rows.len());
    assert!(rows[0].as_object().unwrap().values().all(Value::is_null), "the first row has no value at all");

    let apache = avro::SCHEMAS.map(|schema| apache_avro::Schema::parse_str(schema).unwrap());
    for version in 1..=avro::NEWEST {
        let of_version = |i: &usize| frame::id(&frames[*i]) == Some(version.into());
        let all: Vec<usize> = (0..frames.len()).filter(of_version).collect();
        assert!(all.len() > 3, "{} rows of version {version}", all.len());
        let batch = decoders::arrow(&all.iter().map(|i| frames[*i].clone()).collect::<Vec<_>>());
        for (n, i) in all.into_iter().enumerate() {
            let (row, seen) = (&rows[i], |row| without_added(row, false));
            assert_eq!(seen(decoders::arrow_row(&batch, n)), *row, "row {i} by arrow-avro");
            assert_eq!(seen(decoders::apache(&apache, &frames[i])), *row, "row {i} by apache-avro");
            let is_first = without_added(row.clone(), true) == *row;
            assert_eq!(is_first, version == 1, "a row has the lowest version that has room for it: {row}");
        }
    }
}

#[test]
fn the_full_row_has_every_column() {
    let message = wire::parse(EVERY_FIELD.as_bytes()).unwrap();
    let (finding, violations) = read(&message, Form::AsIs);
    assert!(violations.is_empty(), "{violations:?}");
    let row = storage::cast(&finding).unwrap().to_json();
    let columns: Vec<_> = arrow_schema::findings().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(row.as_object().unwrap().len(), columns.len());
    for column in columns {
        assert!(!row[&column].is_null(), "{column} is null in the record that has everything");
    }
}

/// A field as the golden schema writes it.
fn described(field: &Field) -> Value {
    json!({ "name": field.name(), "type": type_of(field.data_type()), "nullable": field.is_nullable() })
}

fn type_of(data_type: &DataType) -> Value {
    match data_type {
        DataType::Utf8 => json!("utf8"),
        DataType::UInt8 => json!("uint8"),
        DataType::UInt16 => json!("uint16"),
        DataType::Date32 => json!("date32"),
        DataType::Timestamp(arrow::datatypes::TimeUnit::Millisecond, Some(zone)) => {
            json!(format!("timestamp(ms,{zone})"))
        }
        DataType::Decimal128(precision, scale) => json!(format!("decimal128({precision},{scale})")),
        DataType::Struct(fields) => json!({ "struct": fields.iter().map(|f| described(f)).collect::<Vec<_>>() }),
        DataType::List(item) => json!({ "list": described(item) }),
        DataType::Map(entries, false) => {
            let DataType::Struct(entry) = entries.data_type() else { panic!("{entries}") };
            json!({ "map": { "key": described(&entry[0]), "value": described(&entry[1]) } })
        }
        other => panic!("{other} is in no dataset of the contract"),
    }
}

#[test]
fn arrow_schemas_are_the_golden_ones() {
    let golden: Value = serde_json::from_str(include_str!("../../tests/golden/schema/arrow_schema.json")).unwrap();
    let fields =
        |schema: arrow::datatypes::SchemaRef| -> Vec<Value> { schema.fields().iter().map(|f| described(f)).collect() };
    assert_eq!(json!(fields(arrow_schema::findings_of(1))), golden["finops_findings"]);
    let evidence: Vec<_> =
        fields(arrow_schema::cost_attribution()).into_iter().filter(|f| f["name"] != "run_id").collect();
    assert_eq!(json!(evidence), golden["finops_cost_attribution"], "ours adds run_id");
    let base = golden["finops_kpi_base"].as_array().unwrap();
    let widened = |field: &Value| match field["name"] == "value" {
        true => json!({ "name": "value", "type": "decimal128(38,6)", "nullable": field["nullable"] }),
        false => field.clone(),
    };
    let base: Vec<Value> = base.iter().map(widened).collect();
    let ours = fields(arrow_schema::kpi_gold());
    assert_eq!(ours[..base.len()], base[..], "gold begins with the base columns, sums with room for 32 digits");
}
