//! Arrow schemas of the datasets (contract.md 10) and the step that brings a decoded batch to them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, MapArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::avro;
use crate::columns::{bool, cost, date, int64, list, map, money, record, sum, time, uint8, utf8};
use crate::storage::StorageRecord;

fn schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

/// `finops_findings` in its newest version.
#[must_use]
pub fn findings() -> SchemaRef {
    findings_of(avro::NEWEST)
}

/// `finops_findings` in one version: what [`StorageRecord`] is made of. Version 1 has 34 fields; later ones add some at the end of
/// their struct or of the schema (R61).
#[must_use]
pub fn findings_of(version: u16) -> SchemaRef {
    schema(StorageRecord::fields(version))
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

/// `finops_runs`: runs that announced themselves, and how much of each has arrived (10 fields).
#[must_use]
pub fn runs() -> SchemaRef {
    schema(vec![
        utf8("tenant_id"),
        utf8("workspace_id"),
        utf8("run_id"),
        time("run_ts"),
        utf8("engine_name"),
        utf8("status"),
        int64("published"),
        int64("delivered"),
        bool("is_complete"),
        bool("is_import"),
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
        cost("quantity"),
        utf8("split_resource_id"),
        utf8("split_parent_id"),
        map("split_tags", DataType::Utf8),
        cost("split_cost_unblended"),
        cost("split_cost_net"),
        cost("split_cost_amortized"),
        cost("split_cost_blended"),
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
