//! What is live of a tenant: the manifest of each of its months.

use contracts::cost_manifest::{self, CostManifest};
use contracts::layout;
use platform::store::Store;

use super::writer::store_error;
use crate::billing::error::LoadError;

/// The manifests of a tenant's months, by month.
///
/// # Errors
/// The store cannot be read, or a manifest is damaged.
pub fn live(store: &dyn Store, tenant: &str) -> Result<Vec<(String, CostManifest)>, LoadError> {
    const MARK: &str = "/billing_period=";
    let any_month = layout::cost_facts_dir(tenant, "");
    let folder = any_month.strip_suffix(MARK).unwrap_or(&any_month);
    let mut found = Vec::new();
    for entry in store.list(folder).map_err(|source| store_error("any", source))? {
        let name = entry.path.strip_suffix(cost_manifest::FILE_NAME).and_then(|path| path.strip_suffix('/'));
        let period =
            name.and_then(|folder| folder.rsplit_once(MARK)).and_then(|(_, period)| layout::decode_segment(period));
        let Some(period) = period else { continue };
        let bad = |reason: String| LoadError::Manifest { path: entry.path.clone(), reason };
        let Some(bytes) = store.get(&entry.path).map_err(|source| store_error(&period, source))? else { continue };
        let manifest = CostManifest::parse(&bytes).map_err(|e| bad(e.to_string()))?;
        found.push((period, manifest));
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}
