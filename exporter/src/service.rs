//! The exporter as a service: once for everything, or again and again for the changed tenants.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contracts::tenant_scope::TenantScope;
use lake::cut::{Cut, Known};
use platform::lifecycle::Shutdown;
use platform::metrics::number;
use platform::store::{Store, StoreError};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::batch::batches;
use crate::build::{Builder, Built, ExporterConfig, ExporterDeps, Task, TenantReport, with_bases};
use crate::error::{ExportError, Result};
use crate::export::is_current;
use crate::files::refuse_empty;
use crate::metrics;

/// How often a running exporter looks for changes: often enough for a person who waits, rare enough to list folders.
pub const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// What one pass did.
#[derive(Debug, Default)]
pub struct PassReport {
    /// Outcome per tenant.
    pub tenants: Vec<TenantReport>,
    /// Tenants that were left as they are, because a stop was requested.
    pub left: usize,
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
pub fn once(config: &ExporterConfig, deps: &ExporterDeps) -> Result<PassReport> {
    let mut known = Known::default();
    let cut = take_cut(deps, &mut known)?;
    refuse_empty(&cut)?;
    let tenants = match &config.tenant {
        None => cut.tenants(),
        Some(tenant) => {
            let scope = TenantScope::new(tenant)?;
            if !cut.has(&scope) {
                return Err(ExportError::TenantNotFound { tenant: scope.to_string() });
            }
            vec![scope]
        }
    };
    let mut report = build_all(config, deps, tenants, &mut known, &Shutdown::new())?;
    if config.tenant.is_some()
        && let Some(tenant) = report.tenants.first_mut()
        && let Some(error) = tenant.errors.drain(..).chain(tenant.not_yet.take()).next()
    {
        return Err(error);
    }
    Ok(report)
}

/// Exports once the tenants whose files are not made of what is committed now, until `shutdown`: a tenant that is begun is
/// done.
///
/// # Errors
/// As [`once`].
pub fn refresh(config: &ExporterConfig, deps: &ExporterDeps, shutdown: &Shutdown) -> Result<PassReport> {
    let mut known = Known::default();
    let cut = take_cut(deps, &mut known)?;
    refuse_empty(&cut)?;
    let options = config.options(config.gold);
    let mut stale = tenants(config, &cut)?;
    stale.retain(|scope| !is_current(&cut, scope, &config.export_dir, &options));
    build_all(config, deps, stale, &mut known, shutdown)
}

fn take_cut(deps: &ExporterDeps, known: &mut Known) -> Result<Cut> {
    Ok(Cut::committed_by(deps.clock.now_ms(), Arc::clone(&deps.store), known)?)
}

/// Builds the tenants, of a cut that is taken after it was read what they replace.
fn build_all(
    config: &ExporterConfig,
    deps: &ExporterDeps,
    tenants: Vec<TenantScope>,
    known: &mut Known,
    shutdown: &Shutdown,
) -> Result<PassReport> {
    let wanted = tenants.len();
    let tasks = with_bases(config, &*deps.store, tenants, shutdown)?;
    if tasks.is_empty() {
        return Ok(PassReport { left: wanted, tenants: Vec::new() });
    }
    let cut = take_cut(deps, known)?;
    let built = build_tenants(config, deps, &cut, tasks, false, shutdown)?;
    let tenants: Vec<TenantReport> = built.into_iter().map(|built| built.report).collect();
    Ok(PassReport { left: wanted - tenants.len(), tenants })
}

/// The tenant asked for, if the cut has it, or all of the cut, in order.
fn tenants(config: &ExporterConfig, cut: &Cut) -> Result<Vec<TenantScope>> {
    match &config.tenant {
        None => Ok(cut.tenants()),
        Some(tenant) => Ok(Some(TenantScope::new(tenant)?).filter(|scope| cut.has(scope)).into_iter().collect()),
    }
}

/// Builds the tenants and returns them in order: several batches at a time, each with its share of what DuckDB may use.
fn build_tenants(
    config: &ExporterConfig,
    deps: &ExporterDeps,
    cut: &Cut,
    tasks: Vec<Task>,
    keeps_running: bool,
    shutdown: &Shutdown,
) -> Result<Vec<Built>> {
    let batches = batches(cut, tasks, config.options.limit, |task| &task.scope);
    let (at_a_time, limits) = config.limits.share(batches.len());
    let config = ExporterConfig { limits, ..config.clone() };
    let threads = ThreadPoolBuilder::new().num_threads(at_a_time).build().map_err(io::Error::other);
    let threads = threads.map_err(ExportError::io("starting threads for", &config.export_dir))?;
    let builder = Builder { config: &config, deps, cut, keeps_running, shutdown };
    let build = |batch| builder.build(batch);
    let mut built: Vec<Built> =
        threads.install(|| batches.into_par_iter().with_max_len(1).flat_map_iter(build).collect());
    built.sort_by(|a, b| a.scope.cmp(&b.scope));
    Ok(built)
}

/// Exports the tenants whose part of the committed state changes, until `shutdown`; all of them when it starts. Failures
/// are logged; bad data is tried again when something of the tenant changes, everything else after
/// [`ExporterConfig::poll_interval`].
///
/// # Errors
/// The store was exchanged: it has to be opened again.
pub fn run(config: &ExporterConfig, deps: &ExporterDeps, shutdown: &Shutdown) -> Result<()> {
    let ExporterDeps { store, clock, observer } = deps;
    let mut done = Done::default();
    loop {
        observer.pulse.busy();
        match state(&**store) {
            Ok(now) => {
                if done.state.as_ref() != Some(&now) || done.is_due(clock.now_ms()) {
                    done.state = pass(config, deps, &mut done, shutdown).then_some(now);
                }
                if done.state.is_some() && !done.is_due(clock.now_ms()) {
                    observer.metrics.set(&metrics::EXPORT_CHECKED, [], seconds(clock.now_ms()));
                }
                observer.pulse.works();
            }
            Err(error @ ExportError::Store(StoreError::Exchanged { .. })) => return Err(error),
            Err(error) => {
                tracing::error!(%error, "looking for changed tenants failed");
                observer.pulse.waits();
            }
        }
        if shutdown.wait_timeout(config.poll_interval) {
            return Ok(());
        }
    }
}

/// What a running exporter has done, so that it does not do the same again.
#[derive(Default)]
struct Done {
    /// [`state`] of the store at the last pass.
    state: Option<String>,
    known: Known,
    /// The last build of each tenant of the cut.
    tenants: BTreeMap<TenantScope, LastBuild>,
}

/// The last build of a tenant.
struct LastBuild {
    /// Digest of what the cut held of the tenant.
    of: String,
    /// Errors it met.
    failures: u64,
    /// When the same gives something else, if ever.
    again_at_ms: Option<i64>,
}

impl Done {
    /// True when something is to be built though nothing has changed.
    fn is_due(&self, now_ms: i64) -> bool {
        self.tenants.values().any(|built| built.is_due(now_ms))
    }

