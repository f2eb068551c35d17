//! The first figures of a run's summary: what could be saved a month, and what share of the spend that is; one line per
//! currency, because amounts of two currencies are never added.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use exporter::{LeftOut, Spend};
use rust_decimal::Decimal;
use serde::Serialize;

use crate::output::rounded;

/// Hours a month may lack and still be whole: daylight saving takes one from a month cut at local midnight.
const MISSING_HOURS_MAX: u64 = 1;

/// Savings and spend in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Headline {
    pub currency: String,
    /// `None` when no finding has an estimate: unknown is not 0.
    pub savings_monthly: Option<Decimal>,
    /// Billed in the months of the bill; `None` without a bill.
    pub spend: Option<Decimal>,
    /// What the spend comes to in a whole month: a month of which the bill charges a part is scaled to all of it, and of
    /// several months it is the average.
    pub spend_monthly: Option<Decimal>,
    /// Savings in percent of that, two places. `None` when the spend is also of bills that the run did not read: its findings
    /// say nothing of them.
    pub savings_pct_of_spend: Option<Decimal>,
    /// Bills in the spend that the run did not read: as many as in the month that has most of them.
    pub bills_not_read: usize,
    #[serde(skip)]
    months: Vec<Month>,
}

/// A month of the bill.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Month {
    name: String,
    hours_charged: u64,
    hours: u64,
    is_extract: bool,
}

impl Month {
    fn is_whole(&self) -> bool {
        self.hours_charged == 0 || self.hours_charged + MISSING_HOURS_MAX >= self.hours
    }
}

/// The headlines, by currency. `extracts` are months of which the bill lacks rows: nothing says what a month of them would come to.
pub fn headlines(
    savings: &BTreeMap<String, Decimal>,
    spend: &[Spend],
    bills_not_read: usize,
    extracts: &BTreeSet<String>,
) -> Vec<Headline> {
    let mut all: BTreeMap<&str, Headline> = BTreeMap::new();
    for (currency, amount) in savings {
        entry(&mut all, currency).savings_monthly = Some(*amount);
    }
    for month in spend {
        let (Some(currency), Ok(billed)) = (&month.currency, month.billed.parse::<Decimal>()) else { continue };
        entry(&mut all, currency).add(month, billed, extracts.contains(&month.billing_period));
    }
    all.into_values().map(|headline| headline.finished(bills_not_read)).collect()
}

