//! Which runs have arrived whole. A run is complete when its manifest is there, it did not fail, and the chains hold
//! as many distinct first source positions as it published (DESIGN.md §5.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::layout;
use contracts::run_manifest::{FORMAT_VERSION, RunManifest, RunStatus, ScopeOutcome};
use contracts::source::SrcSet;
use platform::store::Store;
use serde::Serialize;

use super::error::{CutError, Result};
use super::known::{Checked, Objects};
use super::looked::Looked;
use super::unreadable::Unreadable;

/// A run that announced itself with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunFact {
    /// Tenant.
    pub tenant_id: String,
    /// Workspace.
    pub workspace_id: String,
    /// Run.
    pub run_id: String,
    /// Engine that made it: the producer whose latest run it may be.
    pub engine_name: String,
    /// Start of the run, `…Z` with milliseconds.
    pub run_ts: String,
    /// What the producer says of it.
    pub status: RunStatus,
    /// Records it published.
    pub published: u64,
    /// Distinct records of it that are rows or dead letters in this cut.
    pub delivered: u64,
    /// True when it may be read as a whole.
    pub is_complete: bool,
    /// True when it only passed on findings of other producers: they name runs of their own, and this one has no rows.
    pub is_import: bool,
    /// Scopes that it could not check as a whole; its manifest does not change.
    #[serde(skip)]
    pub scopes_failed: u64,
    /// What it has looked at. It says nothing more than the run does: its manifest does not change.
    #[serde(skip)]
    pub looked: Arc<Looked>,
}

pub(super) fn read(
    store: &dyn Store,
    known: &mut Objects<Checked<RunFact>>,
    now_ms: i64,
    delivered: &BTreeMap<String, SrcSet>,
    unreadable: &mut Vec<Unreadable>,
) -> Result<Vec<RunFact>> {
    let mut listed = store.list(layout::RUNS)?;
    listed.retain(|entry| entry.path.ends_with(".json"));
    let checked = |path: &str, manifest: &[u8]| Unreadable::or(announced(path, manifest));
    let mut runs = Vec::new();
    for run in known.read(store, listed, now_ms, checked)? {
        match run {
            Ok(run) => runs.push(arrived(run.clone(), delivered)),
            Err(problem) => unreadable.push(problem.clone()),
        }
    }
    runs.sort_by(|a, b| (&a.tenant_id, &a.workspace_id, &a.run_id).cmp(&(&b.tenant_id, &b.workspace_id, &b.run_id)));
    Ok(runs)
}

/// A run of which nothing has arrived yet.
fn announced(path: &str, manifest: &[u8]) -> Result<RunFact> {
    let bad = |problem: String| CutError::BadObject { path: path.to_owned(), problem };
    let manifest: RunManifest = serde_json::from_slice(manifest).map_err(|e| bad(e.to_string()))?;
    if manifest.format_version > FORMAT_VERSION {
        return Err(bad(format!("format version {} is newer than {FORMAT_VERSION}", manifest.format_version)));
    }
    if layout::run_manifest(&manifest.tenant_id, &manifest.workspace_id, &manifest.run_id) != path {
        return Err(bad("tenant, workspace and run inside are not those of its path".into()));
    }
    let is_import = manifest.scopes.is_empty();
    let scopes_failed = manifest.scopes.iter().filter(|scope| has_failed(scope)).count() as u64;
    let looked = Looked::of(&manifest).map_err(bad)?;
    Ok(RunFact {
        tenant_id: manifest.tenant_id,
        workspace_id: manifest.workspace_id,
        run_id: manifest.run_id,
        engine_name: manifest.engine_name,
        run_ts: manifest.run_ts,
        status: manifest.status,
        published: manifest.published,
        delivered: 0,
        is_complete: false,
        is_import,
        scopes_failed,
        looked: Arc::new(looked),
    })
}

/// True where a check was due and is not complete. Where its input was not given, none was due.
fn has_failed(scope: &ScopeOutcome) -> bool {
    match scope.status {
        RunStatus::Complete => false,
        RunStatus::Partial | RunStatus::Failed => true,
        RunStatus::Skipped => !scope.denied_operations.is_empty(),
    }
}

fn arrived(run: RunFact, delivered: &BTreeMap<String, SrcSet>) -> RunFact {
    let count = |key: String| delivered.get(&key).map_or(0, |src| src.values().map(|offsets| offsets.count()).sum());
    let named: u64 = count(format!("{}/{}/{}", run.tenant_id, run.workspace_id, run.run_id));
    // Records too broken to tell their tenant are counted by run id alone. They can fill what is missing, no more. A
    // run that was sent twice under one id has more than it published: it has arrived, too.
    let nameless: u64 = count(format!("//{}", run.run_id));
    let delivered = named + nameless.min(run.published.saturating_sub(named));
    let is_complete = run.status != RunStatus::Failed && delivered >= run.published;
    RunFact { delivered, is_complete, ..run }
}

#[cfg(test)]
mod tests {
    use contracts::source::OffsetSet;

    use super::*;

    fn check(published: u64, status: RunStatus, named: u64, nameless: u64, expected: bool) {
        let set = |from: u64, n: u64| {
            let mut offsets = OffsetSet::default();
            assert!((from..from + n).all(|o| offsets.insert(o)));
            SrcSet::from([("t/0".parse().unwrap(), offsets)])
        };
        let delivered = BTreeMap::from([("a/w/r".to_owned(), set(0, named)), ("//r".to_owned(), set(100, nameless))]);
        let run = RunFact {
            tenant_id: "a".into(),
            workspace_id: "w".into(),
            run_id: "r".into(),
            engine_name: String::new(),
            run_ts: String::new(),
            status,
            published,
            delivered: 0,
            is_complete: false,
            is_import: false,
            scopes_failed: 0,
            looked: Arc::default(),
        };
        let is_complete = arrived(run, &delivered).is_complete;
        assert_eq!(is_complete, expected, "published {published}, named {named}, nameless {nameless}");
    }

    #[test]
    fn a_run_is_complete_when_all_of_it_arrived() {
        check(3, RunStatus::Complete, 3, 0, true);
        check(3, RunStatus::Complete, 2, 0, false);
        check(3, RunStatus::Complete, 2, 1, true);
        check(3, RunStatus::Partial, 3, 0, true);
        check(3, RunStatus::Failed, 3, 0, false);
        check(0, RunStatus::Complete, 0, 0, true);
        check(3, RunStatus::Complete, 6, 0, true);
    }
}
