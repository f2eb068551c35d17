//! What the collectors recorded for this run, shared by all checkers. Inventories, not clients: a checker cannot call
//! out from here.

use crate::billing::inventory::BillingInventory;
use crate::s3::S3Inventory;

/// All inventories of a run.
#[derive(Debug, Default)]
pub struct Services {
    /// Billing rows.
    pub billing: Collected<BillingInventory>,
    /// S3 buckets of the account.
    pub s3: Collected<S3Inventory>,
}

/// What became of a collector.
#[derive(Debug, Default)]
pub enum Collected<T> {
    /// The user did not ask for it.
    #[default]
    NotAsked,
    /// It is there.
    Ready(T),
    /// It could not be collected.
    Unavailable(Unavailable),
}

/// Why an inventory is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unavailable {
    /// What went wrong, if anything.
    pub kind: UnavailableKind,
    /// The reason, for people.
    pub reason: String,
    /// Operations the provider refused.
    pub denied_operations: Vec<String>,
    /// Operations that ran into throttling.
    pub throttled_operations: Vec<String>,
}

/// In what way an inventory is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnavailableKind {
    /// It was not attempted: nothing was given to read, or there are no credentials.
    Skipped,
    /// The provider does not accept the credentials.
    Refused,
    /// It went wrong.
    Failed,
}

impl Unavailable {
    /// For this reason.
    #[must_use]
    pub fn new(kind: UnavailableKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), denied_operations: Vec::new(), throttled_operations: Vec::new() }
    }
}

impl<T> Collected<T> {
    /// The inventory.
    ///
    /// # Errors
    /// It is not there; `name` says what was asked for.
    pub fn get(&self, name: &str) -> Result<&T, Unavailable> {
        match self {
            Self::Ready(inventory) => Ok(inventory),
            Self::NotAsked => Err(Unavailable::new(UnavailableKind::Skipped, format!("no {name} given"))),
            Self::Unavailable(why) => Err(why.clone()),
        }
    }
}
