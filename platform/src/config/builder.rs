//! Puts the sources together, the later ones over the earlier ones, and collects all problems.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::file::{self, FileValues, unknown};
use super::problem::{ConfigProblem, ConfigProblems, Origin};
use super::resolved::{Config, Entry};
use super::setting::Declaration;
use super::value::Value;
use super::{FILE_VARIABLE, VARIABLE_PREFIX};
use crate::{failpoint, names};

/// Variables with our prefix that are no settings.
const NO_SETTINGS: [&str; 2] = [FILE_VARIABLE, failpoint::VARIABLE];

/// A flag of the command line that sets a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The flag as the user writes it: `--data`.
    pub name: String,
    /// Key of the setting.
    pub key: String,
    /// Its value, written as in the environment.
    pub value: String,
}

/// Collects the sources of a configuration.
#[derive(Debug)]
pub struct ConfigBuilder {
    declarations: Vec<Declaration>,
    file: Option<(String, String)>,
    env: BTreeMap<OsString, OsString>,
    flags: Vec<Flag>,
    pub(super) problems: Vec<ConfigProblem>,
}

impl ConfigBuilder {
    /// Begins with the settings of these tables at their defaults.
    #[must_use]
    pub fn new(tables: &[&[Declaration]]) -> Self {
        let declarations = tables.concat();
        Self { declarations, file: None, env: BTreeMap::new(), flags: Vec::new(), problems: Vec::new() }
    }

    /// Adds the text of the file with this name.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.file = Some((name.into(), text.into()));
        self
    }

    /// Adds environment variables; those without our prefix are ignored, but for the standard ones that a setting names.
    #[must_use]
    pub fn env<K: Into<OsString>, V: Into<OsString>>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self {
        self.env.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Adds flags; of two for one setting the later counts.
    #[must_use]
    pub fn flags(mut self, flags: impl IntoIterator<Item = Flag>) -> Self {
        self.flags.extend(flags);
        self
    }

    /// Decides every value.
    ///
    /// # Errors
    /// All problems of all sources at once, also of values that a later source overrides.
    pub fn resolve(self) -> Result<Config, ConfigProblems> {
        let Self { declarations, file, env, flags, problems } = self;
        let file = file.map(|(name, text)| file::read(&name, &text, &declarations));
        let mut resolver = Resolver { declarations: &declarations, values: BTreeMap::new(), problems };
        resolver.table();
        resolver.defaults();
        let complete = file.as_ref().is_none_or(|file| file.complete);
        resolver.file(file.unwrap_or_default());
        resolver.env(&env);
        resolver.flags(&flags);
        if complete {
            resolver.required();
        }
        resolver.finish()
    }
}

struct Resolver<'a> {
    declarations: &'a [Declaration],
    values: BTreeMap<&'static str, (Origin, Value)>,
    problems: Vec<ConfigProblem>,
}

impl Resolver<'_> {
    /// Two settings with one key or variable, or one that is also a group: a bug in a service's table.
    fn table(&mut self) {
        let mut variables = BTreeMap::new();
        for declared in self.declarations {
            if let Some(other) = variables.insert(declared.variable(), declared.key) {
                self.problem(Origin::Default, declared.key, format!("is declared twice, also as {other}"));
            }
            let group = format!("{}.", declared.key);
            if let Some(inner) = self.declarations.iter().find(|d| d.key.starts_with(&group)) {
                self.problem(Origin::Default, declared.key, format!("is also the group of {}", inner.key));
            }
        }
    }

    fn defaults(&mut self) {
        for declared in self.declarations {
            if let Some(text) = declared.default {
                self.text(*declared, Origin::Default, text);
            }
        }
    }

    fn file(&mut self, file: FileValues) {
        self.problems.extend(file.problems);
        self.values.extend(file.values.into_iter().map(|(declared, origin, value)| (declared.key, (origin, value))));
    }

    fn env(&mut self, variables: &BTreeMap<OsString, OsString>) {
        for declared in self.declarations {
            let Some(name) = declared.also else { continue };
            if let Some(value) = variables.get(OsStr::new(name)) {
                self.variable(*declared, name, value);
            }
        }
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with(VARIABLE_PREFIX)) else { continue };
            if NO_SETTINGS.contains(&name) {
                continue;
            }
            match self.declarations.iter().find(|d| d.variable() == name).copied() {
                None => {
                    let known: Vec<String> = self.declarations.iter().map(Declaration::variable).collect();
                    let near = names::closest(name, known.iter().map(String::as_str), 1);
                    let (origin, reason) = (Origin::Env(name.to_owned()), unknown("variable", &near));
                    self.problems.push(ConfigProblem { origin: Some(origin), key: None, reason });
                }
                Some(declared) => self.variable(declared, name, value),
            }
        }
    }

    fn variable(&mut self, declared: Declaration, name: &str, value: &OsStr) {
        let origin = Origin::Env(name.to_owned());
        match value.to_str() {
            Some("") => {}
            Some(text) => self.text(declared, origin, text),
            None => self.problem(origin, declared.key, "is not UTF-8".to_owned()),
        }
    }

    fn flags(&mut self, flags: &[Flag]) {
        for flag in flags {
            let origin = Origin::Flag(flag.name.clone());
            match self.declarations.iter().find(|d| d.key == flag.key).copied() {
                Some(declared) => self.text(declared, origin, &flag.value),
                None => {
                    let near = names::closest(&flag.key, self.declarations.iter().map(|d| d.key), 1);
                    self.problem(origin, &flag.key, unknown("setting", &near));
                }
            }
        }
    }

    /// What was set wrongly is not reported as missing too.
    fn required(&mut self) {
        for declared in self.declarations.iter().filter(|d| !d.optional) {
            let given_wrongly = self.problems.iter().any(|p| p.key.as_deref() == Some(declared.key));
            if !self.values.contains_key(declared.key) && !given_wrongly {
                let reason = format!("required but not set; expected {}", declared.accepts());
                let reason = format!("{reason}, in the file or as {}", declared.variable());
                self.problems.push(ConfigProblem { origin: None, key: Some(declared.key.to_owned()), reason });
            }
        }
    }

    fn finish(mut self) -> Result<Config, ConfigProblems> {
        if !self.problems.is_empty() {
            return Err(ConfigProblems(self.problems));
        }
        let entry = |declaration: &Declaration| {
            let (origin, value) = match self.values.remove(declaration.key) {
                Some((origin, value)) => (origin, Some(value)),
                None => (Origin::Default, None),
            };
            (declaration.key, Entry { declaration: *declaration, value, origin })
        };
        Ok(Config { entries: self.declarations.iter().map(entry).collect() })
    }

    fn text(&mut self, declared: Declaration, origin: Origin, text: &str) {
        match declared.kind.parse(text) {
            Ok(value) => drop(self.values.insert(declared.key, (origin, value))),
            Err(reason) => self.problem(origin, declared.key, reason),
        }
    }

    fn problem(&mut self, origin: Origin, key: &str, reason: String) {
        self.problems.push(ConfigProblem { origin: Some(origin), key: Some(key.to_owned()), reason });
    }
}
