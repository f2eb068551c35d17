//! JSON of which no character acts on a terminal: the standard wants only some of them escaped, here all are. The value that
//! a program reads is the same.

use std::io::{self, Write};

use platform::terminal::{TextPart, parts};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// Writes a value over several lines.
pub fn write_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    write(&mut *out, value, PrettyFormatter::new())?;
    writeln!(out)
}

/// Writes a value on one line.
pub fn write_json_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    write(&mut *out, value, CompactFormatter)?;
    writeln!(out)
}

/// A value on one line, without its end.
pub fn json_line(value: &impl Serialize) -> io::Result<String> {
    let mut line = Vec::new();
    write(&mut line, value, CompactFormatter)?;
    String::from_utf8(line).map_err(io::Error::other)
}

fn write(out: impl Write, value: &impl Serialize, layout: impl Formatter) -> io::Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(out, Escaping(layout)))?)
}

/// Lays out as the one inside, and escapes what acts on a terminal.
struct Escaping<F>(F);

macro_rules! as_inside {
    ($($method:ident($($argument:ident: $type:ty),*);)+) => {
        $(fn $method<W: ?Sized + Write>(&mut self, writer: &mut W, $($argument: $type),*) -> io::Result<()> {
            self.0.$method(writer, $($argument),*)
        })+
    };
}

impl<F: Formatter> Formatter for Escaping<F> {
    as_inside! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for part in parts(fragment) {
            match part {
                TextPart::Shown(text) => writer.write_all(text.as_bytes())?,
                TextPart::Hidden(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_means_the_same() {
        let value = json!({"a\u{9b}": ["\u{1b}[31m", "\u{7f}\u{202e}x", "tag \u{e0041}", "Größe 日本 👩\u{200d}💻"], "n": 1.50});
        let (mut pretty, mut line) = (Vec::new(), Vec::new());
        write_json(&mut pretty, &value).unwrap();
        write_json_line(&mut line, &value).unwrap();
        for out in [pretty, line] {
            let text = String::from_utf8(out).unwrap();
            assert_eq!(platform::terminal::escaped_lines(&text), text);
            assert!(text.contains("a\\u009b") && text.contains("\\udb40\\udc41") && text.contains("Größe"), "{text}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn the_layout_is_that_of_serde() {
        let value = json!({"a": [1, {"b": null}], "c": {}, "d": []});
        let (mut pretty, mut line) = (Vec::new(), Vec::new());
        write_json(&mut pretty, &value).unwrap();
        write_json_line(&mut line, &value).unwrap();
        assert_eq!(String::from_utf8(pretty).unwrap(), format!("{value:#}\n"));
        assert_eq!(String::from_utf8(line).unwrap(), format!("{value}\n"));
    }
}
