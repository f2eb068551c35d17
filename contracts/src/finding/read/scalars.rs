//! Members that are one value: text, numbers, times.

use std::borrow::Cow;
use std::fmt::Arguments;

use serde_json::value::RawValue;

use super::super::{Amount, CURRENCY_RULE, Form, Text};
use super::Reader;
use crate::currency;
use crate::identity::no_text;
use crate::number;
use crate::text::{self, Scalar, folded, trim, trimmed};
use crate::time;
use crate::violation::{Code, Violation};
use crate::wire::Raw;

impl Reader {
    pub(super) fn report(&mut self, path: Arguments<'_>, code: Code, rule: &str, raw: Raw<'_>) {
        let value = raw.map_or("", |r| r.get());
        self.violations.push(Violation::new(path.to_string(), code, rule).with_value(value));
    }

    /// Text as it is; drafts have "" for what is absent.
    pub(super) fn text<'a>(&mut self, raw: Raw<'a>, path: Arguments<'_>) -> Text<'a> {
        if raw.is_none() {
            return (self.form == Form::Draft).then_some(Cow::Borrowed(""));
        }
        match text::of_scalar(Scalar::of(raw)) {
            Ok(text) => Some(text),
            Err(why) => {
                self.violations.push(no_text(path.to_string(), why, raw));
                None
            }
        }
    }

    /// R26.
    pub(super) fn trimmed<'a>(&mut self, raw: Raw<'a>, path: Arguments<'_>) -> Text<'a> {
        let text = self.text(raw, path)?;
        Some(if self.form == Form::AsIs { text } else { trimmed(text) })
    }

    /// Text of a member that was added later: blank is null, also in a draft.
    pub(super) fn added<'a>(&mut self, raw: Raw<'a>, path: Arguments<'_>) -> Text<'a> {
        self.trimmed(raw, path).filter(|text| !trim(text).is_empty())
    }

    /// R25.
    pub(super) fn folded<'a>(&mut self, raw: Raw<'a>, path: Arguments<'_>) -> Text<'a> {
        let text = self.text(raw, path)?;
        Some(if self.form == Form::AsIs { text } else { folded(text) })
    }

    /// The code of a currency, in capitals; blank stays blank.
    pub(super) fn currency<'a>(&mut self, raw: Raw<'a>, path: Arguments<'_>) -> Text<'a> {
        if self.form == Form::AsIs {
            return self.text(raw, path);
        }
        let code = trimmed(self.text(raw, path)?);
        let code = if code.bytes().any(|b| b.is_ascii_lowercase()) { code.to_ascii_uppercase().into() } else { code };
        if is_string(raw) && !code.is_empty() && !currency::is_known(&code) {
            self.report(path, Code::CurrencyUnknown, CURRENCY_RULE, raw);
        }
        Some(code)
    }

    /// R20: one of the values, in canonical spelling; blank stays blank.
    pub(super) fn one_of<'a>(&mut self, raw: Raw<'a>, values: &[&str], path: Arguments<'_>) -> Text<'a> {
        if self.form == Form::AsIs {
            return self.text(raw, path);
        }
        match Scalar::of(raw) {
            Scalar::Null => (self.form == Form::Draft).then_some(Cow::Borrowed("")),
            Scalar::Text(text) => {
                let text = folded(text);
                if !text.is_empty() && !values.contains(&text.as_ref()) {
                    self.report(path, Code::Enum, &format!("must be one of {}", values.join(", ")), raw);
                }
                Some(text)
            }
            _ => {
                self.report(path, Code::Enum, &format!("must be one of {}", values.join(", ")), raw);
                None
            }
        }
    }

    pub(super) fn integer(&mut self, raw: Raw<'_>, path: Arguments<'_>) -> Option<i64> {
        let scalar = Scalar::of(raw);
        if scalar.is_blank() {
            return None;
        }
        number::integer(&scalar)
            .map_err(|_| self.report(path, Code::Integer, "must be a whole number, or text of digits", raw))
            .ok()
    }

    pub(super) fn amount<'a>(&mut self, raw: Raw<'a>, path: Arguments<'_>) -> Option<Amount<'a>> {
        let scalar = Scalar::of(raw);
        if scalar.is_blank() {
            return None;
        }
        if number::decimal(&scalar).is_err() {
            self.report(path, Code::Decimal, "must be a decimal number, or text of one, without symbols", raw);
            return None;
        }
        match scalar {
            Scalar::Number(token) => Some(Amount(Cow::Borrowed(token))),
            Scalar::Text(text) => Some(Amount(trimmed(text))),
            _ => None,
        }
    }

    pub(super) fn time(&mut self, raw: Raw<'_>, path: Arguments<'_>) -> Option<i64> {
        let scalar = Scalar::of(raw);
        if scalar.is_blank() {
            return None;
        }
        let parsed = if let Scalar::Text(text) = &scalar { time::timestamp(text).ok() } else { None };
        if parsed.is_none() {
            self.report(path, Code::Timestamp, "must be a time like 2026-01-20T10:00:00Z, or a date", raw);
        }
        parsed
    }

    pub(super) fn date(&mut self, raw: Raw<'_>, path: Arguments<'_>) -> Option<i32> {
        let scalar = Scalar::of(raw);
        if scalar.is_blank() {
            return None;
        }
        let parsed = if let Scalar::Text(text) = &scalar { time::date(text).ok() } else { None };
        if parsed.is_none() {
            self.report(path, Code::Date, "must be a date like 2026-01-20", raw);
        }
        parsed
    }
}

pub(super) fn is_string(raw: Option<&RawValue>) -> bool {
    matches!(Scalar::of(raw), Scalar::Text(_))
}
