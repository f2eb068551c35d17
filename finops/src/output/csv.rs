//! CSV that is safe to open in a spreadsheet: a cell of text that would be read as a formula gets an apostrophe in front, as
//! OWASP recommends; numbers stay numbers. For an exact copy of what is stored there are JSON and NDJSON.

use std::io::{self, Write};

use platform::terminal::{TextPart, parts};
use serde_json::Value;

/// Writes a header and rows.
pub fn write<'h>(out: &mut impl Write, header: impl Iterator<Item = &'h str>, rows: &[Vec<Value>]) -> io::Result<()> {
    let mut csv = ::csv::Writer::from_writer(out);
    csv.write_record(header).map_err(io_error)?;
    for row in rows {
        csv.write_record(row.iter().map(cell)).map_err(io_error)?;
    }
    csv.flush()
}

/// The kind is kept: a reader that went away is no failure.
fn io_error(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => safe(text),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        other => safe(&other.to_string()),
    }
}

/// Text as a cell. Line feeds and tabs inside stay: the format can hold them.
fn safe(text: &str) -> String {
    let mut cell = String::with_capacity(text.len() + 1);
    if is_formula(text) {
        cell.push('\'');
    }
    for part in parts(text) {
        match part {
            TextPart::Shown(text) => cell.push_str(text),
            TextPart::Hidden(c @ ('\n' | '\t')) => cell.push(c),
            TextPart::Hidden(c) => cell.extend(c.escape_unicode()),
        }
    }
    cell
}

/// True for what a spreadsheet may run: text that begins with a sign of a formula, in the wide form of East Asian scripts,
/// too, or with a control character that some importers drop.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) && !is_number(text)
}

/// A plain number such as `-1.5`.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    are_digits(whole) && are_digits(fraction)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: Value, expected: &str) {
        let mut out = Vec::new();
        write(&mut out, ["a", "b"].into_iter(), &[vec![value, json!(1)]]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), format!("a,b\n{expected},1\n"));
    }

    #[test]
    fn formulas_become_text() {
        check(json!("=HYPERLINK(\"http://x\",\"y\")"), "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
        check(json!("+1+cmd|' /C calc'!A0"), "'+1+cmd|' /C calc'!A0");
        check(json!("-2+3"), "'-2+3");
        check(json!("@SUM(A1)"), "'@SUM(A1)");
        check(json!("\t=1"), "'\t=1");
        check(json!("\r=1"), "'\\u{d}=1");
        check(json!("\n=1"), "\"'\n=1\"");
        check(json!("＝1+1"), "'＝1+1");
        check(json!("-"), "'-");
        check(json!({"=1": "x"}), "\"{\"\"=1\"\":\"\"x\"\"}\"");
    }

    #[test]
    fn numbers_and_ordinary_text_stay() {
        check(json!("-1.5"), "-1.5");
        check(json!("+3"), "+3");
        check(json!("-12.340000"), "-12.340000");
        check(json!(-1.5), "-1.5");
        check(json!("a=b"), "a=b");
        check(json!("one, two"), "\"one, two\"");
        check(json!("Größe"), "Größe");
        check(Value::Null, "");
    }

    #[test]
    fn control_characters_are_visible() {
        check(json!("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        check(json!("a\u{202e}b"), "a\\u{202e}b");
        check(json!("two\nlines"), "\"two\nlines\"");
    }
}
