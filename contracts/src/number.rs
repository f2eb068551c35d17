//! Number rules R14–R16 and R24: integers and exact decimals from their characters, never through a float.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::text::{Scalar, is_integer_token, trim};

/// Largest stored amount in micro-units: 999999999999.999999.
const MICROS_MAX: i64 = 999_999_999_999_999_999;

/// A stored amount: millionths of the currency unit (decimal(18,6)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(i64);

impl Micros {
    /// The amount in millionths.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// From millionths; `None` outside decimal(18,6).
    #[must_use]
    pub const fn new(micros: i64) -> Option<Self> {
        if micros > MICROS_MAX || micros < -MICROS_MAX { None } else { Some(Self(micros)) }
    }
}

/// With exactly six decimals: `12.340000`.
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.written(&mut [0; TEXT_BYTES]))
    }
}

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.written(&mut [0; TEXT_BYTES]))
    }
}

/// Sign, twelve digits, point, six digits.
const TEXT_BYTES: usize = 20;

impl Micros {
    /// Digits from the right into the buffer: every amount of every record passes here, so it does not use `fmt`.
    fn written(self, buffer: &mut [u8; TEXT_BYTES]) -> &str {
        let mut rest = self.0.unsigned_abs();
        let mut at = TEXT_BYTES;
        // Six decimals, the point, and at least one digit before it.
        while rest > 0 || TEXT_BYTES - at < 8 {
            at -= 1;
            if TEXT_BYTES - at == 7 {
                buffer[at] = b'.';
            } else {
                buffer[at] = b"0123456789"[(rest % 10) as usize];
                rest /= 10;
            }
        }
        if self.0 < 0 {
            at -= 1;
            buffer[at] = b'-';
        }
        std::str::from_utf8(&buffer[at..]).unwrap_or_default()
    }
}

/// A number read from its characters: `±0.<digits> × 10^point`, exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

/// Not of the kind R15 asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotADecimal;

/// The rounded amount does not fit decimal(18,6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange;

impl<'a> Decimal<'a> {
    /// R15: `[+-]? (digits [. digits?] | . digits) ([eE] [+-]? digits)?`, already trimmed.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &'a str) -> Result<Self, NotADecimal> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            None => (rest, 0),
            Some(at) => (&rest[..at], parse_exponent(&rest[at + 1..])?),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
            return Err(NotADecimal);
        }
        Ok(Self { negative, whole, fraction, exponent })
    }

    fn digit(&self, at: usize) -> u8 {
        let byte = if at < self.whole.len() {
            self.whole.as_bytes()[at]
        } else {
            self.fraction.as_bytes()[at - self.whole.len()]
        };
        byte - b'0'
    }

    fn len(&self) -> usize {
        self.whole.len() + self.fraction.len()
    }

    /// Digits before position `n` as an integer and what is left, after moving the point by `places`.
    /// Rounds half-even. `None` when more than `DIGITS_MAX` digits stand before the point.
    fn scaled(&self, places: i64) -> Option<i128> {
        const DIGITS_MAX: i64 = 36;
        let len = self.len();
        let Some(first) = (0..len).find(|&i| self.digit(i) != 0) else { return Some(0) };
        let point = i64::try_from(self.whole.len()).ok()?.saturating_add(self.exponent).saturating_add(places);
        let before = point.saturating_sub(i64::try_from(first).ok()?);
        if before > DIGITS_MAX {
            return None;
        }
        if before < 0 {
            return Some(0);
        }
        let end = first + usize::try_from(before).ok()?;
        let mut value: i128 = 0;
        for at in first..end {
            value = value * 10 + i128::from(if at < len { self.digit(at) } else { 0 });
        }
        if end < len {
            let next = self.digit(end);
            let tail = (end + 1..len).any(|i| self.digit(i) != 0);
            if next > 5 || (next == 5 && (tail || value % 2 == 1)) {
                value += 1;
            }
        }
        Some(if self.negative { -value } else { value })
    }

    /// R24: rounded half-even to six places, once.
    ///
    /// # Errors
    /// The result is over 999999999999.999999 in size.
    pub fn to_micros(&self) -> Result<Micros, OutOfRange> {
        let micros = self.scaled(6).ok_or(OutOfRange)?;
        i64::try_from(micros).ok().and_then(Micros::new).ok_or(OutOfRange)
    }

    /// Rounded half-even to a whole number within `0..=100` (R31).
    #[must_use]
    pub fn to_percent(&self) -> u8 {
        match self.scaled(0) {
            Some(value) => u8::try_from(value.clamp(0, 100)).unwrap_or(0),
            None if self.negative => 0,
            None => 100,
        }
    }

    /// True when nothing but zeros stands behind the point.
    fn is_whole(&self) -> bool {
        let point = i64::try_from(self.whole.len()).unwrap_or(i64::MAX).saturating_add(self.exponent);
        (0..self.len()).all(|i| self.digit(i) == 0 || i64::try_from(i).unwrap_or(i64::MAX) < point)
    }
}

