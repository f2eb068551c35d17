//! Publishes the run manifest: to the store first, so that a reader of the topic finds the file there.

use std::sync::Arc;

use bytes::Bytes;
use contracts::run_manifest::RunManifest;
use contracts::{layout, topics};
use platform::broker::{Headers, OutRecord, Producer};
use platform::lifecycle::Shutdown;
use platform::store::{PutOutcome, Store};

use super::sender::{PublishError, append};

/// Stores the manifest and appends it to the topic of runs. A manifest never changes: of two runs with one id the second is
/// refused.
///
/// # Errors
/// Store or broker do not take it, or another run has its id.
pub fn publish_manifest(
    manifest: &RunManifest,
    producer: &mut dyn Producer,
    store: &dyn Store,
    shutdown: &Shutdown,
) -> Result<(), PublishError> {
    let json = serde_json::to_vec_pretty(manifest)
        .map_err(|source| PublishError::Encode { what: "the run manifest".into(), source })?;
    let RunManifest { tenant_id, workspace_id, run_id, .. } = manifest;
    let path = layout::run_manifest(tenant_id, workspace_id, run_id);
    if store.put_if_absent(&path, &json)? == PutOutcome::Exists && store.get(&path)?.is_none_or(|found| found != json) {
        return Err(PublishError::ManifestTaken { path });
    }
    let record = OutRecord {
        topic: Arc::from(topics::RUNS),
        partition: None,
        key: Some(Bytes::from(format!("{tenant_id}/{workspace_id}/{run_id}"))),
        value: json.into(),
        headers: Headers::new(),
        timestamp_ms: None,
    };
    append(producer, &[record], shutdown).map_err(|source| PublishError::Broker { topic: topics::RUNS.into(), source })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use contracts::run_manifest::{FORMAT_VERSION, RunStatus};
    use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
    use platform::broker::{Broker, TopicSpec};
    use platform::store::local::LocalStore;

    use super::*;

    fn manifest(published: u64) -> RunManifest {
        RunManifest {
            format_version: FORMAT_VERSION,
            tenant_id: "acme".into(),
            workspace_id: "prod".into(),
            run_id: "run-1".into(),
            run_ts: "2026-01-20T10:00:00.000Z".into(),
            created_at: "2026-01-20T10:00:00.000Z".into(),
            status: RunStatus::Complete,
            finding_id_mode: "stable".into(),
            engine_name: "e".into(),
            engine_version: "1".into(),
            rulepack_version: "1".into(),
            schema_version: 1,
            published,
            scopes: Vec::new(),
            billed_accounts: None,
            billed_usage: None,
            billing_deliveries: Vec::new(),
            notes: BTreeMap::new(),
        }
    }

    #[test]
    fn a_run_never_replaces_the_manifest_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(&folder.path().join("data"), layout::SINK).unwrap();
        let broker = EmbeddedBroker::open(&folder.path().join("b.sqlite"), EmbeddedSettings::default()).unwrap();
        let name = topics::RUNS.to_owned();
        let spec = TopicSpec { name, partitions: 1, compacted: true, retention_ms: None, retention_bytes: None };
        broker.ensure_topic(&spec).unwrap();
        let mut producer = broker.producer().unwrap();
        let mut publish =
            |published| publish_manifest(&manifest(published), producer.as_mut(), &store, &Shutdown::new());
        publish(3).unwrap();
        publish(3).unwrap();
        let error = publish(4).unwrap_err();
        assert!(error.to_string().contains("_runs/acme/prod/run-1.json is that of another run"), "{error}");
        let stored = store.get("_runs/acme/prod/run-1.json").unwrap().unwrap();
        assert_eq!(serde_json::from_slice::<RunManifest>(&stored).unwrap().published, 3);
    }
}
