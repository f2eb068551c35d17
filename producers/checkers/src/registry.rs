//! All checkers that are linked in, sorted by SPEC. Link order means nothing.

use std::collections::BTreeMap;

use crate::checker::CheckerRegistration;
use crate::rulepack::Threshold;

/// A registered checker.
pub type Registration = &'static CheckerRegistration;

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

    /// Thresholds by checker id, and those of what becomes of findings as a whole: what a rulepack may override.
    #[must_use]
    pub fn thresholds(&self) -> BTreeMap<&str, &[Threshold]> {
        let together = self.0.iter().filter_map(|r| r.together).map(|together| (together.table, together.thresholds));
        self.0.iter().map(|r| (r.checker_id, r.docs.thresholds)).chain(together).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::{CheckerDocs, CheckerScope};

    fn registration(spec: &'static str, checker_id: &'static str) -> Registration {
        Box::leak(Box::new(CheckerRegistration {
            spec,
            checker_id,
            scope: CheckerScope::Global,
            needs: &[],
            checks: &[],
            docs: &CheckerDocs::EMPTY,
            is_on_request: false,
            together: None,
            factory: |_, _| unreachable!(),
        }))
    }

    #[test]
    fn all_are_sorted_by_spec() {
        let registry = Registry::new([registration("m.b:B", "a"), registration("m.a:A", "b")]).unwrap();
        assert_eq!(registry.all().iter().map(|r| r.spec).collect::<Vec<_>>(), ["m.a:A", "m.b:B"]);
        assert_eq!(registry.find("a").map(|r| r.spec), Some("m.b:B"));
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
