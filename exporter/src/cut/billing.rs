//! Which cost facts count: per tenant and billing period the one file its manifest names. A restated period replaces the
//! manifest, so two deliveries are never added.

use contracts::cost_manifest::{CostManifest, FILE_NAME, FORMAT_VERSION};
use contracts::layout;
use platform::store::Store;
use serde::Serialize;

use super::known::Objects;
use super::{DataFile, tenant_of_path};
use crate::error::{ExportError, Result};

/// The cost facts of one billing period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BillingPeriod {
    /// Tenant.
    pub tenant_id: String,
    /// `YYYY-MM`.
    pub billing_period: String,
    /// Delivery the facts come from.
    pub delivery_id: String,
    /// File with the facts.
    pub file: DataFile,
}

pub(super) fn read(store: &dyn Store, known: &mut Objects<BillingPeriod>, now_ms: i64) -> Result<Vec<BillingPeriod>> {
    let mut listed = store.list(layout::COST_FACTS)?;
    listed.retain(|entry| folder_of(&entry.path).is_some());
    let mut periods: Vec<BillingPeriod> = known.read(store, listed, now_ms, period)?.cloned().collect();
    periods.sort_by(|a, b| (&a.tenant_id, &a.billing_period).cmp(&(&b.tenant_id, &b.billing_period)));
    Ok(periods)
}

/// Folder of a period, by the path of its manifest; `None` for another file.
fn folder_of(path: &str) -> Option<&str> {
    path.strip_suffix(FILE_NAME)?.strip_suffix('/')
}

fn period(path: &str, manifest: &[u8]) -> Result<BillingPeriod> {
    let bad = |problem: String| ExportError::BadObject { path: path.to_owned(), problem };
    let folder = folder_of(path).unwrap_or_default();
    let manifest: CostManifest = serde_json::from_slice(manifest).map_err(|e| bad(e.to_string()))?;
    if manifest.format_version > FORMAT_VERSION {
        return Err(bad(format!("format version {} is newer than {FORMAT_VERSION}", manifest.format_version)));
    }
    let tenant_id = tenant_of_path(folder).ok_or_else(|| bad("its path names no tenant".into()))?;
    let billing_period = folder
        .rsplit_once("/billing_period=")
        .and_then(|(_, period)| layout::decode_segment(period))
        .ok_or_else(|| bad("its path names no billing period".into()))?;
    let path = format!("{folder}/{}", manifest.part);
    let (sha256, bytes) = (manifest.sha256, manifest.bytes);
    let file = DataFile { path, sha256, path_tenant: Some(tenant_id.clone()), bytes, local: None };
    Ok(BillingPeriod { tenant_id, billing_period, delivery_id: manifest.delivery_id, file })
}
