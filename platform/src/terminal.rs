//! Text from elsewhere, made safe to show to a person: control characters and invisible ones become visible escapes such as
//! `\u{1b}`, so that a value can neither drive a terminal nor pass for another one. All other Unicode stays as it is.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// What an escape of a line break depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breaks {
    /// The text is one value: a line break in it could forge a line of output.
    Escaped,
    /// The text has lines of our own.
    Kept,
}

/// A value for one line: every control character is escaped, line breaks and tabs, too.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    escape(text, Breaks::Escaped)
}

/// Text of several lines: as [`escaped`], but its line feeds stay.
#[must_use]
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    escape(text, Breaks::Kept)
}

/// Shows a value as [`escaped`] does.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<T>(pub T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&self.0.to_string()))
    }
}

fn escape(text: &str, breaks: Breaks) -> Cow<'_, str> {
    let is_plain = |byte: u8| (0x20..0x7f).contains(&byte) || (byte == b'\n' && breaks == Breaks::Kept);
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for part in parts(text) {
        match part {
            TextPart::Shown(text) => out.push_str(text),
            TextPart::Hidden('\n') if breaks == Breaks::Kept => out.push('\n'),
            TextPart::Hidden(c) => push_escape(&mut out, c),
        }
    }
    Cow::Owned(out)
}

fn push_escape(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        // Writing to a string does not fail.
        other => drop(write!(out, "\\u{{{:x}}}", u32::from(other))),
    }
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextPart<'a> {
    /// Characters to be shown as they are.
    Shown(&'a str),
    /// A character that must not be shown as it is.
    Hidden(char),
}

/// Cuts a text into what may be shown and single characters that must not be.
pub fn parts(text: &str) -> impl Iterator<Item = TextPart<'_>> {
    let mut rest = text;
    let mut before = None;
    std::iter::from_fn(move || {
        let mut end = 0;
        for (index, c) in rest.char_indices() {
            end = index;
            let after = rest[index + c.len_utf8()..].chars().next();
            if !is_hidden(c, before, after) {
                before = Some(c);
                end = index + c.len_utf8();
                continue;
            }
            if index == 0 {
                rest = &rest[c.len_utf8()..];
                before = Some(c);
                return Some(TextPart::Hidden(c));
            }
            break;
        }
        let (shown, left) = rest.split_at(end);
        rest = left;
        (!shown.is_empty()).then_some(TextPart::Shown(shown))
    })
}

/// True for control characters and for what has no width and no place in a word: bidirectional controls, joiners outside of
/// scripts and emoji that need them, and other format characters.
fn is_hidden(c: char, before: Option<char>, after: Option<char>) -> bool {
    match c {
        // Persian, Indic scripts and emoji sequences need joiners; between Latin letters they only deceive.
        '\u{200c}' | '\u{200d}' => {
            let joins = |neighbour: Option<char>| neighbour.is_some_and(|c| !c.is_ascii() && !c.is_control());
            !(joins(before) && joins(after))
        }
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' => true,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(escaped(text), expected, "{text:?}");
    }

    #[test]
    fn control_characters_are_visible() {
        check("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m");
        check("a\rb\tc\nd\0", "a\\rb\\tc\\nd\\u{0}");
        check("\u{7f}\u{9b}31m\u{85}", "\\u{7f}\\u{9b}31m\\u{85}");
    }

    #[test]
    fn invisible_characters_are_visible() {
        check("gpj.\u{202e}exe", "gpj.\\u{202e}exe");
        check("\u{2066}a\u{2069}\u{200f}", "\\u{2066}a\\u{2069}\\u{200f}");
        check("ad\u{200b}min \u{feff}x \u{ad}y", "ad\\u{200b}min \\u{feff}x \\u{ad}y");
        check("ad\u{200d}min", "ad\\u{200d}min");
        check("line\u{2028}line", "line\\u{2028}line");
        check("\u{e0041}", "\\u{e0041}");
    }

    #[test]
    fn ordinary_unicode_stays() {
        let emoji = "👩\u{200d}💻 ❤\u{fe0f}";
        let persian = "می\u{200c}خواهم";
        for text in ["", "plain", "Größe 10 €", "日本語", "naïve e\u{301}", "עברית", "हिन्दी", emoji, persian]
        {
            check(text, text);
        }
    }

    #[test]
    fn own_lines_stay_lines() {
        assert_eq!(escaped_lines("one\ntwo\r\n\u{1b}"), "one\ntwo\\r\n\\u{1b}");
        assert!(matches!(escaped_lines("one\ntwo"), Cow::Borrowed(_)));
        assert_eq!(Escaped("a\u{1b}").to_string(), "a\\u{1b}");
    }

    #[test]
    fn parts_put_together_are_the_text() {
        let text = "a\u{1b}\u{1b}b\u{202e}ü\n";
        let all: String = parts(text)
            .map(|part| match part {
                TextPart::Shown(text) => text.to_owned(),
                TextPart::Hidden(c) => c.to_string(),
            })
            .collect();
        assert_eq!(all, text);
        assert_eq!(parts(text).filter(|part| matches!(part, TextPart::Hidden(_))).count(), 4);
    }
}
