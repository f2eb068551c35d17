//! Text rules R9–R13: trimming, lower-casing, and the text of any JSON scalar.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// A JSON value as the contract sees it: scalars with their spelling, containers only by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar<'a> {
    /// Absent or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number token as written.
    Number(&'a str),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// An array.
    List,
    /// An object.
    Object,
}

impl<'a> Scalar<'a> {
    /// Looks at a raw value.
    #[must_use]
    pub fn of(raw: Option<&'a RawValue>) -> Self {
        let Some(raw) = raw else { return Self::Null };
        let token = raw.get();
        match token.as_bytes().first() {
            Some(b'"') => Self::Text(unescape(token)),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'[') => Self::List,
            Some(b'{') => Self::Object,
            Some(b'n') | None => Self::Null,
            Some(_) => Self::Number(token),
        }
    }

    /// R13: null, absent, or text that trims to nothing.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => trim(text).is_empty(),
            _ => false,
        }
    }
}

/// A string token without its quotes and escapes.
fn unescape(token: &str) -> Cow<'_, str> {
    let inner = token.get(1..token.len() - 1).unwrap_or_default();
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    // The token was read by the same parser before; lone surrogates are refused earlier (R2).
    Cow::Owned(serde_json::from_str(token).unwrap_or_default())
}

/// R9: exactly these code points are trimmed (`str::trim` lacks U+001C–001F).
const fn is_space(c: char) -> bool {
    matches!(c,
        '\u{9}'..='\u{d}' | '\u{1c}'..='\u{20}' | '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}'
        | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// R9: text without white space at both ends.
#[must_use]
pub fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [] => text,
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim_matches(is_space),
    }
}

/// R10: full Unicode lower-casing with the final-sigma rule.
#[must_use]
pub fn lower(text: &str) -> Cow<'_, str> {
    // No early end: the compiler then looks at many bytes at once.
    if text.bytes().fold(true, |all, b| all & b.is_ascii() & !b.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

/// [`trim`] for text that may be owned.
#[must_use]
pub fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
        Cow::Owned(text) => {
            let kept = trim(&text);
            if kept.len() == text.len() { Cow::Owned(text) } else { Cow::Owned(kept.to_owned()) }
        }
    }
}

