//! The steady base of a pool of compute: what runs in each hour, whichever instances do it, and what a commitment to it would save.

use inventories::billing::coverage::CurrentMonth;
use inventories::billing::hours::HourSet;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::group::Group;
use super::text::figure;

/// Hours of the longest month.
const HOURS: usize = 31 * 24;
/// Hours of a day.
const DAY: u32 = 24;
/// Share of the hours of its rows from which an instance ran in all of them: the rest is rounding and restarts.
const WHOLE_SHARE: Decimal = Decimal::from_parts(98, 0, 0, false, 2);
/// Hours at the end of the bill in which the base must still run.
const ALIVE_HOURS: u32 = 48;

/// On-demand cost of each hour that the bill covers, in the order of time, of what provably runs in that hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pool {
    by_hour: Vec<Decimal>,
}

/// What a commitment of so much on-demand cost an hour would save over the hours of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Base {
    /// On-demand cost per hour that the commitment covers.
    pub(super) per_hour: Decimal,
    /// Savings over all hours of the pool.
    pub(super) savings: Decimal,
}

impl Base {
    /// How the savings came about, of a pool of so many hours; `what` is what runs in an hour.
    pub(super) fn formula(&self, what: &str, hours: usize, discount: Decimal) -> String {
        format!(
            "savings out of what was charged = the sum over {hours} hours of min({what} of the hour, {c}) − {c} × (1 − {}) × {hours} hours = {}",
            figure(discount, 4),
            figure(self.savings, 6),
            c = figure(self.per_hour, 6),
        )
    }
}

impl Pool {
    /// Puts the lines' costs into their hours. `None` when the bill does not tell its hours.
    pub(super) fn of<'a>(
        bill: &BillingInventory,
        lines: impl Iterator<Item = (&'a UsageLine, Decimal)> + Clone,
    ) -> Option<Self> {
        let (line, _) = lines.clone().next()?;
        let month = bill.current_month(line)?;
        let last = last_hour(month, &line.key.service)?;
        let mut by_hour = vec![Decimal::ZERO; HOURS];
        for (line, cost) in lines {
            let running = running(bill, line, month.hours.last()?);
            let whole: Decimal = running.iter().map(|(_, part)| *part).sum();
            for (hour, part) in running {
                let sum = usize::try_from(hour).ok().and_then(|hour| by_hour.get_mut(hour));
                if let (Some(sum), Some(of_hour)) = (sum, (cost * part).checked_div(whole)) {
                    *sum += of_hour;
                }
            }
        }
        // A service may reach the bill later than others. Hours between others in which nothing ran are hours of the bill.
        let first = month.hours.first()?;
        let is_covered = |hour: u32| (first..=last).contains(&hour);
        let covered = (0u32..).zip(by_hour).filter(|(hour, _)| is_covered(*hour));
        Some(Self { by_hour: covered.map(|(_, cost)| cost).collect() })
    }

    /// What a commitment of so much an hour leaves, of what runs `now` where that is known.
    pub(super) fn above(&self, per_hour: Decimal, now: Option<Decimal>) -> Self {
        let left = |cost: &Decimal| (now.map_or(*cost, |now| now.min(*cost)) - per_hour).max(Decimal::ZERO);
        Self { by_hour: self.by_hour.iter().map(left).collect() }
    }

    /// Both together, in the hours that both cover.
    pub(super) fn with(self, other: &Self) -> Self {
        let both = self.by_hour.iter().zip(&other.by_hour);
        Self { by_hour: both.map(|(one, other)| one + other).collect() }
    }

    /// True when nothing provably runs in any hour.
    pub(super) fn is_empty(&self) -> bool {
        self.by_hour.iter().all(Decimal::is_zero)
    }

    /// Hours.
    pub(super) fn hours(&self) -> usize {
        self.by_hour.len()
    }

