//! Cost facts as Arrow columns, in the order and types of the dataset `cur_facts`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, MapBuilder, MapFieldNames, RecordBatch, StringArray, StringBuilder,
    TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use rust_decimal::Decimal;

use crate::billing::cells::SCALE;
use crate::billing::fact::CostFact;

const PRECISION: u8 = 38;

/// The schema.
#[must_use]
pub fn schema() -> SchemaRef {
    let text = |name: &str, null| Field::new(name, DataType::Utf8, null);
    let time =
        |name: &str, null| Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), null);
    let cost = |name: &str| Field::new(name, DataType::Decimal128(PRECISION, SCALE as i8), false);
    let flag = |name: &str| Field::new(name, DataType::Boolean, false);
    let entry = Fields::from(vec![text("key", false), text("value", true)]);
    let entries = Field::new("entries", DataType::Struct(entry), false);
    Arc::new(Schema::new(vec![
        text("tenant_id", false),
        text("source_format", false),
        text("billing_period", false),
        time("billing_period_start", true),
        time("billing_period_end", true),
        time("usage_start", false),
        time("usage_end", true),
        text("payer_account_id", true),
        text("account_id", false),
        text("region", true),
        text("service_code", true),
        text("service", true),
        text("resource_id", true),
        text("line_item_type", true),
        text("charge_category", false),
        flag("is_correction"),
        text("usage_type", true),
        text("operation", true),
        text("commitment_id", true),
        text("commitment_status", true),
        text("currency", false),
        cost("cost_unblended"),
        cost("cost_net"),
        cost("cost_amortized"),
        cost("cost_blended"),
        flag("model_fallback"),
        flag("currency_defaulted"),
        flag("unknown_type"),
        Field::new("tags", DataType::Map(Arc::new(entries), false), false),
        text("source_ref", false),
    ]))
}

/// The facts as one batch.
///
/// # Errors
/// An amount does not fit, or the columns do not match the schema.
pub fn batch(tenant: &str, source_format: &str, facts: &[CostFact]) -> Result<RecordBatch, ArrowError> {
    let constant = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; facts.len()])) };
    let columns: Vec<ArrayRef> = vec![
        constant(tenant),
        constant(source_format),
        text(facts, |f| Some(&f.billing_period)),
        time(facts, |f| f.billing_period_start_ms),
        time(facts, |f| f.billing_period_end_ms),
        time(facts, |f| Some(f.usage_start_ms)),
        time(facts, |f| f.usage_end_ms),
        text(facts, |f| f.payer_account_id.as_deref()),
        text(facts, |f| Some(&f.account_id)),
        text(facts, |f| f.region.as_deref()),
        text(facts, |f| f.service_code.as_deref()),
        text(facts, |f| f.service.as_deref()),
        text(facts, |f| f.resource_id.as_deref()),
        // Line types exist in AWS reports only.
        text(facts, |_| None),
        text(facts, |f| Some(&f.charge_category)),
        flag(facts, |f| f.is_correction),
        text(facts, |f| f.usage_type.as_deref()),
        text(facts, |f| f.operation.as_deref()),
        text(facts, |f| f.commitment_id.as_deref()),
        text(facts, |f| f.commitment_status.as_deref()),
        text(facts, |f| Some(&f.currency)),
        cost(facts, |f| f.cost_unblended)?,
        cost(facts, |f| f.cost_net)?,
        cost(facts, |f| f.cost_amortized)?,
        cost(facts, |f| f.cost_blended)?,
        flag(facts, |f| f.model_fallback),
        // FOCUS rows without a currency are refused, and FOCUS has no line types to be unknown.
        flag(facts, |_| false),
        flag(facts, |_| false),
        tags(facts)?,
        text(facts, |f| Some(&f.source_ref)),
    ];
    RecordBatch::try_new(schema(), columns)
}

fn text<'a>(facts: &'a [CostFact], of: impl Fn(&'a CostFact) -> Option<&'a str>) -> ArrayRef {
    Arc::new(facts.iter().map(of).collect::<StringArray>())
}

fn time(facts: &[CostFact], of: impl Fn(&CostFact) -> Option<i64>) -> ArrayRef {
    Arc::new(facts.iter().map(of).collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

fn flag(facts: &[CostFact], of: impl Fn(&CostFact) -> bool) -> ArrayRef {
    Arc::new(facts.iter().map(|fact| Some(of(fact))).collect::<BooleanArray>())
}

fn cost(facts: &[CostFact], of: impl Fn(&CostFact) -> Decimal) -> Result<ArrayRef, ArrowError> {
    let scaled = |fact| {
        let mut amount: Decimal = of(fact);
        amount.rescale(SCALE);
        if amount.scale() == SCALE { Ok(amount.mantissa()) } else { Err(too_large(amount)) }
    };
    let mantissas = facts.iter().map(scaled).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Decimal128Array::from(mantissas).with_precision_and_scale(PRECISION, SCALE as i8)?))
}

fn too_large(amount: Decimal) -> ArrowError {
    ArrowError::InvalidArgumentError(format!("amount {amount} does not fit decimal({PRECISION},{SCALE})"))
}

fn tags(facts: &[CostFact]) -> Result<ArrayRef, ArrowError> {
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for fact in facts {
        for (key, value) in fact.tags.iter() {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(true)?;
    }
    Ok(Arc::new(builder.finish()))
}
