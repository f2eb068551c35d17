//! Who reported a finding. A producer is known by its engine name; runs that name none are distinguished by their checkers:
//! two of them that share a checker are of one producer, so a later run of it replaces the earlier one also when one of
//! its checkers found nothing any more.

use std::collections::BTreeMap;

use crate::duck::Duck;
use crate::error::Result;

/// A workspace of a tenant.
type Workspace = (String, String);

/// A checker of a workspace.
type Checker = (Workspace, String);

/// Makes view `reported`: `findings` and their `producer`.
pub(crate) fn load(duck: &Duck) -> Result<()> {
    let doing = "telling producers apart";
    let pairs = duck.rows(doing, include_str!("../sql/base/checker_pairs.sql"), [], |row| {
        Ok(((row.get(0)?, row.get(1)?), row.get(2)?, row.get(3)?))
    })?;
    duck.run(
        doing,
        "CREATE TEMP TABLE joined_checker \
         (tenant_id VARCHAR, workspace_id VARCHAR, checker VARCHAR, producer VARCHAR)",
    )?;
    let joined = joined(pairs);
    let cells = joined.iter().map(|(((tenant, workspace), checker), producer)| [tenant, workspace, checker, producer]);
    let rows: Vec<Vec<Option<&str>>> = cells.map(|row| row.map(|cell| Some(cell.as_str())).to_vec()).collect();
    duck.insert(doing, "joined_checker", &rows)?;
    duck.run(doing, include_str!("../sql/base/reported.sql"))
}

/// For each checker that shares runs with others the first one by name of all that are joined to it, directly or by way of
/// others. A pair is (workspace, one checker, another one).
fn joined(pairs: Vec<(Workspace, String, String)>) -> BTreeMap<Checker, String> {
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
fn first_of(before: &mut BTreeMap<Checker, String>, workspace: &Workspace, checker: String) -> String {
    let mut way = Vec::new();
    let mut at = (workspace.clone(), checker);
    while let Some(next) = before.get(&at) {
        let next = (workspace.clone(), next.clone());
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
        let owned = |tenant: &str, w: &str| (tenant.to_owned(), w.to_owned());
        let pairs = pairs.iter().map(|(w, a, b)| (owned("acme", w), (*a).to_owned(), (*b).to_owned()));
        // The same names of another tenant, in the middle of them, join nothing.
        let others = [(owned("globex", "w"), "a".to_owned(), "z".to_owned())];
        let found = joined(others.into_iter().chain(pairs).collect());
        let of_acme = found.iter().filter(|(((tenant, _), _), _)| tenant == "acme");
        let found: Vec<_> = of_acme.map(|(((_, w), c), p)| (w.as_str(), c.as_str(), p.as_str())).collect();
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
