//! How much of its month a bill shows, per paying account: which month findings speak of, the hours it covers, and
//! whether so much goes on in it that what is no longer charged has ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::hours::HourSet;
use super::line::{LineKey, UsageLine};

/// Hours of usage from which a month says enough to be spoken of: a week. On the first days of a month nothing can be
/// derived from it yet, and what was found in the month before still stands.
const MONTH_HOURS_MIN: u32 = 168;
/// Hours that a service may reach the bill later than others.
const LATE_HOURS_MAX: u32 = 48;
/// Share of the bill's hours, in tenths, from which a resource counts as charged all the time.
const STEADY_TENTHS: u32 = 9;
/// Resources charged all the time that show that a bill is whole. Every account that runs something has a dozen: volumes,
/// buckets, addresses. An extract or a random sample of a bill has few or none, and hours it lacks say nothing.
const STEADY_RESOURCES_MIN: u32 = 10;

/// Cloud and paying account.
pub(super) type Payer = (Arc<str>, Arc<str>);

/// The month of a paying account that findings speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentMonth {
    /// `YYYY-MM`.
    pub period: Arc<str>,
    /// Hours in which the bill charges any usage.
    pub hours: HourSet,
    /// The last of them, by service.
    last_hours: BTreeMap<Arc<str>, u32>,
    /// Resources charged in nearly all of these hours.
    steady_resources: u32,
}

impl CurrentMonth {
    /// The last hour that the bill shows of a service. Services differ in how late they reach a bill.
    #[must_use]
    pub fn last_hour_of(&self, service: &str) -> Option<u32> {
        let last = self.hours.last()?.saturating_sub(LATE_HOURS_MAX);
        Some(self.last_hours.get(service).map_or(last, |of_service| last.max(*of_service)))
    }

    /// True when the bill shows enough resources going on to tell that one has ended. False for an extract of a bill.
    #[must_use]
    pub fn tells_ends(&self) -> bool {
        self.steady_resources >= STEADY_RESOURCES_MIN
    }
}

pub(super) fn payer(line: &UsageLine) -> Payer {
    (Arc::clone(&line.key.cloud), Arc::clone(&line.key.billing_account))
}

/// What makes a resource one: lines that agree in it lie together in a sorted inventory.
pub(super) fn resource_key(key: &LineKey) -> [&str; 7] {
    [&key.cloud, &key.billing_account, &key.period, &key.account, &key.region, &key.service, &key.resource]
}

/// The current month of each paying account; `lines` are sorted by key.
pub(super) fn current_months(lines: &[UsageLine]) -> BTreeMap<Payer, CurrentMonth> {
    let mut hours: BTreeMap<Payer, BTreeMap<Arc<str>, HourSet>> = BTreeMap::new();
    for line in lines {
        let month = hours.entry(payer(line)).or_default().entry(Arc::clone(&line.key.period)).or_default();
        if line.is_usage() {
            month.merge(&line.sums.hours);
        }
    }
    let current = |months: &BTreeMap<Arc<str>, HourSet>| {
        let covered = months.iter().rev().find(|(_, hours)| hours.count() >= MONTH_HOURS_MIN);
        let (period, hours) = covered.or(months.last_key_value())?;
        Some(CurrentMonth {
            period: Arc::clone(period),
            hours: *hours,
            last_hours: BTreeMap::new(),
            steady_resources: 0,
        })
    };
    let mut months = hours.iter().filter_map(|(payer, months)| Some((payer.clone(), current(months)?))).collect();
    note_last_hours(lines, &mut months);
    count_steady_resources(lines, &mut months);
    months
}

fn note_last_hours(lines: &[UsageLine], months: &mut BTreeMap<Payer, CurrentMonth>) {
    for line in lines.iter().filter(|line| line.is_usage()) {
        let month = months.get_mut(&payer(line)).filter(|month| month.period == line.key.period);
        let Some((month, last)) = month.zip(line.sums.hours.last()) else { continue };
        let noted = month.last_hours.entry(Arc::clone(&line.key.service)).or_default();
        *noted = last.max(*noted);
    }
}

fn count_steady_resources(lines: &[UsageLine], months: &mut BTreeMap<Payer, CurrentMonth>) {
    for lines in lines.chunk_by(|a, b| resource_key(&a.key) == resource_key(&b.key)) {
        let Some(first) = lines.first().filter(|line| !line.key.resource.is_empty()) else { continue };
        let Some(month) = months.get_mut(&payer(first)).filter(|month| month.period == first.key.period) else {
            continue;
        };
        let mut hours = HourSet::default();
        lines.iter().filter(|line| line.is_usage()).for_each(|line| hours.merge(&line.sums.hours));
        let is_steady = hours.count() > 0 && hours.count() * 10 >= month.hours.count() * STEADY_TENTHS;
        month.steady_resources += u32::from(is_steady);
    }
}
