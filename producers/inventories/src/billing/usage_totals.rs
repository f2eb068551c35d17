//! What each usage type cost an account in each month: few sums, kept beside the lines, which do not tell the usage types of what no
//! checker knows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rust_decimal::Decimal;

use super::closed_lists::ChargeCategory;
use super::coverage::TELLING_MS_MAX;
use super::fact::{CostFact, RowPart};
use super::hours::HourSet;
use super::line::LineKey;

/// Totals kept at most: about 100 MB. Beyond it new usage types are left out, and [`UsageTotals::is_whole`] says so.
const TOTALS_MAX: usize = 300_000;

/// What one total is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageKey {
    /// Cloud.
    pub cloud: Arc<str>,
    /// Paying account, empty when not stated.
    pub billing_account: Arc<str>,
    /// Billing month, `YYYY-MM`.
    pub period: Arc<str>,
    /// Account.
    pub account: Arc<str>,
    /// Service as the export names it, empty when not stated.
    pub service: Arc<str>,
    /// Usage type, empty when not stated.
    pub usage_type: Arc<str>,
    /// Billing currency.
    pub currency: Arc<str>,
}

/// Cost of use: usage with its corrections and adjustments, without what settles an earlier month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageTotal {
    /// Cost as invoiced.
    pub billed: Decimal,
    /// Cost with commitments spread over their term.
    pub amortized: Decimal,
    /// True when a row does not tell the latter.
    pub is_effective_unknown: bool,
    /// Hours charged for.
    pub hours: HourSet,
    /// The same of rows that tell how far the month is: of a day at most.
    hours_telling: HourSet,
    /// Rows.
    pub rows: u64,
}

/// Totals of all months.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UsageTotals {
    totals: BTreeMap<UsageKey, UsageTotal>,
    is_cut: bool,
}

impl UsageTotals {
    /// All totals, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&UsageKey, &UsageTotal)> {
        self.totals.iter()
    }

    /// False when usage types found no room.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.is_cut
    }

    /// Hours of use that the bill shows of a paying account in a month. Of a bill by the month, its rows are all that tells anything.
    #[must_use]
    pub fn hours_of(&self, cloud: &str, billing_account: &str, period: &str) -> HourSet {
        let (mut telling, mut all) = (HourSet::default(), HourSet::default());
        for (key, total) in &self.totals {
            if &*key.cloud == cloud && &*key.billing_account == billing_account && &*key.period == period {
                telling.merge(&total.hours_telling);
                all.merge(&total.hours);
            }
        }
        if telling.count() > 0 { telling } else { all }
    }
}

/// Adds rows up.
#[derive(Debug, Default)]
pub(super) struct TotalsBuilder {
    slots: HashMap<UsageKey, usize>,
    totals: Vec<UsageTotal>,
    is_cut: bool,
}

impl TotalsBuilder {
    /// The number of the total that a row of this line and usage type belongs to; `None` when it is no cost of use, or there is no room.
    pub(super) fn slot(&mut self, line: &LineKey, usage_type: Arc<str>) -> Option<usize> {
        if !line.is_cost_of_use() {
            return None;
        }
        let key = UsageKey {
            cloud: Arc::clone(&line.cloud),
            billing_account: Arc::clone(&line.billing_account),
            period: Arc::clone(&line.period),
            account: Arc::clone(&line.account),
            service: Arc::clone(&line.service),
            usage_type,
            currency: Arc::clone(&line.currency),
        };
        if let Some(slot) = self.slots.get(&key) {
            return Some(*slot);
        }
        if self.totals.len() >= TOTALS_MAX {
            self.is_cut = true;
            return None;
        }
        self.totals.push(UsageTotal::default());
        self.slots.insert(key, self.totals.len() - 1);
        Some(self.totals.len() - 1)
    }

    /// Adds a row to its total.
    pub(super) fn add_row(
        &mut self,
        slot: Option<usize>,
        fact: &CostFact,
        part: &RowPart,
        month_start_ms: Option<i64>,
    ) {
        let Some(total) = slot.and_then(|slot| self.totals.get_mut(slot)) else { return };
        total.billed = total.billed.saturating_add(part.billed);
        total.amortized = total.amortized.saturating_add(part.amortized);
        total.is_effective_unknown |= fact.model_fallback;
        total.rows += 1;
        if let (Some(start_ms), Some(end_ms)) = (month_start_ms, fact.usage_end_ms) {
            total.hours.add(start_ms, fact.usage_start_ms, end_ms);
            let is_usage = part.category.is(ChargeCategory::Usage) && !fact.charge.is_correction;
            if is_usage && end_ms - fact.usage_start_ms <= TELLING_MS_MAX {
                total.hours_telling.add(start_ms, fact.usage_start_ms, end_ms);
            }
        }
    }

    /// The finished totals.
    pub(super) fn finish(self) -> UsageTotals {
        let total = |(key, slot): (UsageKey, usize)| Some((key, *self.totals.get(slot)?));
        UsageTotals { totals: self.slots.into_iter().filter_map(total).collect(), is_cut: self.is_cut }
    }
}
