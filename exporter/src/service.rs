//! The exporter as a service: once for everything, or again whenever the committed state changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::clock::Clock;
use platform::lifecycle::Shutdown;
use platform::metrics::{Metrics, number, table};
use platform::observe::Observer;
use platform::store::Store;
use sha2::{Digest, Sha256};

use crate::cut::{Cut, Known};
use crate::duck::DuckLimits;
use crate::error::{ExportError, Result};
use crate::export::{ExportOptions, ExportReport, export_tenant};
use crate::gold::{GoldReport, build_gold};
use crate::tenant::TenantScope;

/// How often a running exporter looks for news: often enough for a person who waits, rare enough to list folders.
pub const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// What to read.
#[derive(Debug, Clone, Default)]
pub enum Input {
    /// What the sinks have committed to the store.
    #[default]
    Committed,
    /// Files that match these patterns, as findings.
    Files(Vec<String>),
}

/// Settings of the exporter.
#[derive(Clone)]
pub struct ExporterConfig {
    /// Datasets, and where the gold tables go.
    pub store: Arc<dyn Store>,
    /// Build time.
    pub clock: Arc<dyn Clock>,
    /// What to read.
    pub input: Input,
    /// One tenant, or all of the cut.
    pub tenant: Option<String>,
    /// Folder of the JSON files, `<export_dir>/<tenant>/…`.
    pub export_dir: PathBuf,
    /// What goes into the JSON files.
    pub options: ExportOptions,
    /// Build the gold tables, too.
    pub gold: bool,
    /// Currency of amounts that name none.
    pub default_currency: String,
    /// What DuckDB may use.
    pub limits: DuckLimits,
    /// How often [`run`] looks for news.
    pub poll_interval: Duration,
}

/// What one pass did.
#[derive(Debug)]
pub struct PassReport {
    /// SHA-256 of the cut.
    pub cut: String,
    /// Outcome per tenant.
    pub tenants: Vec<TenantReport>,
}

/// What became of one tenant.
#[derive(Debug)]
pub struct TenantReport {
    /// Tenant.
    pub tenant_id: String,
    /// The JSON files; `None` while the tenant has no findings, or no complete run, to export.
    pub export: Option<ExportReport>,
    /// The gold tables, when asked for.
    pub gold: Option<GoldReport>,
    /// Why some of it failed; what was there before is still there.
    pub errors: Vec<ExportError>,
}

impl PassReport {
    /// Everything that failed.
    pub fn errors(&self) -> impl Iterator<Item = (&str, &ExportError)> {
        self.tenants.iter().flat_map(|tenant| tenant.errors.iter().map(|error| (tenant.tenant_id.as_str(), error)))
    }
}

/// Exports once. Of all tenants one that fails does not stop the others; its errors are in the report. A tenant asked
/// for by name must succeed.
///
/// # Errors
/// The codes of R74, an unreadable cut, or the failure of the tenant asked for.
pub fn once(config: &ExporterConfig) -> Result<PassReport> {
    observed_once(config, &Observer::default(), &mut Known::default())
}

fn observed_once(config: &ExporterConfig, observer: &Observer, known: &mut Known) -> Result<PassReport> {
    let cut = match &config.input {
        Input::Committed => Cut::committed_by_now(Arc::clone(&config.store), known)?,
        Input::Files(patterns) => Cut::of_files(patterns)?,
    };
    let tenants = match &config.tenant {
        None if cut.tenants().is_empty() => return Err(ExportError::NoInputFiles { searched: cut.location }),
        None => {
            let one = |scope| {
                observer.pulse.busy();
                forgiving_pass(config, &cut, scope)
            };
            let reports = cut.tenants().iter().map(one).collect();
            return Ok(PassReport { cut: cut.id, tenants: reports });
        }
        Some(tenant) => vec![strict_pass(config, &cut, &TenantScope::new(tenant)?)?],
    };
    Ok(PassReport { cut: cut.id, tenants })
}

fn strict_pass(config: &ExporterConfig, cut: &Cut, scope: &TenantScope) -> Result<TenantReport> {
    let export = export_tenant(cut, scope, &config.export_dir, &config.options, &config.limits)?;
    let gold = config.gold.then(|| gold(config, cut, scope)).transpose()?;
    Ok(TenantReport { tenant_id: scope.to_string(), export: Some(export), gold, errors: Vec::new() })
}

