//! Time rules R17–R19, by hand because date libraries accept other sets (leap seconds, missing parts).

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat};

use crate::text::trim;

const MS_PER_DAY: i64 = 86_400_000;

/// Not a time or date by R17–R19.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotATime;

/// R17, R18: milliseconds since the epoch, further digits cut.
///
/// # Errors
/// Any other form, impossible days, instants outside years 0001–9999.
pub fn timestamp(text: &str) -> Result<i64, NotATime> {
    let text = trim(text);
    let bytes = text.as_bytes();
    if !text.is_ascii() || bytes.len() < 10 {
        return Err(NotATime);
    }
    let midnight = i64::from(days(&bytes[..10])?) * MS_PER_DAY;
    let Some((separator, rest)) = bytes[10..].split_first() else { return Ok(midnight) };
    if !matches!(separator, b'T' | b't' | b' ') {
        return Err(NotATime);
    }
    let (time, rest) = clock(rest)?;
    let shifted = midnight + time - offset(rest)?;
    let year = DateTime::from_timestamp_millis(shifted).ok_or(NotATime)?.year();
    if (1..=9999).contains(&year) { Ok(shifted) } else { Err(NotATime) }
}

/// R19: days since the epoch of exactly `YYYY-MM-DD`.
///
/// # Errors
/// Any other form, impossible days.
pub fn date(text: &str) -> Result<i32, NotATime> {
    days(trim(text).as_bytes())
}

fn days(bytes: &[u8]) -> Result<i32, NotATime> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *bytes else { return Err(NotATime) };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let (month, day) = (two(m1, m2)?, two(d1, d2)?);
    if year == 0 {
        return Err(NotATime);
    }
    let year = i32::try_from(year).map_err(|_| NotATime)?;
    let date = NaiveDate::from_ymd_opt(year, month, day).ok_or(NotATime)?;
    Ok(date.to_epoch_days())
}

fn two(tens: u8, units: u8) -> Result<u32, NotATime> {
    if tens.is_ascii_digit() && units.is_ascii_digit() {
        Ok(u32::from(tens - b'0') * 10 + u32::from(units - b'0'))
    } else {
        Err(NotATime)
    }
}

fn within(value: u32, max: u32) -> Result<i64, NotATime> {
    if value <= max { Ok(i64::from(value)) } else { Err(NotATime) }
}

/// `hh:mm[:ss[.f+]]` as milliseconds, and what follows.
fn clock(bytes: &[u8]) -> Result<(i64, &[u8]), NotATime> {
    let [h1, h2, b':', m1, m2, rest @ ..] = bytes else { return Err(NotATime) };
    let minutes = within(two(*h1, *h2)?, 23)? * 60 + within(two(*m1, *m2)?, 59)?;
    let [b':', s1, s2, rest @ ..] = rest else { return Ok((minutes * 60_000, rest)) };
    let seconds = minutes * 60 + within(two(*s1, *s2)?, 59)?;
    let [b'.', rest @ ..] = rest else { return Ok((seconds * 1000, rest)) };
    let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if count == 0 {
        return Err(NotATime);
    }
    let ms = (0..3).fold(0, |ms, i| ms * 10 + if i < count { i64::from(rest[i] - b'0') } else { 0 });
    Ok((seconds * 1000 + ms, &rest[count..]))
}

/// Offset from UTC in milliseconds; none means UTC.
fn offset(bytes: &[u8]) -> Result<i64, NotATime> {
    let (sign, h1, h2, minutes) = match *bytes {
        [] | [b'Z' | b'z'] => return Ok(0),
        [sign @ (b'+' | b'-'), h1, h2] => (sign, h1, h2, 0),
        [sign @ (b'+' | b'-'), h1, h2, m1, m2] | [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            (sign, h1, h2, within(two(m1, m2)?, 59)?)
        }
        _ => return Err(NotATime),
    };
    let ms = (within(two(h1, h2)?, 23)? * 60 + minutes) * 60_000;
    Ok(if sign == b'-' { -ms } else { ms })
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ`.
#[must_use]
pub fn format_timestamp(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms)
        .map_or_else(|| ms.to_string(), |t| t.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// `YYYY-MM-DD` of days since the epoch.
#[must_use]
pub fn format_date(days: i32) -> String {
    NaiveDate::from_epoch_days(days).map_or_else(|| days.to_string(), |d| d.to_string())
}

/// First and last instant that every reader of the data files holds, the years 0001 to 9999: an engine that counts
/// microseconds overflows beyond, and then no query over the file works.
const STORED_MS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// The nearest instant that can be stored. Brokers hand on whatever timestamp a producer set.
#[must_use]
pub fn clamp_ms(ms: i64) -> i64 {
    ms.clamp(*STORED_MS.start(), *STORED_MS.end())
}

/// UTC date of an instant.
#[must_use]
pub fn date_of(ms: i64) -> String {
    let days = ms.div_euclid(MS_PER_DAY);
    format_date(i32::try_from(days).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r17_r18_accepts() {
        for (text, expected) in [
            ("2026-01-20T10:00:00Z", "2026-01-20T10:00:00.000Z"),
            ("2026-01-20", "2026-01-20T00:00:00.000Z"),
            (" 2026-01-20 10:00 ", "2026-01-20T10:00:00.000Z"),
            ("2026-01-20t10:00:00.1239z", "2026-01-20T10:00:00.123Z"),
            ("2026-01-01T00:30:00+02:00", "2025-12-31T22:30:00.000Z"),
            ("2026-01-01T00:30:00-0230", "2026-01-01T03:00:00.000Z"),
            ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(format_timestamp(timestamp(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn r17_r18_refuses() {
        for text in [
            "2026-02-29",
            "2026-01-20Z",
            "2026-01-20T24:00:00Z",
            "2026-01-20T10:00:60Z",
            "2026-01-20T10",
            "2026-01-20T10:00:00.",
            "2026-01-20T10:00:00,5Z",
            "2026-01-20T10:00:00 Z",
            "2026-W03-2",
            "20260120",
            "0000-01-01",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "2026-01-20T10:00:00+24:00",
            "٢٠٢٦-01-20",
        ] {
            assert_eq!(timestamp(text), Err(NotATime), "{text}");
        }
    }

    #[test]
    fn every_instant_is_clamped_to_one_that_has_a_date() {
        for (ms, expected) in [
            (i64::MIN, "0001-01-01T00:00:00.000Z"),
            (0, "1970-01-01T00:00:00.000Z"),
            (9_300_000_000_000_000, "9999-12-31T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(format_timestamp(clamp_ms(ms)), expected, "{ms}");
        }
    }

    #[test]
    fn r19_dates() {
        assert_eq!(format_date(date(" 2024-02-29 ").unwrap()), "2024-02-29");
        assert_eq!(date("2024-02-30"), Err(NotATime));
        assert_eq!(date("2024-02-29T00:00:00Z"), Err(NotATime));
        assert_eq!(date_of(-1), "1969-12-31");
    }
}
