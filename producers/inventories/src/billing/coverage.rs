//! How much of its month a bill shows, per paying account: which month findings speak of, the hours it covers, and
//! whether what is no longer charged has ended. Only usage tells it: a tax, a fee or a purchase may be charged for the whole
//! month on its first day, and so may usage that is charged by the month.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::hours::HourSet;
use super::line::{LineKey, UsageLine};
use super::meter::PriceOf;
use super::period::hours_of_month;

/// Hours of usage from which a month says enough to be spoken of: a week. On the first days of a month nothing can be
/// derived from it yet, and what was found in the month before still stands.
const MONTH_HOURS_MIN: u32 = 168;
/// Hours that a service may reach the bill later than others.
const LATE_HOURS_MAX: u32 = 48;
/// Length of a row up to which it tells how far the month is: a day, and the hour that a day has more when the clocks change.
pub const TELLING_MS_MAX: i64 = 25 * 3_600_000;
/// Share of the hours of things that do not pause, from their first to their last, that a whole bill shows at least, in tenths.
/// An extract or a random sample of a bill leaves holes in them: what it lacks has not ended.
const SHOWN_TENTHS: u32 = 5;

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
    /// False when the bill leaves out hours of what does not pause.
    is_whole: bool,
}

impl CurrentMonth {
    /// The last hour that the bill shows of a service. Services differ in how late they reach a bill.
    #[must_use]
    pub fn last_hour_of(&self, service: &str) -> Option<u32> {
        let last = self.hours.last()?.saturating_sub(LATE_HOURS_MAX);
        Some(self.last_hours.get(service).map_or(last, |of_service| last.max(*of_service)))
    }

    /// True when what is missing from the bill was not charged. False for an extract of a bill, which leaves out rows.
    #[must_use]
    pub fn tells_ends(&self) -> bool {
        self.is_whole
    }
}

pub(super) fn payer(line: &UsageLine) -> Payer {
    (Arc::clone(&line.key.cloud), Arc::clone(&line.key.billing_account))
}

/// Hours of usage by service, in the months of each paying account.
pub(super) type Covered = BTreeMap<Payer, BTreeMap<Arc<str>, BTreeMap<Arc<str>, HourSet>>>;

/// Notes the hours of rows that tell how far a month is, while rows are added up.
#[derive(Debug, Default)]
pub(super) struct CoverageBuilder {
    slots: HashMap<[Arc<str>; 4], usize>,
    hours: Vec<HourSet>,
    /// By number of line; `None` for lines that tell nothing.
    of_line: Vec<Option<usize>>,
}

impl CoverageBuilder {
    /// Notes the next line.
    pub(super) fn add_line(&mut self, key: &LineKey) {
        let slot = key.is_usage().then(|| {
            let of = [&key.cloud, &key.billing_account, &key.period, &key.service].map(Arc::clone);
            *self.slots.entry(of).or_insert_with(|| {
                self.hours.push(HourSet::default());
                self.hours.len() - 1
            })
        });
        self.of_line.push(slot);
    }

    /// Notes a row of a line.
    pub(super) fn add_row(&mut self, line: usize, month_start_ms: i64, start_ms: i64, end_ms: i64) {
        let slot = self.of_line.get(line).copied().flatten();
        if let Some(hours) =
            slot.filter(|_| end_ms - start_ms <= TELLING_MS_MAX).and_then(|slot| self.hours.get_mut(slot))
        {
            hours.add(month_start_ms, start_ms, end_ms);
        }
    }

    /// What the rows covered.
    pub(super) fn finish(self) -> Covered {
        let mut covered = Covered::new();
        for ([cloud, account, period, service], slot) in self.slots {
            let Some(hours) = self.hours.get(slot).filter(|hours| hours.count() > 0) else { continue };
            covered.entry((cloud, account)).or_default().entry(period).or_default().insert(service, *hours);
        }
        covered
    }
}

/// Leaves out hours of a line of running time that the bill does not cover yet: a row may be for the whole month, but its quantity is the
/// time so far. Where nothing tells how far the bill is, all hours stay.
pub(super) fn end_with_bill(line: &mut UsageLine, covered: &Covered) {
    let is_to_end = line.sums.hours.last().is_some_and(|last| last + 1 >= hours_of_month(&line.key.period));
    if line.key.meter.price_of() != PriceOf::Runtime || !line.is_usage() || !is_to_end {
        return;
    }
    let services = covered.get(&payer(line)).and_then(|months| months.get(&line.key.period));
    let last = services.and_then(|services| services.values().filter_map(HourSet::last).max());
    let shown = last.map(|last| line.sums.hours.until(last));
    // More than that is what the bill charges for hours that it does not show elsewhere.
    let is_within = |shown: &HourSet| line.sums.quantity.is_some_and(|hours| hours <= shown.count().into());
    if let Some(shown) = shown.filter(is_within) {
        line.sums.hours = shown;
    }
}

