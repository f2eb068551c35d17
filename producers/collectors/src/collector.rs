//! What a collector is: the code that records one kind of inventory, and its entry in the registry. A collector over a
//! provider's accounts is called once for each account, or for each region of each account, as its kind of inventory says.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contracts::run_manifest::BilledUsage;
use inventories::bootstrap::Bootstrap;
use inventories::collected::{Collected, Unavailable};
use inventories::kind::{InventoryKind, Source};
use platform::lifecycle::Shutdown;
use platform::progress::Progress;
use platform::store::Store;

use crate::billing::{LoadError, LoadOptions, LoadReport};

/// A collector's entry in the registry, submitted where the collector is written.
pub struct CollectorRegistration {
    /// Stable name: `<provider>.<service>.<what>`. Opaque; nothing is loaded by it.
    pub id: &'static str,
    /// The kind of inventory that it fills, and with it the accounts and regions that it covers. No two fill one kind.
    pub fills: InventoryKind,
    /// What it records, for people.
    pub what: &'static str,
    /// Permissions of the provider that it uses, one for each operation: `s3:GetBucketLocation`.
    pub actions: &'static [&'static str],
    /// How it is called.
    pub collect: Collect,
}

inventory::collect!(CollectorRegistration);

/// How a collector is called.
#[derive(Clone, Copy)]
pub enum Collect {
    /// With the billing files of the run, once. What cannot be read ends the run: the user gave it.
    Bill(fn(&BillTask<'_>) -> Result<CollectedBill, LoadError>),
    /// With the billing files of the run, once, where a chosen checker needs it. Stores nothing; what goes wrong is in the run manifest.
    Files(fn(&FilesTask<'_>) -> Result<Collected, Unavailable>),
    /// For one account, or one region of it, beside other tasks, with a deadline. What goes wrong is in the run manifest.
    Account(fn(&AccountTask) -> Result<Collected, Unavailable>),
}

/// Billing files to read as one delivery.
pub struct BillTask<'a> {
    /// Whose they are.
    pub tenant: &'a str,
    /// The files.
    pub files: &'a [PathBuf],
    /// How they are loaded.
    pub options: &'a LoadOptions,
    /// Where their rows are stored as cost facts.
    pub store: &'a dyn Store,
    /// Hears how far it is.
    pub progress: &'a Arc<dyn Progress>,
    /// Ends it.
    pub shutdown: &'a Shutdown,
}

/// Billing files to look at.
pub struct FilesTask<'a> {
    /// The files.
    pub files: &'a [PathBuf],
    /// Distinguishes the exports of one billing account.
    pub source_name: Option<&'a str>,
    /// Hears how far it is.
    pub progress: &'a Arc<dyn Progress>,
    /// Ends it.
    pub shutdown: &'a Shutdown,
}

/// A bill that was read and stored.
pub struct CollectedBill {
    /// Its inventory, or why checkers cannot judge it.
    pub outcome: Result<Collected, Unavailable>,
    /// Whose it is.
    pub billed: BilledScope,
    /// What was read, refused and stored.
    pub report: LoadReport,
}

/// The accounts of a bill.
#[derive(Debug, Default)]
pub struct BilledScope {
    /// Those that it charges or bills.
    pub accounts: BTreeSet<String>,
    /// What it shows of each that has usage of its own.
    pub usage: BTreeMap<String, BilledUsage>,
}

/// One account, or one region of it, to be looked at.
pub struct AccountTask {
    /// The account.
    pub account: Arc<Account>,
    /// The region; `global` for a kind of inventory that has none.
    pub region: String,
    /// Time for all calls together.
    pub deadline: Duration,
}

/// An account that a run looks at.
pub struct Account {
    /// Its id.
    pub id: String,
    /// Facts about it, for checkers.
    pub facts: Bootstrap,
    /// What the provider's collectors call it with: a type of the provider's own.
    pub session: Arc<dyn Any + Send + Sync>,
}

/// How a run gets at the accounts of a provider, submitted where the provider's sessions are made.
pub struct ProviderRegistration {
    /// The provider.
    pub source: Source,
    /// Permissions that connecting uses.
    pub actions: &'static [&'static str],
    /// Finds the accounts to look at, at least one, each with at least one region.
    pub connect: fn(&ConnectOptions) -> Result<Vec<Account>, Unavailable>,
}

inventory::collect!(ProviderRegistration);

/// What a user says about the accounts to look at.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Regions to look at; empty: those that the provider's configuration names.
    pub regions: Vec<String>,
    /// Time for connecting.
    pub deadline: Duration,
}

impl std::fmt::Debug for CollectorRegistration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

impl std::fmt::Debug for ProviderRegistration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.source.as_str())
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.id)
    }
}
