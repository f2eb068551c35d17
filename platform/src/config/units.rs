//! Durations and byte counts as people write them: a whole number and a unit.

use std::time::Duration;

const DURATIONS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Decimal and binary units differ, as the standards do: 1 MB is 10^6 bytes, 1 MiB is 2^20.
const BYTES: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

/// A duration as people write it, such as `90s` or `12h`; `None` when the text is none.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    scaled(text, &DURATIONS, None).map(Duration::from_millis)
}

/// Reads `128MiB`, `1GB`; a number without a unit counts bytes.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<u64> {
    scaled(text, &BYTES, Some(1))
}

/// In the largest unit that leaves a whole number.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    show(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &DURATIONS)
}

/// In the largest unit that leaves a whole number.
#[must_use]
pub fn show_bytes(bytes: u64) -> String {
    show(bytes, &BYTES)
}

/// In the largest binary unit of which there is one, cut to a tenth: for sizes that people compare.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    const SIZES: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match SIZES.iter().find(|(_, factor)| bytes >= *factor) {
        Some((unit, factor)) => format!("{}.{} {unit}", bytes / factor, bytes % factor * 10 / factor),
        None => format!("{bytes} B"),
    }
}

fn scaled(text: &str, units: &[(&str, u64)], without_unit: Option<u64>) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').len();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start();
    let factor = match unit {
        "" => without_unit?,
        _ => units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1,
    };
    number.replace('_', "").parse::<u64>().ok()?.checked_mul(factor)
}

/// In the largest unit that leaves a whole number.
fn show(amount: u64, units: &[(&str, u64)]) -> String {
    let whole = units.iter().rev().find(|(_, factor)| amount > 0 && amount.is_multiple_of(*factor));
    match whole {
        Some((unit, factor)) => format!("{}{unit}", amount / factor),
        None => format!("0{}", units[0].0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let check = |bytes, expected: &str| assert_eq!(show_size(bytes), expected);
        check(0, "0 B");
        check(1_023, "1023 B");
        check(1_024, "1.0 KiB");
        check((1 << 20) - 1, "1023.9 KiB");
        check(3 << 19, "1.5 MiB");
        check(5 << 40, "5.0 TiB");
    }

    #[test]
    fn reads_durations() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(parse_duration(text), expected.map(Duration::from_millis), "{text}");
        };
        check("30s", Some(30_000));
        check("500ms", Some(500));
        check("5 m", Some(300_000));
        check("2h", Some(7_200_000));
        check("30D", Some(2_592_000_000));
        check("0s", Some(0));
        check("30", None);
        check("s", None);
        check("-1s", None);
        check("1.5s", None);
        check("1h30m", None);
        check("99999999999999999999d", None);
        check("18446744073709551615d", None);
    }

    #[test]
    fn reads_bytes() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(parse_bytes(text), expected, "{text}");
        check("128MB", Some(128_000_000));
        check("128 mib", Some(134_217_728));
        check("1_048_576", Some(1_048_576));
        check("0", Some(0));
        check("1TB", Some(1_000_000_000_000));
        check("1.5GB", None);
        check("12 elephants", None);
        check("", None);
    }

    #[test]
    fn what_is_shown_reads_back() {
        for bytes in [0, 1, 999, 1_000, 1_024, 128_000_000, 134_217_728, 1_500_000_000, u64::MAX] {
            assert_eq!(parse_bytes(&show_bytes(bytes)), Some(bytes));
        }
        for ms in [0, 1, 1_000, 90_000, 86_400_000, 86_400_001] {
            let duration = Duration::from_millis(ms);
            assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
        }
        assert_eq!(show_bytes(128_000_000), "128MB");
        assert_eq!(show_duration(Duration::from_secs(90)), "90s");
    }
}
