//! Which cost facts count: per tenant and billing period the one file its manifest names. A restated period replaces the
//! manifest, so two deliveries are never added.

use contracts::cost_manifest::{CostManifest, FILE_NAME, FORMAT_VERSION};
use contracts::layout;
use platform::store::Store;
use platform::store::many::get_all;
use serde::Serialize;

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

pub(super) fn read(store: &dyn Store) -> Result<Vec<BillingPeriod>> {
    let mut periods = Vec::new();
    let folder = |path: &str| path.strip_suffix(FILE_NAME)?.strip_suffix('/').map(str::to_owned);
    let mut paths: Vec<String> = store.list(layout::COST_FACTS)?.into_iter().map(|entry| entry.path).collect();
    paths.retain(|path| folder(path).is_some());
    for (path, bytes) in paths.iter().zip(get_all(store, &paths)?) {
        if let (Some(folder), Some(bytes)) = (folder(path), bytes) {
            periods.push(period(&folder, path, &bytes)?);
        }
    }
    periods.sort_by(|a, b| (&a.tenant_id, &a.billing_period).cmp(&(&b.tenant_id, &b.billing_period)));
    Ok(periods)
}

fn period(folder: &str, manifest_path: &str, bytes: &[u8]) -> Result<BillingPeriod> {
    let bad = |problem: String| ExportError::BadObject { path: manifest_path.to_owned(), problem };
    let manifest: CostManifest = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
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