/// The months of each paying account that matter to findings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Months {
    /// The month that findings speak of.
    pub(super) current: BTreeMap<Payer, CurrentMonth>,
    /// The month after it, where that has begun: it tells what has ended since.
    pub(super) begun: BTreeMap<Payer, CurrentMonth>,
}

/// Which months matter; `lines` are sorted by key.
pub(super) fn months(lines: &[UsageLine], mut covered: Covered) -> Months {
    let mut long: BTreeMap<(Payer, Arc<str>), BTreeMap<Arc<str>, HourSet>> = BTreeMap::new();
    for line in lines {
        let months = covered.entry(payer(line)).or_default();
        let services = months.entry(Arc::clone(&line.key.period)).or_default();
        if services.is_empty() && line.is_usage() {
            // A bill by the month: its rows are all that tells anything.
            let of = long.entry((payer(line), Arc::clone(&line.key.period))).or_default();
            of.entry(Arc::clone(&line.key.service)).or_default().merge(&line.sums.hours);
        }
    }
    for ((payer, period), services) in long {
        covered.entry(payer).or_default().insert(period, services);
    }
    let mut found = Months::default();
    for (payer, mut of_payer) in covered {
        let Some((newest, newest_services)) = of_payer.pop_last() else { continue };
        let newest = month(newest, &newest_services);
        if newest.hours.count() >= MONTH_HOURS_MIN || of_payer.is_empty() {
            found.current.insert(payer, newest);
            continue;
        }
        // Nothing can be derived from a month that has just begun but what has ended. If no month has a week, the newest counts.
        let mut earlier = of_payer.into_iter().rev().map(|(period, services)| month(period, &services));
        match earlier.find(|month| month.hours.count() >= MONTH_HOURS_MIN) {
            Some(current) => {
                found.current.insert(payer.clone(), current);
                found.begun.insert(payer, newest);
            }
            None => drop(found.current.insert(payer, newest)),
        }
    }
    note_holes(lines, &mut found.current);
    found
}

fn month(period: Arc<str>, services: &BTreeMap<Arc<str>, HourSet>) -> CurrentMonth {
    let mut hours = HourSet::default();
    services.values().for_each(|of_service| hours.merge(of_service));
    let last_hours = services.iter().filter_map(|(service, hours)| Some((Arc::clone(service), hours.last()?)));
    CurrentMonth { period, hours, last_hours: last_hours.collect(), is_whole: true }
}

/// Hours that a bill shows of things, and hours from the first to the last of each. One hour shows no hole.
#[derive(Debug, Clone, Copy, Default)]
struct Shown {
    hours: u32,
    lived: u32,
}

impl Shown {
    fn add(&mut self, hours: &HourSet) {
        if hours.span() > 1 {
            self.hours = self.hours.saturating_add(hours.count());
            self.lived = self.lived.saturating_add(hours.span());
        }
    }
}

/// Compares the hours of what does not pause with those from its first to its last; where the bill has no such thing, of everything.
fn note_holes(lines: &[UsageLine], months: &mut BTreeMap<Payer, CurrentMonth>) {
    let mut seen: BTreeMap<Payer, (Shown, Shown)> = BTreeMap::new();
    for lines in lines.chunk_by(|a, b| a.key.of_resource() == b.key.of_resource()) {
        let Some(first) = lines.first() else { continue };
        if months.get(&payer(first)).is_none_or(|month| month.period != first.key.period) {
            continue;
        }
        let (mut existing, mut any) = (HourSet::default(), HourSet::default());
        for line in lines.iter().filter(|line| line.is_usage()) {
            any.merge(&line.sums.hours);
            if line.key.meter.price_of() == PriceOf::Existence && !line.key.resource.is_empty() {
                existing.merge(&line.sums.hours);
            }
        }
        let (of_existing, of_any) = seen.entry(payer(first)).or_default();
        of_existing.add(&existing);
        of_any.add(&any);
    }
    for (payer, month) in months {
        let (of_existing, of_any) = seen.get(payer).copied().unwrap_or_default();
        let shown = if of_existing.lived > 0 { of_existing } else { of_any };
        // Where nothing is charged for more than an hour, the bill picks hours.
        let is_picked = shown.lived == 0 && month.hours.span() > 1;
        let has_holes = shown.hours.saturating_mul(10) < shown.lived.saturating_mul(SHOWN_TENTHS);
        month.is_whole = !is_picked && !has_holes;
    }
}
