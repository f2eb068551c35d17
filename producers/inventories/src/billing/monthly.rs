//! What a charge comes to in a whole month when only a part of the month was charged. Pure arithmetic: which hours count
//! is the caller's choice.

use rust_decimal::Decimal;

/// Hours that a month may lack and still be whole: daylight saving takes one from a month cut at local midnight.
const MISSING_HOURS_MAX: u32 = 1;

/// The share of a billing month that something was charged for: more than 0, at most all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthShare {
    hours: u32,
    month_hours: u32,
}

impl MonthShare {
    /// So many hours of a month of so many; more than the month are the whole month. `None` when either is 0: then
    /// nothing tells the share.
    #[must_use]
    pub fn new(hours: u32, month_hours: u32) -> Option<Self> {
        (hours > 0 && month_hours > 0).then(|| Self { hours: hours.min(month_hours), month_hours })
    }

    /// Hours charged.
    #[must_use]
    pub fn hours(self) -> u32 {
        self.hours
    }

    /// Hours of the month.
    #[must_use]
    pub fn month_hours(self) -> u32 {
        self.month_hours
    }

    /// True when the whole month was charged.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.hours + MISSING_HOURS_MAX >= self.month_hours
    }

    /// What a charge for this share comes to in a whole month: `charged × hours of the month / hours charged`. `None` when
    /// that is more than a decimal can hold.
    #[must_use]
    pub fn monthly(self, charged: Decimal) -> Option<Decimal> {
        if self.is_whole() {
            return Some(charged);
        }
        charged.checked_mul(self.month_hours.into())?.checked_div(self.hours.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_of_the_month_is_scaled_to_all_of_it() {
        let cases = [
            // Charged, hours, hours of the month, monthly.
            ("0.005", 1, 720, "3.6"),
            ("1", 360, 720, "2"),
            ("1", 240, 720, "3"),
            ("3.1", 24, 744, "96.1"),
            ("10", 720, 720, "10"),
            // The clocks went forward.
            ("10", 743, 744, "10"),
            ("10", 742, 744, "10.026954177897574123989218329"),
            // Days that a local month has more than one of UTC.
            ("10", 745, 744, "10"),
            ("0", 1, 720, "0"),
            ("-1", 360, 720, "-2"),
        ];
        for (charged, hours, month_hours, expected) in cases {
            let share = MonthShare::new(hours, month_hours).unwrap();
            let monthly = share.monthly(charged.parse().unwrap()).unwrap();
            assert_eq!(monthly.normalize().to_string(), expected, "{charged} for {hours} of {month_hours}");
        }
    }

    #[test]
    fn hours_that_nothing_tells_are_no_share() {
        assert_eq!((MonthShare::new(0, 720), MonthShare::new(1, 0)), (None, None));
        assert_eq!(MonthShare::new(1, 720).unwrap().monthly(Decimal::MAX), None);
    }

    fn amount() -> impl Strategy<Value = Decimal> {
        (0..1_000_000_000_000_000_000i64).prop_map(|units| Decimal::new(units, 12))
    }

    proptest! {
        #[test]
        fn a_whole_month_is_not_scaled(charged in amount(), month_hours in 672u32..=744, more in 0u32..48) {
            prop_assert_eq!(MonthShare::new(month_hours + more, month_hours).unwrap().monthly(charged), Some(charged));
        }

        #[test]
        fn the_monthly_figure_is_never_below_the_charge(
            charged in amount(),
            hours in 1u32..=744,
            month_hours in 672u32..=744,
        ) {
            let monthly = MonthShare::new(hours, month_hours).unwrap().monthly(charged).unwrap();
            prop_assert!(monthly >= charged && !monthly.is_sign_negative());
        }

        #[test]
        fn more_money_is_never_less_and_more_hours_never_more(
            (charged, other) in (amount(), amount()),
            (hours, longer) in (1u32..=744, 1u32..=744),
            month_hours in 672u32..=744,
        ) {
            let monthly = |hours, charged| MonthShare::new(hours, month_hours).unwrap().monthly(charged).unwrap();
            let (less, more) = (charged.min(other), charged.max(other));
            prop_assert!(monthly(hours, less) <= monthly(hours, more), "a part saves no more than the whole costs");
            let (short, long) = (hours.min(longer), hours.max(longer));
            prop_assert!(monthly(short, charged) >= monthly(long, charged));
        }
    }
}
