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

/// Units of the last place in one.
const UNIT: i128 = 10_i128.pow(SCALE);

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
    sums: BTreeMap<String, [ExactSum; 4]>,
    invoiced: BTreeMap<String, BTreeMap<String, ExactSum>>,
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
            sum.add(scaled(cost));
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
            Some(sum) => sum.add(amount),
            None => drop(invoices.insert(name.to_owned(), ExactSum { whole: 0, scaled: amount })),
        }
    }

    /// What is on invoices, by currency and invoice id, as text.
    #[must_use]
    pub fn invoiced(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let of = |sums: &BTreeMap<String, ExactSum>| sums.iter().map(|(id, sum)| (id.clone(), sum.text())).collect();
        self.invoiced.iter().map(|(currency, sums)| (currency.clone(), of(sums))).collect()
    }

    /// Sums by currency, as text.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<String, CostTotals> {
        let text = |[unblended, net, amortized, blended]: &[ExactSum; 4]| CostTotals {
            unblended: unblended.text(),
            net: net.text(),
            amortized: amortized.text(),
            blended: blended.text(),
        };
        self.sums.iter().map(|(currency, sums)| (currency.clone(), text(sums))).collect()
    }
}

/// In units of the last place that is kept.
pub fn scaled(mut amount: Decimal) -> i128 {
    match SCALE.checked_sub(amount.scale()) {
        // Large amounts have fewer places: all twelve would not fit.
        Some(places) => amount.mantissa() * 10_i128.pow(places),
        None => {
            amount.rescale(SCALE);
            amount.mantissa()
        }
    }
}

/// A sum in units of the last place that is kept. Two of the largest amounts are more than 38 digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct ExactSum {
    /// Whole units that were carried out of `scaled`.
    whole: i128,
    scaled: i128,
}

impl ExactSum {
    fn add(&mut self, scaled: i128) {
        match self.scaled.checked_add(scaled) {
            Some(sum) => self.scaled = sum,
            None => {
                self.whole += self.scaled / UNIT;
                self.scaled = self.scaled % UNIT + scaled;
            }
        }
    }

    /// Without zeros at the end: `12.5`, `-0.000001`, `0`.
    fn text(self) -> String {
        let (mut whole, mut fraction) = (self.whole + self.scaled / UNIT, self.scaled % UNIT);
        if whole > 0 && fraction < 0 {
            (whole, fraction) = (whole - 1, fraction + UNIT);
        } else if whole < 0 && fraction > 0 {
            (whole, fraction) = (whole + 1, fraction - UNIT);
        }
        let sign = if whole < 0 || fraction < 0 { "-" } else { "" };
        let digits = format!("{:0width$}", fraction.unsigned_abs(), width = SCALE as usize);
        match digits.trim_end_matches('0') {
            "" => format!("{sign}{}", whole.unsigned_abs()),
            digits => format!("{sign}{}.{digits}", whole.unsigned_abs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use inventories::billing::cells;

    use super::*;

    #[test]
    fn sums_are_exact_text() {
        let check = |amounts: &[i128], expected: &str| {
            let mut sum = ExactSum::default();
            amounts.iter().for_each(|amount| sum.add(*amount));
            assert_eq!(sum.text(), expected);
        };
        check(&[], "0");
        check(&[12_500_000_000_000], "12.5");
        check(&[-1_000_000], "-0.000001");
        check(&[100_000_000_000_000], "100");
        check(&[1_600_000_000_002_000_000_000_001], "1600000000002.000000000001");
        let largest = 10_i128.pow(38) - 1;
        check(&[largest; 5], "499999999999999999999999999.999999999995");
        check(&[-largest; 5], "-499999999999999999999999999.999999999995");
        check(&[largest, largest, -largest, -largest, -1], "-0.000000000001");
        check(&[-largest, -largest, largest, largest, 1], "0.000000000001");
    }

    #[test]
    fn large_amounts_keep_their_places() {
        let check = |text: &str, expected: i128| assert_eq!(scaled(cells::decimal(text).unwrap()), expected);
        check("12.5", 12_500_000_000_000);
        check("-99999999999999999999999999.99", -99_999_999_999_999_999_999_999_999_990_000_000_000);
    }
}
