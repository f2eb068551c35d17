//! What is known of a delivery's facts while they pass: rows, sums, charge periods, a sample of charges.

use std::collections::BTreeMap;

use contracts::cost_manifest::CostTotals;
use inventories::billing::cells::SCALE;
use inventories::billing::fact::CostFact;
use rust_decimal::Decimal;

use super::charges::Charges;
use super::periods::Periods;

/// Longest charge period that says which day a delivery is about: a day of 25 hours, when clocks go back.
const DAY_MS_MAX: i64 = 25 * 3_600_000;

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
    sums: BTreeMap<String, [i128; 4]>,
}

impl FactsStats {
    /// Counts a fact; `charge` is the hash of what it charges for.
    pub fn add(&mut self, fact: &CostFact, charge: u64) {
        self.rows += 1;
        let (start, end) = (fact.usage_start_ms, fact.usage_end_ms.unwrap_or(fact.usage_start_ms));
        let periods = if end.saturating_sub(start) <= DAY_MS_MAX { &mut self.daily } else { &mut self.longer };
        periods.add(start, end);
        self.charges.add(start, charge);
        let costs = [fact.cost_unblended, fact.cost_net, fact.cost_amortized, fact.cost_blended];
        let sums = match self.sums.get_mut(&fact.currency) {
            Some(sums) => sums,
            None => self.sums.entry(fact.currency.clone()).or_default(),
        };
        for (sum, cost) in sums.iter_mut().zip(costs) {
            // 38 digits hold ten trillion rows of the largest amount.
            *sum = sum.saturating_add(scaled(cost));
        }
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

fn scaled(mut amount: Decimal) -> i128 {
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
