//! What a load did to its months, for people and run manifests.

use std::collections::BTreeMap;

use contracts::cost_manifest::{CostTotals, DeliverySource, LiveDelivery};
use contracts::run_manifest::ReplacedDelivery;

use super::rule::is_same_source;

/// A month that is live now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveMonth {
    /// Month.
    pub billing_period: String,
    /// What this load brought, by source.
    pub deliveries: Vec<LoadedDelivery>,
    /// Live deliveries of others, or earlier ones, that this load left as they were.
    pub beside: usize,
    /// What most charges of usage are, over all that is live; `None` when a delivery of an earlier version does not tell.
    pub granularity: Option<&'static str>,
    /// What was live before and is not any more.
    pub replaced: Vec<SupersededDelivery>,
    /// What was live and whose file is missing: it has to be loaded again.
    pub lost: Vec<SupersededDelivery>,
}

/// A delivery of this load in one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedDelivery {
    /// Which one.
    pub delivery_id: String,
    /// Who billed.
    pub source: DeliverySource,
    /// Dialect of its files.
    pub source_format: String,
    /// Facts.
    pub rows: u64,
    /// What it did.
    pub effect: Effect,
    /// Sums by currency.
    pub totals: BTreeMap<String, CostTotals>,
    /// What of the unblended total is on an invoice, by currency and invoice id.
    pub invoiced: BTreeMap<String, BTreeMap<String, String>>,
    /// Facts with a flag, by the name of its column.
    pub flagged: BTreeMap<String, u64>,
    /// Refused rows of the delivery by reason, with the first of its months and sources.
    pub rejected: BTreeMap<String, u64>,
}

/// What a delivery did to its month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It adds to what is live.
    Added,
    /// It replaced what was live of its source.
    Replaced,
    /// It was live already.
    Unchanged,
}

impl Effect {
    /// As reported.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Replaced => "replaced",
            Self::Unchanged => "unchanged",
        }
    }
}

/// A delivery that does not count any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupersededDelivery {
    /// Which one.
    pub delivery_id: String,
    /// Who billed.
    pub source: DeliverySource,
    /// Facts it had.
    pub rows: u64,
    /// Sums it had, by currency.
    pub totals: BTreeMap<String, CostTotals>,
}

impl From<&LiveDelivery> for SupersededDelivery {
    fn from(live: &LiveDelivery) -> Self {
        Self {
            delivery_id: live.delivery_id.clone(),
            source: live.source.clone(),
            rows: live.rows,
            totals: live.totals.clone(),
        }
    }
}

impl SupersededDelivery {
    /// True when a delivery of this source may have replaced it.
    #[must_use]
    pub fn is_superseded_by(&self, source: &DeliverySource) -> bool {
        is_same_source(source, &self.source)
    }

    /// As run manifests hold it.
    #[must_use]
    pub fn for_manifest(&self) -> ReplacedDelivery {
        let billed = |(currency, totals): (&String, &CostTotals)| (currency.clone(), totals.unblended.clone());
        ReplacedDelivery {
            delivery_id: self.delivery_id.clone(),
            source: self.source.to_string(),
            rows: self.rows,
            billed: self.totals.iter().map(billed).collect(),
        }
    }
}

impl LiveMonth {
    /// Facts that this load brought.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.deliveries.iter().map(|delivery| delivery.rows).sum()
    }

    /// True when all of it was live before: nothing was written.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.deliveries.iter().all(|delivery| delivery.effect == Effect::Unchanged)
    }
}
