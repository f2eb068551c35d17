//! Builds of tenants: what they replace is read, then a cut is taken, then each tenant's tables and files are made of it and
//! published on their own. Small tenants are made together (see [`crate::batch`]). What a tenant's data is at fault for fails that
//! tenant only: a batch that fails is divided into halves, down to the tenant that is built alone and says what is wrong.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contracts::tenant_scope::TenantScope;
use lake::cut::Cut;
use platform::clock::Clock;
use platform::lifecycle::Shutdown;
use platform::observe::Observer;
use platform::store::Store;
use platform::store::many::{is_remote, several_at_a_time};

use crate::attribution::{AttributionReport, Priced, Pricing, attribution_base};
use crate::batch::TenantBatch;
use crate::duck::DuckLimits;
use crate::error::{ExportError, Result};
use crate::export::{
    ExportOptions, ExportReport, FolderVersion, MadeExport, folder_of, make_export_alone, make_exports, publish_export,
    remove_leftovers,
};
use crate::findings_db::{self, Held};
use crate::gold::{Computed, GoldReport, compute_gold, compute_gold_alone, gold_base, publish_gold};
use crate::priced::PricedFiles;
use crate::tables::TableBase;

/// What an exporter works with.
#[derive(Clone)]
pub struct ExporterDeps {
    /// Datasets, and where the gold tables go.
    pub store: Arc<dyn Store>,
    /// When something is built.
    pub clock: Arc<dyn Clock>,
    /// Where it reports while it works.
    pub observer: Observer,
}

/// Settings of the exporter.
#[derive(Clone)]
pub struct ExporterConfig {
    /// One tenant, or all of the cut.
    pub tenant: Option<String>,
    /// Folder of the JSON files, `<export_dir>/<tenant>/…`.
    pub export_dir: PathBuf,
    /// What goes into the JSON files; `gold` and the default currency are those of the tables.
    pub options: ExportOptions,
    /// Build the gold tables, too.
    pub gold: bool,
    /// Currency of amounts that name none.
    pub default_currency: String,
    /// What DuckDB may use.
    pub limits: DuckLimits,
    /// How often [`run`](crate::run) looks for changes.
    pub poll_interval: Duration,
}

impl ExporterConfig {
    /// What goes into the JSON files, next to tables of the same cut or not.
    pub(crate) fn options(&self, gold: bool) -> ExportOptions {
        ExportOptions { gold, default_currency: self.default_currency.clone(), ..self.options.clone() }
    }
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
    /// The priced findings; `None` while the tenant has no bill.
    pub attribution: Option<AttributionReport>,
    /// Why some of it failed; what was there before is still there.
    pub errors: Vec<ExportError>,
    /// Why there are no JSON files yet; no failure, unless the tenant was asked for.
    pub not_yet: Option<ExportError>,
}

impl TenantReport {
    /// Of a tenant of which nothing is made yet.
    fn of(scope: &TenantScope) -> Self {
        let tenant_id = scope.to_string();
        Self { tenant_id, export: None, gold: None, attribution: None, errors: Vec::new(), not_yet: None }
    }
}

/// Builds of a tenant while other exporters keep publishing it. Each refusal is another one's success, with a cut as new.
const BUILDS_MAX: usize = 5;

/// A tenant to build, and what its build replaces.
pub(crate) struct Task {
    pub scope: TenantScope,
    base: Base,
}

/// What a tenant's outputs are before a cut is taken. Whatever is published after that was made of another cut, which may
/// be newer; so a build replaces its base and nothing else.
struct Base {
    attribution: Attribution,
    /// Read where gold is built.
    gold: Option<Result<TableBase>>,
    export: Result<FolderVersion>,
}

/// How far the pricing of a tenant's findings is. What is done is not done again when fewer tenants are built together.
enum Attribution {
    /// What it replaces; an unreadable manifest is an error of the tenant.
    Base(Result<TableBase>),
    /// Published; nothing of a tenant without bills.
    Done(Option<Priced>),
}