    /// The commitment that saves most at this discount: one of `c` on-demand cost an hour is paid with `c × (1 − discount)` in each
    /// hour, and covers up to `c`. It is no larger than what ran in the last days, and than what runs `now` where that is known: what
    /// has ended is not committed to.
    pub(super) fn base(&self, discount: Decimal, now: Option<Decimal>) -> Base {
        let tail = self.by_hour.len().saturating_sub(ALIVE_HOURS as usize);
        let alive = self.by_hour.iter().skip(tail).max().copied().unwrap_or_default();
        let alive = now.map_or(alive, |now| alive.min(now));
        let mut levels: Vec<_> = self.by_hour.iter().copied().filter(|level| *level <= alive).collect();
        levels.extend(now.map(|_| alive));
        levels.sort_unstable();
        levels.dedup();
        let (mut sorted, hours) = (self.by_hour.clone(), Decimal::from(self.by_hour.len()));
        sorted.sort_unstable();
        let mut best = Base::default();
        // What lies below a level counts in full, the rest with the level.
        let (mut below, mut sum_below) = (0, Decimal::ZERO);
        for level in levels {
            while let Some(cost) = sorted.get(below).filter(|cost| **cost < level) {
                sum_below += *cost;
                below += 1;
            }
            let covered = sum_below + level * Decimal::from(sorted.len() - below);
            let savings = covered - level * (Decimal::ONE - discount) * hours;
            if savings > best.savings {
                best = Base { per_hour: level, savings };
            }
        }
        best
    }
}

/// What runs now of a group's kind, an hour, in the month that has just begun: the costs of those of its `lines` that are in its last hours.
/// `None` where that month is not a day old, or the bill does not show it.
pub(super) fn runs_now<'a>(
    bill: &BillingInventory,
    group: &Group<'_>,
    lines: impl Iterator<Item = &'a UsageLine>,
    cost: impl Fn(&UsageLine) -> Decimal,
) -> Option<Decimal> {
    let first = group.first();
    let month = bill.month_begun(first).filter(|month| month.hours.count() >= DAY)?;
    let last = month.last_hour_of(&first.key.service)?;
    let is_now = |line: &&UsageLine| line.sums.hours.last().is_some_and(|of_line| of_line + ALIVE_HOURS > last);
    Some(lines.filter(is_now).filter_map(|line| cost(line).checked_div(line.sums.hours.count().into())).sum())
}

/// The last hour that the bill shows of a service. Where the bill goes on to the end of a day, what stops at night is shown to it, too.
fn last_hour(month: &CurrentMonth, service: &str) -> Option<u32> {
    let (of_service, of_bill) = (month.last_hour_of(service)?, month.hours.last()?);
    let is_whole_day = (of_bill + 1).is_multiple_of(DAY);
    Some(if is_whole_day { of_bill.min(of_service / DAY * DAY + DAY - 1) } else { of_service })
}