    fn has(&self, scope: &TenantScope, of: &str, now_ms: i64) -> bool {
        self.tenants.get(scope).is_some_and(|built| built.of == of && !built.is_due(now_ms))
    }

    fn failures(&self) -> u64 {
        self.tenants.values().map(|built| built.failures).sum()
    }
}

impl LastBuild {
    fn new(Built { report, of, began_ms, .. }: &Built) -> Self {
        let fails_for_now = report.errors.iter().any(|error| error.code().is_none());
        let of_gold = report.gold.as_ref().and_then(|gold| gold.again_at_ms);
        let of_attribution = report.attribution.as_ref().and_then(|attribution| attribution.again_at_ms);
        let again_at_ms = of_gold.into_iter().chain(of_attribution).min();
        let again_at_ms = if fails_for_now { Some(*began_ms) } else { again_at_ms };
        Self { of: of.clone(), failures: report.errors.len() as u64, again_at_ms }
    }

    fn is_due(&self, now_ms: i64) -> bool {
        self.again_at_ms.is_some_and(|at_ms| at_ms <= now_ms)
    }
}

/// Builds what there is to build. False when the whole pass is to be tried again.
fn pass(config: &ExporterConfig, deps: &ExporterDeps, done: &mut Done, shutdown: &Shutdown) -> bool {
    let ExporterDeps { clock, observer, .. } = deps;
    let (metrics, began) = (&observer.metrics, Instant::now());
    let mut span = observer.tracer.span("export");
    let built = build_changed(config, deps, done, shutdown);
    metrics.observe(&metrics::EXPORT_SECONDS, [], began.elapsed().as_secs_f64());
    match built {
        Ok(failed_now) => {
            metrics.add(&metrics::EXPORT_FAILURES, [], failed_now);
            metrics.set(&metrics::EXPORT_FAILING, [], number(done.failures()));
            if done.failures() == 0 {
                metrics.set(&metrics::EXPORT_LAST, [], seconds(clock.now_ms()));
            }
            true
        }
        Err(error) => {
            metrics.add(&metrics::EXPORT_FAILURES, [], 1);
            metrics.set(&metrics::EXPORT_FAILING, [], number(done.failures() + 1));
            tracing::error!(%error, "exporting failed");
            span.fail(&error);
            error.code().is_some()
        }
    }
}

/// Builds the tenants of which the store holds something new, or that are due; returns the number of failures.
fn build_changed(config: &ExporterConfig, deps: &ExporterDeps, done: &mut Done, shutdown: &Shutdown) -> Result<u64> {
    let cut = take_cut(deps, &mut done.known)?;
    let tenants = tenants(config, &cut)?;
    done.tenants.retain(|scope, _| tenants.binary_search(scope).is_ok());
    let now_ms = deps.clock.now_ms();
    let changed: Vec<TenantScope> =
        tenants.into_iter().filter(|scope| !done.has(scope, &cut.digest_of(scope), now_ms)).collect();
    if changed.is_empty() {
        return Ok(0);
    }
    let changed = with_bases(config, &*deps.store, changed, shutdown)?;
    if changed.is_empty() {
        return Ok(0);
    }
    let cut = take_cut(deps, &mut done.known)?;
    let built = build_tenants(config, deps, &cut, changed, true, shutdown)?;
    deps.observer.metrics.add(&metrics::EXPORT_BUILDS, [], built.len() as u64);
    let built: Vec<_> = built.into_iter().map(|built| (LastBuild::new(&built), built.scope)).collect();
    let failures = built.iter().map(|(last, _)| last.failures).sum();
    done.tenants.extend(built.into_iter().map(|(last, scope)| (scope, last)));
    Ok(failures)
}

/// For a metric: Prometheus counts in seconds.
fn seconds(ms: i64) -> f64 {
    number(ms.max(0).unsigned_abs()) / 1e3
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
