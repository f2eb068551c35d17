//! Reading one cell of a billing export: decimals, times, accounts, regions. Pure; knows no dialect.

use contracts::cloud_ids;
use rust_decimal::Decimal;

/// Fraction digits kept of any amount or quantity.
pub const SCALE: u32 = 12;
/// Integer digits that are stored: `decimal128(38,12)`.
const INTEGER_DIGITS_MAX: usize = 26;
/// Integer digits up to which all twelve places fit without a look at the digits.
const INTEGER_DIGITS_PLAIN: usize = 15;
/// Digits of both parts together that an amount holds exactly.
pub const DIGITS_MAX: usize = 28;

/// Powers of ten.
const POWERS: [u64; SCALE as usize + 1] = {
    let mut powers = [1; SCALE as usize + 1];
    let mut power = 1;
    while power < powers.len() {
        powers[power] = powers[power - 1] * 10;
        power += 1;
    }
    powers
};

/// Words that exporters and data frames write for an absent value. Only these spellings: `none`, `NA` and `nil` are names
/// that people give to buckets, regions and tags.
const NULL_WORDS: [&str; 13] =
    ["NULL", "null", "Null", "None", "N/A", "n/a", "NaN", "nan", "NaT", "<NA>", "#N/A", "\\N", "(null)"];
const NULL_WORD_BYTES_MAX: usize = 6;

/// The cell without blanks, and without the quotes of programs that quote cells twice (`"""x"""` in the file).
#[must_use]
pub fn bare(cell: &str) -> &str {
    let cell = cell.trim();
    let inner = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).map_or(cell, str::trim)
}

/// The cell trimmed. `None` when it is blank or `null`. For amounts, where every other word is an error and not absent.
#[must_use]
pub fn present(cell: &str) -> Option<&str> {
    let cell = bare(cell);
    if cell.is_empty() || cell.eq_ignore_ascii_case("null") { None } else { Some(cell) }
}

/// The cell trimmed. `None` when it is blank or one of the words for an absent value, such as `NULL`, `None`, `N/A`, `nan`.
#[must_use]
pub fn text(cell: &str) -> Option<&str> {
    let cell = bare(cell);
    let is_absent = cell.is_empty() || (cell.len() <= NULL_WORD_BYTES_MAX && NULL_WORDS.contains(&cell));
    if is_absent { None } else { Some(cell) }
}

/// A decimal: sign, digits, point, optional exponent; rounded half-even to [`SCALE`] places. `None` for anything
/// else, NaN and infinity, for more than 26 integer digits or more than 28 digits in all, and for what ends in its point or exponent:
/// it may have been cut.
#[must_use]
pub fn decimal(cell: &str) -> Option<Decimal> {
    let (negative, rest) = match cell.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (number, exponent) = split_exponent(rest)?;
    let point = number.iter().position(|b| *b == b'.').unwrap_or(number.len());
    let (integer, fraction) = (&number[..point], number.get(point + 1..).unwrap_or_default());
    if (fraction.is_empty() && point < number.len())
        || integer.len() + fraction.len() == 0
        || !integer.iter().chain(fraction).all(u8::is_ascii_digit)
    {
        return None;
    }
    if exponent == 0 && integer.len() <= INTEGER_DIGITS_PLAIN && fraction.len() <= SCALE as usize {
        // Nearly every cell: no digit is rounded away.
        let fold = |all: u64, digit: &u8| all * 10 + u64::from(digit - b'0');
        let places = fraction.iter().fold(0, fold) * POWERS[SCALE as usize - fraction.len()];
        let mantissa =
            i128::from(integer.iter().fold(0, fold)) * i128::from(POWERS[SCALE as usize]) + i128::from(places);
        return Some(Decimal::from_i128_with_scale(if negative { -mantissa } else { mantissa }, SCALE));
    }
    let digits: Vec<u8> = integer.iter().chain(fraction).map(|b| b - b'0').skip_while(|digit| *digit == 0).collect();
    let shift = i64::from(exponent) - i64::try_from(fraction.len()).ok()? + i64::from(SCALE);
    let mantissa = shifted(&digits, shift)?;
    exact(if negative { -mantissa } else { mantissa })
}

