//! Buckets of an account with their region and lifecycle rules, as the API answered; a refused answer never turns into
//! "there is none".

/// Buckets of one account, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct S3Inventory {
    /// Account.
    pub account_id: String,
    /// Partition, such as `aws`.
    pub partition: String,
    /// Buckets.
    pub buckets: Vec<Bucket>,
    /// Operations that were refused.
    pub denied_operations: Vec<String>,
    /// Operations that ran into throttling.
    pub throttled_operations: Vec<String>,
    /// What could not be seen.
    pub gaps: Vec<String>,
    /// API calls made.
    pub api_calls: u64,
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
