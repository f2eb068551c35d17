//! Buckets of an account with their region and lifecycle rules, as the API answered; a refused answer never turns into
//! "there is none".

use crate::kind::{Extent, Inventory, InventoryKind, Source};

/// Buckets of one account, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct S3Inventory {
    /// Buckets.
    pub buckets: Vec<Bucket>,
}

impl Inventory for S3Inventory {
    const KIND: InventoryKind = InventoryKind { name: "S3 buckets", source: Source::Aws, extent: Extent::Account };
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Name.
    pub name: String,
    /// Region; empty when it is unknown.
    pub region: String,
    /// Lifecycle rules.
    pub lifecycle: Lifecycle,
}

/// What the API said about a bucket's lifecycle rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lifecycle {
    /// Rules that are on: how many, and how many of them move or expire objects.
    Rules {
        /// Rules that are on.
        enabled: usize,
        /// Those that move or expire objects, as against clearing up failed uploads.
        effective: usize,
    },
    /// The bucket has none.
    Missing,
    /// The API refused to tell.
    Denied,
    /// It is unknown, for this reason.
    Unknown(String),
}
