//! Which hours of a billing month a line was charged for. Rows may be hourly or daily and may repeat an hour (a
//! discount beside its charge), so hours are a set, not a sum.

/// Hours of a month, as bits; 31 days and a day to spare.
const WORDS: usize = 12;
/// Milliseconds of an hour.
pub(super) const HOUR_MS: i64 = 3_600_000;
/// Hours that a set can hold.
pub(super) const HOURS: usize = 64 * WORDS;

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

    /// The first hour.
    #[must_use]
    pub fn first(&self) -> Option<u32> {
        let (before, word) = (0u32..).step_by(64).zip(self.0).find(|(_, word)| *word != 0)?;
        Some(before + word.trailing_zeros())
    }

    /// The last hour.
    #[must_use]
    pub fn last(&self) -> Option<u32> {
        let (before, word) = (0u32..).step_by(64).zip(self.0).filter(|(_, word)| *word != 0).last()?;
        Some(before + word.ilog2())
    }

    /// True when the hour is one of them.
    #[must_use]
    pub fn contains(&self, hour: u32) -> bool {
        let word = usize::try_from(hour / 64).ok().and_then(|word| self.0.get(word));
        word.is_some_and(|word| word >> (hour % 64) & 1 == 1)
    }

    /// The hours, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).take(HOURS).filter(|hour| self.contains(*hour))
    }

    /// The hours from this one on.
    #[must_use]
    pub fn since(&self, hour: u32) -> Self {
        let mut words = self.0;
        for (before, word) in (0u32..).step_by(64).zip(&mut words) {
            *word &= u64::MAX.checked_shl(hour.saturating_sub(before)).unwrap_or_default();
        }
        Self(words)
    }

    /// The hours up to this one, which counts.
    #[must_use]
    pub fn until(&self, hour: u32) -> Self {
        let later = self.since(hour.saturating_add(1));
        Self(std::array::from_fn(|word| self.0[word] & !later.0[word]))
    }

    /// Hours from the first to the last, both counted; 0 when there is none.
    #[must_use]
    pub fn span(&self) -> u32 {
        self.first().zip(self.last()).map_or(0, |(first, last)| last - first + 1)
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
    fn a_span_goes_from_the_first_hour_to_the_last() {
        let mut hours = HourSet::default();
        assert_eq!((hours.first(), hours.last(), hours.span()), (None, None, 0));
        hours.add(0, 70 * HOUR_MS, 71 * HOUR_MS);
        assert_eq!((hours.first(), hours.last(), hours.span()), (Some(70), Some(70), 1));
        hours.add(0, 0, HOUR_MS);
        hours.add(0, 700 * HOUR_MS, 720 * HOUR_MS);
        assert_eq!((hours.first(), hours.last(), hours.span(), hours.count()), (Some(0), Some(719), 720, 22));
    }

    #[test]
    fn hours_since_an_hour_leave_out_what_was_before() {
        let mut hours = HourSet::default();
        hours.add(0, 0, 720 * HOUR_MS);
        for (since, count) in [(0, 720), (1, 719), (63, 657), (64, 656), (719, 1), (720, 0), (10_000, 0)] {
            assert_eq!(hours.since(since).count(), count, "{since}");
        }
        assert_eq!(hours.since(100).first(), Some(100));
        let contained = [0, 719, 720, 10_000].map(|hour| hours.contains(hour));
        assert_eq!(contained, [true, true, false, false]);
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
