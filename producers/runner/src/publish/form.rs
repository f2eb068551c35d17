//! What a findings file is, as its first bytes show: one JSON object a line, one object over several lines, or something else,
//! which is one mistake and not one per line. Pure.

use serde::de::IgnoredAny;

/// How a findings file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One record a line.
    Lines,
    /// The whole file is one record, an object over several lines.
    Document,
}

/// A file is no findings file. The text continues "findings file x …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongForm {
    /// An array of findings.
    #[error("is one JSON array; put one object on each line: jq -c '.[]' FILE > FILE.ndjson")]
    Array,
    /// Several objects over several lines each.
    #[error("is pretty-printed, several lines for one object; put one object on each line: jq -c . FILE > FILE.ndjson")]
    PrettyPrinted,
    /// Lines are objects with a comma behind them.
    #[error(
        "has a comma after each object; put one object on each line and nothing else: sed 's/}},$/}}/' FILE > FILE.ndjson"
    )]
    TrailingCommas,
    /// Several objects in one line.
    #[error("has several objects on one line; put one object on each line: jq -c . FILE > FILE.ndjson")]
    Concatenated,
    /// Objects with something else than a line end between them.
    #[error("has {0:?} between its objects; put one object on each line and nothing between")]
    Separator(char),
    /// Lines end with carriage returns alone.
    #[error(
        "ends its lines with carriage returns alone; end them with line feeds: tr '\\r' '\\n' < FILE > FILE.ndjson"
    )]
    CarriageReturns,
    /// RFC 7464.
    #[error("is a JSON text sequence (RFC 7464); remove its record separators: tr -d '\\036' < FILE > FILE.ndjson")]
    Sequence,
    /// Text of two bytes a character.
    #[error("is text in UTF-16; write it in UTF-8: iconv -f UTF-16 -t UTF-8 FILE > FILE.ndjson")]
    Utf16,
    /// A packed file other than gzip.
    #[error("is {0}; unpack it first (only gzip is read as it is)")]
    Packed(&'static str),
    /// A file of another kind.
    #[error("is {0}; findings are JSON, one object on each line (a bill is given with --bill)")]
    Other(&'static str),
    /// Rows with a delimiter.
    #[error(
        "is no JSON: its first line has values with {0:?} between them; findings are JSON, one object on each line (a bill is \
         given with --bill)"
    )]
    Delimited(char),
    /// No JSON at all.
    #[error("is no JSON: it begins with {0:?}; findings are JSON, one object on each line")]
    NotJson(String),
}

/// First bytes of files that are no text.
const MAGIC: &[(&[u8], WrongForm)] = &[
    (b"PK\x03\x04", WrongForm::Packed("a zip archive")),
    (b"PK\x05\x06", WrongForm::Packed("a zip archive")),
    (b"\x28\xb5\x2f\xfd", WrongForm::Packed("packed with zstd")),
    (b"BZh", WrongForm::Packed("packed with bzip2")),
    (b"\xfd7zXZ\0", WrongForm::Packed("packed with xz")),
    (b"\x04\x22\x4d\x18", WrongForm::Packed("packed with lz4")),
    (b"7z\xbc\xaf\x27\x1c", WrongForm::Packed("a 7z archive")),
    (b"PAR1", WrongForm::Other("a Parquet file")),
    (b"ORC", WrongForm::Other("an ORC file")),
    (b"Obj\x01", WrongForm::Other("an Avro file")),
    (b"SQLite format 3\0", WrongForm::Other("an SQLite database")),
    (b"%PDF", WrongForm::Other("a PDF document")),
];
/// A tar archive names itself here.
const TAR_MAGIC_OFFSET: usize = 257;
/// Characters of a file that is no JSON which its message shows.
const SHOWN_CHARS: usize = 40;

/// Looks at the first bytes, without a byte-order mark. `None`: more of them are needed; never when `is_whole`.
pub fn look(head: &[u8], is_whole: bool) -> Option<Result<Form, WrongForm>> {
    if let Some(wrong) = magic(head) {
        return Some(Err(wrong));
    }
    let lines = Lines { head, is_whole };
    let Some(first) = head.iter().position(|b| !b.is_ascii_whitespace()) else {
        return is_whole.then_some(Ok(Form::Lines));
    };
    match &head[first..] {
        [b'{', ..] => objects(&head[first..], lines),
        [b'[', ..] if begins_array(&head[first..]) => array(lines),
        rest => other(rest, lines),
    }
}

