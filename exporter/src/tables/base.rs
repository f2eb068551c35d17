//! A tenant's manifest of derived tables as it is in the store, with the version that a replacement must name.

use contracts::table_manifest::{FORMAT_VERSION, TableManifest, path};
use contracts::tenant_scope::TenantScope;
use platform::store::{Store, Version};

use crate::error::{ExportError, Result};

/// The manifest that a build is to replace; none before the first build.
#[derive(Debug)]
pub(crate) struct TableBase {
    /// Its dataset.
    pub dataset: &'static str,
    /// Newest version of the columns that this program writes.
    pub schema_version: u32,
    found: Option<(TableManifest, Version)>,
}

impl TableBase {
    /// Reads it.
    ///
    /// # Errors
    /// When the store refuses, or the manifest is unreadable or newer than this program.
    pub fn read(store: &dyn Store, scope: &TenantScope, dataset: &'static str, schema_version: u32) -> Result<Self> {
        let path = path(dataset, scope.as_str());
        let found = store.get_versioned(&path)?.map(|(bytes, version)| {
            let bad = |problem: String| ExportError::BadObject { path: path.clone(), problem };
            let manifest = TableManifest::parse(&bytes).map_err(|e| bad(e.to_string()))?;
            if manifest.format_version > FORMAT_VERSION || manifest.schema_version > schema_version {
                return Err(bad("it was written by a newer version".into()));
            }
            Ok((manifest, version))
        });
        Ok(Self { dataset, schema_version, found: found.transpose()? })
    }

    pub fn manifest(&self) -> Option<&TableManifest> {
        self.found.as_ref().map(|(manifest, _)| manifest)
    }

    pub fn into_manifest(self) -> Option<TableManifest> {
        self.found.map(|(manifest, _)| manifest)
    }

    pub(super) fn version(&self) -> Option<&Version> {
        self.found.as_ref().map(|(_, version)| version)
    }

    /// Of the manifest that replaces it.
    pub(super) fn next_revision(&self) -> u64 {
        self.manifest().map_or(1, |manifest| manifest.revision + 1)
    }
}