/// Hours in which a line's compute runs, with how much of it.
///
/// Empty where nothing tells: of containers by the day, whose quantity is no time, and of what has neither a resource nor hourly rows.
///
/// Rows by the day tell how many hours of it an instance ran, all prices together, since commitments float between instances and hours.
/// One that ran less than the whole day is taken to run from its start: instances that stop at night do so together, and what they are
/// off cannot be committed to. One that lived for two or three days, and pauses in none, ran from within the first to within the last.
fn running(bill: &BillingInventory, line: &UsageLine, bill_last: u32) -> Vec<(u32, Decimal)> {
    let hours = &line.sums.hours;
    let count = hours.count();
    if let Some(costs) = &line.sums.hourly {
        return (0..).zip(costs.iter().copied()).filter(|(_, cost)| !cost.is_zero()).collect();
    }
    if count == 0 || line.key.runs_by_amount() {
        return Vec::new();
    }
    if u64::from(count) <= line.sums.rows {
        return hours.iter().map(|hour| (hour, Decimal::ONE)).collect();
    }
    let Some(ran) = (match line.key.meter {
        Meter::InstanceHours(_) | Meter::NodeHours(_) => hours_run(bill, line),
        // The quantity of a container is in cores or GB, not in hours.
        _ => None,
    }) else {
        return Vec::new();
    };
    let (share, away) = (ran.share(), ran.away());
    if share >= WHOLE_SHARE {
        return hours.iter().map(|hour| (hour, Decimal::ONE)).collect();
    }
    let days = count / DAY;
    if count == hours.span() && (2..=3).contains(&days) && away < Decimal::from(2 * DAY) {
        let outside = (away / Decimal::TWO).floor();
        let skipped = u32::try_from(outside.mantissa()).unwrap_or_default();
        let kept = hours.iter().skip(skipped as usize).take((count - 2 * skipped) as usize);
        return kept.map(|hour| (hour, Decimal::ONE)).collect();
    }
    let of_day = share * Decimal::from(DAY);
    let ends_with_bill = days == 1 && hours.last() == Some(bill_last);
    let part = |hour: u32| {
        let of = if ends_with_bill { DAY - 1 - hour % DAY } else { hour % DAY };
        (of_day - Decimal::from(of)).clamp(Decimal::ZERO, Decimal::ONE)
    };
    hours.iter().map(|hour| (hour, part(hour))).filter(|(_, part)| !part.is_zero()).collect()
}

/// Time that an instance ran, of the hours of its rows.
struct HoursRun {
    ran: Decimal,
    of: Decimal,
}

impl HoursRun {
    fn share(&self) -> Decimal {
        self.ran.checked_div(self.of).unwrap_or_default().min(Decimal::ONE)
    }

    fn away(&self) -> Decimal {
        (self.of - self.ran).max(Decimal::ZERO)
    }
}

/// Of the line's instance, at any price; `None` when a row does not tell.
fn hours_run(bill: &BillingInventory, line: &UsageLine) -> Option<HoursRun> {
    let mut hours = HourSet::default();
    let mut ran = Decimal::ZERO;
    let of = bill.of_resource(line).iter().filter(|other| other.is_usage() && other.key.meter == line.key.meter);
    for other in of {
        hours.merge(&other.sums.hours);
        ran += other.sums.quantity?;
    }
    Some(HoursRun { ran, of: hours.count().into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(by_hour: &[i64]) -> (String, String) {
        let pool = Pool { by_hour: by_hour.iter().copied().map(Decimal::from).collect() };
        let base = pool.base(Decimal::new(25, 2), None);
        (base.per_hour.normalize().to_string(), base.savings.normalize().to_string())
    }

    #[test]
    fn the_best_commitment_is_that_of_all_levels() {
        let cases: [(&[i64], &str, &str); 6] = [
            // A quarter of what always runs.
            (&[4, 4, 4, 4], "4", "4"),
            // 4 of 5 hours: 16 covered, 4 × 0.75 × 5 = 15 paid.
            (&[4, 4, 0, 4, 4], "4", "1"),
            // 2 of 3 hours do not pay.
            (&[4, 0, 4], "0", "0"),
            // The base of a pool that grows by day.
            (&[2, 8, 2, 8], "2", "2"),
            (&[], "0", "0"),
            (&[0, 0], "0", "0"),
        ];
        for (by_hour, level, savings) in cases {
            assert_eq!(base(by_hour), (level.to_owned(), savings.to_owned()), "{by_hour:?}");
        }
    }

    #[test]
    fn what_has_ended_is_not_committed_to() {
        let by_hour: Vec<i64> = (0..720).map(|hour| if hour < 672 { 8 } else { 2 }).collect();
        assert_eq!(base(&by_hour), ("2".to_owned(), "360".to_owned()));
        let pool = Pool { by_hour: vec![Decimal::from(8); 720] };
        let now = |now: i64| pool.base(Decimal::new(25, 2), Some(now.into())).savings.normalize().to_string();
        assert_eq!([now(9), now(3), now(0)], ["1440", "540", "0"]);
    }
}
