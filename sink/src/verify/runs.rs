//! Whether all that finished runs published has arrived.

use std::collections::BTreeMap;

use contracts::layout;
use contracts::run_manifest::RunManifest;
use contracts::source::{OffsetSet, SrcSet};
use platform::store::{Store, StoreError};

use super::{Area, IncompleteRun, Report, Rule, add};

/// The manifests by path.
pub(super) fn manifests(store: &dyn Store, report: &mut Report) -> Result<Vec<(String, RunManifest)>, StoreError> {
    let mut manifests = Vec::new();
    for entry in store.list(layout::RUNS)? {
        let Some(bytes) = store.get(&entry.path)? else { continue };
        report.compared(Area::RunManifests, 1);
        match serde_json::from_slice::<RunManifest>(&bytes) {
            Err(error) => report.problem(Rule::ManifestUnreadable, &entry.path, error.to_string()),
            Ok(manifest) => {
                let RunManifest { tenant_id, workspace_id, run_id, .. } = &manifest;
                if layout::run_manifest(tenant_id, workspace_id, run_id) == entry.path {
                    manifests.push((entry.path, manifest));
                } else {
                    let detail = format!("it says to be that of {tenant_id}/{workspace_id}/{run_id}");
                    report.problem(Rule::ManifestUnreadable, &entry.path, detail);
                }
            }
        }
    }
    Ok(manifests)
}

/// `arrived` and `on_the_way` hold first positions by `tenant/workspace/run_id`, or `//run_id` where a record told no more;
/// what is on its way may be unknown.
pub(super) fn check(
    manifests: &[(String, RunManifest)],
    arrived: &BTreeMap<String, SrcSet>,
    on_the_way: Option<&BTreeMap<String, SrcSet>>,
    report: &mut Report,
) {
    for (path, RunManifest { tenant_id, workspace_id, run_id, published, .. }) in manifests {
        let run = format!("{tenant_id}/{workspace_id}/{run_id}");
        let keys = [run.clone(), format!("//{run_id}")];
        let mut all = SrcSet::new();
        // As one set: a record may be there twice, refused at first and accepted when it was sent again.
        keys.iter().filter_map(|key| arrived.get(key)).for_each(|part| add(&mut all, part));
        let here = count(&all);
        if here >= *published {
            continue;
        }
        keys.iter().filter_map(|key| on_the_way?.get(key)).for_each(|moving| add(&mut all, moving));
        let (published, arrived, moving) = (*published, here, count(&all) - here);
        if on_the_way.is_some() && arrived + moving < published {
            let detail =
                format!("{published} records were published, {arrived} have arrived, {moving} are on their way");
            report.problem(Rule::RunIncomplete, path, detail);
        }
        if on_the_way.is_none() {
            let reason = "not all of its records have arrived; whether the others are on their way cannot be told \
                          without the broker";
            report.not_compared(Area::RunManifests, path, Some(1), reason);
        }
        report.incomplete_runs.push(IncompleteRun { run, published, arrived, on_the_way: moving });
    }
}

fn count(set: &SrcSet) -> u64 {
    set.values().map(OffsetSet::count).sum()
}
