//! What a load of bills brought, for the summaries of the verbs that load.

use std::collections::BTreeMap;
use std::fmt;

use collectors::billing::{DeliveryRead, Effect, LiveMonth, LoadReport, Observed, SupersededDelivery};
use contracts::run_manifest::{BillingDelivery, ReplacedDelivery};
use serde::Serialize;

use super::counts::by_name;

/// Replaced bills that are listed for people.
const REPLACED_SHOWN: usize = 10;
/// Files left out that are listed for people.
const LEFT_OUT_SHOWN: usize = 5;

/// What was loaded.
#[derive(Debug, Serialize)]
pub struct Billing {
    files: usize,
    rows_accepted: u64,
    rows_refused: BTreeMap<&'static str, u64>,
    months: Vec<String>,
    /// Months of which the bill is an extract: rows are missing.
    extracts: Vec<String>,
    currencies: Vec<String>,
    /// By month: what most charges of usage are, over all that is live of it; absent where a delivery of an earlier version of the
    /// program does not tell.
    granularity: BTreeMap<String, &'static str>,
    /// What was noticed in accepted rows: dialects, values outside closed lists, unreadable cells and columns.
    observed: Observed,
    /// Each with the name of the file that has the same content and was read.
    files_repeated: Vec<(String, String)>,
    files_without_rows: Vec<String>,
    /// Each with the reason.
    files_left_out: Vec<(String, String)>,
    /// The provider's own id of a delivery, by ours.
    assemblies: BTreeMap<String, String>,
    deliveries: Vec<BillingDelivery>,
    /// By month in which this run replaced nothing: deliveries that were live before and add up with what it brought.
    beside: BTreeMap<String, usize>,
    /// By month: what was live and whose file is not there any more.
    lost: Vec<(String, ReplacedDelivery)>,
}

impl Billing {
    /// Of a load.
    pub fn of(load: &LoadReport) -> Self {
        Self {
            files: load.files.len(),
            rows_accepted: load.rejects.rows - load.rejects.total(),
            rows_refused: load.rejects.by_reason.iter().map(|(reason, n)| (reason.as_str(), *n)).collect(),
            months: load.months.iter().map(|month| month.billing_period.clone()).collect(),
            extracts: load.extracts.iter().cloned().collect(),
            currencies: load.currencies.keys().cloned().collect(),
            granularity: load.months.iter().filter_map(|m| Some((m.billing_period.clone(), m.granularity?))).collect(),
            files_repeated: load.repeated_files.clone(),
            files_without_rows: load.empty_files.clone(),
            files_left_out: load.left_out.clone(),
            assemblies: load.deliveries_read.iter().filter_map(assembly).collect(),
            deliveries: load.deliveries(),
            beside: beside(load),
            lost: lost(load),
            observed: load.observed.clone(),
        }
    }

    fn write_deliveries(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (file, kept) in &self.files_repeated {
            writeln!(f, "            {file} has the content of {kept} and was read once")?;
        }
        for file in &self.files_without_rows {
            writeln!(f, "            {file} has no rows")?;
        }
        for (file, why) in self.files_left_out.iter().take(LEFT_OUT_SHOWN) {
            writeln!(f, "            left out {file}: {why}")?;
        }
        if let Some(more @ 1..) = self.files_left_out.len().checked_sub(LEFT_OUT_SHOWN) {
            writeln!(f, "            and {more} more were left out; --output json lists them")?;
        }
        let unchanged = self.deliveries.iter().filter(|delivery| delivery.effect == "unchanged").count();
        if unchanged > 0 {
            let all = self.deliveries.len();
            writeln!(f, "            unchanged: {unchanged} of {all} bill(s) by account and month were live already")?;
        }
        for (month, others) in &self.beside {
            writeln!(f, "            {month}: added to {others} bill(s) that were live already; nothing was replaced")?;
        }
        let replaced = || self.deliveries.iter().flat_map(|new| new.replaced.iter().map(move |old| (new, old)));
        for (new, old) in replaced().take(REPLACED_SHOWN) {
            writeln!(
                f,
                "            {} {}: {} rows replace {}",
                new.billing_period,
                new.source,
                new.accepted,
                former(old)
            )?;
        }
        if let Some(more @ 1..) = replaced().count().checked_sub(REPLACED_SHOWN) {
            writeln!(f, "            and {more} more were replaced; --output json lists them")?;
        }
        for (month, old) in &self.lost {
            let source = &old.source;
            writeln!(
                f,
                "            {month} {source}: lost {}: its file is missing, load this bill again",
                former(old)
            )?;
        }
        Ok(())
    }
}

/// `3 rows, 100 USD billed (delivery …)`.
fn former(old: &ReplacedDelivery) -> String {
    let billed: Vec<_> = old.billed.iter().map(|(currency, amount)| format!("{amount} {currency}")).collect();
    format!("{} rows, {} billed (delivery {})", old.rows, billed.join(" + "), old.delivery_id)
}

fn beside(load: &LoadReport) -> BTreeMap<String, usize> {
    let adds = |month: &&LiveMonth| month.deliveries.iter().any(|delivery| delivery.effect == Effect::Added);
    let added = load.months.iter().filter(adds).filter(|month| month.beside > 0 && month.replaced.is_empty());
    added.map(|month| (month.billing_period.clone(), month.beside)).collect()
}

fn lost(load: &LoadReport) -> Vec<(String, ReplacedDelivery)> {
    let of = |month: &LiveMonth| {
        let named = |old: &SupersededDelivery| (month.billing_period.clone(), old.for_manifest());
        month.lost.iter().map(named).collect::<Vec<_>>()
    };
    load.months.iter().flat_map(of).collect()
}

fn assembly(read: &DeliveryRead) -> Option<(String, String)> {
    Some((read.delivery_id.clone(), read.assembly.clone()?))
}

impl fmt::Display for Billing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = by_name(self.rows_refused.iter().map(|(reason, n)| (*reason, *n)));
        let (months, currencies) = (self.months.join(", "), self.currencies.join(", "));
        writeln!(
            f,
            "Billing     {} file(s), {} rows accepted, refused: {refused}; {months}, in {currencies}",
            self.files, self.rows_accepted
        )?;
        self.write_deliveries(f)
    }
}
