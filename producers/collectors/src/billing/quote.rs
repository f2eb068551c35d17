//! Text of a file in a message: cut, and free of what would act on a terminal: control
//! characters and those that change the direction of writing.

/// Characters of a value that a message shows.
const SHOWN_MAX: usize = 40;

/// The text in quotes, cut and escaped.
#[must_use]
pub fn quote(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    match cut(&text) {
        (shown, true) => format!("\"{shown}\"…"),
        (shown, false) => format!("\"{shown}\""),
    }
}

/// The text without quotes, cut and escaped.
#[must_use]
pub fn escaped(text: &str) -> String {
    match cut(text) {
        (shown, true) => shown + "…",
        (shown, false) => shown,
    }
}

/// The first characters, those that would act on a terminal escaped; true when there are more.
fn cut(text: &str) -> (String, bool) {
    let mut shown = String::new();
    let mut chars = text.chars();
    for c in chars.by_ref().take(SHOWN_MAX) {
        if c.is_control() || is_format(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    (shown, chars.next().is_some())
}

/// Direction marks, zero-width characters and line separators of Unicode.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}')
}

/// Columns shown in a message at most.
const COLUMNS_SHOWN: usize = 60;

/// Names of columns for a message.
pub fn columns_text(columns: &[String]) -> String {
    let shown = columns.iter().take(COLUMNS_SHOWN).map(|name| escaped(name)).collect::<Vec<_>>().join(", ");
    match columns.len().checked_sub(COLUMNS_SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_acts_on_a_terminal() {
        let cases = [
            ("09/03/2026", r#""09/03/2026""#),
            ("\u{1b}[31mred\n", r#""\u{1b}[31mred\u{a}""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("\u{202e}abc", r#""\u{202e}abc""#),
            ("é", "\"é\""),
        ];
        for (text, expected) in cases {
            assert_eq!(quote(text), expected);
        }
        assert_eq!(escaped("a\tb"), r"a\u{9}b");
        assert_eq!(quote(&"x".repeat(41)), format!("\"{}\"…", "x".repeat(40)));
    }
}
