//! Arrow schemas of the datasets (contract.md 10) and the step that brings a decoded batch to them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, MapArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use crate::avro;

fn utf8(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn uint8(name: &str) -> Field {
    Field::new(name, DataType::UInt8, true)
}

fn uint16(name: &str) -> Field {
    Field::new(name, DataType::UInt16, true)
}

fn bool(name: &str) -> Field {
    Field::new(name, DataType::Boolean, true)
}

fn date(name: &str) -> Field {
    Field::new(name, DataType::Date32, true)
}

fn time(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true)
}

fn money(name: &str) -> Field {
    Field::new(name, DataType::Decimal128(18, 6), true)
}

/// Sums of amounts have room for more digits than one of them.
fn sum(name: &str) -> Field {
    Field::new(name, DataType::Decimal128(38, 6), true)
}

/// Billing amounts keep twelve places (cur_attribution 3).
fn cost(name: &str) -> Field {
    Field::new(name, DataType::Decimal128(38, 12), true)
}

fn record(name: &str, fields: Vec<Field>) -> Field {
    Field::new(name, DataType::Struct(fields.into()), true)
}

fn list(name: &str, item: DataType) -> Field {
    Field::new(name, DataType::List(Arc::new(Field::new("item", item, true))), true)
}

/// R60: entries `key`/`value`, key required; R56: written sorted, but readers must not rely on it.
fn map(name: &str, value: DataType) -> Field {
    let entry = Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", value, true)]);
    Field::new(name, DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entry), false)), false), true)
}

fn schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

/// `finops_findings` in its newest version.
#[must_use]
pub fn findings() -> SchemaRef {
    findings_of(avro::NEWEST)
}

/// `finops_findings` in one version: 34 fields in version 1. Later ones add fields at the end of their struct or of the schema (R61).
#[must_use]
pub fn findings_of(version: u16) -> SchemaRef {
    let texts = |names: &[&str]| names.iter().map(|n| utf8(n)).collect::<Vec<_>>();
    let mut fields = texts(&["tenant_id", "workspace_id", "finding_id", "fingerprint", "run_id"]);
    fields.extend([time("run_ts"), time("ingested_ts")]);
    fields.extend(texts(&["engine_name", "engine_version", "rulepack_version"]));
    fields.push(record(
        "scope",
        texts(&[
            "cloud",
            "provider_partition",
            "organization_id",
            "billing_account_id",
            "account_id",
            "region",
            "availability_zone",
            "service",
            "resource_type",
            "resource_id",
            "resource_arn",
        ]),
    ));
    fields.extend(texts(&["check_id", "check_name", "category", "sub_category"]));
    fields.extend([list("frameworks", DataType::Utf8), utf8("status")]);
    fields.push(record("severity", vec![utf8("level"), uint16("score")]));
    fields.push(uint16("priority"));
    fields.extend(texts(&["title", "message", "advice", "recommendation", "remediation"]));
    fields.push(list("links", DataType::Struct(vec![utf8("label"), utf8("url")].into())));
    fields.push(record(
        "estimated",
        vec![
            money("monthly_savings"),
            money("monthly_cost"),
            money("one_time_savings"),
            uint8("confidence"),
            utf8("notes"),
        ],
    ));
    fields.push(actual());
    fields.push(record(
        "lifecycle",
        vec![utf8("status"), time("first_seen_ts"), time("last_seen_ts"), time("resolved_ts"), time("snooze_until_ts")],
    ));
    fields.extend(["tags", "labels", "dimensions"].map(|name| map(name, DataType::Utf8)));
    fields.extend([map("metrics", DataType::Decimal128(18, 6)), utf8("metadata_json")]);
    let mut source = vec![utf8("source_type"), utf8("source_ref"), uint16("schema_version")];
    let mut added = Vec::new();
    if version >= 2 {
        source.extend([utf8("engine"), time("refreshed_ts")]);
        added.push(record("allocation", texts(&["owner", "cost_center", "product"])));
    }
    fields.push(record("source", source));
    fields.extend(added);
    schema(fields)
}

fn actual() -> Field {
    let mut fields: Vec<Field> =
        ["cost_7d", "cost_30d", "cost_mtd", "cost_prev_month", "savings_7d", "savings_30d"].map(money).into();
    fields.push(record(
        "model",
        vec![utf8("currency"), utf8("cost_model"), utf8("granularity"), date("period_start"), date("period_end")],
    ));
    fields.push(record("attribution", vec![utf8("method"), uint8("confidence"), list("matched_keys", DataType::Utf8)]));
    record("actual", fields)
}

