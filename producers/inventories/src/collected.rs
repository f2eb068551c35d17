//! What a collector recorded, with what it could not see. A refused or failed call never turns into "there is none".

use std::any::Any;
use std::collections::BTreeSet;

use crate::kind::Inventory;

/// An inventory of any kind, with what its collector could not see.
pub struct Collected {
    inventory: Box<dyn Any + Send + Sync>,
    /// What was asked, and what was not answered.
    pub report: CollectionReport,
}

impl Collected {
    /// Of this inventory.
    #[must_use]
    pub fn new<T: Inventory>(inventory: T, report: CollectionReport) -> Self {
        Self { inventory: Box::new(inventory), report }
    }

    /// The inventory, if it is of this kind.
    #[must_use]
    pub fn inventory<T: Inventory>(&self) -> Option<&T> {
        self.inventory.downcast_ref()
    }
}

/// What a collector asked, and what it could not see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CollectionReport {
    /// Operations that the provider refused, by the names of their permissions: `s3:GetBucketLocation`.
    pub denied_operations: BTreeSet<String>,
    /// Operations that ran into throttling, after all retries.
    pub throttled_operations: BTreeSet<String>,
    /// What else could not be seen, for people.
    pub gaps: Vec<String>,
    /// API calls made.
    pub api_calls: u64,
}

impl CollectionReport {
    /// Adds what another one has.
    pub fn merge(&mut self, other: &Self) {
        self.denied_operations.extend(other.denied_operations.iter().cloned());
        self.throttled_operations.extend(other.throttled_operations.iter().cloned());
        self.gaps.extend(other.gaps.iter().cloned());
        self.api_calls += other.api_calls;
    }
}

/// Why an inventory is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unavailable {
    /// What went wrong, if anything.
    pub kind: UnavailableKind,
    /// The reason, for people.
    pub reason: String,
    /// Operations that the provider refused.
    pub denied_operations: BTreeSet<String>,
    /// Operations that ran into throttling.
    pub throttled_operations: BTreeSet<String>,
}

/// In what way an inventory is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnavailableKind {
    /// It was not attempted: nothing was given to read.
    Skipped,
    /// It was not attempted: there are no credentials.
    NoCredentials,
    /// There are credentials, and they cannot be used: the provider does not accept them, or they cannot be loaded.
    Refused,
    /// It went wrong.
    Failed,
}

impl UnavailableKind {
    /// True when other credentials would help.
    #[must_use]
    pub fn is_about_credentials(self) -> bool {
        matches!(self, Self::NoCredentials | Self::Refused)
    }
}

impl Unavailable {
    /// For this reason.
    #[must_use]
    pub fn new(kind: UnavailableKind, reason: impl Into<String>) -> Self {
        let (denied_operations, throttled_operations) = Default::default();
        Self { kind, reason: reason.into(), denied_operations, throttled_operations }
    }

    /// It went wrong, for this reason.
    #[must_use]
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::new(UnavailableKind::Failed, reason)
    }
}
