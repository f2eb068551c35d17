//! Thresholds of checkers. Each checker declares its own with defaults; a `rulepack.toml` overrides some of them, one
//! table per checker (its `checker_id`). The file's digest is part of the rulepack's version, so that a finding tells
//! which thresholds made it.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use inventories::billing::cells;

/// A threshold a checker declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// Key in the checker's table.
    pub key: &'static str,
    /// Value without a rulepack.
    pub default: DefaultValue,
    /// What it means, with its unit.
    pub meaning: &'static str,
}

/// A default value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// A number, written as text so that it is exact.
    Number(&'static str),
    /// A list of texts.
    List(&'static [&'static str]),
}

/// A value read from a rulepack.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Number(Decimal),
    List(Vec<String>),
}

/// Overridden thresholds, all known and of the right kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rulepack {
    name: Option<String>,
    values: BTreeMap<(String, String), Value>,
    digest: Option<String>,
}

/// What is wrong with a rulepack: every problem at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rulepack has {} problem(s):\n{}", .0.len(), .0.join("\n"))]
pub struct RulepackError(pub Vec<String>);

impl Rulepack {
    /// Reads a rulepack; `declared` are the thresholds by checker id that it may override.
    ///
    /// # Errors
    /// All tables, keys and values that are unknown or of the wrong kind.
    pub fn parse(text: &str, declared: &BTreeMap<&str, &[Threshold]>) -> Result<Self, RulepackError> {
        let tables: toml::Table =
            text.parse().map_err(|error: toml::de::Error| RulepackError(vec![error.message().to_owned()]))?;
        let digest = hex::encode(Sha256::digest(text.as_bytes()));
        let mut pack = Self { digest: Some(digest[..12].to_owned()), ..Self::default() };
        let mut problems = Vec::new();
        for (checker, content) in tables {
            match content {
                toml::Value::String(name) if checker == "name" => pack.name = Some(name),
                toml::Value::Table(values) => match declared.get(checker.as_str()) {
                    Some(thresholds) => pack.read_table(&checker, values, thresholds, &mut problems),
                    None => problems.push(format!("[{checker}]: no checker has this checker_id")),
                },
                _ => problems.push(format!("{checker}: only `name` and one table per checker_id are allowed here")),
            }
        }
        if problems.is_empty() { Ok(pack) } else { Err(RulepackError(problems)) }
    }

    fn read_table(&mut self, checker: &str, values: toml::Table, thresholds: &[Threshold], problems: &mut Vec<String>) {
        for (key, value) in values {
            let Some(threshold) = thresholds.iter().find(|t| t.key == key) else {
                let known: Vec<_> = thresholds.iter().map(|t| t.key).collect();
                problems.push(format!("[{checker}] {key}: unknown key; known here: {}", known.join(", ")));
                continue;
            };
            match read_value(value, threshold.default) {
                Ok(value) => drop(self.values.insert((checker.to_owned(), key), value)),
                Err(expected) => problems.push(format!("[{checker}] {key}: must be {expected}")),
            }
        }
    }

    /// Version for the record: name and digest, or `builtin`.
    #[must_use]
    pub fn version(&self) -> String {
        match &self.digest {
            Some(digest) => format!("{}+{digest}", self.name.as_deref().unwrap_or("rulepack")),
            None => "builtin".to_owned(),
        }
    }

    /// The thresholds of one checker.
    #[must_use]
    pub fn of<'a>(&'a self, checker_id: &'a str, declared: &'a [Threshold]) -> Thresholds<'a> {
        Thresholds { pack: self, checker_id, declared }
    }
}

/// The table of one checker in a rulepack, with its defaults: TOML that [`Rulepack::parse`] reads. Empty when the checker
/// declares no threshold.
#[must_use]
pub fn table_text(checker_id: &str, declared: &[Threshold]) -> String {
    if declared.is_empty() {
        return String::new();
    }
    let mut text = format!("[{}]\n", quoted(checker_id));
    for threshold in declared {
        let value = match threshold.default {
            // A whole number may stand alone. Anything else is quoted: a TOML float is binary.
            DefaultValue::Number(number) if number.parse::<i64>().is_ok() => number.to_owned(),
            DefaultValue::Number(number) => quoted(number),
            DefaultValue::List(items) => {
                format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
            }
        };
        text += &format!("# {}\n{} = {value}\n", threshold.meaning, threshold.key);
    }
    text
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn read_value(value: toml::Value, default: DefaultValue) -> Result<Value, &'static str> {
    match (default, value) {
        (DefaultValue::Number(_), toml::Value::Integer(number)) => Ok(Value::Number(number.into())),
        (DefaultValue::Number(_), toml::Value::String(text)) => {
            cells::decimal(text.trim()).map(Value::Number).ok_or("a number, such as \"0.20\"")
        }
        // A TOML float is binary: 0.1 would not be 0.1.
        (DefaultValue::Number(_), _) => Err("a whole number, or a decimal in quotes such as \"0.20\""),
        (DefaultValue::List(_), toml::Value::Array(items)) => {
            let texts = items.into_iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().map(Value::List).ok_or("a list of texts")
        }
        (DefaultValue::List(_), _) => Err("a list of texts"),
    }
}