impl Base {
    fn read(config: &ExporterConfig, store: &dyn Store, scope: &TenantScope) -> Self {
        Self {
            attribution: Attribution::Base(attribution_base(store, scope)),
            gold: config.gold.then(|| gold_base(store, scope)),
            export: FolderVersion::of(&folder_of(&config.export_dir, scope)),
        }
    }
}

/// The tenants with what their builds replace; none that would be read after a stop was requested.
pub(crate) fn with_bases(
    config: &ExporterConfig,
    store: &dyn Store,
    tenants: Vec<TenantScope>,
    shutdown: &Shutdown,
) -> Result<Vec<Task>> {
    remove_leftovers(&config.export_dir);
    let read = |scope: &TenantScope| {
        let base = (!shutdown.is_requested()).then(|| Base::read(config, store, scope));
        Ok::<_, ExportError>(base)
    };
    let bases: Vec<Option<Base>> = match is_remote(store, contracts::layout::KPI_GOLD) {
        true => several_at_a_time(&tenants, read)?,
        false => tenants.iter().map(read).collect::<Result<_>>()?,
    };
    Ok(tenants.into_iter().zip(bases).filter_map(|(scope, base)| Some(Task { scope, base: base? })).collect())
}

/// What became of a tenant.
pub(crate) struct Built {
    pub scope: TenantScope,
    pub report: TenantReport,
    /// Digest of what the cut held of the tenant.
    pub of: String,
    /// When its build began.
    pub began_ms: i64,
}

/// Builds tenants of one cut.
pub(crate) struct Builder<'a> {
    pub config: &'a ExporterConfig,
    pub deps: &'a ExporterDeps,
    pub cut: &'a Cut,
    /// Errors are logged as they come: there is no report in the end.
    pub keeps_running: bool,
    /// A tenant that is begun is done; the others are left as they are.
    pub shutdown: &'a Shutdown,
}

/// What was made of a tenant and is to be published.
struct Made {
    gold: Option<Computed>,
    export: Result<MadeExport>,
}

