//! Which cost facts count: per tenant and billing period the files of the newest delivery, as its manifest lists them.
//! A restated period replaces the manifest, so two deliveries are never added.

use contracts::layout;
use platform::store::Store;
use serde::{Deserialize, Serialize};

use super::{DataFile, local_file, tenant_of_path};
use crate::error::{ExportError, Result};

/// Name of a period's manifest.
const MANIFEST: &str = "_manifest.json";

/// The cost facts of one billing period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BillingPeriod {
    /// Tenant.
    pub tenant_id: String,
    /// `YYYY-MM`.
    pub billing_period: String,
    /// Delivery the facts come from.
    pub delivery_id: String,
    /// Files with the facts.
    pub files: Vec<DataFile>,
}

/// What this crate needs of a delivery manifest.
#[derive(Deserialize)]
struct DeliveryManifest {
    delivery_id: String,
    files: Vec<DeliveryFile>,
}

#[derive(Deserialize)]
struct DeliveryFile {
    /// Path below the store root.
    path: String,
    sha256: String,
}

pub(super) fn read(store: &dyn Store) -> Result<Vec<BillingPeriod>> {
    let mut periods = Vec::new();
    for entry in store.list(layout::COST_FACTS)? {
        let Some(folder) = entry.path.strip_suffix(MANIFEST).and_then(|rest| rest.strip_suffix('/')) else { continue };
        let Some(bytes) = store.get(&entry.path)? else { continue };
        let bad = |problem: String| ExportError::BadObject { path: entry.path.clone(), problem };
        let manifest: DeliveryManifest = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        let tenant_id = tenant_of_path(folder).ok_or_else(|| bad("its path names no tenant".into()))?;
        let billing_period = folder
            .rsplit_once("/billing_period=")
            .and_then(|(_, period)| layout::decode_segment(period))
            .ok_or_else(|| bad("its path names no billing period".into()))?;
        let mut files = Vec::with_capacity(manifest.files.len());
        for file in manifest.files {
            if !file.path.starts_with(folder) {
                return Err(bad(format!("it lists {} of another folder", file.path)));
            }
            let local = local_file(store, &file.path)?;
            files.push(DataFile { path: file.path, sha256: file.sha256, path_tenant: Some(tenant_id.clone()), local });
        }
        periods.push(BillingPeriod { tenant_id, billing_period, delivery_id: manifest.delivery_id, files });
    }
    periods.sort_by(|a, b| (&a.tenant_id, &a.billing_period).cmp(&(&b.tenant_id, &b.billing_period)));
    Ok(periods)
}
