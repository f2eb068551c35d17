//! How money becomes severity, the same for all checkers: an amount at stake per month picks the level, by about what it is worth in
//! US dollars (`contracts/src/ranking.rs`). At stake are the savings; where they are unknown, a tenth of the cost. Scores are 0..=1000 everywhere.
//! Findings that only inform are `info`, 100.

use rust_decimal::Decimal;

use contracts::draft::{Estimated, Level, Severity, Status};
use contracts::ranking::in_usd_for_ranking;

const fn severity(level: Level, score: u16) -> Severity {
    Severity { level, score: Some(score) }
}

/// Severity of findings that only inform.
pub const INFO: Severity = severity(Level::Info, 100);
/// Severity of findings that say something is unknown.
pub const UNKNOWN: Severity = severity(Level::Info, 110);

/// From this amount per month on, in US dollars, the level; highest first. Below the last one, and in a currency that cannot be
/// ranked: `low`, 200.
const LEVELS: [(i64, Severity); 4] = [
    (10_000, severity(Level::Critical, 950)),
    (1_000, severity(Level::High, 800)),
    (100, severity(Level::Medium, 600)),
    (1, severity(Level::Low, 400)),
];
const LOWEST: Severity = severity(Level::Low, 200);

/// Share of a cost that counts as at stake while the possible savings are unknown.
const STAKE_OF_COST: Decimal = Decimal::from_parts(1, 0, 0, false, 1);

/// Severity of a finding with this status and this money.
#[must_use]
pub fn of(status: Status, estimate: &Estimated, currency: &str) -> Severity {
    let stake = estimate.monthly_savings.or(estimate.monthly_cost.map(|cost| cost * STAKE_OF_COST));
    of_stake(status, stake.unwrap_or_default(), currency)
}

/// Severity of a finding with this status and so much at stake.
#[must_use]
pub fn of_stake(status: Status, stake: Decimal, currency: &str) -> Severity {
    match status {
        Status::Pass | Status::Info => INFO,
        Status::Unknown => UNKNOWN,
        Status::Fail => {
            let stake = in_usd_for_ranking(stake, currency).unwrap_or_default();
            LEVELS.iter().find(|(from, _)| stake >= Decimal::from(*from)).map_or(LOWEST, |(_, severity)| *severity)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saving(amount: i64) -> Estimated {
        Estimated { monthly_savings: Some(amount.into()), monthly_cost: Some(99_999.into()), ..Estimated::default() }
    }

    #[test]
    fn money_picks_the_level() {
        let cases = [
            (0, Level::Low, 200),
            (1, Level::Low, 400),
            (99, Level::Low, 400),
            (100, Level::Medium, 600),
            (1_000, Level::High, 800),
        ];
        for (amount, level, score) in cases {
            assert_eq!(of(Status::Fail, &saving(amount), "USD"), severity(level, score), "{amount}");
        }
        assert_eq!(of(Status::Fail, &saving(10_000), "USD").level, Level::Critical);
        assert_eq!(of(Status::Info, &saving(10_000), "USD"), INFO);
    }

    #[test]
    fn the_currency_counts() {
        let cases = [
            (139_500, "JPY", Level::Medium),
            (300, "JPY", Level::Low),
            (900, "EUR", Level::High),
            (1_000_000, "XTS", Level::Low),
        ];
        for (amount, currency, level) in cases {
            assert_eq!(of(Status::Fail, &saving(amount), currency).level, level, "{amount} {currency}");
        }
    }

    #[test]
    fn a_tenth_of_the_cost_counts_while_savings_are_unknown() {
        let cost = Estimated { monthly_cost: Some(1_000.into()), ..Estimated::default() };
        assert_eq!(of(Status::Fail, &cost, "USD").level, Level::Medium);
        assert_eq!(of(Status::Fail, &Estimated::default(), "USD"), LOWEST);
    }
}
