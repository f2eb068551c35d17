//! The formats of FOCUS: what a cell looks like. Pure.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::columns::Kind;
use super::json;
use super::services::is_category;

/// Cells that are remembered as well-formed; months, units and tag sets come with every row.
const REMEMBERED_MAX: usize = 100_000;

/// Cells that have been looked at.
#[derive(Debug, Default)]
pub(super) struct Values(HashSet<u64>);

impl Values {
    /// True when the cell is what its column holds.
    pub(super) fn fits(&mut self, cell: &str, kind: Kind, is_typed: bool) -> bool {
        let is_costly = matches!(kind, Kind::KeyValue | Kind::Object | Kind::Time | Kind::Unit | Kind::Currency);
        if !is_costly {
            return fits(cell, kind, is_typed);
        }
        let mut hasher = DefaultHasher::new();
        (std::mem::discriminant(&kind), cell).hash(&mut hasher);
        let key = hasher.finish();
        if self.0.contains(&key) {
            return true;
        }
        let is_fit = fits(cell, kind, is_typed);
        if is_fit {
            if self.0.len() >= REMEMBERED_MAX {
                self.0.clear();
            }
            self.0.insert(key);
        }
        is_fit
    }
}

/// True when the cell is what its column holds. Cells of typed containers have no format: `is_typed`.
fn fits(cell: &str, kind: Kind, is_typed: bool) -> bool {
    match kind {
        Kind::Text => true,
        // A type of its own has NaN and infinity, too.
        Kind::Decimal | Kind::Price if is_typed => cell.bytes().any(|byte| byte.is_ascii_digit()),
        Kind::Decimal | Kind::Price => is_number(cell),
        Kind::Time => is_typed || is_time(cell),
        Kind::Currency => contracts::currency::is_known(cell),
        Kind::Unit => is_unit(cell),
        Kind::KeyValue => json::object(cell).is_some_and(|object| !object.values().any(is_nested)),
        Kind::Object => json::object(cell).is_some_and(|object| object.values().all(json::has_even_lists)),
        Kind::OneOf(values) => values.contains(&cell),
        Kind::Category => is_category(cell),
    }
}

fn is_nested(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

/// `-?digits[.digits][E-?digits]`: no sign of what is positive, no separator but one point.
fn is_number(cell: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (number, exponent) = cell.split_once('E').map_or((cell, None), |(number, exponent)| (number, Some(exponent)));
    let unsigned = number.strip_prefix('-').unwrap_or(number);
    let is_number = match unsigned.split_once('.') {
        Some((whole, fraction)) => digits(fraction) && (whole.is_empty() || digits(whole)),
        None => digits(unsigned),
    };
    is_number && exponent.is_none_or(|exponent| digits(exponent.strip_prefix('-').unwrap_or(exponent)))
}

/// `YYYY-MM-DDTHH:MM:SSZ`, with any fraction of a second.
fn is_time(cell: &str) -> bool {
    let has_form =
        cell.ends_with('Z') && cell.as_bytes().get(10) == Some(&b'T') && cell.len() >= "2024-09-01T00:00:00Z".len();
    has_form && contracts::time::timestamp(cell).is_ok()
}

/// Units of size, which are their own plural.
const SIZES: [&str; 26] = [
    "b", "B", "Kb", "KB", "Mb", "MB", "Gb", "GB", "Tb", "TB", "Pb", "PB", "Eb", "EB", "Kib", "KiB", "Mib", "MiB",
    "Gib", "GiB", "Tib", "TiB", "Pib", "PiB", "Eib", "EiB",
];
/// Their names, which are no units.
const SIZE_NAMES: [&str; 2] = ["bit", "byte"];
const TIMES: [&str; 6] = ["Year", "Month", "Day", "Hour", "Minute", "Second"];
const COUNTS: [&str; 8] = ["Count", "Unit", "Request", "Token", "Connection", "Certificate", "Domain", "Core"];

/// `Units`, `Unit-Times`, `Units/Time`, each also with a whole number: `1000 Tokens`, `Units/3 Months`.
fn is_unit(cell: &str) -> bool {
    let (units, time) = cell.split_once('/').map_or((cell, None), |(units, time)| (units, Some(time)));
    let (count, units) = counted(units);
    let is_units = match units.split_once('-') {
        Some((unit, times)) => is_word(unit) && is_time_word(times, true),
        None => is_word(units),
    };
    let is_times = time.is_none_or(|time| {
        let (count, time) = counted(time);
        is_time_word(time, count.is_some())
    });
    count != Some("") && is_units && is_times
}

/// The whole number before a unit.
fn counted(text: &str) -> (Option<&str>, &str) {
    match text.split_once(' ') {
        Some((count, unit)) if !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()) => (Some(count), unit),
        _ => (None, text),
    }
}

