//! What a setting accepts, and reading it from text or TOML.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeInteger, DeValue};
use url::Url;

use super::units;
use super::value::{Secret, Value};

/// Letters of a refused value that are repeated to the user.
const QUOTED_CHARS_MAX: usize = 60;

/// The type of a setting with its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Path,
    Secret,
    Bool,
    List,
    Integer { min: u64, max: u64 },
    Duration { min: Duration, max: Duration },
    Bytes { min: u64, max: u64 },
    OneOf(&'static [&'static str]),
    Url(&'static [&'static str]),
}

impl Kind {
    /// What is accepted, for people.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Secret => "text (secret)".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::List => "a list of texts".to_owned(),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Duration { min, max } => {
                let (min, max) = (units::show_duration(min), units::show_duration(max));
                format!("a duration such as 30s, from {min} to {max}")
            }
            Self::Bytes { min, max } => {
                let (min, max) = (units::show_bytes(min), units::show_bytes(max));
                format!("a size such as 128MB, from {min} to {max}")
            }
            Self::OneOf(choices) => format!("one of {}", choices.join(", ")),
            Self::Url(schemes) => format!("a URL with scheme {}", schemes.join(", ")),
        }
    }

    /// Reads text from environment, flag or default. The reason of a refusal never holds a secret.
    pub(super) fn parse(self, text: &str) -> Result<Value, String> {
        let value = match self {
            _ if text.is_empty() && self != Self::List => None,
            Self::Text => Some(Value::Text(text.to_owned())),
            Self::Path => Some(Value::Path(PathBuf::from(text))),
            Self::Secret => Some(Value::Secret(Secret::new(text))),
            Self::Bool => text.parse().ok().map(Value::Bool),
            Self::List => Some(Value::List(items(text))),
            Self::Integer { min, max } => {
                text.replace('_', "").parse().ok().filter(|n| (min..=max).contains(n)).map(Value::Integer)
            }
            Self::Duration { min, max } => {
                units::parse_duration(text).filter(|d| (min..=max).contains(d)).map(Value::Duration)
            }
            Self::Bytes { min, max } => units::parse_bytes(text).filter(|n| (min..=max).contains(n)).map(Value::Bytes),
            Self::OneOf(choices) => choices.contains(&text).then(|| Value::Text(text.to_owned())),
            Self::Url(schemes) => {
                let known = |url: Url| schemes.contains(&url.scheme()) && url.has_host();
                Url::parse(text).is_ok_and(known).then(|| Value::Url(text.to_owned()))
            }
        };
        value.ok_or_else(|| self.refusal(text))
    }

    /// Reads a value of the file, where the type must fit too.
    pub(super) fn parse_toml(self, found: &DeValue<'_>) -> Result<Value, String> {
        match (self, found) {
            (Self::Integer { .. } | Self::Bytes { .. }, DeValue::Integer(number)) => self.parse(&decimal(number)),
            (Self::Bool, DeValue::Boolean(yes)) => Ok(Value::Bool(*yes)),
            (Self::List, DeValue::Array(found)) => {
                let texts = found.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
                texts.collect::<Option<_>>().map(Value::List).ok_or_else(|| "expected a list of texts".to_owned())
            }
            (Self::Integer { .. } | Self::Bool | Self::List, _) => Err(self.mismatch(found)),
            (_, DeValue::String(text)) => self.parse(text),
            _ => Err(self.mismatch(found)),
        }
    }

    fn mismatch(self, found: &DeValue<'_>) -> String {
        format!("expected {}, found type {}", self.describe(), found.type_str())
    }

    fn refusal(self, text: &str) -> String {
        let quoted: String = text.chars().take(QUOTED_CHARS_MAX).collect();
        match self {
            _ if text.is_empty() => "must not be empty".to_owned(),
            // Its value may hold a password.
            Self::Url(_) => format!("expected {}", self.describe()),
            _ => format!("expected {}, found {quoted:?}", self.describe()),
        }
    }
}

fn items(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// TOML also writes numbers in hexadecimal, octal and binary.
fn decimal(number: &DeInteger<'_>) -> String {
    let parsed = i128::from_str_radix(number.as_str(), number.radix());
    parsed.map_or_else(|_| number.to_string(), |n| n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn reads_text_of_every_kind() {
        let check = |kind: Kind, text: &str, expected: Result<&str, &str>| {
            let found = kind.parse(text).map(|value| value.to_string());
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{kind:?} {text:?}");
        };
        let port = Kind::Integer { min: 1, max: 65_535 };
        let age = Kind::Duration { min: SECOND, max: 60 * SECOND };
        let size = Kind::Bytes { min: 1_000, max: 1_000_000 };
        let url = Kind::Url(&["http", "s3"]);
        check(Kind::Text, "a, b", Ok("a, b"));
        check(Kind::Text, "", Err("must not be empty"));
        check(Kind::Path, "data/x", Ok("data/x"));
        check(Kind::Secret, "hunter2", Ok("***"));
        check(Kind::Secret, "", Err("must not be empty"));
        check(Kind::Bool, "true", Ok("true"));
        check(Kind::Bool, "yes", Err("expected true or false, found \"yes\""));
        check(Kind::List, "a, b,,c", Ok("a,b,c"));
        check(Kind::List, "", Ok(""));
        check(port, "8_080", Ok("8080"));
        check(port, "0", Err("expected a whole number from 1 to 65535, found \"0\""));
        check(port, "-1", Err("expected a whole number from 1 to 65535, found \"-1\""));
        check(age, "1m", Ok("1m"));
        check(age, "2m", Err("expected a duration such as 30s, from 1s to 1m, found \"2m\""));
        check(size, "64kB", Ok("64kB"));
        check(size, "1GB", Err("expected a size such as 128MB, from 1kB to 1MB, found \"1GB\""));
        check(Kind::OneOf(&["human", "json"]), "json", Ok("json"));
        check(Kind::OneOf(&["human", "json"]), "xml", Err("expected one of human, json, found \"xml\""));
        check(url, "http://localhost:9000", Ok("http://localhost:9000"));
        check(url, "http://me:hunter2@host/x", Ok("http://me:***@host/x"));
        check(url, "ftp://me:hunter2@host", Err("expected a URL with scheme http, s3"));
        check(url, "localhost:9000", Err("expected a URL with scheme http, s3"));
    }

    #[test]
    fn reads_toml_of_the_right_type_only() {
        let check = |kind: Kind, toml: &str, expected: Result<&str, &str>| {
            let found = DeValue::parse(toml).unwrap();
            let found = kind.parse_toml(found.get_ref()).map(|value| value.to_string());
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{kind:?} {toml}");
        };
        let port = Kind::Integer { min: 1, max: 65_535 };
        let size = Kind::Bytes { min: 0, max: u64::MAX };
        check(port, "8_080", Ok("8080"));
        check(port, "0xff", Ok("255"));
        check(port, "-5", Err("expected a whole number from 1 to 65535, found \"-5\""));
        check(port, "'8080'", Err("expected a whole number from 1 to 65535, found type string"));
        check(size, "4096", Ok("4KiB"));
        check(size, "'4kB'", Ok("4kB"));
        check(Kind::Bool, "false", Ok("false"));
        check(Kind::Bool, "'false'", Err("expected true or false, found type string"));
        check(Kind::List, "['a,b', 'c']", Ok("a,b,c"));
        check(Kind::List, "['a', 1]", Err("expected a list of texts"));
        check(Kind::Text, "5", Err("expected text, found type integer"));
        check(Kind::Secret, "5", Err("expected text (secret), found type integer"));
    }
}
