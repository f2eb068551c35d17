//! A month whose manifest is of version 1: one file, whose rows may be of several billing accounts and whose sources are not
//! known. Before another delivery joins it, its facts are written again, with row groups by billing account, and the manifest
//! is replaced by one that says the same in the current version.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, TimestampMillisecondType};
use contracts::cost_manifest::{CostManifest, LiveDelivery};
use inventories::billing::cells::SCALE;
use inventories::billing::closed_lists::Pricing;
use inventories::billing::fact::{Charge, CostFact};
use inventories::billing::sku::Sku;
use inventories::billing::tags::{RowTags, Tags};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::store::{Lease, Object, ReplaceOutcome, StoreError};
use rust_decimal::Decimal;

use super::charges;
use super::merge::Merged;
use super::month::{Live, Month};
use super::writer::{FactsWriter, UNKNOWN_CLOUD, encode_error, store_error};
use crate::billing::error::LoadError;

/// The only export that version 1 knew.
const SOURCE_FORMAT: &str = "focus";

/// Replaces the manifest by one of the current version. Does nothing when another load is faster.
///
/// # Errors
/// The file cannot be read, or the store refuses.
pub(super) fn upgrade(
    month: &Month<'_>,
    live: &Live,
    manifest: &CostManifest,
    old: &LiveDelivery,
) -> Result<(), LoadError> {
    let mut writer = FactsWriter::new(month.store, &month.tenant, None);
    writer.begin_delivery(&old.delivery_id);
    let path = month.path(&manifest.main.part);
    let object = Object { path: &path, bytes: manifest.main.bytes, sha256: &manifest.main.sha256 };
    let failed = |source| store_error(&month.period, source);
    let lease = Lease::default();
    let file = File::open(month.store.local_file(object, &lease).map_err(failed)?)
        .map_err(|e| failed(StoreError::io("reading", path.as_str(), e)))?;
    let bad = |reason: String| LoadError::Manifest { path: path.clone(), reason };
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| encode_error(&month.period, e))?;
    for batch in reader.build().map_err(|e| encode_error(&month.period, e))? {
        let batch = batch.map_err(|e| bad(e.to_string()))?;
        let facts = facts(&batch).ok_or_else(|| bad("its columns are not those of cost facts".to_owned()))?;
        for fact in facts {
            let charge_hash = charges::hash(&fact.charge);
            writer.add(fact, SOURCE_FORMAT, charge_hash)?;
        }
    }
    let deliveries = writer.deliveries(&month.period)?;
    let Some(part) = writer.finish_month(&month.period)? else { return Ok(()) };
    let merged = Merged { written: Some(part.part.clone()), parts: vec![part.clone()], deliveries };
    let next = month.next_manifest(live, &merged);
    match month.replace(live, &next)? {
        ReplaceOutcome::Replaced => tracing::info!(period = month.period, "cost facts now name their sources"),
        ReplaceOutcome::Conflict => month.remove_unnamed(&part.part),
    }
    Ok(())
}

/// The facts of a batch; `None` when a column is not as it should be.
fn facts(batch: &RecordBatch) -> Option<Vec<CostFact>> {
    let column = |name: &str| batch.column_by_name(name);
    let text = |name: &str| column(name)?.as_string_opt::<i32>();
    let time = |name: &str| column(name)?.as_primitive_opt::<TimestampMillisecondType>();
    let flag = |name: &str| column(name)?.as_boolean_opt();
    let cost = |name: &str| column(name)?.as_primitive_opt::<Decimal128Type>();
    let tags = column("tags")?.as_map_opt()?;
    let fact = |row: usize| {
        let optional = |name: &str| Some(text(name)?).map(|all| all.is_valid(row).then(|| all.value(row).to_owned()));
        let needed = |name: &str| optional(name)?;
        let instant = |name: &str| Some(time(name)?).map(|all| all.is_valid(row).then(|| all.value(row)));
        let amount = |name: &str| Decimal::try_from_i128_with_scale(cost(name)?.value(row), SCALE).ok();
        let charge = Charge {
            cloud: UNKNOWN_CLOUD.into(),
            billing_period: needed("billing_period")?,
            payer_account_id: optional("payer_account_id")?,
            account_id: needed("account_id")?,
            region: optional("region")?,
            service_code: optional("service_code")?,
            service: optional("service")?,
            resource_id: optional("resource_id")?,
            resource_type: None,
            line_item_type: optional("line_item_type")?,
            charge_category: needed("charge_category")?.as_str().into(),
            is_correction: flag("is_correction")?.value(row),
            is_class_stated: false,
            usage_type: optional("usage_type")?,
            operation: optional("operation")?,
            description: None,
            sku: Sku::default(),
            pricing: Pricing::Unknown,
            commitment_id: optional("commitment_id")?,
            commitment_status: optional("commitment_status")?.map(|status| status.as_str().into()),
            currency: needed("currency")?,
            currency_defaulted: flag("currency_defaulted")?.value(row),
            unknown_type: flag("unknown_type")?.value(row),
            invoice: None,
            tags: RowTags::Known(Arc::new(tags_of(tags.value(row).columns())?)),
        };
        Some(CostFact {
            charge: Arc::new(charge),
            billing_period_start_ms: instant("billing_period_start")?,
            billing_period_end_ms: instant("billing_period_end")?,
            usage_start_ms: instant("usage_start")??,
            usage_end_ms: instant("usage_end")?,
            cost_unblended: amount("cost_unblended")?,
            cost_net: amount("cost_net")?,
            cost_amortized: amount("cost_amortized")?,
            cost_blended: amount("cost_blended")?,
            model_fallback: flag("model_fallback")?.value(row),
            // Version 1 knew neither quantities nor split costs.
            quantity: None,
            split: None,
            source_ref: needed("source_ref")?.into(),
        })
    };
    (0..batch.num_rows()).map(fact).collect()
}

fn tags_of(entries: &[arrow::array::ArrayRef]) -> Option<Tags> {
    let [keys, values] = entries else { return None };
    let (keys, values) = (keys.as_string_opt::<i32>()?, values.as_string_opt::<i32>()?);
    Some((0..keys.len()).map(|n| (keys.value(n).to_owned(), values.value(n).to_owned())).collect())
}
