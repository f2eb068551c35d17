//! Whether the files of cost facts are what the manifests of their months say. Knows sizes, digests and row counts; what a
//! charge is it does not know.

use std::collections::{BTreeMap, BTreeSet};

use contracts::cost_manifest::{CostManifest, FILE_NAME, ManifestError};
use contracts::layout;
use platform::store::{Store, StoreError};

use super::manifest::{Looked, rows_of, settled};
use super::{Area, Rule, VerifyReport};

/// Looks at all manifests and the files they name.
pub(super) fn verify(store: &dyn Store, report: &mut VerifyReport, progress: &dyn Fn()) -> Result<(), StoreError> {
    let listed: Vec<String> = store.list(layout::COST_FACTS)?.into_iter().map(|entry| entry.path).collect();
    without_manifest(&listed, report);
    for path in listed.into_iter().filter(|path| path.rsplit('/').next() == Some(FILE_NAME)) {
        if let Some(looked) = settled(|| store.get(&path), |bytes| one(store, &path, bytes, progress))? {
            looked.report(Area::CostFacts, report);
        }
    }
    Ok(())
}

/// Names the months that have files and no manifest: readers see nothing of them.
fn without_manifest(listed: &[String], report: &mut VerifyReport) {
    let mut files: BTreeMap<&str, u64> = BTreeMap::new();
    let mut named = BTreeSet::new();
    for (folder, name) in listed.iter().filter_map(|path| path.rsplit_once('/')) {
        match name {
            FILE_NAME => drop(named.insert(folder)),
            _ => *files.entry(folder).or_default() += 1,
        }
    }
    for (folder, count) in files.into_iter().filter(|(folder, _)| !named.contains(folder)) {
        let reason = "no manifest names these files, so nothing counts them: the first load of the month is under way or was \
                      stopped, or the manifest was removed; load the bills of the month again";
        report.not_compared(Area::CostFacts, folder, Some(count), reason);
    }
}

fn one(store: &dyn Store, own_path: &str, bytes: &[u8], progress: &dyn Fn()) -> Result<Looked, StoreError> {
    let manifest = match CostManifest::parse(bytes) {
        Ok(manifest) => manifest,
        Err(newer @ ManifestError::Newer { .. }) => {
            let not_compared = vec![(own_path.to_owned(), None, newer.to_string())];
            return Ok(Looked { not_compared, ..Looked::default() });
        }
        Err(error) => return Ok(Looked::bad(Rule::CostFactsManifest, own_path, error.to_string())),
    };
    let mut looked = Looked::default();
    if let Some(contradiction) = contradiction(&manifest) {
        looked.problem(Rule::CostFactsManifest, own_path, contradiction);
    }
    let folder = own_path.strip_suffix(FILE_NAME).unwrap_or_default();
    for part in manifest.parts() {
        progress();
        looked.compared += 1;
        let path = format!("{folder}{}", part.part);
        match rows_of(store, &path, part.bytes, &part.sha256)? {
            Some(Ok(rows)) if rows == part.rows => {}
            Some(Ok(rows)) => {
                looked.problem(Rule::CostFactsChanged, path, format!("{rows} rows, {} were recorded", part.rows));
            }
            Some(Err(detail)) => looked.problem(Rule::CostFactsChanged, path, detail),
            None => {
                let detail = format!("{} rows are not there; load the bill again", part.rows);
                looked.problem(Rule::CostFactsMissing, path, detail);
            }
        }
    }
    Ok(looked)
}

/// What in a manifest does not go together.
fn contradiction(manifest: &CostManifest) -> Option<String> {
    let in_files: u64 = manifest.parts().map(|part| part.rows).sum();
    let of_deliveries: u64 = manifest.deliveries.iter().map(|delivery| delivery.rows).sum();
    if in_files != of_deliveries {
        return Some(format!("{in_files} rows in its files, {of_deliveries} in its deliveries"));
    }
    let parts: BTreeSet<&str> = manifest.parts().map(|part| part.part.as_str()).collect();
    let named = manifest.deliveries.iter().flat_map(|delivery| &delivery.row_groups);
    let unknown = named.map(|groups| groups.part.as_str()).find(|part| !parts.contains(part))?;
    Some(format!("a delivery is in {unknown}, which is none of its files"))
}
