//! The configuration once every source has spoken.

use std::collections::BTreeMap;

use serde::Serialize;

use super::problem::{ConfigProblem, Origin};
use super::setting::{Declaration, FromValue, Setting};
use super::value::Value;

/// Every declared setting with its value and origin.
#[derive(Debug, Clone)]
pub struct Config {
    pub(super) entries: BTreeMap<&'static str, Entry>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub declaration: Declaration,
    pub value: Option<Value>,
    pub origin: Origin,
}

/// A line of `finops config show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigRow {
    /// Dotted key.
    pub key: &'static str,
    /// Value, secrets hidden; `None` when nothing is set.
    pub value: Option<String>,
    /// `default`, `finops.toml:12`, `FINOPS_X` or `--flag`.
    pub origin: String,
    /// Environment variable that sets it.
    pub variable: String,
    /// What it accepts.
    pub accepts: String,
    /// What it is for.
    pub help: &'static str,
}

impl Config {
    /// The value of a setting.
    ///
    /// # Errors
    /// When the setting is in none of the tables the configuration was resolved with: a bug.
    pub fn get<T: FromValue>(&self, setting: &Setting<T>) -> Result<T, ConfigProblem> {
        let entry = self.entries.get(setting.declared().key);
        let value = entry.and_then(|entry| T::from_value(entry.value.as_ref()));
        value.ok_or_else(|| self.problem(setting, "is not declared with this type"))
    }

    /// A problem with the value of a setting that only its service can see, such as a limit above another.
    #[must_use]
    pub fn problem<T>(&self, setting: &Setting<T>, reason: impl Into<String>) -> ConfigProblem {
        let key = setting.declared().key;
        let origin = self.entries.get(key).map(|entry| entry.origin.clone());
        ConfigProblem { origin, key: Some(key.to_owned()), reason: reason.into() }
    }

    /// All settings by key, for `finops config show`.
    #[must_use]
    pub fn rows(&self) -> Vec<ConfigRow> {
        let row = |entry: &Entry| ConfigRow {
            key: entry.declaration.key,
            value: entry.value.as_ref().map(ToString::to_string),
            origin: entry.origin.to_string(),
            variable: entry.declaration.variable(),
            accepts: entry.declaration.accepts(),
            help: entry.declaration.help,
        };
        self.entries.values().map(row).collect()
    }
}
