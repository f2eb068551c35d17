//! How far the billing files of a load show each account: what a run that finds nothing more can tell by them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use contracts::run_manifest::BilledUsage;
use contracts::time::format_timestamp;
use inventories::billing::closed_lists::ChargeCategory;
use inventories::billing::coverage::TELLING_MS_MAX;
use inventories::billing::fact::CostFact;

/// Accounts of the rows of a load.
#[derive(Debug, Default)]
pub(super) struct UsageRead {
    accounts: HashMap<String, AccountRead>,
}

#[derive(Debug, Default)]
struct AccountRead {
    from_ms: Option<i64>,
    until_ms: Option<i64>,
    /// End of the last usage that is longer than what tells how far a bill goes.
    long_until_ms: Option<i64>,
    services: BTreeSet<String>,
}

impl UsageRead {
    pub fn add(&mut self, fact: &CostFact) {
        let charge = &fact.charge;
        let read = match self.accounts.get_mut(&charge.account_id) {
            Some(read) => read,
            None => self.accounts.entry(charge.account_id.clone()).or_default(),
        };
        if let Some(service) = charge.service.as_ref().filter(|service| !read.services.contains(*service)) {
            read.services.insert(service.clone());
        }
        if charge.is_correction || !charge.charge_category.is(ChargeCategory::Usage) {
            return;
        }
        let start_ms = fact.usage_start_ms;
        let end_ms = fact.usage_end_ms.filter(|end_ms| *end_ms > start_ms).unwrap_or(start_ms);
        read.from_ms = Some(read.from_ms.map_or(start_ms, |from_ms| from_ms.min(start_ms)));
        let until_ms = if end_ms.saturating_sub(start_ms) <= TELLING_MS_MAX {
            &mut read.until_ms
        } else {
            &mut read.long_until_ms
        };
        *until_ms = (*until_ms).max(Some(end_ms));
    }

    /// For the run manifest: the accounts that have usage. `extracts` are those of which rows are missing.
    pub fn finish(self, extracts: &BTreeSet<&str>) -> BTreeMap<String, BilledUsage> {
        let of_account = |(account, read): (String, AccountRead)| {
            let (from_ms, until_ms) = (read.from_ms?, read.until_ms.or(read.long_until_ms)?);
            let usage = BilledUsage {
                from: format_timestamp(from_ms),
                until: format_timestamp(until_ms),
                is_extract: extracts.contains(&*account),
                services: read.services,
            };
            Some((account, usage))
        };
        self.accounts.into_iter().filter_map(of_account).collect()
    }
}