fn entry<'c, 'm>(all: &'m mut BTreeMap<&'c str, Headline>, currency: &'c str) -> &'m mut Headline {
    all.entry(currency).or_insert_with(|| Headline {
        currency: currency.to_owned(),
        savings_monthly: None,
        spend: None,
        spend_monthly: None,
        savings_pct_of_spend: None,
        bills_not_read: 0,
        months: Vec::new(),
    })
}

impl Headline {
    fn add(&mut self, spend: &Spend, billed: Decimal, is_extract: bool) {
        let Spend { hours_charged, hours, .. } = *spend;
        let month = Month { name: spend.billing_period.clone(), hours_charged, hours, is_extract };
        let monthly = match month.is_whole() {
            true => Some(billed),
            false => {
                billed.checked_mul(month.hours.into()).and_then(|scaled| scaled.checked_div(month.hours_charged.into()))
            }
        };
        let sum = |before: Option<Decimal>, amount: Decimal| before.unwrap_or_default().checked_add(amount);
        self.spend = sum(self.spend, billed);
        self.spend_monthly = monthly.and_then(|monthly| sum(self.spend_monthly, monthly));
        self.months.push(month);
    }

    /// From the sum over months to their average, and the share of the savings.
    fn finished(mut self, bills_not_read: usize) -> Self {
        self.bills_not_read = bills_not_read;
        if self.months.iter().any(|month| month.is_extract) {
            self.spend_monthly = None;
        }
        let average = |sum: Decimal| sum.checked_div(Decimal::from(self.months.len().max(1)));
        self.spend_monthly = self.spend_monthly.and_then(average).map(|amount| amount.round_dp(6));
        let share = |(savings, spend): (Decimal, Decimal)| {
            let share = savings.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(spend)?;
            Some(share.round_dp(2))
        };
        let positive_spend = self.spend_monthly.filter(|spend| *spend > Decimal::ZERO);
        let of_what_was_read = positive_spend.filter(|_| bills_not_read == 0);
        self.savings_pct_of_spend = self.savings_monthly.zip(of_what_was_read).and_then(share);
        self
    }

    /// `10.00 EUR for 2026-09`; `None` without a bill.
    pub fn spend_text(&self) -> Option<String> {
        let spend = self.spend?;
        let month = |month: &Month| match month.is_whole() {
            _ if month.is_extract => format!("an extract of {}", month.name),
            true => month.name.clone(),
            false => format!("{} of {} hours of {}", month.hours_charged, month.hours, month.name),
        };
        let months: Vec<String> = self.months.iter().map(month).collect();
        let not_read = match self.bills_not_read {
            0 => String::new(),
            n => format!(", with {n} bill(s) that this run did not read"),
        };
        Some(format!("{} {} for {}{not_read}", rounded(spend), self.currency, months.join(", ")))
    }
}

/// `0.33 EUR, 3.33 % of the spend of a month`.
impl fmt::Display for Headline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.savings_monthly {
            Some(savings) => write!(f, "{} {}", rounded(savings), self.currency)?,
            None => write!(f, "no estimate in {}", self.currency)?,
        }
        if self.months.iter().any(|month| month.is_extract) {
            return f.write_str(
                ":\n            the bill is an extract: rows are missing. Savings are those of a whole month of each resource, and have \
                 no share of this spend",
            );
        }
        let is_scaled = self.months.len() > 1 || self.months.iter().any(|month| !month.is_whole());
        match (self.savings_pct_of_spend, self.spend_monthly) {
            // Each finding saves at most what its resource costs, so the months of resources and bill differ.
            (Some(share), Some(monthly)) if share > Decimal::ONE_HUNDRED => {
                let (spend, currency) = (rounded(monthly), &self.currency);
                writeln!(f, ", more than the spend of {spend} {currency} a month:")?;
                f.write_str("            the bill charges these resources for a part of their month, and savings are of a whole month")
            }
            (Some(share), Some(monthly)) if is_scaled => {
                write!(f, ", {share:.2} % of the spend, which comes to {} {} a month", rounded(monthly), self.currency)
            }
            (Some(share), _) => write!(f, ", {share:.2} % of the spend"),
            _ => Ok(()),
        }
    }
}

