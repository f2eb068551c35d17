//! Whether all that finished runs published has arrived.

use std::collections::BTreeMap;

use contracts::run_manifest::RunManifest;
use contracts::source::{self, OffsetSet, SrcSet};
use contracts::{layout, topics};
use platform::broker::{Broker, BrokerError, TopicPartition, read_held};
use platform::store::{Store, StoreError};
use sha2::{Digest, Sha256};

use super::{Announced, Area, IncompleteRun, Rule, VerifyReport};

/// What the store holds.
pub(super) struct Manifests {
    /// Those that can be read, by path.
    read: Vec<(String, RunManifest)>,
    /// Digests of all, by path.
    digests: BTreeMap<String, Digested>,
}

type Digested = [u8; 32];

/// Runs by the path of their manifest: its digest, and where the topic of runs has it.
pub(super) type AllAnnounced = BTreeMap<String, (Digested, Announced)>;

/// What the topic of runs holds. To be read before the store: a manifest is stored first and announced then.
pub(super) fn announced(broker: &dyn Broker) -> Result<AllAnnounced, BrokerError> {
    let mut all = AllAnnounced::new();
    for topic in broker.topics()?.iter().filter(|topic| &*topic.name == topics::RUNS) {
        for partition in 0..topic.partitions {
            let at = TopicPartition { topic: topic.name.clone(), partition };
            read_held(broker, &at, 0, u64::MAX, |message| {
                // Whatever else is there is no announcement.
                let Ok(manifest) = serde_json::from_slice::<RunManifest>(&message.value) else { return };
                let RunManifest { tenant_id, workspace_id, run_id, .. } = &manifest;
                let path = layout::run_manifest(tenant_id, workspace_id, run_id);
                let announced = Announced { path: path.clone(), at: at.clone(), offset: message.offset };
                all.insert(path, (Sha256::digest(&*message.value).into(), announced));
            })?;
        }
    }
    Ok(all)
}

/// Whether all announced runs have their manifests.
pub(super) fn compare(announced: AllAnnounced, manifests: &Manifests, report: &mut VerifyReport) {
    for (path, (digest, announced)) in announced {
        match manifests.digests.get(&path) {
            Some(stored) if *stored == digest => {}
            Some(_) => {
                let detail = format!("it is not the one that was announced on {}", topics::RUNS);
                report.problem(Rule::ManifestChanged, path, detail);
            }
            None => {
                let detail =
                    format!("the run was announced on {}; `finops repair` stores its manifest again", topics::RUNS);
                report.problem(Rule::ManifestMissing, path, detail);
                report.lost_manifests.push(announced);
            }
        }
    }
}

/// The manifests of the store.
pub(super) fn manifests(store: &dyn Store, report: &mut VerifyReport) -> Result<Manifests, StoreError> {
    let mut manifests = Manifests { read: Vec::new(), digests: BTreeMap::new() };
    for entry in store.list(layout::RUNS)? {
        let Some(bytes) = store.get(&entry.path)? else { continue };
        report.compared(Area::RunManifests, 1);
        manifests.digests.insert(entry.path.clone(), Sha256::digest(&bytes).into());
        match serde_json::from_slice::<RunManifest>(&bytes) {
            Err(error) => report.problem(Rule::ManifestUnreadable, &entry.path, error.to_string()),
            Ok(manifest) => {
                let RunManifest { tenant_id, workspace_id, run_id, .. } = &manifest;
                if layout::run_manifest(tenant_id, workspace_id, run_id) == entry.path {
                    manifests.read.push((entry.path, manifest));
                } else {
                    let detail = format!("it says to be that of {tenant_id}/{workspace_id}/{run_id}");
                    report.problem(Rule::ManifestUnreadable, &entry.path, detail);
                }
            }
        }
    }
    Ok(manifests)
}

/// `arrived` and `on_the_way` hold first positions by `tenant/workspace/run_id`, or `//run_id` where a record names no more;
/// what is on its way may be unknown.
pub(super) fn check(
    manifests: &Manifests,
    arrived: &BTreeMap<String, SrcSet>,
    on_the_way: Option<&BTreeMap<String, SrcSet>>,
    report: &mut VerifyReport,
) {
    for (path, RunManifest { tenant_id, workspace_id, run_id, published, .. }) in &manifests.read {
        let run = format!("{tenant_id}/{workspace_id}/{run_id}");
        let keys = [run.clone(), format!("//{run_id}")];
        let mut all = SrcSet::new();
        // As one set: a record may be there twice, refused at first and accepted when it was sent again.
        keys.iter().filter_map(|key| arrived.get(key)).for_each(|part| source::union(&mut all, part));
        let here = count(&all);
        if here >= *published {
            continue;
        }
        keys.iter().filter_map(|key| on_the_way?.get(key)).for_each(|moving| source::union(&mut all, moving));
        let (published, arrived, moving) = (*published, here, count(&all) - here);
        if on_the_way.is_some() && arrived + moving < published {
            let detail =
                format!("{published} records were published, {arrived} have arrived, {moving} are on their way");
            report.problem(Rule::RunIncomplete, path, detail);
        }
        if on_the_way.is_none() {
            let reason = "not all of its records have arrived; whether the others are on their way is unknown \
                          without the broker";
            report.not_compared(Area::RunManifests, path, Some(1), reason);
        }
        report.incomplete_runs.push(IncompleteRun { run, published, arrived, on_the_way: moving });
    }
}

fn count(set: &SrcSet) -> u64 {
    set.values().map(OffsetSet::count).sum()
}
