//! One run: collect, check, publish, say what happened. The only place where collectors, checkers and publishing meet.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use checkers::registry::Registration;
use checkers::run_context::RunContext;
use collectors::billing::{LoadError, LoadOptions, LoadReport};
use collectors::collector::BilledScope;
use collectors::registry::CollectorRegistry;
use contracts::members::Misspelt;
use contracts::run_manifest::{self, RunManifest, ScopeOutcome};
use contracts::time::format_timestamp;
use contracts::topics;
use inventories::collected::{Collected, CollectionReport};
use inventories::kind::{Inventory, InventoryKind};
use platform::broker::{Broker, BrokerError};
use platform::clock::Clock;
use platform::lifecycle::{Shutdown, Stopped};
use platform::progress::{Progress, Unit};
use platform::store::Store;
use platform::trace::Tracer;

mod check;
mod collect;
mod pool;
mod scope;
mod stopped;
mod supervise;

pub use self::collect::collectors_of;
pub use self::scope::FINDINGS_PER_SCOPE_MAX;
pub use self::stopped::{Stage, StoppedRun};

use self::check::{Found, check};
use self::collect::collect;
use self::scope::run_status;
use crate::draft::draft;
use crate::publish::{
    FileReport, FindingsInput, InputError, PublishError, RECORD_BYTES_MAX, RunHeaders, Sender, UnpublishedLine,
    publish_file, publish_manifest,
};

/// Time one checker has in one scope, and one collector in one account and region.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(300);
/// Collectors that run at the same time: enough to hide how long an API takes to answer, few enough for its rate limits, which a
/// provider sets for each account and region.
pub const COLLECTORS_AT_ONCE_DEFAULT: usize = 8;

/// How many tasks run at the same time. They change how long a run takes, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskLimits {
    /// Collectors, each in one account and region.
    pub collectors: usize,
    /// Checkers. They compute, so more than there are cores brings nothing.
    pub checkers: usize,
}

impl Default for TaskLimits {
    fn default() -> Self {
        let checkers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { collectors: COLLECTORS_AT_ONCE_DEFAULT, checkers }
    }
}

/// What a run is to do.
#[derive(Debug, Clone)]
pub struct RunPlan {
    /// Facts of the run.
    pub context: RunContext,
    /// Checkers to run, as [`crate::selection::select`] gave them.
    pub checkers: Vec<Registration>,
    /// True when the user named the checkers: then one that is skipped makes the run partial.
    pub checkers_named: bool,
    /// Collectors to choose from: those that a chosen checker needs run.
    pub collectors: CollectorRegistry,
    /// Billing files, read as one delivery.
    pub billing_files: Vec<PathBuf>,
    /// How they are loaded.
    pub billing_options: LoadOptions,
    /// Files of another producer's wire findings; `-` is standard input.
    pub findings_files: Vec<PathBuf>,
    /// Regions to look at; empty: those that the provider's configuration names.
    pub regions: Vec<String>,
    /// Time one checker has in one scope, and one collector in one account and region.
    pub deadline: Duration,
    /// How many of them run at the same time.
    pub limits: TaskLimits,
    /// What was collected before the run, of kinds that are there once for a run.
    pub given: Vec<Given>,
    /// Further facts for the manifest.
    pub notes: BTreeMap<String, String>,
}

/// An inventory that was collected before the run.
#[derive(Clone)]
pub struct Given {
    kind: InventoryKind,
    collected: Arc<Collected>,
}

impl Given {
    /// Of an inventory that was seen whole.
    #[must_use]
    pub fn new<T: Inventory>(inventory: T) -> Self {
        Self { kind: T::KIND, collected: Arc::new(Collected::new(inventory, CollectionReport::default())) }
    }
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind.name)
    }
}

/// What a run works with. The topics `finops.findings.wire` and `finops.runs` must exist.
#[derive(Clone)]
pub struct Ports<'a> {
    /// Log.
    pub broker: &'a dyn Broker,
    /// Datasets.
    pub store: &'a dyn Store,
    /// Wall clock, for the manifests.
    pub clock: &'a dyn Clock,
    /// Listener.
    pub progress: Arc<dyn Progress>,
    /// What the run is a trace of.
    pub tracer: Tracer,
    /// Ends the run: within a second while it collects and checks, between two batches while it publishes.
    pub shutdown: Shutdown,
}

