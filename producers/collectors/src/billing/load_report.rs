//! What a load reports, for people and the run manifest.

use std::collections::{BTreeMap, BTreeSet};

use contracts::run_manifest::BillingDelivery;

use super::container::FileIdentity;
use super::facts::{LiveMonth, SupersededDelivery};
use super::observed::Observed;
use super::rejects::Rejects;

/// What was read, refused and stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadReport {
    /// Deliveries that were read.
    pub deliveries_read: Vec<DeliveryRead>,
    /// Files, by content.
    pub files: Vec<FileIdentity>,
    /// Files that were not read, with the reason.
    pub left_out: Vec<(String, String)>,
    /// Files that were left out because another one has the same content: their names, and the name of the other.
    pub repeated_files: Vec<(String, String)>,
    /// Files without rows, among others with rows.
    pub empty_files: Vec<String>,
    /// Rows read and refused.
    pub rejects: Rejects,
    /// Months that are live now.
    pub months: Vec<LiveMonth>,
    /// Accepted rows by billing currency.
    pub currencies: BTreeMap<String, u64>,
    /// Accepted rows that name a resource.
    pub rows_with_resource: u64,
    /// What was noticed in accepted rows.
    pub observed: Observed,
    /// Billing months of which the bill is an extract, where checkers look at it: rows are missing.
    pub extracts: BTreeSet<String>,
}

/// Files that were delivered together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRead {
    /// Digest over the unpacked contents of the files.
    pub delivery_id: String,
    /// The provider's own id of the delivery, from its manifest.
    pub assembly: Option<String>,
    /// How many files.
    pub files: usize,
}

impl LoadReport {
    /// For the run manifest: one entry per month, source and delivery.
    #[must_use]
    pub fn deliveries(&self) -> Vec<BillingDelivery> {
        let mut all = Vec::new();
        for month in &self.months {
            for delivery in &month.deliveries {
                let superseded = month.replaced.iter().filter(|old| old.is_superseded_by(&delivery.source));
                all.push(BillingDelivery {
                    delivery_id: delivery.delivery_id.clone(),
                    billing_period: month.billing_period.clone(),
                    source: delivery.source.to_string(),
                    source_format: delivery.source_format.clone(),
                    effect: delivery.effect.as_str().to_owned(),
                    accepted: delivery.rows,
                    rejected: delivery.rejected.clone(),
                    granularity: month.granularity.unwrap_or_default().to_owned(),
                    flagged: delivery.flagged.clone(),
                    totals: delivery.totals.clone(),
                    invoiced: delivery.invoiced.clone(),
                    replaced: superseded.map(SupersededDelivery::for_manifest).collect(),
                });
            }
        }
        all
    }
}
