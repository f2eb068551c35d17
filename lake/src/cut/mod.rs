//! A cut: one consistent, immutable state of the datasets. All that is made of one cut agrees with each other and can be
//! rebuilt; a digest names what a cut holds of a tenant.
//!
//! Two kinds: what the sinks have committed (chains, run manifests, billing deliveries), or a list of files
//! the caller has found. The cut knows positions and files; it never looks inside a data file.

mod billing;
mod chain;
mod error;
mod known;
mod local;
mod looked;
mod runs;
mod unreadable;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use contracts::datasets::{self, Dataset};
use contracts::layout;
use contracts::source::ChainPosition;
use contracts::tenant_scope::TenantScope;
use platform::store::Store;
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use billing::{BillingPeriod, BillingSource};
pub use error::CutError;
pub use known::Known;
pub use looked::{BillsRead, Looked, Reach, ScopeKey};
pub use runs::RunFact;
pub use unreadable::Unreadable;

use error::Result;

/// One consistent state of the datasets.
#[derive(Debug, Clone)]
pub struct Cut {
    /// Where it was taken, for people.
    pub location: String,
    /// How far each sink partition had come with findings of a tenant, by tenant; empty for a list of files.
    pub positions: BTreeMap<String, Vec<ChainPosition>>,
    /// Data files, by dataset.
    files: DatasetFiles,
    /// Runs that announced themselves, by tenant, workspace and id.
    pub runs: Vec<RunFact>,
    /// Billing periods, by tenant and period.
    pub billing: Vec<BillingPeriod>,
    /// Objects that stop the exports of their tenant, by tenant and path.
    unreadable: Vec<Unreadable>,
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
    /// Rows, as the store says; 0 for a list of files.
    #[serde(skip)]
    pub rows: u64,
    /// Where it is, for a list of files; a file of the store is found when it is opened.
    #[serde(skip)]
    pub local: Option<PathBuf>,
}

/// Data files by the dataset that they lie in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct DatasetFiles(BTreeMap<&'static Dataset, Vec<DataFile>>);

impl DatasetFiles {
    /// A file that lies in no dataset is no data file.
    fn add(&mut self, file: DataFile) {
        if let Some(dataset) = datasets::of_path(&file.path) {
            self.0.entry(dataset).or_default().push(file);
        }
    }

    fn sort(&mut self) {
        for files in self.0.values_mut() {
            files.sort_by(|a, b| (&a.path_tenant, &a.path).cmp(&(&b.path_tenant, &b.path)));
        }
    }

    fn of(&self, dataset: &Dataset) -> &[DataFile] {
        self.0.get(dataset).map_or(&[], Vec::as_slice)
    }
}

impl Cut {
    /// Reads what the sinks have committed and published.
    ///
    /// # Errors
    /// A chain with a gap, a store that refuses. An object of one tenant that cannot be read is an error for that tenant only,
    /// when its data is asked for.
    pub fn committed(store: Arc<dyn Store>) -> Result<Self> {
        Self::committed_by(i64::MAX, store, &mut Known::default())
    }

    /// The same at `now_ms`, for callers that ask again and again: what earlier cuts of the store have read is not read again.
    ///
    /// # Errors
    /// As [`Self::committed`].
    pub fn committed_by(now_ms: i64, store: Arc<dyn Store>, known: &mut Known) -> Result<Self> {
        let chains = chain::read(&*store, &mut known.chains)?;
        let mut unreadable = chains.unreadable;
        let runs = runs::read(&*store, &mut known.runs, now_ms, &chains.delivered, &mut unreadable)?;
        let billing = billing::read(&*store, &mut known.billing, now_ms, &mut unreadable)?;
        unreadable.sort_by(|a, b| (&a.tenant, &a.path).cmp(&(&b.tenant, &b.path)));
        Ok(Self {
            location: store.location(),
            positions: chains.positions,
            files: chains.files,
            runs,
            billing,
            unreadable,
            row_tenants: Vec::new(),
            origin: Some(local::Origin(store)),
        })
    }

    /// The files of a list, as findings: by tenant and path, those without a tenant in their path first; and the tenants of the
    /// rows in the latter. No run manifests, so every run counts as complete.
    #[must_use]
    pub fn of_list(location: String, findings: Vec<DataFile>, row_tenants: Vec<String>) -> Self {
        Self {
            location,
            positions: BTreeMap::new(),
            files: DatasetFiles(BTreeMap::from([(&datasets::FINDINGS, findings)])),
            runs: Vec::new(),
            billing: Vec::new(),
            unreadable: Vec::new(),
            row_tenants,
            origin: None,
        }
    }

