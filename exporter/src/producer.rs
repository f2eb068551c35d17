//! Who reported a finding. A producer is known by its engine name; runs that name none are distinguished by their checkers:
//! two of them that share a checker are of one producer, so a later run of it replaces the earlier one also when one of
//! its checkers found nothing any more.

use std::collections::BTreeMap;

use duckdb::params_from_iter;

use crate::duck::Duck;
use crate::error::Result;

/// A checker of a workspace.
type Checker = (String, String);

/// Rows of one INSERT.
const ROWS_PER_INSERT: usize = 500;

/// Makes view `reported`: `findings` and their `producer`.
pub(crate) fn load(duck: &Duck) -> Result<()> {
    let doing = "telling producers apart";
    let pairs = duck.rows(doing, include_str!("../sql/base/checker_pairs.sql"), [], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    duck.run(doing, "CREATE TEMP TABLE joined_checker (workspace_id VARCHAR, checker VARCHAR, producer VARCHAR)")?;
    let joined: Vec<(Checker, String)> = joined(pairs).into_iter().collect();
    for some in joined.chunks(ROWS_PER_INSERT) {
        let values = vec!["(?, ?, ?)"; some.len()].join(", ");
        let cells = some.iter().flat_map(|((workspace, checker), producer)| [workspace, checker, producer]);
        duck.run_with(doing, &format!("INSERT INTO joined_checker VALUES {values}"), params_from_iter(cells))?;
    }
    duck.run(doing, include_str!("../sql/base/reported.sql"))
}

/// For each checker that shares runs with others the first one by name of all that are joined to it, directly or by way of
/// others. A pair is (workspace, one checker, another one).
fn joined(pairs: Vec<(String, String, String)>) -> BTreeMap<Checker, String> {
    let mut before: BTreeMap<Checker, String> = BTreeMap::new();
    for (workspace, one, other) in pairs {
        let (one, other) = (first_of(&mut before, &workspace, one), first_of(&mut before, &workspace, other));
        if one != other {
            let (first, second) = if one < other { (one, other) } else { (other, one) };
            before.insert((workspace, second), first);
        }
    }
    let checkers: Vec<Checker> = before.keys().cloned().collect();
    let first = |(workspace, checker): Checker| {
        let first = first_of(&mut before, &workspace, checker.clone());
        ((workspace, checker), first)
    };
    checkers.into_iter().map(first).collect()
}

/// Follows a checker to the first one it is joined to, and shortens the way for the next time.
fn first_of(before: &mut BTreeMap<Checker, String>, workspace: &str, checker: String) -> String {
    let mut way = Vec::new();
    let mut at = (workspace.to_owned(), checker);
    while let Some(next) = before.get(&at) {
        let next = (workspace.to_owned(), next.clone());
        way.push(std::mem::replace(&mut at, next));
    }
    for passed in way {
        before.insert(passed, at.1.clone());
    }
    at.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&str, &str, &str)], expected: &[(&str, &str, &str)]) {
        let pairs = pairs.iter().map(|(w, a, b)| ((*w).to_owned(), (*a).to_owned(), (*b).to_owned())).collect();
        let found = joined(pairs);
        let found: Vec<_> = found.iter().map(|((w, c), p)| (w.as_str(), c.as_str(), p.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn checkers_are_joined_by_way_of_others() {
        check(&[], &[]);
        check(&[("w", "a", "b"), ("w", "b", "c")], &[("w", "b", "a"), ("w", "c", "a")]);
        let chain = [("w", "c", "d"), ("w", "e", "f"), ("w", "b", "c"), ("w", "d", "e"), ("w", "a", "f")];
        let all = [("w", "b", "a"), ("w", "c", "a"), ("w", "d", "a"), ("w", "e", "a"), ("w", "f", "a")];
        check(&chain, &all);
        check(&[("v", "a", "b"), ("w", "b", "c")], &[("v", "b", "a"), ("w", "c", "b")]);
    }
}
