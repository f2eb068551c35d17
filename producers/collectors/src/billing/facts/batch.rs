//! Cost facts as Arrow columns, in the order of the contract's schema of `cur_facts`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, MapBuilder, MapFieldNames, RecordBatch, StringArray, StringBuilder,
    TimestampMillisecondArray, new_null_array,
};
use arrow::error::ArrowError;
use contracts::arrow_schema::cost_facts;
use rust_decimal::Decimal;

use inventories::billing::cells::SCALE;
use inventories::billing::closed_lists::ListCell;
use inventories::billing::fact::{CostFact, SplitCost};
use inventories::billing::tags::RowTags;

const PRECISION: u8 = 38;

/// The facts as one batch.
///
/// # Errors
/// An amount does not fit, or the columns do not match the schema.
pub fn batch(tenant: &str, source_format: &str, facts: &[CostFact]) -> Result<RecordBatch, ArrowError> {
    let constant = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; facts.len()])) };
    let mut columns: Vec<ArrayRef> = vec![
        constant(tenant),
        constant(source_format),
        text(facts, |f| Some(&f.charge.billing_period)),
        time(facts, |f| f.billing_period_start_ms),
        time(facts, |f| f.billing_period_end_ms),
        time(facts, |f| Some(f.usage_start_ms)),
        time(facts, |f| f.usage_end_ms),
        text(facts, |f| f.charge.payer_account_id.as_deref()),
        text(facts, |f| Some(&f.charge.account_id)),
        text(facts, |f| f.charge.region.as_deref()),
        text(facts, |f| f.charge.service_code.as_deref()),
        text(facts, |f| f.charge.service.as_deref()),
        text(facts, |f| f.charge.resource_id.as_deref()),
        text(facts, |f| f.charge.line_item_type.as_deref()),
        text(facts, |f| Some(f.charge.charge_category.as_str())),
        flag(facts, |f| f.charge.is_correction),
        text(facts, |f| f.charge.usage_type.as_deref()),
        text(facts, |f| f.charge.operation.as_deref()),
        text(facts, |f| f.charge.commitment_id.as_deref()),
        text(facts, |f| f.charge.commitment_status.as_ref().map(ListCell::as_str)),
        text(facts, |f| Some(&f.charge.currency)),
        cost(facts, |f| Some(f.cost_unblended))?,
        cost(facts, |f| Some(f.cost_net))?,
        cost(facts, |f| Some(f.cost_amortized))?,
        cost(facts, |f| Some(f.cost_blended))?,
        flag(facts, |f| f.model_fallback),
        flag(facts, |f| f.charge.currency_defaulted),
        flag(facts, |f| f.charge.unknown_type),
        tags(facts, |f| Some(&f.charge.tags))?,
        text(facts, |f| Some(&f.source_ref)),
    ];
    columns.push(cost(facts, |f| f.quantity)?);
    let schema = cost_facts();
    if facts.iter().any(|fact| fact.split.is_some()) {
        columns.extend(split(facts)?);
    } else {
        let absent = &schema.fields()[columns.len()..];
        columns.extend(absent.iter().map(|field| new_null_array(field.data_type(), facts.len())));
    }
    RecordBatch::try_new(schema, columns)
}

/// Costs that are split off for something that runs on a shared resource.
fn split(facts: &[CostFact]) -> Result<[ArrayRef; 7], ArrowError> {
    let split_cost = |of: fn(&SplitCost) -> Option<Decimal>| cost(facts, |f| of(f.split.as_deref()?));
    Ok([
        text(facts, |f| Some(&f.split.as_ref()?.resource_id)),
        text(facts, |f| f.split.as_ref()?.parent_id.as_deref()),
        tags(facts, |f| Some(&f.split.as_ref()?.tags))?,
        split_cost(|split| split.unblended)?,
        split_cost(|split| split.net)?,
        split_cost(|split| split.amortized)?,
        split_cost(|split| split.blended)?,
    ])
}

fn text<'a>(facts: &'a [CostFact], of: impl Fn(&'a CostFact) -> Option<&'a str>) -> ArrayRef {
    // Its size is known before: texts are most of a batch, and to grow them copies them.
    let bytes = facts.iter().filter_map(&of).map(str::len).sum();
    let mut texts = StringBuilder::with_capacity(facts.len(), bytes);
    for fact in facts {
        texts.append_option(of(fact));
    }
    Arc::new(texts.finish())
}

fn time(facts: &[CostFact], of: impl Fn(&CostFact) -> Option<i64>) -> ArrayRef {
    Arc::new(facts.iter().map(of).collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

fn flag(facts: &[CostFact], of: impl Fn(&CostFact) -> bool) -> ArrayRef {
    Arc::new(facts.iter().map(|fact| Some(of(fact))).collect::<BooleanArray>())
}

fn cost(facts: &[CostFact], of: impl Fn(&CostFact) -> Option<Decimal>) -> Result<ArrayRef, ArrowError> {
    let scaled = |fact| {
        let Some(mut amount) = of(fact) else { return Ok(None) };
        amount.rescale(SCALE);
        if amount.scale() == SCALE { Ok(Some(amount.mantissa())) } else { Err(too_large(amount)) }
    };
    let mut mantissas = Vec::with_capacity(facts.len());
    for fact in facts {
        mantissas.push(scaled(fact)?);
    }
    Ok(Arc::new(Decimal128Array::from(mantissas).with_precision_and_scale(PRECISION, SCALE as i8)?))
}

fn too_large(amount: Decimal) -> ArrowError {
    ArrowError::InvalidArgumentError(format!("amount {amount} does not fit decimal({PRECISION},{SCALE})"))
}

fn tags<'a>(facts: &'a [CostFact], of: impl Fn(&'a CostFact) -> Option<&'a RowTags>) -> Result<ArrayRef, ArrowError> {
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    // Unknown tags are stored as none: the report of the load counts them.
    let entries = |fact| of(fact).and_then(RowTags::known).into_iter().flatten();
    let (mut count, mut key_bytes, mut value_bytes) = (0, 0, 0);
    for (key, value) in facts.iter().flat_map(entries) {
        count += 1;
        key_bytes += key.len();
        value_bytes += value.len();
    }
    let (keys, values) =
        (StringBuilder::with_capacity(count, key_bytes), StringBuilder::with_capacity(count, value_bytes));
    let mut builder = MapBuilder::with_capacity(Some(names), keys, values, facts.len());
    for fact in facts {
        for (key, value) in entries(fact) {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(of(fact).is_some())?;
    }
    Ok(Arc::new(builder.finish()))
}
