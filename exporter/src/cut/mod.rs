//! A cut: one consistent, immutable state of the datasets, named by a digest of everything it holds. All
//! outputs of one build come from one cut, so they agree with each other and can be made again.
//!
//! Two kinds: what the sinks have committed (chains, run manifests, billing deliveries), or a list of files
//! somebody names. The cut knows positions and files; it never looks inside a data file.

mod billing;
mod chain;
mod files;
mod local;
mod runs;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use platform::store::Store;
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use billing::BillingPeriod;
pub use chain::ChainPosition;
pub(crate) use chain::Known;
pub use runs::RunFact;

use crate::error::Result;
use crate::tenant::TenantScope;

/// One consistent state of the datasets.
#[derive(Debug, Clone)]
pub struct Cut {
    /// SHA-256 (hex) over all the other fields, local paths aside.
    pub id: String,
    /// Where it was taken, for people.
    pub location: String,
    /// How far each sink partition had come; empty for a list of files.
    pub positions: Vec<ChainPosition>,
    /// Files of valid findings, by path.
    pub findings: Vec<DataFile>,
    /// Files of dead letters, by path.
    pub dead_letters: Vec<DataFile>,
    /// Runs that announced themselves, by tenant, workspace and id.
    pub runs: Vec<RunFact>,
    /// Billing periods, by tenant and period.
    pub billing: Vec<BillingPeriod>,
    /// Tenants of rows whose path names none.
    row_tenants: Vec<String>,
    /// What holds the files; `None` for a list of files.
    origin: Option<local::Origin>,
}

/// A Parquet file of the cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataFile {
    /// Path in the store, or file name and size for a list of files.
    pub path: String,
    /// SHA-256 where the commit record tells it.
    pub sha256: String,
    /// Tenant the path names, decoded; `None` when it names none.
    pub path_tenant: Option<String>,
    /// Size.
    #[serde(skip)]
    pub bytes: u64,
    /// Where it is, for a list of files; a file of the store is found when it is opened.
    #[serde(skip)]
    pub local: Option<PathBuf>,
}

impl Cut {
    /// Reads what the sinks have committed and published.
    ///
    /// # Errors
    /// A chain with a gap, an unreadable manifest, a store that refuses.
    pub fn committed(store: Arc<dyn Store>) -> Result<Self> {
        Self::committed_by_now(store, &mut Known::default())
    }

    /// The same for whoever asks again and again: what earlier cuts of the store have read of its chains is not read again.
    pub(crate) fn committed_by_now(store: Arc<dyn Store>, known: &mut Known) -> Result<Self> {
        let chains = chain::read(&*store, known)?;
        let runs = runs::read(&*store, &chains.delivered)?;
        let billing = billing::read(&*store)?;
        let mut cut = Self {
            id: String::new(),
            location: store.location(),
            positions: chains.positions,
            findings: chains.findings,
            dead_letters: chains.dead_letters,
            runs,
            billing,
            row_tenants: Vec::new(),
            origin: Some(local::Origin(store)),
        };
        cut.id = cut.digest();
        Ok(cut)
    }

    /// Takes the files that match `patterns` (`*`, `?`, `[…]`, `**`) as findings. No run manifests, so every run
    /// counts as complete.
    ///
    /// # Errors
    /// `no_input_given`, `no_input_files`.
    pub fn of_files(patterns: &[String]) -> Result<Self> {
        let findings = files::matching(patterns)?;
        let row_tenants = files::tenants_of_rows(&findings)?;
        let mut cut = Self {
            id: String::new(),
            location: patterns.join(" "),
            positions: Vec::new(),
            findings,
            dead_letters: Vec::new(),
            runs: Vec::new(),
            billing: Vec::new(),
            row_tenants,
            origin: None,
        };
        cut.id = cut.digest();
        Ok(cut)
    }

    /// Tenants that own a file, a run or a bill of this cut.
    #[must_use]
    pub fn tenants(&self) -> Vec<TenantScope> {
        let files = self.findings.iter().filter_map(|file| file.path_tenant.as_deref());
        let runs = self.runs.iter().map(|run| run.tenant_id.as_str());
        let bills = self.billing.iter().map(|period| period.tenant_id.as_str());
        let rows = self.row_tenants.iter().map(String::as_str);
        let all: BTreeSet<TenantScope> =
            files.chain(runs).chain(bills).chain(rows).filter_map(|tenant| TenantScope::new(tenant).ok()).collect();
        all.into_iter().collect()
    }

    /// Files that may hold rows of the tenant: those whose path names it, or names none.
    pub(crate) fn findings_of<'c>(&'c self, scope: &'c TenantScope) -> impl Iterator<Item = &'c DataFile> {
        self.findings.iter().filter(move |file| file.path_tenant.as_deref().is_none_or(|t| t == scope.as_str()))
    }

    /// Runs of the tenant.
    pub(crate) fn runs_of<'c>(&'c self, scope: &'c TenantScope) -> impl Iterator<Item = &'c RunFact> {
        self.runs.iter().filter(move |run| run.tenant_id == scope.as_str())
    }

    /// Billing periods of the tenant.
    pub(crate) fn billing_of<'c>(&'c self, scope: &'c TenantScope) -> impl Iterator<Item = &'c BillingPeriod> {
        self.billing.iter().filter(move |period| period.tenant_id == scope.as_str())
    }

    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |label: &str, lines: Vec<String>| {
            hash.update(format!("{label} {}\n", lines.len()));
            lines.into_iter().for_each(|line| hash.update(line + "\n"));
        };
        let json = |line: serde_json::Result<String>| line.unwrap_or_default();
        add("positions", self.positions.iter().map(|x| json(serde_json::to_string(x))).collect());
        add("findings", self.findings.iter().map(|x| json(serde_json::to_string(x))).collect());
        add("dead_letters", self.dead_letters.iter().map(|x| json(serde_json::to_string(x))).collect());
        add("runs", self.runs.iter().map(|x| json(serde_json::to_string(x))).collect());
        add("billing", self.billing.iter().map(|x| json(serde_json::to_string(x))).collect());
        hex::encode(hash.finalize())
    }
}

/// Decoded tenant of a `tenant_id=` segment of a path.
pub(crate) fn tenant_of_path(path: &str) -> Option<String> {
    path.split(['/', '\\'])
        .find_map(|segment| segment.strip_prefix("tenant_id="))
        .and_then(contracts::layout::decode_segment)
}
