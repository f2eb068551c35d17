//! What an inventory is: where it comes from and how much of the world one of them covers. A checker names the kinds that it
//! needs, a collector the kind that it fills; neither knows the other.

use std::any::Any;

/// Region of what an account has once, wherever it is used.
pub const GLOBAL: &str = "global";
/// Account or region of what is bound to none.
pub const ANY: &str = "*";

/// Where inventories come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Billing files that the user gives.
    Billing,
    /// The AWS API.
    Aws,
}

impl Source {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Billing => "billing files",
            Self::Aws => "AWS API",
        }
    }
}

/// What one inventory covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everything that was given to the run.
    Run,
    /// One account in all its regions: services that have no regions, and lists that name the region of each resource.
    Account,
    /// One region of one account.
    Region,
}

impl Extent {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "the run",
            Self::Account => "each account",
            Self::Region => "each region of each account",
        }
    }
}

/// A kind of inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InventoryKind {
    /// Name for people, in the plural, and for messages: `S3 buckets`. No two kinds share one.
    pub name: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// What one of them covers.
    pub extent: Extent,
}

/// Plain recorded facts that checkers judge.
pub trait Inventory: Any + Send + Sync {
    /// Its kind.
    const KIND: InventoryKind;
}