    /// An object of the store; `None` when there is none, and for a list of files.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn object(&self, path: &str) -> Result<Option<Bytes>> {
        match &self.origin {
            Some(local::Origin(store)) => Ok(store.get(path)?),
            None => Ok(None),
        }
    }

    /// # Errors
    /// An object of the tenant is unreadable: what is made without it would be wrong.
    pub fn refuse_unreadable(&self, scope: &TenantScope) -> Result<()> {
        self.unreadable_of(scope).first().map_or(Ok(()), |unreadable| Err(unreadable.error()))
    }

    /// True when it has neither findings nor runs nor bills.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files(&datasets::FINDINGS).len() + self.runs.len() + self.billing.len() + self.unreadable.len() == 0
    }

    /// Tenants that own a file, a run or a bill of this cut.
    #[must_use]
    pub fn tenants(&self) -> Vec<TenantScope> {
        let files = self.files(&datasets::FINDINGS).iter().filter_map(|file| file.path_tenant.as_deref());
        let runs = self.runs.iter().map(|run| run.tenant_id.as_str());
        let bills = self.billing.iter().map(|period| period.tenant_id.as_str());
        let rows = self.row_tenants.iter().map(String::as_str);
        let unreadable = self.unreadable.iter().map(|unreadable| unreadable.tenant.as_str());
        let all = files.chain(runs).chain(bills).chain(unreadable).chain(rows);
        let all: BTreeSet<TenantScope> = all.filter_map(|tenant| TenantScope::new(tenant).ok()).collect();
        all.into_iter().collect()
    }

    /// Objects that cannot be read and stop the exports of their tenant, as errors, by tenant.
    pub fn unreadable(&self) -> impl Iterator<Item = (&str, CutError)> {
        self.unreadable.iter().map(|unreadable| (unreadable.tenant.as_str(), unreadable.error()))
    }

    /// True for those of [`Self::tenants`].
    #[must_use]
    pub fn has(&self, scope: &TenantScope) -> bool {
        self.findings_of(scope).any(|file| file.path_tenant.is_some())
            || !self.runs_of(scope).is_empty()
            || !self.billing_of(scope).is_empty()
            || !self.unreadable_of(scope).is_empty()
            || self.row_tenants.iter().any(|tenant| tenant == scope.as_str())
    }

    /// SHA-256 (hex) over all that the cut holds of the tenant, local paths aside: equal digests give equal outputs.
    #[must_use]
    pub fn digest_of(&self, scope: &TenantScope) -> String {
        let mut hash = Sha256::new();
        add(&mut hash, "positions", self.positions_of(scope));
        add(&mut hash, "findings", self.findings_of(scope));
        add(&mut hash, "runs", self.runs_of(scope));
        add(&mut hash, "billing", self.billing_of(scope));
        add(&mut hash, "unreadable", self.unreadable_of(scope));
        hex::encode(hash.finalize())
    }

    /// Its files of a dataset, by tenant and path; first those whose path names no tenant.
    #[must_use]
    pub fn files(&self, dataset: &Dataset) -> &[DataFile] {
        self.files.of(dataset)
    }

    /// How far each sink partition had come with findings of the tenant.
    #[must_use]
    pub fn positions_of(&self, scope: &TenantScope) -> &[ChainPosition] {
        self.positions.get(scope.as_str()).map_or(&[], Vec::as_slice)
    }

    /// Files that may hold rows of the tenant: those whose path names it, or names none.
    pub fn findings_of<'c>(&'c self, scope: &'c TenantScope) -> impl Iterator<Item = &'c DataFile> {
        self.findings_of_any(std::slice::from_ref(scope))
    }

    /// Files that may hold rows of one of the tenants, each file once.
    pub fn findings_of_any<'c>(&'c self, scopes: &'c [TenantScope]) -> impl Iterator<Item = &'c DataFile> {
        let of = |tenant| of_tenant(self.files(&datasets::FINDINGS), tenant, |file| file.path_tenant.as_deref());
        of(None).iter().chain(scopes.iter().flat_map(move |scope| of(Some(scope.as_str()))))
    }

    /// Runs of the tenant.
    #[must_use]
    pub fn runs_of(&self, scope: &TenantScope) -> &[RunFact] {
        of_tenant(&self.runs, Some(scope.as_str()), |run| Some(&run.tenant_id))
    }

    /// Unreadable objects of the tenant.
    fn unreadable_of(&self, scope: &TenantScope) -> &[Unreadable] {
        of_tenant(&self.unreadable, Some(scope.as_str()), |unreadable| Some(&unreadable.tenant))
    }

    /// Billing periods of the tenant.
    #[must_use]
    pub fn billing_of(&self, scope: &TenantScope) -> &[BillingPeriod] {
        of_tenant(&self.billing, Some(scope.as_str()), |period| Some(&period.tenant_id))
    }
}

/// The items of one tenant in a list that is sorted by tenant.
fn of_tenant<'c, T>(sorted: &'c [T], tenant: Option<&str>, tenant_of: impl Fn(&T) -> Option<&str>) -> &'c [T] {
    let from = sorted.partition_point(|item| tenant_of(item) < tenant);
    let some = &sorted[from..];
    &some[..some.partition_point(|item| tenant_of(item) == tenant)]
}

fn add<'c, T: Serialize + 'c>(hash: &mut Sha256, label: &str, items: impl IntoIterator<Item = &'c T>) {
    hash.update(format!("{label}\n"));
    for item in items {
        hash.update(serde_json::to_string(item).unwrap_or_default() + "\n");
    }
}

/// Decoded tenant of a `tenant_id=` segment of a path.
#[must_use]
pub fn tenant_of_path(path: &str) -> Option<String> {
    path.split(['/', '\\']).find_map(|segment| segment.strip_prefix("tenant_id=")).and_then(layout::decode_segment)
}