impl Builder<'_> {
    /// Builds the tenants of a batch, in their order, until a stop is requested.
    pub(crate) fn build(&self, batch: TenantBatch<Task>) -> Vec<Built> {
        match batch {
            TenantBatch::Alone(task) => self.build_alone(task).into_iter().collect(),
            TenantBatch::Together(tasks) => self.build_together(tasks),
        }
    }

    fn build_together(&self, mut tasks: Vec<Task>) -> Vec<Built> {
        if tasks.is_empty() || self.shutdown.is_requested() {
            return Vec::new();
        }
        let now_ms = self.begin();
        let failed = match self.price_together(&mut tasks, now_ms) {
            Ok(failed) => failed,
            Err(error) => return self.build_fewer(tasks, &error),
        };
        let failed = failed.into_iter().map(|(scope, error)| {
            let report = TenantReport { errors: vec![error], ..TenantReport::of(&scope) };
            self.until_published(scope, report, now_ms)
        });
        let failed: Vec<Built> = failed.collect();
        if tasks.is_empty() {
            return failed;
        }
        let scopes: Vec<TenantScope> = tasks.iter().map(|task| task.scope.clone()).collect();
        let mut files = PricedFiles::default();
        for task in &tasks {
            if let Attribution::Done(Some(priced)) = &task.base.attribution {
                files.add(self.cut, &task.scope, &priced.manifest);
            }
        }
        let built = match self.make(&scopes, &files, now_ms) {
            Ok(made) => tasks.into_iter().zip(made).map(|(task, made)| self.publish(task, made, now_ms)).collect(),
            Err(error) => self.build_fewer(tasks, &error),
        };
        failed.into_iter().chain(built).collect()
    }

    /// Builds tenants that could not be built together.
    fn build_fewer(&self, mut tasks: Vec<Task>, error: &ExportError) -> Vec<Built> {
        // Of the machine, not of a tenant's data: fewer tenants would meet it, too.
        if error.code().is_none() {
            tracing::debug!(tenants = tasks.len(), %error, "building tenants together failed: building each alone");
            return tasks.into_iter().filter_map(|task| self.build_alone(task)).collect();
        }
        tracing::debug!(tenants = tasks.len(), %error, "building tenants together failed: building fewer at a time");
        let others = tasks.split_off(tasks.len() / 2);
        match tasks.is_empty() {
            true => others.into_iter().filter_map(|task| self.build_alone(task)).collect(),
            false => [tasks, others].into_iter().flat_map(|tasks| self.build_together(tasks)).collect(),
        }
    }

    /// Prices the findings of the tenants; takes those out that it cannot price, and says why. When all of them met something
    /// they are as they were.
    fn price_together(&self, tasks: &mut Vec<Task>, now_ms: i64) -> Result<Vec<(TenantScope, ExportError)>> {
        let bases = tasks.iter().filter_map(|task| match &task.base.attribution {
            Attribution::Base(Ok(base)) => Some((&task.scope, base)),
            _ => None,
        });
        let bases: Vec<(&TenantScope, &TableBase)> = bases.collect();
        let mut priced = pricing(self.config, self.deps, self.cut, now_ms).price(&bases)?.into_iter();
        let mut failed = Vec::new();
        for Task { scope, base } in std::mem::take(tasks) {
            let outcome = match base.attribution {
                Attribution::Done(priced) => Ok(priced),
                Attribution::Base(Ok(_)) => priced.next().unwrap_or(Ok(None)),
                Attribution::Base(Err(error)) => Err(error),
            };
            match outcome {
                Ok(priced) => {
                    tasks.push(Task { scope, base: Base { attribution: Attribution::Done(priced), ..base } });
                }
                Err(error) => failed.push((scope, error)),
            }
        }
        Ok(failed)
    }

    /// Makes what is to be published of the tenants, of all of them or none.
    fn make(&self, scopes: &[TenantScope], priced: &PricedFiles, now_ms: i64) -> Result<Vec<Made>> {
        let (config, cut, held) = (self.config, self.cut, Held::InMemory);
        if let Some(scope) = scopes.iter().find(|scope| !cut.has(scope)) {
            return Err(ExportError::TenantNotFound { tenant: scope.to_string() });
        }
        let duck = findings_db::open(cut, scopes, Some(&config.default_currency), held, priced, &config.limits)?;
        let gold: Vec<Option<Computed>> = match config.gold {
            true => compute_gold(&duck, cut, scopes, held, now_ms)?.into_iter().map(Some).collect(),
            false => scopes.iter().map(|_| None).collect(),
        };
        let exports = make_exports(&duck, cut, scopes, &config.options(config.gold))?;
        Ok(gold.into_iter().zip(exports).map(|(gold, export)| Made { gold, export }).collect())
    }

    /// Also after a stop was requested: what is made is soon published.
    fn publish(&self, Task { scope, base }: Task, made: Made, began_ms: i64) -> Built {
        self.deps.observer.pulse.busy();
        let (config, cut) = (self.config, self.cut);
        let gold = base.gold.zip(made.gold).map(|(base, computed)| {
            base.and_then(|base| publish_gold(&base, computed, cut, &scope, &*self.deps.store, began_ms))
        });
        let (export_base, export) = (base.export, made.export);
        let report = report(&scope, gold, |gold| {
            let (export_base, options) = (export_base?, config.options(gold));
            publish_export(&export_base, export?, cut, &scope, &config.export_dir, &options)
        });
        let attribution = match base.attribution {
            Attribution::Done(priced) => priced.map(|priced| priced.report),
            Attribution::Base(_) => None,
        };
        self.until_published(scope, TenantReport { attribution, ..report }, began_ms)
    }

    fn build_alone(&self, Task { scope, base }: Task) -> Option<Built> {
        if self.shutdown.is_requested() {
            return None;
        }
        let began_ms = self.begin();
        let report = build(self.config, self.deps, self.cut, &scope, base);
        Some(self.until_published(scope, report, began_ms))
    }

    /// Returns the time of the build.
    fn begin(&self) -> i64 {
        self.deps.observer.pulse.busy();
        self.deps.clock.now_ms()
    }

    /// Builds again, with a new cut, while other exporters publish the tenant.
    fn until_published(&self, scope: TenantScope, mut report: TenantReport, began_ms: i64) -> Built {
        let Self { config, deps, .. } = *self;
        let mut of = self.cut.digest_of(&scope);
        for _ in 1..BUILDS_MAX {
            if !report.errors.iter().any(|error| matches!(error, ExportError::Superseded { .. })) {
                break;
            }
            tracing::info!(tenant = %scope, "another exporter has published this tenant meanwhile: building it again");
            let base = Base::read(config, &*deps.store, &scope);
            match Cut::committed(Arc::clone(&deps.store)) {
                Ok(cut) => (report, of) = (build(config, deps, &cut, &scope, base), cut.digest_of(&scope)),
                Err(error) => {
                    report.errors = vec![error.into()];
                    break;
                }
            }
        }
        if self.keeps_running {
            report.errors.iter().for_each(|error| tracing::error!(tenant = %scope, %error, "exporting failed"));
        }
        Built { scope, report, of, began_ms }
    }
}

