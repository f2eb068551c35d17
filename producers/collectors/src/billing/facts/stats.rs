//! What is known of a delivery's facts while they pass: rows, sums, charge periods, a sample of charges.

use std::collections::BTreeMap;

use contracts::cost_manifest::{CostTotals, UsageLengths};
use inventories::billing::cells::SCALE;
use inventories::billing::closed_lists::ChargeCategory;
use inventories::billing::fact::CostFact;
use rust_decimal::Decimal;

use super::charges::Charges;
use super::periods::Periods;

/// Longest charge period that says which day a delivery is about: a day of 25 hours, when clocks go back.
const DAY_MS_MAX: i64 = 25 * 3_600_000;

/// Columns of flags.
const FLAGS: [&str; 3] = ["currency_defaulted", "model_fallback", "unknown_type"];
/// Invoices that are counted one by one; a month of one account has a few, with a marketplace some dozen.
const INVOICES_MAX: usize = 1_000;
/// Stands for all others.
const OTHER_INVOICES: &str = "(others)";

/// Facts of one delivery in one month.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FactsStats {
    /// Facts.
    pub rows: u64,
    /// Charge periods of at most a day.
    pub daily: Periods,
    /// Longer ones.
    pub longer: Periods,
    /// What is charged.
    pub charges: Charges,
    /// Of usage that has an end.
    pub usage_lengths: UsageLengths,
    /// In the order of [`FLAGS`].
    flagged: [u64; 3],
    sums: BTreeMap<String, [i128; 4]>,
    invoiced: BTreeMap<String, BTreeMap<String, i128>>,
}

impl FactsStats {
    /// Counts a fact; `charge_hash` is the hash of what it charges for.
    pub fn add(&mut self, fact: &CostFact, charge_hash: u64) {
        self.rows += 1;
        let flags = [fact.charge.currency_defaulted, fact.model_fallback, fact.charge.unknown_type];
        self.flagged.iter_mut().zip(flags).for_each(|(rows, is_set)| *rows += u64::from(is_set));
        if let Some(end) = fact.usage_end_ms.filter(|_| fact.charge.charge_category.is(ChargeCategory::Usage)) {
            self.usage_lengths.add(end.saturating_sub(fact.usage_start_ms));
        }
        let (start, end) = (fact.usage_start_ms, fact.usage_end_ms.unwrap_or(fact.usage_start_ms));
        let periods = if end.saturating_sub(start) <= DAY_MS_MAX { &mut self.daily } else { &mut self.longer };
        periods.add(start, end);
        self.charges.add(start, charge_hash);
        let costs = [fact.cost_unblended, fact.cost_net, fact.cost_amortized, fact.cost_blended];
        let sums = match self.sums.get_mut(&fact.charge.currency) {
            Some(sums) => sums,
            None => self.sums.entry(fact.charge.currency.clone()).or_default(),
        };
        for (sum, cost) in sums.iter_mut().zip(costs) {
            // 38 digits hold ten trillion rows of the largest amount.
            *sum = sum.saturating_add(scaled(cost));
        }
        if let Some(invoice) = &fact.charge.invoice {
            self.add_to_invoice(fact, invoice);
        }
    }

    /// Facts with a flag, by the name of its column; only those that are there.
    #[must_use]
    pub fn flagged(&self) -> BTreeMap<String, u64> {
        let flagged = FLAGS.iter().zip(self.flagged).filter(|(_, rows)| *rows > 0);
        flagged.map(|(flag, rows)| ((*flag).to_owned(), rows)).collect()
    }

    fn add_to_invoice(&mut self, fact: &CostFact, invoice: &str) {
        if !self.invoiced.contains_key(&fact.charge.currency) {
            self.invoiced.insert(fact.charge.currency.clone(), BTreeMap::new());
        }
        let Some(invoices) = self.invoiced.get_mut(&fact.charge.currency) else { return };
        let is_named = invoices.len() < INVOICES_MAX || invoices.contains_key(invoice);
        let name = if is_named { invoice } else { OTHER_INVOICES };
        let amount = scaled(fact.cost_unblended);
        match invoices.get_mut(name) {
            Some(sum) => *sum = sum.saturating_add(amount),
            None => drop(invoices.insert(name.to_owned(), amount)),
        }
    }

    /// What is on invoices, by currency and invoice id, as text.
    #[must_use]
    pub fn invoiced(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let of =
            |sums: &BTreeMap<String, i128>| sums.iter().map(|(id, sum)| (id.clone(), decimal_text(*sum))).collect();
        self.invoiced.iter().map(|(currency, sums)| (currency.clone(), of(sums))).collect()
    }

    /// Sums by currency, as text.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<String, CostTotals> {
        let text = |[unblended, net, amortized, blended]: &[i128; 4]| CostTotals {
            unblended: decimal_text(*unblended),
            net: decimal_text(*net),
            amortized: decimal_text(*amortized),
            blended: decimal_text(*blended),
        };
        self.sums.iter().map(|(currency, sums)| (currency.clone(), text(sums))).collect()
    }
}

/// In units of the last place that is kept.
pub fn scaled(mut amount: Decimal) -> i128 {
    amount.rescale(SCALE);
    // An amount that does not fit was refused as a cell.
    amount.mantissa()
}

/// Without zeros at the end: `12.5`, `-0.000001`, `0`.
fn decimal_text(scaled: i128) -> String {
    let unit = 10_u128.pow(SCALE);
    let (whole, fraction) = (scaled.unsigned_abs() / unit, scaled.unsigned_abs() % unit);
    let sign = if scaled < 0 { "-" } else { "" };
    let digits = format!("{fraction:0width$}", width = SCALE as usize);
    match digits.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        digits => format!("{sign}{whole}.{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_text() {
        let check = |scaled: i128, expected: &str| assert_eq!(decimal_text(scaled), expected);
        check(0, "0");
        check(12_500_000_000_000, "12.5");
        check(-1_000_000, "-0.000001");
        check(100_000_000_000_000, "100");
        check(1_600_000_000_002_000_000_000_001, "1600000000002.000000000001");
    }
}
