//! Publishes the run manifest: to the store first, so that whoever reads the topic finds the file there.

use std::sync::Arc;

use bytes::Bytes;
use contracts::run_manifest::RunManifest;
use contracts::{layout, topics};
use platform::broker::{Headers, OutRecord, Producer};
use platform::store::Store;

use super::sender::{PublishError, append};

/// Stores the manifest and appends it to the topic of runs.
///
/// # Errors
/// Store or broker do not take it.
pub fn publish_manifest(
    manifest: &RunManifest,
    producer: &mut dyn Producer,
    store: &dyn Store,
) -> Result<(), PublishError> {
    let json = serde_json::to_vec_pretty(manifest)
        .map_err(|source| PublishError::Encode { what: "the run manifest".into(), source })?;
    let RunManifest { tenant_id, workspace_id, run_id, .. } = manifest;
    store.put(&layout::run_manifest(tenant_id, workspace_id, run_id), &json)?;
    let record = OutRecord {
        topic: Arc::from(topics::RUNS),
        partition: None,
        key: Some(Bytes::from(format!("{tenant_id}/{workspace_id}/{run_id}"))),
        value: json.into(),
        headers: Headers::new(),
        timestamp_ms: None,
    };
    append(producer, &[record]).map_err(|source| PublishError::Broker { topic: topics::RUNS.into(), source })
}