/// Builds one tenant by itself, whatever its size.
fn build(config: &ExporterConfig, deps: &ExporterDeps, cut: &Cut, scope: &TenantScope, base: Base) -> TenantReport {
    let (currency, limits) = (&config.default_currency, &config.limits);
    let now_ms = deps.clock.now_ms();
    let priced = match base.attribution {
        Attribution::Done(priced) => Ok(priced),
        Attribution::Base(base) => base.and_then(|base| {
            let mut priced = pricing(config, deps, cut, now_ms).price(&[(scope, &base)])?;
            priced.pop().unwrap_or(Ok(None))
        }),
    };
    let mut files = PricedFiles::default();
    let attribution = match priced {
        Ok(priced) => priced.map(|Priced { report, manifest }| {
            files.add(cut, scope, &manifest);
            report
        }),
        // What is made without prices would contradict what is there.
        Err(error) => return TenantReport { errors: vec![error], ..TenantReport::of(scope) },
    };
    let mut opened = None;
    let gold = base.gold.map(|base| {
        let base = base?;
        let (computed, duck) = compute_gold_alone(cut, scope, currency, &files, now_ms, limits)?;
        opened = Some(duck);
        publish_gold(&base, computed, cut, scope, &*deps.store, now_ms)
    });
    let report = report(scope, gold, |gold| {
        let (base, options) = (base.export?, config.options(gold));
        let made = make_export_alone(cut, scope, &options, &files, limits, opened)?;
        publish_export(&base, made, cut, scope, &config.export_dir, &options)
    });
    TenantReport { attribution, ..report }
}

fn pricing<'p>(config: &'p ExporterConfig, deps: &'p ExporterDeps, cut: &'p Cut, now_ms: i64) -> Pricing<'p> {
    Pricing {
        cut,
        store: &*deps.store,
        options: &config.options.attribution,
        reporting_currency: &config.default_currency,
        limits: &config.limits,
        now_ms,
    }
}

/// The JSON files come last: their manifest says whether the tables are of the same cut.
fn report(
    scope: &TenantScope,
    gold: Option<Result<GoldReport>>,
    export: impl FnOnce(bool) -> Result<ExportReport>,
) -> TenantReport {
    let mut report = TenantReport::of(scope);
    match gold.transpose() {
        Ok(gold) => report.gold = gold,
        Err(error) => report.errors.push(error),
    }
    match export(report.gold.is_some()) {
        Ok(export) => report.export = Some(export),
        // Bills without findings, or a first run still under way: nothing to show yet.
        Err(error @ (ExportError::TenantNotFound { .. } | ExportError::NoRows | ExportError::NoCompleteRun { .. })) => {
            tracing::info!(tenant = %scope, %error, "not exported yet");
            report.not_yet = Some(error);
        }
        Err(error) => report.errors.push(error),
    }
    report
}
