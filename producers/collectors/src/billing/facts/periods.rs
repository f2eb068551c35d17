//! Sets of instants as merged intervals: which charge periods a delivery covers. Pure.

use std::collections::BTreeMap;

use contracts::time::{format_timestamp, timestamp};

/// Intervals kept: a month has 744 hours. With more, small gaps are closed: the set claims a little more than it holds, so
/// that a delivery is refused rather than added twice.
const INTERVALS_MAX: usize = 2_000;
const MINUTE_MS: i64 = 60_000;

/// Disjoint intervals that do not touch, by start; the end is exclusive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Periods(BTreeMap<i64, i64>);

impl Periods {
    /// Adds an interval; one that ends before it begins counts as an instant.
    pub fn add(&mut self, start: i64, end: i64) {
        let (mut start, mut end) = (start, end.max(start.saturating_add(1)));
        if let Some((before, before_end)) = self.0.range(..=start).next_back()
            && *before_end >= start
        {
            if *before_end >= end {
                return;
            }
            start = *before;
        }
        while let Some((next, next_end)) = self.0.range(start..=end).next() {
            let (next, next_end) = (*next, *next_end);
            end = end.max(next_end);
            self.0.remove(&next);
        }
        self.0.insert(start, end);
        let mut gap = MINUTE_MS;
        while self.0.len() > INTERVALS_MAX {
            *self = self.without_gaps(gap);
            gap = gap.saturating_mul(2);
        }
    }

    /// True when it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when an instant is in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        other.0.iter().any(|(start, end)| self.0.range(..*end).next_back().is_some_and(|(_, own_end)| own_end > start))
    }

    /// True when all of `other` is in it, gaps of up to `gap_ms` closed: an hour in which nothing is charged any more
    /// does not make a bill another one.
    #[must_use]
    pub fn covers(&self, other: &Self, gap_ms: i64) -> bool {
        let closed = self.without_gaps(gap_ms);
        let within = |(start, end): (&i64, &i64)| {
            closed.0.range(..=*start).next_back().is_some_and(|(_, closed_end)| closed_end >= end)
        };
        other.0.iter().all(within)
    }

    /// Both together.
    #[must_use]
    pub fn united(&self, other: &Self) -> Self {
        let mut all = self.clone();
        other.0.iter().for_each(|(start, end)| all.add(*start, *end));
        all
    }

    fn without_gaps(&self, gap_ms: i64) -> Self {
        let mut closed: Vec<(i64, i64)> = Vec::new();
        for (start, end) in &self.0 {
            match closed.last_mut() {
                Some(last) if start.saturating_sub(last.1) <= gap_ms => last.1 = *end,
                _ => closed.push((*start, *end)),
            }
        }
        Self(closed.into_iter().collect())
    }

    /// As a manifest holds them.
    #[must_use]
    pub fn to_text(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(start, end)| (format_timestamp(*start), format_timestamp(*end))).collect()
    }

    /// From a manifest; `None` when a time is unreadable.
    #[must_use]
    pub fn from_text(text: &[(String, String)]) -> Option<Self> {
        let mut all = Self::default();
        for (start, end) in text {
            all.add(timestamp(start).ok()?, timestamp(end).ok()?);
        }
        Some(all)
    }

    /// First instant and end, for people.
    #[must_use]
    pub fn hull(&self) -> Option<(String, String)> {
        let (first, last) = (self.0.first_key_value()?, self.0.last_key_value()?);
        Some((format_timestamp(*first.0), format_timestamp(*last.1)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(intervals: &[(i64, i64)]) -> Periods {
        let mut all = Periods::default();
        intervals.iter().for_each(|(start, end)| all.add(*start, *end));
        all
    }

    #[test]
    fn intervals_merge_when_they_meet() {
        let check = |given: &[(i64, i64)], expected: &[(i64, i64)]| {
            assert_eq!(of(given).0.into_iter().collect::<Vec<_>>(), expected, "{given:?}");
        };
        check(&[(0, 6), (6, 12)], &[(0, 12)]);
        check(&[(6, 12), (0, 5)], &[(0, 5), (6, 12)]);
        check(&[(0, 2), (4, 6), (8, 9), (1, 8)], &[(0, 9)]);
        check(&[(0, 10), (2, 3)], &[(0, 10)]);
        check(&[(5, 5), (9, 7)], &[(5, 6), (9, 10)]);
    }

    #[test]
    fn covering_forgives_small_gaps_only() {
        let new = of(&[(0, 5), (7, 10)]);
        assert!(new.covers(&of(&[(4, 8)]), 2) && !new.covers(&of(&[(4, 8)]), 1));
        assert!(!new.covers(&of(&[(4, 11)]), 100), "what lies outside is not covered");
        assert!(new.covers(&Periods::default(), 0));
    }

    #[test]
    fn a_manifest_gives_them_back() {
        let all = of(&[(1_788_000_000_000, 1_788_000_000_001), (1_789_000_000_000, 1_789_100_000_000)]);
        assert_eq!(Periods::from_text(&all.to_text()), Some(all));
        assert_eq!(Periods::from_text(&[("soon".into(), "later".into())]), None);
    }

    #[test]
    fn there_is_a_limit() {
        let mut all = Periods::default();
        (0..10_000).for_each(|n| all.add(n * 2 * MINUTE_MS, n * 2 * MINUTE_MS + 1));
        assert!(all.0.len() <= INTERVALS_MAX);
        assert!(
            all.covers(&of(&[(0, 1), (19_998 * MINUTE_MS, 19_998 * MINUTE_MS + 1)]), 0),
            "and nothing is forgotten"
        );
    }

    proptest! {
        /// The set answers as a set of instants does.
        #[test]
        fn it_is_a_set(
            one in prop::collection::vec((0_i64..40, 1_i64..8), 0..8),
            other in prop::collection::vec((0_i64..40, 1_i64..8), 0..8),
        ) {
            let of = |list: &[(i64, i64)]| of(&list.iter().map(|(start, len)| (*start, start + len)).collect::<Vec<_>>());
            let has = |list: &[(i64, i64)], at: i64| list.iter().any(|(start, len)| (*start..start + len).contains(&at));
            let (a, b) = (of(&one), of(&other));
            prop_assert_eq!(a.overlaps(&b), (0..50).any(|at| has(&one, at) && has(&other, at)));
            prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
            prop_assert_eq!(a.covers(&b, 0), (0..50).all(|at| !has(&other, at) || has(&one, at)));
            prop_assert!(a.united(&b).covers(&a, 0) && a.united(&b).covers(&b, 0));
        }
    }
}