/// What a population leaves out, for people; `None` when it is nothing.
pub fn left_out_text(left_out: LeftOut) -> Option<String> {
    let LeftOut { in_earlier_runs, in_incomplete_runs } = left_out;
    let mut parts = Vec::new();
    if in_earlier_runs > 0 {
        parts.push(format!("{in_earlier_runs} finding(s) that only earlier runs of their producer reported"));
    }
    if in_incomplete_runs > 0 {
        parts.push(format!("{in_incomplete_runs} finding(s) of runs that failed or have not arrived whole"));
    }
    let text = || format!("left out: {}; `finops findings list --all-runs` shows them", parts.join(", "));
    (!parts.is_empty()).then(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spend(currency: &str, month: &str, billed: &str, hours_charged: u64) -> Spend {
        Spend {
            currency: Some(currency.to_owned()),
            billing_period: month.to_owned(),
            billed: billed.to_owned(),
            hours_charged,
            hours: 720,
        }
    }

    fn check(savings: &[(&str, &str)], spend: &[Spend], expected: &[&str]) {
        let savings =
            savings.iter().map(|(currency, amount)| ((*currency).to_owned(), amount.parse().unwrap())).collect();
        let line = |headline: &Headline| match headline.spend_text() {
            Some(spend) => format!("{spend} | {headline}"),
            None => headline.to_string(),
        };
        let found: Vec<_> = headlines(&savings, spend, 0, &BTreeSet::new()).iter().map(line).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn currencies_are_never_added() {
        check(&[], &[], &[]);
        check(&[("USD", "0.628760")], &[], &["0.63 USD"]);
        check(
            &[("EUR", "0.333333"), ("JPY", "50")],
            &[spend("JPY", "2026-09", "1500", 720), spend("USD", "2026-09", "10", 720)],
            &[
                "0.33 EUR",
                "1500.00 JPY for 2026-09 | 50.00 JPY, 3.33 % of the spend",
                "10.00 USD for 2026-09 | no estimate in USD",
            ],
        );
    }

    #[test]
    fn the_share_compares_a_month_with_a_month() {
        let part = [spend("EUR", "2026-09", "10", 240)];
        check(
            &[("EUR", "3")],
            &part,
            &[
                "10.00 EUR for 240 of 720 hours of 2026-09 | 3.00 EUR, 10.00 % of the spend, which comes to 30.00 EUR a month",
            ],
        );
        let two = [spend("EUR", "2026-08", "20", 719), spend("EUR", "2026-09", "10", 240)];
        check(
            &[("EUR", "5")],
            &two,
            &[
                "30.00 EUR for 2026-08, 240 of 720 hours of 2026-09 | 5.00 EUR, 20.00 % of the spend, which comes to 25.00 EUR \
               a month",
            ],
        );
    }

    #[test]
    fn savings_above_the_spend_are_explained() {
        check(
            &[("EUR", "90")],
            &[spend("EUR", "2026-09", "10", 720)],
            &[
                "10.00 EUR for 2026-09 | 90.00 EUR, more than the spend of 10.00 EUR a month:\n            the bill charges these \
                 resources for a part of their month, and savings are of a whole month",
            ],
        );
    }

    #[test]
    fn there_is_no_share_of_nothing() {
        for billed in ["0", "-4"] {
            let expected = format!("{billed}.00 EUR for 2026-09 | 1.00 EUR");
            check(&[("EUR", "1")], &[spend("EUR", "2026-09", billed, 720)], &[&expected]);
        }
        check(&[], &[spend("EUR", "2026-09", "1", 0)], &["1.00 EUR for 2026-09 | no estimate in EUR"]);
    }

    #[test]
    fn an_extract_is_called_one_and_has_no_share() {
        let savings = BTreeMap::from([("EUR".to_owned(), Decimal::from(90))]);
        let months = [spend("EUR", "2026-08", "1", 700), spend("EUR", "2026-09", "10", 581)];
        let extracts = BTreeSet::from(["2026-09".to_owned()]);
        let [headline] = &headlines(&savings, &months, 0, &extracts)[..] else { panic!("not one") };
        assert_eq!((headline.spend_monthly, headline.savings_pct_of_spend), (None, None));
        assert_eq!(headline.spend_text().unwrap(), "11.00 EUR for 700 of 720 hours of 2026-08, an extract of 2026-09");
        assert_eq!(
            headline.to_string(),
            "90.00 EUR:\n            the bill is an extract: rows are missing. Savings are those of a whole month of each resource, and \
             have no share of this spend"
        );
    }

    #[test]
    fn there_is_no_share_of_bills_that_were_not_read() {
        let savings = BTreeMap::from([("EUR".to_owned(), Decimal::ONE)]);
        let [headline] = &headlines(&savings, &[spend("EUR", "2026-09", "10", 720)], 2, &BTreeSet::new())[..] else {
            panic!("not one")
        };
        assert_eq!(headline.savings_pct_of_spend, None);
        assert_eq!(headline.to_string(), "1.00 EUR");
        assert_eq!(headline.spend_text().unwrap(), "10.00 EUR for 2026-09, with 2 bill(s) that this run did not read");
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let check = |amount: &str, expected: &str| assert_eq!(rounded(amount.parse().unwrap()), expected);
        for (amount, expected) in
            [("0.628760", "0.63"), ("0.625", "0.62"), ("0.635", "0.64"), ("-0.625", "-0.62"), ("1", "1.00")]
        {
            check(amount, expected);
        }
    }
}
