//! The steady base of a pool of compute: what runs in each hour, whichever instances do it, and what a commitment to it would save.

use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

/// Hours of the longest month.
const HOURS: usize = 31 * 24;
/// Hours at the end of the bill in which the base must still run.
const ALIVE_HOURS: usize = 48;

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

impl Pool {
    /// Puts the lines' costs into their hours. `None` when the bill does not tell its hours.
    pub(super) fn of<'a>(
        bill: &BillingInventory,
        lines: impl Iterator<Item = (&'a UsageLine, Decimal)> + Clone,
        steady_ratio: Decimal,
    ) -> Option<Self> {
        let (first, _) = lines.clone().next()?;
        let month = bill.current_month(first)?;
        let last = month.last_hour_of(&first.key.service)?;
        let mut by_hour = vec![Decimal::ZERO; HOURS];
        for (line, cost) in lines.filter(|(line, _)| runs_in_its_hours(line, steady_ratio)) {
            let rate = cost.checked_div(Decimal::from(line.sums.hours.count()))?;
            for (hour, sum) in (0u32..).zip(&mut by_hour) {
                if line.sums.hours.contains(hour) {
                    *sum += rate;
                }
            }
        }
        // A service may reach the bill later than others.
        let is_covered = |hour: u32| hour <= last && month.hours.contains(hour);
        let covered = (0u32..).zip(by_hour).filter(|(hour, _)| is_covered(*hour));
        Some(Self { by_hour: covered.map(|(_, cost)| cost).collect() })
    }

    /// Hours.
    pub(super) fn hours(&self) -> usize {
        self.by_hour.len()
    }

    /// The commitment that saves most at this discount: one of `c` on-demand cost an hour is paid with `c × (1 − discount)` in each
    /// hour, and covers up to `c`. It is no larger than what ran in the last days: what has ended is not committed to.
    pub(super) fn base(&self, discount: Decimal) -> Base {
        let tail = self.by_hour.len().saturating_sub(ALIVE_HOURS);
        let alive = self.by_hour.iter().skip(tail).max().copied().unwrap_or_default();
        let mut levels: Vec<_> = self.by_hour.iter().copied().filter(|level| *level <= alive).collect();
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

/// True when the line's resource provably ran in each of its hours. Rows by the day do not tell in which hours of it an instance
/// ran; their quantity does when it is nearly all of them. Of a line without a resource nothing tells.
fn runs_in_its_hours(line: &UsageLine, steady_ratio: Decimal) -> bool {
    let hours = line.sums.hours.count();
    let is_hourly = u64::from(hours) <= line.sums.rows;
    let is_full = || line.sums.quantity.is_some_and(|quantity| quantity >= Decimal::from(hours) * steady_ratio);
    let is_shown = match line.key.meter {
        Meter::InstanceHours(_) => is_full(),
        // The quantity of a container is in cores or GB, not in hours.
        _ => is_hourly,
    };
    hours > 0 && !line.key.resource.is_empty() && is_shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(by_hour: &[i64]) -> (String, String) {
        let pool = Pool { by_hour: by_hour.iter().copied().map(Decimal::from).collect() };
        let base = pool.base(Decimal::new(25, 2));
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
    }
}