/// `finops_cost_attribution`: evidence of attribution (17 fields).
#[must_use]
pub fn cost_attribution() -> SchemaRef {
    let cur = [
        "payer_account_id",
        "linked_account_id",
        "region",
        "service",
        "usage_type",
        "operation",
        "resource_id",
        "line_item_type",
    ];
    schema(vec![
        utf8("tenant_id"),
        utf8("workspace_id"),
        utf8("finding_id"),
        utf8("fingerprint"),
        utf8("run_id"),
        date("period_start"),
        date("period_end"),
        utf8("currency"),
        utf8("cost_model"),
        utf8("method"),
        uint8("confidence"),
        money("cost_amount"),
        record("cur", cur.map(utf8).into()),
        list("matched_keys", DataType::Utf8),
        utf8("notes"),
        time("ingested_ts"),
        utf8("source_ref"),
    ])
}

/// `finops_kpi_gold`: long rows (12 fields).
#[must_use]
pub fn kpi_gold() -> SchemaRef {
    schema(vec![
        utf8("tenant_id"),
        utf8("workspace_id"),
        utf8("period"),
        utf8("kpi_name"),
        map("dimensions", DataType::Utf8),
        sum("value"),
        utf8("currency"),
        time("computed_ts"),
        utf8("source_ref"),
        utf8("period_type"),
        utf8("unit"),
        utf8("dim_key"),
    ])
}

/// `cur_facts`: normalized billing lines (cur_attribution 3).
#[must_use]
pub fn cost_facts() -> SchemaRef {
    schema(vec![
        utf8("tenant_id"),
        utf8("source_format"),
        utf8("billing_period"),
        time("billing_period_start"),
        time("billing_period_end"),
        time("usage_start"),
        time("usage_end"),
        utf8("payer_account_id"),
        utf8("account_id"),
        utf8("region"),
        utf8("service_code"),
        utf8("service"),
        utf8("resource_id"),
        utf8("line_item_type"),
        utf8("charge_category"),
        bool("is_correction"),
        utf8("usage_type"),
        utf8("operation"),
        utf8("commitment_id"),
        utf8("commitment_status"),
        utf8("currency"),
        cost("cost_unblended"),
        cost("cost_net"),
        cost("cost_amortized"),
        cost("cost_blended"),
        bool("model_fallback"),
        bool("currency_defaulted"),
        bool("unknown_type"),
        map("tags", DataType::Utf8),
        utf8("source_ref"),
    ])
}

/// Brings a decoded batch to a contract schema: the same columns by position, nested names and widths as
/// the schema says. Nothing is added, dropped or reordered.
///
/// # Errors
/// A column that does not fit, or a value outside the narrower type: the batch is not of this schema.
pub fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if batch.num_columns() != schema.fields().len() {
        let (have, want) = (batch.num_columns(), schema.fields().len());
        return Err(ArrowError::SchemaError(format!("batch has {have} columns, the schema {want}")));
    }
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| conform_column(column, field))
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema.clone(), columns)
}

fn conform_column(column: &ArrayRef, field: &FieldRef) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == field.data_type() {
        return Ok(column.clone());
    }
    let mismatch = || {
        let (have, want) = (column.data_type(), field.data_type());
        ArrowError::SchemaError(format!("column {} is {have}, must be {want}", field.name()))
    };
    match field.data_type() {
        DataType::Struct(fields) => {
            let array = column.as_any().downcast_ref::<StructArray>().ok_or_else(mismatch)?;
            Ok(Arc::new(conform_struct(array, fields)?))
        }
        DataType::List(item) => {
            let array = column.as_any().downcast_ref::<ListArray>().ok_or_else(mismatch)?;
            let values = conform_column(array.values(), item)?;
            Ok(Arc::new(ListArray::try_new(item.clone(), array.offsets().clone(), values, array.nulls().cloned())?))
        }
        DataType::Map(entries, sorted) => {
            let array = column.as_any().downcast_ref::<MapArray>().ok_or_else(mismatch)?;
            let DataType::Struct(fields) = entries.data_type() else { return Err(mismatch()) };
            let inner = conform_struct(array.entries(), fields)?;
            let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
            Ok(Arc::new(MapArray::try_new(entries.clone(), offsets, inner, nulls, *sorted)?))
        }
        data_type => {
            let strict = arrow::compute::CastOptions { safe: false, ..Default::default() };
            arrow::compute::cast_with_options(column, data_type, &strict)
        }
    }
}

fn conform_struct(array: &StructArray, fields: &Fields) -> Result<StructArray, ArrowError> {
    let columns = array
        .columns()
        .iter()
        .zip(fields)
        .map(|(column, field)| conform_column(column, field))
        .collect::<Result<Vec<_>, _>>()?;
    StructArray::try_new(fields.clone(), columns, array.nulls().cloned())
}