fn is_time_word(word: &str, is_plural: bool) -> bool {
    TIMES.iter().any(|time| if is_plural { word.strip_suffix('s') == Some(time) } else { word == *time })
}

/// A size, a time or what is counted; listed words in their own case, others in capitals.
fn is_word(word: &str) -> bool {
    if SIZES.contains(&word) {
        return true;
    }
    let singular = word.strip_suffix('s').unwrap_or(word);
    let lower = singular.to_lowercase();
    if SIZES.iter().any(|size| size.eq_ignore_ascii_case(singular))
        || SIZE_NAMES.iter().any(|name| lower.ends_with(name))
    {
        return false;
    }
    match TIMES.iter().chain(&COUNTS).find(|known| known.eq_ignore_ascii_case(singular)) {
        Some(known) => singular == *known,
        None => word.starts_with(char::is_uppercase),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_of_the_specification() {
        let check = |kind, good: &[&str], bad: &[&str]| {
            for cell in good {
                assert!(fits(cell, kind, false), "{kind:?} {cell:?}");
            }
            for cell in bad {
                assert!(!fits(cell, kind, false), "{kind:?} {cell:?}");
            }
        };
        check(
            Kind::Decimal,
            &["-100.2", "-3", "4", "35.2E-7", "1.234", "0", ".5"],
            &["NaN", "1 1/2", "35.2E+7", "+3", "1,000", "$5", "1e5", "1.", "", "E5", "--1", "5 GB"],
        );
        check(
            Kind::Time,
            &["2024-09-01T00:00:00Z", "2024-09-01T00:00:00.123Z"],
            &["2024-09-01 00:00:00", "2024-09-01", "2024-09-01T00:00:00+00:00", "2024-13-01T00:00:00Z", "x"],
        );
        check(Kind::Currency, &["USD", "JPY"], &["usd", "XYZ", "US Dollar", ""]);
        check(
            Kind::Unit,
            &[
                "GB",
                "Seconds",
                "GB-Hours",
                "MB-Days",
                "GB/Hour",
                "1000 Tokens",
                "Units/3 Months",
                "Requests",
                "Hours",
                "API Calls",
                "Lambda-GB-Seconds".split_once('-').unwrap().1,
            ],
            &["gb", "GBs", "gigabyte", "Gigabytes", "hours", "GB-hour", "GB/Hours", "requests", "gigabyte-seconds", ""],
        );
        check(
            Kind::KeyValue,
            &["{}", r#"{"a": "b", "n": 1, "t": true, "z": null}"#],
            &["", "[]", "a=b", r#"{"a": {}}"#, r#"{"a": [1]}"#, r#"{"a": 1, "a": 2}"#, r#"{"a": 1"#],
        );
        check(
            Kind::Object,
            &[r#"{"Elements": [{"ContractId": "c"}]}"#],
            &["[]", "x", r#"{"Elements": [null]}"#, r#"{"Elements": [{"a": 1, "a": 2}]}"#],
        );
        check(Kind::OneOf(&["Used", "Unused"]), &["Used"], &["used", "Used ", ""]);
        assert!(fits("2024-09-01T00:00:00", Kind::Time, true), "a typed container has no format of its cells");
        assert!(
            fits("1e-7", Kind::Decimal, true) && !fits("NaN", Kind::Decimal, true) && !fits("-inf", Kind::Price, true)
        );
    }
}
