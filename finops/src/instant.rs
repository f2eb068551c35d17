//! A point in time on the command line: written out, or as an age.

use platform::clock::{Clock, SystemClock};
use platform::config::units::parse_duration;

const DAY_MS: i64 = 86_400_000;

/// A time, a date, or an age such as `1h`, as milliseconds since the epoch.
///
/// # Errors
/// The text is none of them; the message says what is expected.
pub fn parse(text: &str) -> Result<i64, String> {
    before(text, SystemClock.now_ms()).ok_or_else(|| {
        "expected a time such as 2026-01-20T06:00:00Z, a date, or an age such as 30m, 1h or 7d".to_owned()
    })
}

fn before(text: &str, now_ms: i64) -> Option<i64> {
    let date = || contracts::time::date(text).ok().map(|days| i64::from(days) * DAY_MS);
    let time = || contracts::time::timestamp(text).ok();
    let age = || parse_duration(text).and_then(|age| i64::try_from(age.as_millis()).ok());
    date().or_else(time).or_else(|| now_ms.checked_sub(age()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_dates_and_ages_are_points_in_time() {
        let now_ms = 1_768_867_200_000;
        let check = |text, expected: Option<i64>| assert_eq!(before(text, now_ms), expected, "{text}");
        check("2026-01-20T00:00:00Z", Some(now_ms));
        check("2026-01-20", Some(now_ms));
        check("1h", Some(now_ms - 3_600_000));
        check("30m", Some(now_ms - 1_800_000));
        check("7d", Some(now_ms - 7 * DAY_MS));
        check("0s", Some(now_ms));
        for text in ["", "1", "1x", "-1h", "yesterday", "2026-13-01", "h"] {
            check(text, None);
        }
        assert!(parse("soon").unwrap_err().contains("1h"));
    }
}