fn parse_exponent(text: &str) -> Result<i64, NotADecimal> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotADecimal);
    }
    // Beyond any meaning, but still a number.
    let size = digits.parse::<i64>().unwrap_or(i64::MAX).min(1 << 40);
    Ok(if text.starts_with('-') { -size } else { size })
}

/// R15 on a scalar that is not blank.
///
/// # Errors
/// The scalar is neither a number nor text that spells one.
pub fn decimal<'s>(scalar: &'s Scalar<'_>) -> Result<Decimal<'s>, NotADecimal> {
    match scalar {
        Scalar::Number(token) => Decimal::parse(token),
        Scalar::Text(text) => Decimal::parse(trim(text)),
        _ => Err(NotADecimal),
    }
}

/// The scalar is not an integer by R14.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnInteger;

/// R14 on a scalar that is not blank; values beyond `i64` saturate, they are out of every allowed interval.
///
/// # Errors
/// Booleans, fractions, `"42.0"`, `"4_2"`, containers, …
pub fn integer(scalar: &Scalar<'_>) -> Result<i64, NotAnInteger> {
    let token = match scalar {
        Scalar::Number(token) => *token,
        Scalar::Text(text) => {
            let text = trim(text);
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(NotAnInteger);
            }
            text
        }
        _ => return Err(NotAnInteger),
    };
    let value = Decimal::parse(token).map_err(|NotADecimal| NotAnInteger)?;
    let beyond_float = || !token.parse::<f64>().is_ok_and(f64::is_finite);
    if !value.is_whole() || (!is_integer_token(token) && beyond_float()) {
        return Err(NotAnInteger);
    }
    let saturated = if value.negative { i64::MIN } else { i64::MAX };
    Ok(value.scaled(0).and_then(|v| i64::try_from(v).ok()).unwrap_or(saturated))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> String {
        Decimal::parse(text).unwrap().to_micros().map_or("range".to_owned(), |m| m.to_string())
    }

    #[test]
    fn r24_rounds_half_even_once() {
        for (text, expected) in [
            ("12.3456785", "12.345678"),
            ("12.3456775", "12.345678"),
            ("0.30000000000000004", "0.300000"),
            ("0.0000005", "0.000000"),
            ("0.0000015", "0.000002"),
            ("0.00000050000001", "0.000001"),
            ("-0", "0.000000"),
            ("-0.0000001", "0.000000"),
            ("123456789012.123456", "123456789012.123456"),
            ("999999999999.999999", "999999999999.999999"),
            ("999999999999.9999995", "range"),
            ("1e12", "range"),
            ("1e-400", "0.000000"),
            ("0e999999999999999999999", "0.000000"),
            ("1e999999999999999999999", "range"),
            (".5", "0.500000"),
            ("5.", "5.000000"),
            ("+1.5e1", "15.000000"),
        ] {
            assert_eq!(micros(text), expected, "{text}");
        }
    }

    #[test]
    fn r15_refuses_what_is_not_a_number() {
        for text in ["", ".", "1,000", "$5", "1_000", "NaN", "Infinity", "1e", "1e+", "--1", "0x1", "1.2.3", "1 2"] {
            assert_eq!(Decimal::parse(text), Err(NotADecimal), "{text}");
        }
    }

    #[test]
    fn r14_integers() {
        let number = |token| integer(&Scalar::Number(token));
        let text = |text: &'static str| integer(&Scalar::Text(text.into()));
        assert_eq!(number("60.0"), Ok(60));
        assert_eq!(number("1e2"), Ok(100));
        assert_eq!(number("42.9"), Err(NotAnInteger));
        assert_eq!(number("1e400"), Err(NotAnInteger));
        assert_eq!(number("99999999999999999999999999"), Ok(i64::MAX));
        assert_eq!(text(" +007 "), Ok(7));
        assert_eq!(text("42.0"), Err(NotAnInteger));
        assert_eq!(text("1e2"), Err(NotAnInteger));
        assert_eq!(integer(&Scalar::Bool(true)), Err(NotAnInteger));
    }

    #[test]
    fn r31_percent() {
        for (text, expected) in [("50.5", 50), ("51.5", 52), ("-3", 0), ("1000", 100), ("1e99", 100)] {
            assert_eq!(Decimal::parse(text).unwrap().to_percent(), expected, "{text}");
        }
    }
}
