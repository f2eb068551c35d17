//! The choice of the checkers that run, by SPEC or checker id.

use checkers::registry::{Registration, Registry};

/// How many close names an unknown name is answered with.
const CLOSEST: usize = 3;

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

/// The checkers to run: `include` (all but those on request, when empty) without `exclude`, by SPEC or checker id, sorted and each once
/// whatever the order of the arguments.
///
/// # Errors
/// All unknown names at once, or nothing is left.
pub fn select(
    registry: &Registry,
    include: &[String],
    exclude: &[String],
) -> Result<Vec<Registration>, SelectionError> {
    let has = |r: &Registration, names: &[String]| names.iter().any(|n| n == r.spec || n == r.checker_id);
    let unknown: Vec<_> = include
        .iter()
        .chain(exclude)
        .filter(|name| !registry.all().iter().any(|r| r.spec == *name || r.checker_id == *name))
        .map(|name| UnknownChecker { name: name.clone(), closest: closest(registry, name) })
        .collect();
    if !unknown.is_empty() {
        return Err(SelectionError::Unknown(unknown));
    }
    let is_included = |r: &Registration| if include.is_empty() { !r.is_on_request } else { has(r, include) };
    let is_chosen = |r: &Registration| is_included(r) && !has(r, exclude);
    let chosen: Vec<_> = registry.all().iter().copied().filter(is_chosen).collect();
    if chosen.is_empty() { Err(SelectionError::NothingLeft) } else { Ok(chosen) }
}

/// The known names most like this one: SPECs for what looks like the start of one, checker ids else.
#[must_use]
pub fn closest(registry: &Registry, name: &str) -> Vec<&'static str> {
    let is_spec = name.contains(':') || name.starts_with("checks.");
    let names = registry.all().iter().map(|r| if is_spec { r.spec } else { r.checker_id });
    platform::names::closest(name, names, CLOSEST)
}

#[cfg(test)]
mod tests {
    use checkers::checker::{CheckerDocs, CheckerRegistration, CheckerScope};

    use super::*;

    fn registration(spec: &'static str, checker_id: &'static str, is_on_request: bool) -> Registration {
        Box::leak(Box::new(CheckerRegistration {
            spec,
            checker_id,
            scope: CheckerScope::Global,
            needs: &[],
            checks: &[],
            docs: &CheckerDocs::EMPTY,
            is_on_request,
            together: None,
            factory: |_, _| unreachable!(),
        }))
    }

    fn registry() -> Registry {
        let all = [("m.c:C", "c"), ("m.a:A", "a"), ("m.b:B", "b"), ("m.d:D", "d"), ("m.e:E", "on.request")];
        Registry::new(all.map(|(spec, id)| registration(spec, id, id == "on.request"))).unwrap()
    }

    fn select(include: &[&str], exclude: &[&str]) -> Result<Vec<&'static str>, SelectionError> {
        let texts = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let chosen = super::select(&registry(), &texts(include), &texts(exclude))?;
        Ok(chosen.iter().map(|r| r.spec).collect())
    }

    #[test]
    fn the_choice_is_sorted_and_each_runs_once() {
        assert_eq!(select(&[], &[]).unwrap(), ["m.a:A", "m.b:B", "m.c:C", "m.d:D"]);
        assert_eq!(select(&["m.c:C", "a", "c", "m.a:A"], &[]).unwrap(), ["m.a:A", "m.c:C"]);
        assert_eq!(select(&[], &["b", "m.d:D"]).unwrap(), ["m.a:A", "m.c:C"]);
        assert_eq!(select(&["a", "on.request"], &[]).unwrap(), ["m.a:A", "m.e:E"]);
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
}
