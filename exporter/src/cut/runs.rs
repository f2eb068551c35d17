//! Which runs have arrived whole. A run is complete when its manifest is there, it did not fail, and the chains hold
//! as many distinct first source positions as it published (DESIGN.md §5.1).

use std::collections::BTreeMap;

use contracts::layout;
use contracts::run_manifest::{FORMAT_VERSION, RunManifest, RunStatus};
use contracts::source::SrcSet;
use platform::store::Store;
use platform::store::many::get_all;
use serde::Serialize;

use crate::error::{ExportError, Result};

/// A run that announced itself with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunFact {
    /// Tenant.
    pub tenant_id: String,
    /// Workspace.
    pub workspace_id: String,
    /// Run.
    pub run_id: String,
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
    /// True when it only passed on somebody else's findings: they name runs of their own, and this one has no rows.
    pub is_import: bool,
}

pub(super) fn read(store: &dyn Store, delivered: &BTreeMap<String, SrcSet>) -> Result<Vec<RunFact>> {
    let mut runs = Vec::new();
    let mut paths: Vec<String> = store.list(layout::RUNS)?.into_iter().map(|entry| entry.path).collect();
    paths.retain(|path| path.ends_with(".json"));
    for (path, bytes) in paths.iter().zip(get_all(store, &paths)?) {
        let Some(bytes) = bytes else { continue };
        let bad = |problem: String| ExportError::BadObject { path: path.clone(), problem };
        let manifest: RunManifest = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        if manifest.format_version > FORMAT_VERSION {
            return Err(bad(format!("format version {} is newer than {FORMAT_VERSION}", manifest.format_version)));
        }
        if layout::run_manifest(&manifest.tenant_id, &manifest.workspace_id, &manifest.run_id) != *path {
            return Err(bad("tenant, workspace and run inside are not those of its path".into()));
        }
        runs.push(fact(manifest, delivered));
    }
    runs.sort_by(|a, b| (&a.tenant_id, &a.workspace_id, &a.run_id).cmp(&(&b.tenant_id, &b.workspace_id, &b.run_id)));
    Ok(runs)
}

fn fact(manifest: RunManifest, delivered: &BTreeMap<String, SrcSet>) -> RunFact {
    let count = |key: String| delivered.get(&key).map_or(0, |src| src.values().map(|offsets| offsets.count()).sum());
    let named: u64 = count(format!("{}/{}/{}", manifest.tenant_id, manifest.workspace_id, manifest.run_id));
    // Records too broken to tell their tenant are counted by run id alone. They can fill what is missing, no more. A
    // run that was sent twice under one id has more than it published: it has arrived, too.
    let nameless: u64 = count(format!("//{}", manifest.run_id));
    let delivered = named + nameless.min(manifest.published.saturating_sub(named));
    RunFact {
        is_complete: manifest.status != RunStatus::Failed && delivered >= manifest.published,
        is_import: manifest.scopes.is_empty(),
        tenant_id: manifest.tenant_id,
        workspace_id: manifest.workspace_id,
        run_id: manifest.run_id,
        run_ts: manifest.run_ts,
        status: manifest.status,
        published: manifest.published,
        delivered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contracts::source::OffsetSet;

    fn check(published: u64, status: RunStatus, named: u64, nameless: u64, expected: bool) {
        let set = |from: u64, n: u64| {
            let mut offsets = OffsetSet::default();
            assert!((from..from + n).all(|o| offsets.insert(o)));
            SrcSet::from([("t/0".parse().unwrap(), offsets)])
        };
        let delivered = BTreeMap::from([("a/w/r".to_owned(), set(0, named)), ("//r".to_owned(), set(100, nameless))]);
        let manifest = RunManifest {
            format_version: 1,
            tenant_id: "a".into(),
            workspace_id: "w".into(),
            run_id: "r".into(),
            run_ts: String::new(),
            created_at: String::new(),
            status,
            finding_id_mode: String::new(),
            engine_name: String::new(),
            engine_version: String::new(),
            rulepack_version: String::new(),
            schema_version: 1,
            published,
            scopes: Vec::new(),
            billing_deliveries: Vec::new(),
            notes: BTreeMap::new(),
        };
        let is_complete = fact(manifest, &delivered).is_complete;
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
