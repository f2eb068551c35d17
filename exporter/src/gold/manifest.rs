//! A tenant's gold manifest as it is in the store, with the version that a replacement must name.

use contracts::gold_manifest::{FORMAT_VERSION, GoldManifest, path};
use contracts::tenant_scope::TenantScope;
use platform::store::{Store, Version};

use super::row::SCHEMA_VERSION;
use crate::error::{ExportError, Result};

/// The manifest that a build is to replace; none before the first build.
#[derive(Debug)]
pub(crate) struct GoldBase(Option<(GoldManifest, Version)>);

impl GoldBase {
    /// Reads it.
    ///
    /// # Errors
    /// When the store refuses, or the manifest is unreadable or newer than this program.
    pub fn read(store: &dyn Store, scope: &TenantScope) -> Result<Self> {
        let path = path(scope.as_str());
        let Some((bytes, version)) = store.get_versioned(&path)? else { return Ok(Self(None)) };
        let bad = |problem: String| ExportError::BadObject { path: path.clone(), problem };
        let manifest = GoldManifest::parse(&bytes).map_err(|e| bad(e.to_string()))?;
        if manifest.format_version > FORMAT_VERSION || manifest.schema_version > SCHEMA_VERSION {
            return Err(bad("it was written by a newer version".into()));
        }
        Ok(Self(Some((manifest, version))))
    }

    pub(super) fn manifest(&self) -> Option<&GoldManifest> {
        self.0.as_ref().map(|(manifest, _)| manifest)
    }

    pub(super) fn version(&self) -> Option<&Version> {
        self.0.as_ref().map(|(_, version)| version)
    }

    /// Of the manifest that replaces it.
    pub(super) fn next_revision(&self) -> u64 {
        self.manifest().map_or(1, |manifest| manifest.revision + 1)
    }
}

/// The tenant's manifest as it is in the store.
///
/// # Errors
/// When the store refuses, or the manifest is unreadable or newer than this program.
pub fn gold_manifest(store: &dyn Store, scope: &TenantScope) -> Result<Option<GoldManifest>> {
    Ok(GoldBase::read(store, scope)?.0.map(|(manifest, _)| manifest))
}