/// So many units of the last place: with fewer places where they end in zeros and the digits would be too many otherwise.
fn exact(mut mantissa: i128) -> Option<Decimal> {
    let mut scale = SCALE;
    while mantissa.unsigned_abs() >= 10_u128.pow(DIGITS_MAX as u32) && mantissa % 10 == 0 && scale > 0 {
        (mantissa, scale) = (mantissa / 10, scale - 1);
    }
    let is_exact = mantissa.unsigned_abs() < 10_u128.pow(DIGITS_MAX as u32);
    is_exact.then(|| Decimal::from_i128_with_scale(mantissa, scale))
}

fn split_exponent(number: &[u8]) -> Option<(&[u8], i32)> {
    let Some(at) = number.iter().position(|b| matches!(b, b'e' | b'E')) else { return Some((number, 0)) };
    let text = std::str::from_utf8(&number[at + 1..]).ok()?;
    let exponent: i32 = text.parse().ok()?;
    Some((&number[..at], exponent.clamp(-10_000, 10_000)))
}

/// `digits × 10^shift` as an integer, rounded half-even.
fn shifted(digits: &[u8], shift: i64) -> Option<i128> {
    let kept = i64::try_from(digits.len()).ok()? + shift;
    if digits.is_empty() || kept < 0 {
        return Some(0);
    }
    let kept = usize::try_from(kept).ok()?;
    if kept > INTEGER_DIGITS_MAX + SCALE as usize {
        return None;
    }
    let fold = |all: i128, digit: &u8| all * 10 + i128::from(*digit);
    if kept >= digits.len() {
        let zeros = u32::try_from(kept - digits.len()).ok()?;
        return Some(digits.iter().fold(0, fold) * 10i128.pow(zeros));
    }
    let (head, tail) = digits.split_at(kept);
    let head = head.iter().fold(0, fold);
    let up = match tail {
        [5, rest @ ..] if rest.iter().all(|d| *d == 0) => head % 2 == 1,
        [first, ..] => *first >= 5,
        [] => false,
    };
    Some(head + i128::from(up))
}

/// A time: RFC 3339, `YYYY-MM-DD HH:MM[:SS[.fff]]`, or a date; without an offset it is UTC. Query engines write a blank
/// before the offset and `UTC` for `Z`. Milliseconds since the epoch; further digits are cut.
#[must_use]
pub fn timestamp_ms(cell: &str) -> Option<i64> {
    contracts::time::timestamp(cell).ok().or_else(|| {
        // `2026-09-01 00:00:00 UTC` (BigQuery, Trino) and `2026-09-01 00:00:00.000 +0000` (Snowflake). Every time of day
        // has five characters at least, so the blank cannot be the one after the date.
        let (time, zone) = cell.rsplit_once(' ').filter(|(time, _)| time.len() > "YYYY-MM-DD ".len())?;
        match zone {
            "UTC" | "GMT" | "Z" => contracts::time::timestamp(time).ok().filter(|_| !has_offset(time)),
            zone if zone.starts_with(['+', '-']) => contracts::time::timestamp(&format!("{time}{zone}")).ok(),
            _ => None,
        }
    })
}

/// True when a time of day names its offset itself.
fn has_offset(time: &str) -> bool {
    time.bytes().skip("YYYY-MM-DD".len()).any(|b| matches!(b, b'Z' | b'z' | b'+' | b'-'))
}

/// An account id in the one spelling of its cloud, see [`cloud_ids::account`]. `None` for `1.11122E+11` and `11122223333.0`: digits are
/// lost.
#[must_use]
pub fn account(cell: &str, cloud: &str) -> Option<String> {
    (!is_float(cell)).then(|| cloud_ids::account(cloud, cell).into_owned())
}

/// As [`account`], of the account that pays.
#[must_use]
pub fn billing_account(cell: &str, cloud: &str) -> Option<String> {
    (!is_float(cell)).then(|| cloud_ids::billing_account(cloud, cell).into_owned())
}

