//! How money becomes severity, the same for all checkers: an amount at stake per month, in billing currency, picks the
//! level. At stake are the savings; where they are unknown, a tenth of the cost. Scores are 0..=1000 everywhere.
//! Findings that only inform are `info`, 100.

use rust_decimal::Decimal;

use crate::finding::{Estimate, Severity, Status};

/// Severity of findings that only inform.
pub const INFO: Severity = Severity { level: "info", score: 100 };
/// Severity of findings that say something could not be told.
pub const UNKNOWN: Severity = Severity { level: "info", score: 110 };

/// From this amount per month on, the level; highest first. Below the last one: `low`, 200.
const LEVELS: [(i64, Severity); 4] = [
    (10_000, Severity { level: "critical", score: 950 }),
    (1_000, Severity { level: "high", score: 800 }),
    (100, Severity { level: "medium", score: 600 }),
    (1, Severity { level: "low", score: 400 }),
];
const LOWEST: Severity = Severity { level: "low", score: 200 };

/// Share of a cost that counts as at stake while nobody knows what could be saved.
const STAKE_OF_COST: Decimal = Decimal::from_parts(1, 0, 0, false, 1);

/// Severity of a finding with this status and this money.
#[must_use]
pub fn of(status: Status, estimate: &Estimate) -> Severity {
    match status {
        Status::Info => INFO,
        Status::Unknown => UNKNOWN,
        Status::Fail => {
            let stake = estimate.savings_monthly.or(estimate.cost_monthly.map(|cost| cost * STAKE_OF_COST));
            let stake = stake.unwrap_or_default();
            LEVELS.iter().find(|(from, _)| stake >= Decimal::from(*from)).map_or(LOWEST, |(_, severity)| *severity)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saving(amount: i64) -> Estimate {
        Estimate { savings_monthly: Some(amount.into()), cost_monthly: Some(99_999.into()), ..Estimate::default() }
    }

    #[test]
    fn money_picks_the_level() {
        let cases = [(0, "low", 200), (1, "low", 400), (99, "low", 400), (100, "medium", 600), (1_000, "high", 800)];
        for (amount, level, score) in cases {
            assert_eq!(of(Status::Fail, &saving(amount)), Severity { level, score }, "{amount}");
        }
        assert_eq!(of(Status::Fail, &saving(10_000)).level, "critical");
        assert_eq!(of(Status::Info, &saving(10_000)), INFO);
    }

    #[test]
    fn a_tenth_of_the_cost_counts_while_savings_are_unknown() {
        let cost = Estimate { cost_monthly: Some(1_000.into()), ..Estimate::default() };
        assert_eq!(of(Status::Fail, &cost).level, "medium");
        assert_eq!(of(Status::Fail, &Estimate::default()), LOWEST);
    }
}
