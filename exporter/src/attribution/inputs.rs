//! What the priced findings of a run date are made from, and the digest that says whether they have to be rebuilt.

use std::collections::BTreeSet;

use chrono::{Datelike, Days, Months, NaiveDate};
use contracts::tenant_scope::TenantScope;
use lake::cut::{BillingPeriod, Cut, DataFile};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::follow::{NextRun, next_runs};
use super::options::{AttributionOptions, CostSettings};

use crate::priced::{digest, files_by_date};

/// Grows when the same inputs give other rows.
const RULES_VERSION: u32 = 6;
/// Days before the day of a run that its windows touch at least.
const WINDOW_DAYS: u64 = 30;
/// Days behind the day of the run that no longer has a finding, up to which bills are read: 30 are compared, and the one after them
/// shows that the last of them is whole.
const RESOLVED_DAYS: u64 = 32;

/// A run date of a tenant.
pub(super) struct RunDate<'c> {
    /// `YYYY-MM-DD`.
    pub run_date: String,
    /// Its findings.
    pub files: Vec<&'c DataFile>,
    /// Billing periods whose charges its windows may touch.
    pub periods: Vec<&'c BillingPeriod>,
    /// The runs that followed its runs.
    pub next: Vec<NextRun<'c>>,
    /// Findings of the days of these, and of the runs between.
    pub next_files: Vec<&'c DataFile>,
    /// Digest of its findings.
    pub findings: String,
    /// Name of what they are priced to: equal inputs and options, equal generation.
    pub generation: String,
}

/// The tenant's run dates in the cut.
pub(super) fn run_dates<'c>(
    cut: &'c Cut,
    scope: &'c TenantScope,
    options: &AttributionOptions,
    reporting_currency: &str,
) -> Vec<RunDate<'c>> {
    let all_files = files_by_date(cut, scope);
    let mut all_next = next_runs(cut, scope);
    let run_dates = all_files.clone().into_iter().map(|(run_date, files)| {
        let next = all_next.remove(run_date.as_str()).unwrap_or_default();
        let next_days: BTreeSet<&str> = next.iter().map(NextRun::day).collect();
        let days_between: BTreeSet<&str> = next.iter().flat_map(NextRun::days).collect();
        let next_files = days_between.iter().filter_map(|day| all_files.get(*day)).flatten().copied().collect();
        let periods = cut
            .billing_of(scope)
            .iter()
            .filter(|period| touches(period, &run_date) || next_days.iter().any(|day| touches_after(period, day)));
        let periods: Vec<&BillingPeriod> = periods.collect();
        let findings = digest(&files);
        let mut all = Sha256::new();
        all.update(
            json!([RULES_VERSION, CostSettings::of(options), reporting_currency, findings, periods, next]).to_string(),
        );
        let generation = hex::encode(all.finalize())[..16].to_owned();
        RunDate { run_date, files, periods, next, next_files, findings, generation }
    });
    run_dates.collect()
}

/// The days that windows of the run dates touch, first and behind the last; `None` when a run date is no date.
pub(super) fn days(run_dates: &[&RunDate<'_>]) -> Option<(NaiveDate, NaiveDate)> {
    let all: Vec<NaiveDate> = run_dates.iter().map(|of| date(&of.run_date)).collect::<Option<_>>()?;
    let mut end = all.iter().max()?.checked_add_days(Days::new(1))?;
    for next in run_dates.iter().flat_map(|of| &of.next) {
        end = end.max(date(next.day())?.checked_add_days(Days::new(RESOLVED_DAYS))?);
    }
    Some((first_day(*all.iter().min()?)?, end))
}

/// True when a window of the day may hold a charge of the billing period: those of its month touch it from the first day to the
/// last one of the following month, corrections by their own days.
fn touches(period: &BillingPeriod, run_date: &str) -> bool {
    let (Some(day), Some(month)) = (date(run_date), date(&format!("{}-01", period.billing_period))) else {
        return true;
    };
    let Some((first_charged, last_charged)) = &period.charged_days else { return true };
    let is_of_month = month.checked_add_months(Months::new(2)).is_none_or(|end| month <= day && day < end);
    let of_days = || {
        let (first_charged, last_charged) = (date(first_charged)?, date(last_charged)?);
        Some(first_charged <= day && last_charged >= first_day(day)?)
    };
    is_of_month || of_days().unwrap_or(true)
}

/// True when the period may hold a charge of the days that are compared after a finding was resolved on a day.
fn touches_after(period: &BillingPeriod, day: &str) -> bool {
    let Some((first_charged, last_charged)) = &period.charged_days else { return true };
    let is_within = || {
        let day = date(day)?;
        Some(date(last_charged)? > day && date(first_charged)? < day.checked_add_days(Days::new(RESOLVED_DAYS))?)
    };
    is_within().unwrap_or(true)
}

/// The first day that a window of the day touches.
fn first_day(day: NaiveDate) -> Option<NaiveDate> {
    let before = day.checked_sub_days(Days::new(WINDOW_DAYS))?;
    Some(before.min(day.with_day(1)?.checked_sub_months(Months::new(1))?))
}

fn date(text: &str) -> Option<NaiveDate> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(charged: Option<(&str, &str)>, cases: &[(&str, bool)]) {
        let period = BillingPeriod {
            tenant_id: "acme".into(),
            billing_period: "2026-01".into(),
            deliveries: Vec::new(),
            files: Vec::new(),
            charged_days: charged.map(|(first, last)| (first.to_owned(), last.to_owned())),
        };
        for (run_date, expected) in cases {
            assert_eq!(touches(&period, run_date), *expected, "{charged:?} {run_date}");
        }
    }

    #[test]
    fn a_period_touches_its_month_and_the_next_one() {
        check(
            Some(("2026-01-01", "2026-02-01")),
            &[
                ("2025-12-31", false),
                ("2026-01-01", true),
                ("2026-02-28", true),
                ("2026-03-01", true),
                ("2026-04-01", false),
            ],
        );
    }

    #[test]
    fn corrections_touch_the_days_that_they_charge() {
        check(Some(("2025-11-10", "2026-02-01")), &[("2025-11-09", false), ("2025-11-10", true), ("2025-12-31", true)]);
        check(Some(("2026-01-01", "2026-01-05")), &[("2026-03-01", false), ("2026-02-28", true)]);
        check(None, &[("2020-01-01", true), ("2030-01-01", true)]);
    }

    #[test]
    fn windows_begin_with_the_month_before_or_thirty_days_before() {
        let first = |day: &str| first_day(day.parse().unwrap()).unwrap().to_string();
        assert_eq!(first("2026-01-20"), "2025-12-01");
        assert_eq!(first("2026-03-01"), "2026-01-30");
    }
}