fn magic(head: &[u8]) -> Option<WrongForm> {
    let known = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, wrong)| wrong.clone());
    known.or(match head {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(WrongForm::Utf16),
        [0, second, ..] if *second != 0 => Some(WrongForm::Utf16),
        [first, 0, ..] if *first != 0 => Some(WrongForm::Utf16),
        _ if head.get(TAR_MAGIC_OFFSET..).is_some_and(|at| at.starts_with(b"ustar")) => {
            Some(WrongForm::Packed("a tar archive"))
        }
        _ => None,
    })
}

/// The lines that are there to their ends.
#[derive(Clone, Copy)]
struct Lines<'h> {
    head: &'h [u8],
    is_whole: bool,
}

impl<'h> Lines<'h> {
    fn iter(self) -> impl Iterator<Item = &'h [u8]> {
        let end = if self.is_whole { None } else { self.head.iter().rposition(|b| *b == b'\n') };
        let complete = if self.is_whole { self.head } else { &self.head[..end.unwrap_or(0)] };
        complete.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty())
    }

    /// One of them is a record by itself. Indented ones are not counted: they are parts of something.
    fn have_record(self) -> bool {
        self.iter().any(is_record)
    }
}

fn is_record(line: &[u8]) -> bool {
    line.first() == Some(&b'{') && is_json(line)
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// `[INFO] …` begins no array.
fn begins_array(text: &[u8]) -> bool {
    let next = text[1..].iter().find(|b| !b.is_ascii_whitespace());
    next.is_none_or(|b| matches!(b, b'{' | b'[' | b']' | b'"' | b'-' | b'0'..=b'9'))
}

fn array(lines: Lines<'_>) -> Option<Result<Form, WrongForm>> {
    let mut all = lines.iter();
    let is_one_line = all.next().is_some_and(is_json);
    match (is_one_line, all.next().is_some()) {
        // An array in one line, and records in others: one bad line.
        (true, _) if lines.have_record() => Some(Ok(Form::Lines)),
        (true, false) if !lines.is_whole => None,
        _ => Some(Err(WrongForm::Array)),
    }
}

fn objects(text: &[u8], lines: Lines<'_>) -> Option<Result<Form, WrongForm>> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    let first = values.next();
    let (value, rest) = text.split_at(values.byte_offset().min(text.len()));
    let is_over_lines = value.contains(&b'\n');
    match first {
        Some(Ok(_)) => {
            let gap = &rest[..rest.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(rest.len())];
            let next = rest.get(gap.len());
            let ends_line = gap.contains(&b'\n');
            match next {
                _ if !is_over_lines && ends_line => Some(Ok(Form::Lines)),
                None if lines.is_whole && is_over_lines => Some(Ok(Form::Document)),
                None if lines.is_whole => Some(Ok(Form::Lines)),
                None => None,
                Some(b',') if !has_record_before_last(lines) => Some(Err(WrongForm::TrailingCommas)),
                Some(_) if lines.have_record() => Some(Ok(Form::Lines)),
                Some(b'{') if is_over_lines => Some(Err(WrongForm::PrettyPrinted)),
                Some(b'{') if gap.contains(&b'\r') => Some(Err(WrongForm::CarriageReturns)),
                Some(b'{') => Some(Err(WrongForm::Concatenated)),
                Some(other) => Some(Err(WrongForm::Separator(char::from(*other)))),
            }
        }
        _ if lines.have_record() => Some(Ok(Form::Lines)),
        Some(Err(error)) if error.is_eof() && !lines.is_whole => None,
        // Broken: a file of one object is answered as one record, a file of broken lines line by line.
        _ => match lines.iter().nth(1) {
            Some(second) if second.first() != Some(&b'{') => {
                if lines.is_whole {
                    Some(Ok(Form::Document))
                } else {
                    None
                }
            }
            _ => Some(Ok(Form::Lines)),
        },
    }
}

/// The last object of a list has no comma behind it.
fn has_record_before_last(lines: Lines<'_>) -> bool {
    let count = lines.iter().count();
    lines.iter().take(if lines.is_whole { count.saturating_sub(1) } else { count }).any(is_record)
}

fn other(text: &[u8], lines: Lines<'_>) -> Option<Result<Form, WrongForm>> {
    if lines.have_record() {
        return Some(Ok(Form::Lines));
    }
    let line = text.split(|b| *b == b'\n' || *b == b'\r').next().unwrap_or_default();
    let delimiter = [b'\t', b';', b'|', b','].into_iter().find(|d| line.iter().filter(|b| *b == d).count() > 1);
    Some(Err(match (text.first(), delimiter) {
        (Some(0x1e), _) => WrongForm::Sequence,
        (Some(b'<'), _) => WrongForm::Other("XML or HTML"),
        (_, Some(delimiter)) if !line.contains(&b'{') => WrongForm::Delimited(char::from(delimiter)),
        _ => WrongForm::NotJson(String::from_utf8_lossy(line).chars().take(SHOWN_CHARS).collect()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = r#"{"tenant_id":"acme"}"#;

    fn check(text: impl AsRef<[u8]>, expected: Result<Form, WrongForm>) {
        let text = text.as_ref();
        assert_eq!(look(text, true), Some(expected), "{}", String::from_utf8_lossy(text));
    }

    #[test]
    fn one_object_a_line() {
        for text in [
            String::new(),
            "\n \n".into(),
            A.into(),
            format!("{A}\r\n{A}\r\n"),
            format!("\n  \n{A}\n"),
            format!("{A}\n[]\n{{\n"),
            format!("[1]\n{A}\n"),
            format!("# a comment\n{A}\n"),
            format!("[INFO] started\n{A}\n"),
            format!("{{\"cut\n{A}\n"),
            format!("{A},\n{A}\n{A}\n"),
            "{not json".into(),
            "{\"a\":1,}\n{\"a\":2,}\n".into(),
            "{\"a\n{\"b".into(),
            r#"{"a":NaN}"#.into(),
        ] {
            check(text, Ok(Form::Lines));
        }
    }

    #[test]
    fn one_object_over_several_lines() {
        for text in [
            "{\n  \"a\": 1\n}\n",
            "{\n\"a\": {\n}\n}",
            "{\n  \"a\": NaN\n}\n",
            "{\n  \"a\": 1,\n  \"b\"",
            " {\"a\":\n1}",
        ] {
            check(text, Ok(Form::Document));
        }
    }

    #[test]
    fn what_is_no_findings_file() {
        check(format!("[{A},{A}]"), Err(WrongForm::Array));
        check(format!("[\n{A},\n{A}\n]\n"), Err(WrongForm::Array));
        check("[\n  {\n    \"a\": 1\n  }\n]", Err(WrongForm::Array));
        check("[]", Err(WrongForm::Array));
        check("{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n", Err(WrongForm::PrettyPrinted));
        check(format!("{A},\n{A},\n"), Err(WrongForm::TrailingCommas));
        check(format!("{A},\n{A},\n{A}"), Err(WrongForm::TrailingCommas));
        check(format!("{A}{A}"), Err(WrongForm::Concatenated));
        check(format!("{A} {A}"), Err(WrongForm::Concatenated));
        check(format!("{A}\r{A}\r"), Err(WrongForm::CarriageReturns));
        check(format!("{A};\n{A};\n"), Err(WrongForm::Separator(';')));
        check(format!("\u{1e}{A}\n\u{1e}{A}\n"), Err(WrongForm::Sequence));
        check(b"\xff\xfe{\0\"\0", Err(WrongForm::Utf16));
        check(b"{\0\"\0", Err(WrongForm::Utf16));
        check(b"\0{\0\"", Err(WrongForm::Utf16));
        check(b"PK\x03\x04....", Err(WrongForm::Packed("a zip archive")));
        check(b"PAR1....", Err(WrongForm::Other("a Parquet file")));
        check([&[b'a'; 257][..], b"ustar"].concat(), Err(WrongForm::Packed("a tar archive")));
        check("<html>", Err(WrongForm::Other("XML or HTML")));
        check("tenant_id,run_id,status\nacme,r,fail\n", Err(WrongForm::Delimited(',')));
        check("tenant_id;run_id;status\n", Err(WrongForm::Delimited(';')));
        check("tenant_id\trun_id\tstatus\n", Err(WrongForm::Delimited('\t')));
        check("# Findings\n\nText, and more.\n", Err(WrongForm::NotJson("# Findings".into())));
        check("\"{\\\"a\\\":1}\"", Err(WrongForm::NotJson("\"{\\\"a\\\":1}\"".into())));
    }

    #[test]
    fn what_the_first_bytes_do_not_tell_needs_more() {
        for text in ["", "\n", "{\"a\":", "{\n  \"a\": 1,", "{\n  \"a\": 1\n}\n", "[1]\n", A] {
            assert_eq!(look(text.as_bytes(), false), None, "{text}");
        }
        assert_eq!(look(format!("{A}\n{{\"a").as_bytes(), false), Some(Ok(Form::Lines)));
        assert_eq!(look(b"[{\"a\":1},{", false), Some(Err(WrongForm::Array)));
    }

    #[test]
    fn the_hint_says_how_it_is_mended() {
        assert_eq!(WrongForm::Delimited('\t').to_string().matches("'\\t'").count(), 1);
        assert!(WrongForm::TrailingCommas.to_string().contains("sed 's/},$/}/' FILE"));
        assert!(WrongForm::NotJson("\u{1b}[2J".into()).to_string().contains("\\u{1b}[2J"));
    }
}