fn forgiving_pass(config: &ExporterConfig, cut: &Cut, scope: &TenantScope) -> TenantReport {
    let mut report = TenantReport { tenant_id: scope.to_string(), export: None, gold: None, errors: Vec::new() };
    match export_tenant(cut, scope, &config.export_dir, &config.options, &config.limits) {
        Ok(export) => report.export = Some(export),
        // Bills without findings, or a first run still under way: nothing to show yet.
        Err(error @ (ExportError::TenantNotFound { .. } | ExportError::NoRows | ExportError::NoCompleteRun { .. })) => {
            tracing::info!(tenant = %scope, %error, "not exported yet");
        }
        Err(error) => report.errors.push(error),
    }
    match config.gold.then(|| gold(config, cut, scope)).transpose() {
        Ok(gold) => report.gold = gold,
        Err(error) => report.errors.push(error),
    }
    report
}

fn gold(config: &ExporterConfig, cut: &Cut, scope: &TenantScope) -> Result<GoldReport> {
    build_gold(cut, scope, &*config.store, &config.default_currency, config.clock.now_ms(), &config.limits)
}

/// Exports whenever the committed state changes, until `shutdown`. Failures are logged; bad data is tried again when
/// something changes, everything else after [`ExporterConfig::poll_interval`].
pub fn run(config: &ExporterConfig, observer: &Observer, shutdown: &Shutdown) {
    let (mut done, mut known): (Option<String>, _) = (None, Known::default());
    loop {
        observer.pulse.busy();
        match state(&*config.store) {
            Ok(now) => {
                if done.as_ref() != Some(&now) && pass(config, observer, &mut known) {
                    done = Some(now);
                }
                if done.is_some() {
                    observer.metrics.set(&table::EXPORT_CHECKED, &[], seconds_now(config));
                }
                observer.pulse.works();
            }
            Err(error) => {
                tracing::error!(%error, "looking for news failed");
                observer.pulse.waits();
            }
        }
        if shutdown.wait_timeout(config.poll_interval) {
            return;
        }
    }
}

/// True when trying again without a change would give the same.
fn pass(config: &ExporterConfig, observer: &Observer, known: &mut Known) -> bool {
    let (metrics, began) = (&observer.metrics, Instant::now());
    let mut span = observer.tracer.span("export");
    let exported = observed_once(config, observer, known);
    if let Err(ExportError::NoInputFiles { .. }) = exported {
        count_failures(metrics, 0);
        return true;
    }
    metrics.observe(&table::EXPORT_SECONDS, &[], began.elapsed().as_secs_f64());
    match exported {
        Ok(report) => {
            report.errors().for_each(|(tenant, error)| tracing::error!(tenant, %error, "exporting failed"));
            let failed = report.errors().count() as u64;
            if failed == 0 {
                metrics.set(&table::EXPORT_LAST, &[], seconds_now(config));
            }
            count_failures(metrics, failed);
            report.errors().all(|(_, error)| error.code().is_some())
        }
        Err(error) => {
            count_failures(metrics, 1);
            tracing::error!(%error, "exporting failed");
            span.fail(&error);
            error.code().is_some()
        }
    }
}

fn count_failures(metrics: &Metrics, of_this_pass: u64) {
    metrics.add(&table::EXPORT_FAILURES, &[], of_this_pass);
    metrics.set(&table::EXPORT_FAILING, &[], number(of_this_pass));
}

/// For a metric: Prometheus counts in seconds.
fn seconds_now(config: &ExporterConfig) -> f64 {
    number(config.clock.now_ms().max(0).unsigned_abs()) / 1e3
}

/// A digest that changes whenever a cut may have changed, without reading any object.
fn state(store: &dyn Store) -> Result<String> {
    use contracts::layout::{CHAIN, COST_FACTS, DEAD_LETTERS, FINDINGS, RUNS};
    let mut hash = Sha256::new();
    for folder in [CHAIN, FINDINGS, DEAD_LETTERS, RUNS, COST_FACTS] {
        for entry in store.list(folder)? {
            hash.update(format!("{} {} {}\n", entry.path, entry.bytes, entry.modified_ms));
        }
    }
    Ok(hex::encode(hash.finalize()))
}