/// True for the text of a floating point number: digits with a point, or one digit and an exponent. A longer run of digits
/// with an unsigned exponent is a hexadecimal id.
fn is_float(cell: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = cell.strip_prefix(['+', '-']).unwrap_or(cell);
    let (number, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (unsigned, None),
    };
    let (integer, fraction) = match number.split_once(['.', ',']) {
        Some((integer, fraction)) => (integer, Some(fraction)),
        None => (number, None),
    };
    let is_number = digits(integer) && fraction.is_none_or(|f| f.is_empty() || digits(f));
    let is_exponent = |e: &str| digits(e.strip_prefix(['+', '-']).unwrap_or(e));
    let is_signed = |e: &str| e.starts_with(['+', '-']);
    match (fraction, exponent) {
        (None, None) => false,
        (Some(_), None) => is_number,
        (Some(_), Some(e)) => is_number && is_exponent(e),
        (None, Some(e)) => is_number && is_exponent(e) && (is_signed(e) || integer.len() == 1),
    }
}

/// The region a zone lies in, also for local zones: `us-west-2-lax-1a` is in `us-west-2`.
#[must_use]
pub fn region_of_zone(zone: &str) -> Option<String> {
    let zone = zone.to_lowercase();
    let mut parts = zone.split('-');
    let mut region = parts.next().filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_lowercase()))?.to_owned();
    for (words, part) in parts.enumerate() {
        region.push('-');
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            region.push_str(&part[..digits]);
            return (words > 0).then_some(region);
        }
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_lowercase()) {
            return None;
        }
        region.push_str(part);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_twelve_places_half_even() {
        let cases = [
            ("1", Some("1.000000000000")),
            ("1234.", None),
            ("-1234.", None),
            ("1.e5", None),
            ("1234.5e", None),
            ("1234.5E-", None),
            ("-0.75", Some("-0.750000000000")),
            ("+.5", Some("0.500000000000")),
            ("5.", None),
            ("2.0E-3", Some("0.002000000000")),
            ("1e3", Some("1000.000000000000")),
            ("0.0000000000005", Some("0.000000000000")),
            ("0.0000000000015", Some("0.000000000002")),
            ("0.00000000000050001", Some("0.000000000001")),
            ("0.0000000000025", Some("0.000000000002")),
            ("9e-14", Some("0.000000000000")),
            ("1e-400", Some("0.000000000000")),
            ("0e999", Some("0.000000000000")),
            ("999999999999999", Some("999999999999999.000000000000")),
            ("1000000000000000", Some("1000000000000000.000000000000")),
            ("1e15", Some("1000000000000000.000000000000")),
            ("-12345678901234567.25", Some("-12345678901234567.25000000000")),
            ("99999999999999999999999999.99", Some("99999999999999999999999999.99")),
            ("99999999999999999999999999.999", None),
            ("12345678901234567.123456789012", None),
            ("100000000000000000000000000", None),
            ("1e26", None),
            ("1e25", Some("10000000000000000000000000.00")),
            ("00000000000000000001", Some("1.000000000000")),
            ("", None),
            (".", None),
            ("-", None),
            ("e5", None),
            ("1e", None),
            ("NaN", None),
            ("inf", None),
            ("1,5", None),
            ("1_0", None),
            ("١", None),
        ];
        for (input, expected) in cases {
            assert_eq!(decimal(input).map(|d| d.to_string()).as_deref(), expected, "{input}");
        }
    }

    #[test]
    fn times_without_offset_are_utc() {
        let cases = [
            ("2024-09-01", Some(1_725_148_800_000)),
            ("2024-09-01 00:00:00", Some(1_725_148_800_000)),
            ("2024-09-01T00:00:00Z", Some(1_725_148_800_000)),
            ("2024-09-01T02:00:00.1234+02:00", Some(1_725_148_800_123)),
            ("2024-08-31T22:00:00.5-0200", Some(1_725_148_800_500)),
            ("2024-09-01T00:00Z", Some(1_725_148_800_000)),
            ("2024-09-01 00:00:00 UTC", Some(1_725_148_800_000)),
            ("2024-09-01 00:00:00.000000 UTC", Some(1_725_148_800_000)),
            ("2024-09-01 00:00 GMT", Some(1_725_148_800_000)),
            ("2024-09-01 00:00:00 Z", Some(1_725_148_800_000)),
            ("2024-09-01 02:00:00.000 +0200", Some(1_725_148_800_000)),
            ("2024-09-01 02:00:00 +02:00", Some(1_725_148_800_000)),
            ("2024-08-31 20:00:00-04", Some(1_725_148_800_000)),
            ("2024-09-01T00:00:00.123456789Z", Some(1_725_148_800_123)),
            ("2024-09-01 00:00:00Z UTC", None),
            ("2024-09-01 00:00:00 -04 UTC", None),
            ("2024-09-01 UTC", None),
            ("2024-09-01 +02:00", None),
            ("2024-09-01 00:00:00 CET", None),
            ("2024-09-01 00:00:00 America/New_York", None),
            ("09/03/2026", None),
            ("03.09.2026", None),
            ("20240901", None),
            ("1725148800000", None),
            ("1969-12-31 23:59:59.999", Some(-1)),
            ("2024-02-30", None),
            ("2024-09-01T24:00:00", None),
            ("2024-09-01T00:00:60", None),
            ("2024-09-01T00:00:00.", None),
            ("2024-09-01x", None),
            ("not-a-date", None),
            ("2024-09-0é 00", None),
        ];
        for (input, expected) in cases {
            assert_eq!(timestamp_ms(input), expected, "{input}");
        }
    }

    #[test]
    fn regions_come_out_of_zones() {
        let cases = [
            ("us-east-1a", Some("us-east-1")),
            ("US-West-2-LAX-1a", Some("us-west-2")),
            ("us-gov-west-1", Some("us-gov-west-1")),
            ("0.00036", None),
            ("qqjL:PHX-AD-3", None),
            ("us-1", None),
            ("", None),
        ];
        for (zone, region) in cases {
            assert_eq!(region_of_zone(zone).as_deref(), region, "{zone}");
        }
    }

    #[test]
    fn account_ids_keep_their_digits_or_are_refused() {
        let cases = [
            ("11353890204", "aws", Some("011353890204")),
            ("1234567890123", "aws", Some("1234567890123")),
            ("8611537", "azure", Some("8611537")),
            ("7654321", "oci", Some("7654321")),
            ("7654321", "unknown", Some("7654321")),
            ("/subscriptions/1", "azure", Some("/subscriptions/1")),
            ("0A0A0A-1B1B1B-2C2C2C", "gcp", Some("0A0A0A-1B1B1B-2C2C2C")),
            ("my-project.v2", "gcp", Some("my-project.v2")),
            ("e5", "gcp", Some("e5")),
            // A hexadecimal id whose only letter is an e.
            ("507191810293e11", "mongodb", Some("507191810293e11")),
            ("1.11122E+11", "aws", None),
            ("1,11122E+11", "aws", None),
            ("1E+11", "aws", None),
            ("1e11", "azure", None),
            ("11122223333.0", "aws", None),
            ("11122223333.", "gcp", None),
            ("-1.5", "oci", None),
            ("1.1.1", "other", Some("1.1.1")),
        ];
        for (cell, cloud, expected) in cases {
            assert_eq!(account(cell, cloud).as_deref(), expected, "{cell} of {cloud}");
        }
    }

    #[test]
    fn words_for_absent_values_are_absent() {
        for cell in ["", "  ", " NULL ", "null", "None", "N/A", "n/a", "nan", "NaN", "NaT", "<NA>", "\\N"] {
            assert_eq!(text(cell), None, "{cell}");
        }
        for cell in ["a", "none", "NA", "nil", "nano", "0", "-", "Unknown"] {
            assert_eq!(text(&format!(" {cell} ")), Some(cell));
        }
        assert_eq!([present("Null"), present(" "), present(" nan ")], [None, None, Some("nan")]);
        let quoted = [r#""i-1""#, r#"" i-1 ""#, r#""""#, r#"""#, r#""NULL""#, r#"{"a":"b"}"#, r#""a" and "b""#];
        let bare = [Some("i-1"), Some("i-1"), None, Some("\""), None, Some(r#"{"a":"b"}"#), Some(r#""a" and "b""#)];
        assert_eq!((quoted.map(text), present(r#""12.5""#)), (bare, Some("12.5")), "quoted twice");
    }
}