/// R25: trimmed and lower-cased.
#[must_use]
pub fn folded(text: Cow<'_, str>) -> Cow<'_, str> {
    match trimmed(text) {
        Cow::Borrowed(text) => lower(text),
        Cow::Owned(text) => match lower(&text) {
            Cow::Borrowed(_) => Cow::Owned(text),
            Cow::Owned(lowered) => Cow::Owned(lowered),
        },
    }
}

/// Text as it may be shown: characters that a terminal would act on, or that change what a reader sees (controls, writing
/// direction, zero width), are written as their code point, `\u{1b}`.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if is_unprintable(c) { c.escape_unicode().collect() } else { String::from(c) };
    Cow::Owned(text.chars().map(shown).collect())
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Why a scalar has no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoText {
    /// It is an array or object.
    Container,
    /// It is a number beyond the range of a 64-bit float (R2).
    NumberRange,
}

/// R11: the text of a scalar; null is "".
///
/// # Errors
/// [`NoText`] for containers and for numbers no float can hold.
pub fn of_scalar(scalar: Scalar<'_>) -> Result<Cow<'_, str>, NoText> {
    Ok(match scalar {
        Scalar::Null => Cow::Borrowed(""),
        Scalar::Text(text) => text,
        Scalar::Bool(true) => Cow::Borrowed("True"),
        Scalar::Bool(false) => Cow::Borrowed("False"),
        Scalar::Number("-0") => Cow::Borrowed("0"),
        Scalar::Number(token) if is_integer_token(token) => Cow::Borrowed(token),
        Scalar::Number(token) => Cow::Owned(float_text(token).ok_or(NoText::NumberRange)?),
        Scalar::List | Scalar::Object => return Err(NoText::Container),
    })
}

/// True for a number token without point and exponent.
#[must_use]
pub fn is_integer_token(token: &str) -> bool {
    !token.bytes().any(|b| matches!(b, b'.' | b'e' | b'E'))
}

/// R12: the shortest text that reads back as the same float, laid out the fixed way; `None` beyond its range.
/// Text only: no amount ever passes through here.
fn float_text(token: &str) -> Option<String> {
    let value: f64 = token.parse().ok()?;
    if !value.is_finite() {
        return None;
    }
    if value == 0.0 {
        return Some(if value.is_sign_negative() { "-0.0" } else { "0.0" }.to_owned());
    }
    let mut buffer = ryu::Buffer::new();
    let shortest = buffer.format_finite(value);
    let (sign, unsigned) = shortest.strip_prefix('-').map_or(("", shortest), |rest| ("-", rest));
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let leading_zeros = all.len() - all.trim_start_matches('0').len();
    let digits = all.trim_matches('0');
    let exponent: i32 = exponent.parse().ok()?;
    let lead = i32::try_from(whole.len()).ok()? - i32::try_from(leading_zeros).ok()? - 1 + exponent;
    Some(format!("{sign}{}", lay_out(digits, lead)))
}

/// Digits `d1 d2 …` with decimal exponent `lead` of the first one.
fn lay_out(digits: &str, lead: i32) -> String {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    match lead {
        -4..=-1 => format!("0.{}{digits}", zeros(-lead - 1)),
        0..=15 if count <= lead + 1 => format!("{digits}{}.0", zeros(lead + 1 - count)),
        0..=15 => {
            let (whole, fraction) = digits.split_at(usize::try_from(lead + 1).unwrap_or(0));
            format!("{whole}.{fraction}")
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            let sign = if lead < 0 { '-' } else { '+' };
            format!("{first}{point}{rest}e{sign}{:02}", lead.abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_float(token: &str, expected: &str) {
        assert_eq!(of_scalar(Scalar::Number(token)).unwrap(), expected, "{token}");
    }

    #[test]
    fn r12_float_text() {
        for (token, expected) in [
            ("1.0", "1.0"),
            ("0.5", "0.5"),
            ("1e2", "100.0"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("1.5e-7", "1.5e-07"),
            ("5e-324", "5e-324"),
            ("-0.0", "-0.0"),
            ("944283776287647.25", "944283776287647.2"),
            ("123.456", "123.456"),
            ("-12.50", "-12.5"),
        ] {
            check_float(token, expected);
        }
    }

    #[test]
    fn r11_integers_keep_their_digits() {
        check_float("-0", "0");
        check_float("123456789012345678901234567890", "123456789012345678901234567890");
        assert_eq!(of_scalar(Scalar::Number("1e400")), Err(NoText::NumberRange));
        assert_eq!(of_scalar(Scalar::Bool(true)).unwrap(), "True");
        assert_eq!(of_scalar(Scalar::List), Err(NoText::Container));
    }

    #[test]
    fn r9_trims_exactly_the_listed_characters() {
        assert_eq!(trim("\u{1c}\u{a0} a \u{3000}"), "a");
        assert_eq!(trim("\u{200b}a\u{feff}"), "\u{200b}a\u{feff}");
        assert_eq!(trim(" "), "");
        assert_eq!(trim("x"), "x");
    }

    #[test]
    fn what_a_terminal_would_act_on_is_escaped() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text), expected);
        check("vol-1 ä 😀 \"x\"", "vol-1 ä 😀 \"x\"");
        check("\u{1b}[2Jowned\r\n\t\u{7f}\u{9b}", "\\u{1b}[2Jowned\\u{d}\\u{a}\\u{9}\\u{7f}\\u{9b}");
        check("abc\u{202e}gnp.exe\u{feff}\u{200b}", "abc\\u{202e}gnp.exe\\u{feff}\\u{200b}");
    }

    #[test]
    fn r10_lowers_with_the_final_sigma() {
        assert_eq!(lower("ΟΔΟΣ"), "οδος");
        assert_eq!(lower("İ"), "i\u{307}");
        assert_eq!(folded(Cow::Borrowed(" Acme ")), "acme");
    }
}
