//! All checkers that are linked in, sorted by SPEC, and the choice of those that run. Link order means nothing.

use std::collections::BTreeMap;

use crate::checker::CheckerRegistration;
use crate::rulepack::Threshold;

/// A registered checker.
pub type Registration = &'static CheckerRegistration;

/// How many close names an unknown name is answered with.
const CLOSEST: usize = 3;

/// All checkers, by SPEC.
#[derive(Debug, Clone)]
pub struct Registry(Vec<Registration>);

/// The program was put together wrongly (exit 78).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Nothing is linked in.
    #[error("no checker is registered: the crate that holds them is not linked in")]
    Empty,
    /// Two checkers claim one name.
    #[error("{name:?} is registered twice: by {first} and by {second}")]
    Duplicate {
        /// SPEC or checker id.
        name: String,
        /// SPEC of one.
        first: String,
        /// SPEC of the other.
        second: String,
    },
}

/// The choice cannot be met (exit 64).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// Names that no checker has, each with the closest that exist.
    #[error("{}", unknown_text(.0))]
    Unknown(Vec<UnknownChecker>),
    /// Nothing is left to run.
    #[error("every selected checker is excluded: nothing to run")]
    NothingLeft,
}

/// A name that no checker has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownChecker {
    /// As given.
    pub name: String,
    /// Known names, closest first.
    pub closest: Vec<&'static str>,
}

fn unknown_text(unknown: &[UnknownChecker]) -> String {
    let line = |one: &UnknownChecker| format!("unknown checker {:?}; closest: {}", one.name, one.closest.join(", "));
    unknown.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl Registry {
    /// All checkers linked into this program.
    ///
    /// # Errors
    /// None is, or two share a SPEC or checker id.
    pub fn linked() -> Result<Self, RegistryError> {
        Self::new(inventory::iter::<CheckerRegistration>())
    }

    /// These checkers.
    ///
    /// # Errors
    /// There is none, or two share a SPEC or checker id.
    pub fn new(registrations: impl IntoIterator<Item = Registration>) -> Result<Self, RegistryError> {
        let mut all: Vec<_> = registrations.into_iter().collect();
        if all.is_empty() {
            return Err(RegistryError::Empty);
        }
        all.sort_unstable_by_key(|r| (r.spec, r.checker_id));
        let mut names: BTreeMap<&str, Registration> = BTreeMap::new();
        for registration in &all {
            for name in [registration.spec, registration.checker_id] {
                if let Some(first) = names.insert(name, registration) {
                    let (name, first, second) = (name.into(), first.spec.into(), registration.spec.into());
                    return Err(RegistryError::Duplicate { name, first, second });
                }
            }
        }
        Ok(Self(all))
    }

    /// All of them, sorted by SPEC.
    #[must_use]
    pub fn all(&self) -> &[Registration] {
        &self.0
    }

    /// The checker of that SPEC, checker id or check id.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Registration> {
        let by_name = self.0.iter().find(|r| r.spec == name || r.checker_id == name);
        by_name.or_else(|| self.0.iter().find(|r| r.check(name).is_some())).copied()
    }

    /// Thresholds by checker id: what a rulepack may override.
    #[must_use]
    pub fn thresholds(&self) -> BTreeMap<&str, &[Threshold]> {
        self.0.iter().map(|r| (r.checker_id, r.docs.thresholds)).collect()
    }

    /// The checkers to run: `include` (all, when empty) without `exclude`, by SPEC or checker id, sorted and each once
    /// whatever the order of the arguments.
    ///
    /// # Errors
    /// All unknown names at once, or nothing is left.
    pub fn select(&self, include: &[String], exclude: &[String]) -> Result<Vec<Registration>, SelectionError> {
        let has = |r: &Registration, names: &[String]| names.iter().any(|n| n == r.spec || n == r.checker_id);
        let unknown: Vec<_> = include
            .iter()
            .chain(exclude)
            .filter(|name| !self.0.iter().any(|r| r.spec == *name || r.checker_id == *name))
            .map(|name| UnknownChecker { name: name.clone(), closest: self.closest(name) })
            .collect();
        if !unknown.is_empty() {
            return Err(SelectionError::Unknown(unknown));
        }
        let chosen: Vec<_> =
            self.0.iter().copied().filter(|r| (include.is_empty() || has(r, include)) && !has(r, exclude)).collect();
        if chosen.is_empty() { Err(SelectionError::NothingLeft) } else { Ok(chosen) }
    }

    /// The known names most like this one: SPECs for what looks like the start of one, checker ids else.
    #[must_use]
    pub fn closest(&self, name: &str) -> Vec<&'static str> {
        let is_spec = name.contains(':') || name.starts_with("checks.");
        platform::names::closest(name, self.0.iter().map(|r| if is_spec { r.spec } else { r.checker_id }), CLOSEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::{CheckerDocs, CheckerScope, MonthRule, Source};

    const DOCS: CheckerDocs = CheckerDocs {
        what: "",
        why: "",
        money: "",
        month: MonthRule::NoMoney,
        verdict: "",
        thresholds: &[],
        data: "",
        limits: "",
    };

    fn registration(spec: &'static str, checker_id: &'static str) -> Registration {
        Box::leak(Box::new(CheckerRegistration {
            spec,
            checker_id,
            scope: CheckerScope::Global,
            source: Source::Billing,
            checks: &[],
            actions: &[],
            docs: &DOCS,
            factory: |_, _| unreachable!(),
        }))
    }

    fn registry() -> Registry {
        let all = [("m.c:C", "c"), ("m.a:A", "a"), ("m.b:B", "b"), ("m.d:D", "d")];
        Registry::new(all.map(|(spec, id)| registration(spec, id))).unwrap()
    }

    fn select(include: &[&str], exclude: &[&str]) -> Result<Vec<&'static str>, SelectionError> {
        let texts = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let chosen = registry().select(&texts(include), &texts(exclude))?;
        Ok(chosen.iter().map(|r| r.spec).collect())
    }

    #[test]
    fn the_choice_is_sorted_and_each_runs_once() {
        assert_eq!(select(&[], &[]).unwrap(), ["m.a:A", "m.b:B", "m.c:C", "m.d:D"]);
        assert_eq!(select(&["m.c:C", "a", "c", "m.a:A"], &[]).unwrap(), ["m.a:A", "m.c:C"]);
        assert_eq!(select(&[], &["b", "m.d:D"]).unwrap(), ["m.a:A", "m.c:C"]);
    }

    #[test]
    fn unknown_names_come_all_at_once_with_three_closest() {
        let error = select(&["m.x:C", "a"], &["bb"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown checker \"m.x:C\"; closest: m.c:C, m.a:A, m.b:B\nunknown checker \"bb\"; closest: b, a, c"
        );
    }

    #[test]
    fn nothing_left_is_an_error() {
        assert_eq!(select(&["a"], &["m.a:A"]), Err(SelectionError::NothingLeft));
    }

    #[test]
    fn an_empty_registry_is_an_error() {
        assert_eq!(Registry::new([]).unwrap_err(), RegistryError::Empty);
    }

    #[test]
    fn duplicates_name_both() {
        let error = Registry::new([registration("m.b:B", "x"), registration("m.a:A", "x")]).unwrap_err();
        assert_eq!(error.to_string(), "\"x\" is registered twice: by m.a:A and by m.b:B");
    }
}