/// Thresholds of one checker: the rulepack's value, else the declared default.
#[derive(Debug, Clone, Copy)]
pub struct Thresholds<'a> {
    pack: &'a Rulepack,
    checker_id: &'a str,
    declared: &'a [Threshold],
}

/// A checker asked for a threshold that it does not declare in that kind: a mistake in the program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("checker {checker_id} asks for threshold {key} without declaring it as {kind}")]
pub struct UndeclaredThreshold {
    checker_id: String,
    key: &'static str,
    kind: &'static str,
}

impl Thresholds<'_> {
    /// A number.
    ///
    /// # Errors
    /// The checker does not declare it as one.
    pub fn number(&self, key: &'static str) -> Result<Decimal, UndeclaredThreshold> {
        let default = match self.default(key) {
            Some(DefaultValue::Number(text)) => cells::decimal(text),
            _ => None,
        };
        match self.value(key) {
            Some(Value::Number(number)) => Ok(*number),
            _ => default.ok_or_else(|| self.undeclared(key, "a number")),
        }
    }

    /// A list.
    ///
    /// # Errors
    /// The checker does not declare it as one.
    pub fn list(&self, key: &'static str) -> Result<Vec<String>, UndeclaredThreshold> {
        match (self.value(key), self.default(key)) {
            (Some(Value::List(list)), _) => Ok(list.clone()),
            (_, Some(DefaultValue::List(list))) => Ok(list.iter().map(|text| (*text).to_owned()).collect()),
            _ => Err(self.undeclared(key, "a list")),
        }
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.pack.values.get(&(self.checker_id.to_owned(), key.to_owned()))
    }

    fn default(&self, key: &str) -> Option<DefaultValue> {
        self.declared.iter().find(|t| t.key == key).map(|t| t.default)
    }

    fn undeclared(&self, key: &'static str, kind: &'static str) -> UndeclaredThreshold {
        UndeclaredThreshold { checker_id: self.checker_id.to_owned(), key, kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: &[Threshold] = &[
        Threshold { key: "ratio", default: DefaultValue::Number("0.25"), meaning: "" },
        Threshold { key: "keys", default: DefaultValue::List(&["a"]), meaning: "" },
    ];

    fn parse(text: &str) -> Result<Rulepack, RulepackError> {
        Rulepack::parse(text, &BTreeMap::from([("focus.x", DECLARED)]))
    }

    #[test]
    fn a_value_overrides_its_default() {
        let pack = parse("name = \"2026.1\"\n[\"focus.x\"]\nratio = \"0.30\"\n").unwrap();
        let thresholds = pack.of("focus.x", DECLARED);
        assert_eq!(thresholds.number("ratio").unwrap().normalize().to_string(), "0.3");
        assert_eq!(thresholds.list("keys").unwrap(), ["a"]);
        assert!(thresholds.number("keys").is_err());
        assert!(thresholds.number("other").is_err());
    }

    #[test]
    fn the_table_of_a_checker_is_what_the_parser_reads() {
        let text = table_text("focus.x", DECLARED);
        assert_eq!(text, "[\"focus.x\"]\n# \nratio = \"0.25\"\n# \nkeys = [\"a\"]\n");
        let pack = parse(&text).unwrap();
        let thresholds = pack.of("focus.x", DECLARED);
        assert_eq!(thresholds.value("ratio"), Some(&Value::Number("0.25".parse().unwrap())));
        assert_eq!(thresholds.value("keys"), Some(&Value::List(vec!["a".to_owned()])));
        assert_eq!(table_text("focus.x", &[]), "");
    }

    #[test]
    fn the_version_changes_with_the_file() {
        assert_eq!(Rulepack::default().version(), "builtin");
        let one = parse("name = \"2026.1\"\n").unwrap().version();
        let other = parse("name = \"2026.1\"\n\n").unwrap().version();
        assert!(one.starts_with("2026.1+") && one != other, "{one} {other}");
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let error = parse("surprise = 1\n[nope]\n[\"focus.x\"]\nratio = 0.3\nkeys = [1]\nother = 1\n").unwrap_err();
        let text = error.to_string();
        for part in ["5 problem(s)", "surprise", "[nope]", "ratio: must be", "keys: must be", "known here: ratio, keys"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