/// What a run did.
#[derive(Debug)]
pub struct RunReport {
    /// As published.
    pub manifest: RunManifest,
    /// The billing files, when there were any.
    pub billing: Option<LoadReport>,
    /// Findings of own checkers.
    pub findings_published: u64,
    /// Lines of findings files.
    pub lines_published: u64,
    /// Lines that no record can hold: never silent, never published.
    pub lines_unpublished: Vec<UnpublishedLine>,
    /// Members of findings files that the contract ignores and that are probably meant to be others, with the records that
    /// have them.
    pub members_misspelt: BTreeMap<Misspelt, u64>,
    /// Findings files without a record.
    pub findings_files_empty: Vec<String>,
    /// True when an account was not looked at that other credentials would have opened.
    pub lacks_credentials: bool,
    /// Wall time by stage, in order.
    pub stages: Vec<(&'static str, Duration)>,
}

/// A run ended without a manifest. What it published before is not counted as a finished run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A billing file.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A findings file, the broker or the store.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The broker gives no producer.
    #[error("connecting to the broker: {0}")]
    Connect(#[from] BrokerError),
    /// The run was asked to stop.
    #[error("{0}")]
    Stopped(StoppedRun),
}

/// Runs the plan.
///
/// # Errors
/// Input that cannot be read, a broker or store that does not take what is published, or a stop request. Whatever happens
/// to a checker is no error: the manifest tells.
pub fn run(plan: &RunPlan, ports: &Ports<'_>) -> Result<RunReport, RunError> {
    let mut so_far = StoppedRun {
        stage: Stage::Collect,
        cost_facts: 0,
        findings_found: 0,
        findings_published: 0,
        lines_published: 0,
    };
    run_until_stopped(plan, ports, &mut so_far).map_err(|error| match error {
        error if ports.shutdown.is_requested() => {
            tracing::debug!(%error, "stopped");
            RunError::Stopped(so_far)
        }
        error => error,
    })
}

/// A run that writes down how far it has come.
fn run_until_stopped(plan: &RunPlan, ports: &Ports<'_>, so_far: &mut StoppedRun) -> Result<RunReport, RunError> {
    let mut stages = Stages { tracer: ports.tracer.clone(), times: Vec::new() };
    // A findings file that is not there, or is none, is reported before an hour of work, not after.
    let mut findings_files = open_files(&plan.findings_files, &ports.shutdown).map_err(PublishError::from)?;
    let (mut collections, billing) = stages.time("collect", |tracer| collect(plan, ports, tracer))?;
    so_far.stage = Stage::Check;
    so_far.cost_facts = billing.iter().map(|report| report.currencies.values().sum::<u64>()).sum();
    let (mut scopes, found) = stages.time("check", |tracer| check(plan, ports, &collections, tracer));
    let lacks_credentials = collections.lacks_credentials();
    let billed = collections.billed.take();
    // Inventories can be large, and nothing reads them any more.
    drop(collections);
    so_far.findings_found = found.len() as u64;
    if ports.shutdown.is_requested() {
        return Err(PublishError::from(Stopped).into());
    }
    so_far.stage = Stage::Publish;

    let mut producer = ports.broker.producer()?;
    let started = Instant::now();
    let mut span = ports.tracer.send(topics::WIRE);
    let headers = RunHeaders::new(&plan.context, span.traceparent());
    let mut sender = Sender::new(producer.as_mut(), headers, ports.shutdown.clone());
    let kept_out = publish_findings(plan, &found, &mut sender);
    let findings_published = sender.published();
    so_far.findings_published = findings_published;
    mark_kept_out(&mut scopes, &kept_out.inspect_err(|error| span.fail(error))?);
    let files = publish_files(&mut findings_files, plan, ports, &mut sender);
    let published = sender.published();
    so_far.lines_published = published - findings_published;
    let files = files.inspect_err(|error| span.fail(error))?;
    span.set_records(published);
    drop(span);
    let created_at = format_timestamp(ports.clock.now_ms());
    let manifest = manifest(plan, created_at, scopes, billed, billing.as_ref(), published, &files.unpublished);
    publish_manifest(&manifest, producer.as_mut(), ports.store, &ports.shutdown)?;
    stages.times.push(("publish", started.elapsed()));
    Ok(RunReport {
        manifest,
        billing,
        findings_published,
        lines_published: published - findings_published,
        lines_unpublished: files.unpublished,
        members_misspelt: files.misspelt,
        findings_files_empty: files.empty,
        lacks_credentials,
        stages: stages.times,
    })
}

struct Stages {
    tracer: Tracer,
    times: Vec<(&'static str, Duration)>,
}

impl Stages {
    fn time<T>(&mut self, stage: &'static str, work: impl FnOnce(&Tracer) -> T) -> T {
        let started = Instant::now();
        let span = self.tracer.span(stage);
        let outcome = work(&self.tracer.within(&span));
        self.times.push((stage, started.elapsed()));
        outcome
    }
}

fn open_files(paths: &[PathBuf], shutdown: &Shutdown) -> Result<Vec<FindingsInput>, InputError> {
    paths.iter().map(|path| FindingsInput::open_until(path, RECORD_BYTES_MAX, shutdown)).collect()
}

/// Publishes findings of own checkers; returns the scopes of those that no record can hold.
fn publish_findings(plan: &RunPlan, found: &[Found], sender: &mut Sender<'_>) -> Result<Vec<usize>, PublishError> {
    for (tag, Found { registration, finding, .. }) in (0..).zip(found) {
        let Some(check) = registration.check(finding.check_id) else { continue };
        let bytes = serde_json::to_vec(&draft(&plan.context, registration, check, finding))
            .map_err(|source| PublishError::Encode { what: format!("a finding of {}", registration.spec), source })?;
        sender.send(&plan.context.tenant_id, Bytes::from(bytes), tag)?;
    }
    sender.flush()?;
    let scope = |tag: u64| found.get(usize::try_from(tag).ok()?).map(|f| f.scope);
    Ok(sender.take_too_large().into_iter().filter_map(|record| scope(record.tag)).collect())
}

/// A finding over the broker's limit leaves a gap in its checker's scope.
fn mark_kept_out(scopes: &mut [ScopeOutcome], kept_out: &[usize]) {
    for index in kept_out {
        let Some(scope) = scopes.get_mut(*index) else { continue };
        scope.findings = scope.findings.saturating_sub(1);
        scope.status = run_manifest::RunStatus::Partial;
        let why = "a finding is larger than a record may be and was not published";
        if !scope.reason.contains(why) {
            scope.reason =
                [scope.reason.as_str(), why].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
        }
    }
}

fn publish_files(
    inputs: &mut [FindingsInput],
    plan: &RunPlan,
    ports: &Ports<'_>,
    sender: &mut Sender<'_>,
) -> Result<FileReport, PublishError> {
    let mut all = FileReport::default();
    if inputs.is_empty() {
        return Ok(all);
    }
    let size = |path: &PathBuf| std::fs::metadata(path).map(|meta| meta.len()).unwrap_or_default();
    let bytes = plan.findings_files.iter().map(size).sum();
    ports.progress.begin("publishing findings files", Unit::Bytes, Some(bytes));
    for input in inputs {
        let report = publish_file(input, &plan.context.tenant_id, sender, ports.progress.as_ref())?;
        all.unpublished.extend(report.unpublished);
        all.empty.extend(report.empty);
        report.misspelt.into_iter().for_each(|(member, n)| *all.misspelt.entry(member).or_default() += n);
    }
    ports.progress.end();
    for line in &all.unpublished {
        tracing::error!(file = line.file, line = line.line, bytes = line.bytes, "line is too large to publish");
    }
    for file in &all.empty {
        tracing::warn!(file, "findings file has no record");
    }
    for (member, records) in &all.misspelt {
        tracing::info!(%member, records, "member of findings files is ignored");
    }
    Ok(all)
}

fn manifest(
    plan: &RunPlan,
    created_at: String,
    scopes: Vec<ScopeOutcome>,
    billed: Option<BilledScope>,
    billing: Option<&LoadReport>,
    published: u64,
    unpublished: &[UnpublishedLine],
) -> RunManifest {
    let context = &plan.context;
    let (billed_accounts, billed_usage) = billed.map(|billed| (billed.accounts, billed.usage)).unzip();
    let mut notes = plan.notes.clone();
    if !unpublished.is_empty() {
        notes.insert("lines_unpublished".into(), unpublished.len().to_string());
    }
    RunManifest {
        format_version: run_manifest::FORMAT_VERSION,
        tenant_id: context.tenant_id.clone(),
        workspace_id: context.workspace_id.clone(),
        run_id: context.run_id.clone(),
        run_ts: context.run_ts_text(),
        created_at,
        status: run_status(&scopes, plan.checkers_named, !plan.findings_files.is_empty()),
        finding_id_mode: context.finding_id_mode.as_str().to_owned(),
        engine_name: context.engine_name.clone(),
        engine_version: context.engine_version.clone(),
        rulepack_version: context.rulepack.version(),
        schema_version: context.schema_version,
        published,
        scopes,
        billed_accounts,
        billed_usage,
        billing_deliveries: billing.map(LoadReport::deliveries).unwrap_or_default(),
        notes,
    }
}
