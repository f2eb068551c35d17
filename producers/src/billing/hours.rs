//! Which hours of a billing month a line was charged for. Rows may be hourly or daily and may repeat an hour (a
//! discount beside its charge), so hours are a set, not a sum.

/// Hours of a month, as bits; 31 days and a day to spare.
const WORDS: usize = 12;
/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

/// A set of hours, counted from the first instant of the billing month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HourSet([u64; WORDS]);

impl HourSet {
    /// Adds every hour that `[start, end)` touches. Hours before the month or past its 32nd day are left out.
    pub fn add(&mut self, month_start_ms: i64, start_ms: i64, end_ms: i64) {
        let first = (start_ms - month_start_ms).div_euclid(HOUR_MS).max(0);
        let last = (end_ms - 1 - month_start_ms).div_euclid(HOUR_MS).min(64 * WORDS as i64 - 1);
        for hour in first..=last {
            let hour = usize::try_from(hour).unwrap_or_default();
            self.0[hour / 64] |= 1 << (hour % 64);
        }
    }

    /// Adds all hours of another set.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
    }

    /// How many hours.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_counts_once() {
        let mut hours = HourSet::default();
        hours.add(0, 0, HOUR_MS);
        hours.add(0, 0, HOUR_MS);
        hours.add(0, HOUR_MS / 2, HOUR_MS + 1);
        assert_eq!(hours.count(), 2);
        hours.add(0, 24 * HOUR_MS, 48 * HOUR_MS);
        assert_eq!(hours.count(), 26);
        let mut other = HourSet::default();
        other.add(0, 47 * HOUR_MS, 49 * HOUR_MS);
        hours.merge(&other);
        assert_eq!(hours.count(), 27);
    }

    #[test]
    fn hours_outside_the_month_are_left_out() {
        let mut hours = HourSet::default();
        hours.add(10 * HOUR_MS, 8 * HOUR_MS, 9 * HOUR_MS);
        assert_eq!(hours.count(), 0);
        hours.add(0, i64::MAX - 10 * HOUR_MS, i64::MAX);
        assert_eq!(hours.count(), 0);
        hours.add(0, 0, i64::MAX);
        assert_eq!(hours.count(), 768);
        hours.add(0, 5, 5);
        assert_eq!(hours.count(), 768);
    }
}
