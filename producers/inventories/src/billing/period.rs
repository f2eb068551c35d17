//! The month a billing period is. Providers cut months at midnight of their own zone: `2026-08-31T22:00:00Z` to
//! `2026-09-30T22:00:00Z` is September in Berlin. Start and end together tell the zone.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime};

const HOUR_MS: i64 = 3_600_000;
/// Zones lie between UTC-12 and UTC+14.
pub const OFFSET_MAX_MS: i64 = 14 * HOUR_MS;
/// Zones are multiples of a quarter of an hour off UTC.
const OFFSET_STEP_MS: i64 = HOUR_MS / 4;

/// The month `YYYY-MM` of a billing period, or of a charge when there is none. `None` for an instant outside the calendar.
///
/// A period that starts shortly before a month of UTC, and also ends before one, is the month that begins then in a zone
/// east of UTC. Any other period is of the month it starts in: that is right for zones west of UTC, for periods that are
/// no calendar months, and when the end is not stated, since a start alone shows no zone.
#[must_use]
pub fn month(start_ms: i64, end_ms: Option<i64>) -> Option<String> {
    let start = DateTime::from_timestamp_millis(start_ms)?;
    let first = start.date_naive().with_day(1)?;
    let next = first.checked_add_months(Months::new(1))?;
    let is_next = end_ms.is_some_and(|end_ms| starts_east(start_ms, end_ms, next));
    Some((if is_next { next } else { first }).format("%Y-%m").to_string())
}

/// The month before `YYYY-MM`; `None` when it is not a month.
#[must_use]
pub fn month_before(month: &str) -> Option<String> {
    let first = NaiveDate::parse_from_str(&format!("{month}-01"), "%Y-%m-%d").ok()?;
    Some(first.checked_sub_months(Months::new(1))?.format("%Y-%m").to_string())
}

/// True when `[start, end)` is the month of `first` in a zone east of UTC.
fn starts_east(start_ms: i64, end_ms: i64, first: NaiveDate) -> bool {
    let ahead_ms = midnight_ms(first) - start_ms;
    if !(1..=OFFSET_MAX_MS).contains(&ahead_ms) || ahead_ms % OFFSET_STEP_MS != 0 {
        return false;
    }
    // The clocks may have changed within the month. Some exporters end a month with its last day.
    let Some(next) = first.checked_add_months(Months::new(1)) else { return false };
    let last = next.pred_opt().unwrap_or(next);
    [next, last].iter().any(|end| (midnight_ms(*end) - end_ms - ahead_ms).abs() <= HOUR_MS)
}

fn midnight_ms(day: NaiveDate) -> i64 {
    day.and_time(NaiveTime::MIN).and_utc().timestamp_millis()
}

/// Hours of a billing month `YYYY-MM`; 730 when it is not one.
#[must_use]
pub fn hours_of_month(period: &str) -> u32 {
    let days = month_start(period).and_then(|start| {
        let next = start.checked_add_months(Months::new(1))?;
        u32::try_from((next - start).num_days()).ok()
    });
    days.map_or(730, |days| days * 24)
}

/// First day of a billing month.
pub(super) fn month_start(period: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(&format!("{period}-01"), "%Y-%m-%d").ok()
}

/// First instant of a billing month in UTC.
pub(super) fn utc_start_ms(period: &str) -> Option<i64> {
    Some(month_start(period)?.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_have_their_own_length() {
        assert_eq!([hours_of_month("2024-09"), hours_of_month("2024-02"), hours_of_month("2024-12")], [720, 696, 744]);
    }

    #[test]
    fn start_and_end_tell_the_month() {
        let cases = [
            ("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z", "2026-09"),
            // East of UTC: Berlin, its months with a change of clocks, India, Kiribati.
            ("2026-08-31T22:00:00Z", "2026-09-30T22:00:00Z", "2026-09"),
            ("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", "2026-03"),
            ("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z", "2026-10"),
            ("2026-08-31T18:30:00Z", "2026-09-30T18:30:00Z", "2026-09"),
            ("2026-08-31T10:00:00Z", "2026-09-30T10:00:00Z", "2026-09"),
            ("2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z", "2027-01"),
            // East, and the end is the last day of the month.
            ("2026-08-31T22:00:00Z", "2026-09-29T22:00:00Z", "2026-09"),
            ("2026-09-01T00:00:00+02:00", "2026-10-01T00:00:00+02:00", "2026-09"),
            // West of UTC.
            ("2026-09-01T07:00:00Z", "2026-10-01T07:00:00Z", "2026-09"),
            ("2026-09-01T07:00:00Z", "2026-09-30T07:00:00Z", "2026-09"),
            ("2026-09-01T00:00:00-07:00", "2026-10-01T00:00:00-07:00", "2026-09"),
            ("2026-08-31T17:00:00-07:00", "2026-09-30T17:00:00-07:00", "2026-09"),
            // No calendar month.
            ("2026-08-31T00:00:00Z", "2026-09-01T00:00:00Z", "2026-08"),
            ("2026-08-31T22:00:00Z", "2026-09-15T22:00:00Z", "2026-08"),
            ("2026-08-15T00:00:00Z", "2026-09-15T00:00:00Z", "2026-08"),
            ("2026-08-31T22:03:00Z", "2026-09-30T22:03:00Z", "2026-08"),
            // A start alone tells no zone.
            ("2026-08-31T22:00:00Z", "", "2026-08"),
        ];
        let ms = |text: &str| crate::billing::cells::timestamp_ms(text);
        for (start, end, expected) in cases {
            assert_eq!(month(ms(start).unwrap(), ms(end)).as_deref(), Some(expected), "{start} {end}");
        }
    }

    #[test]
    fn a_month_has_one_before_it() {
        let cases = [("2024-09", Some("2024-08")), ("2024-01", Some("2023-12")), ("2024", None)];
        for (month, expected) in cases {
            assert_eq!(month_before(month).as_deref(), expected, "{month}");
        }
    }
}
