//! Uploads in parts that were begun and neither completed nor aborted. Their parts are stored and charged, and no list of objects
//! shows them.

use crate::kind::{Extent, Inventory, InventoryKind, Source};

/// Buckets of one account, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct S3Uploads {
    /// Those whose uploads could be listed.
    pub buckets: Vec<BucketUploads>,
}

impl Inventory for S3Uploads {
    const KIND: InventoryKind = InventoryKind { name: "S3 uploads", source: Source::Aws, extent: Extent::Account };
}

/// Unfinished uploads of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUploads {
    /// Name.
    pub name: String,
    /// Region; empty when it is unknown.
    pub region: String,
    /// When each was begun, in milliseconds since 1970, sorted; `None` where the API does not say.
    pub begun_ms: Vec<Option<i64>>,
}
